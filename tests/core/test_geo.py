"""The map's plane, against published figures of EPSG:3857."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.geo import EARTH_RADIUS_M, MAX_LATITUDE_DEG, project

EDGE_M = math.pi * EARTH_RADIUS_M


@pytest.mark.parametrize(
    ("longitude_deg", "latitude_deg", "x_m", "y_m"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (180.0, 0.0, 20_037_508.343, 0.0),
        (-180.0, 0.0, -20_037_508.343, 0.0),
        # the example of IOGP Guidance Note 7-2, section 3.2.1.2
        (-100.0 - 20 / 60, 24.0 + 22 / 60 + 54.433 / 3600, -11_169_055.58, 2_800_000.00),
    ],
)
def test_known_points(longitude_deg: float, latitude_deg: float, x_m: float, y_m: float) -> None:
    assert project(longitude_deg, latitude_deg) == pytest.approx((x_m, y_m), abs=0.02)


@pytest.mark.parametrize("latitude_deg", [MAX_LATITUDE_DEG, 86.0, 90.0, 1e6])
def test_the_poles_lie_on_the_edge_of_the_square_map(latitude_deg: float) -> None:
    # six decimals of a degree are a metre here
    assert project(0.0, latitude_deg)[1] == pytest.approx(EDGE_M, abs=2.0)
    assert project(0.0, -latitude_deg)[1] == pytest.approx(-EDGE_M, abs=2.0)


@given(st.floats(-MAX_LATITUDE_DEG, MAX_LATITUDE_DEG), st.floats(-180, 180))
def test_north_is_up_and_the_map_is_symmetric(latitude_deg: float, longitude_deg: float) -> None:
    x_m, y_m = project(longitude_deg, latitude_deg)
    assert max(abs(x_m), abs(y_m)) < EDGE_M + 1
    assert math.copysign(1, y_m) == math.copysign(1, latitude_deg) or abs(y_m) < 1e-6
    assert project(-longitude_deg, -latitude_deg) == pytest.approx((-x_m, -y_m), abs=1e-6)
