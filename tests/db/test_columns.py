"""Columns of numbers in PostgreSQL's binary form."""

import numpy as np
import pytest
from sqlalchemy import Engine, text

from db.columns import column, packed


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ("ARRAY[1.5, -2, 'NaN', 'Infinity']::float8[]", [1.5, -2.0, np.nan, np.inf]),
        ("ARRAY[1, -2147483648]::int4[]", [1, -(2**31)]),
        ("ARRAY[9223372036854775807]::int8[]", [2**63 - 1]),
        ("ARRAY[-5]::int2[]", [-5]),
        ("ARRAY[0.5]::float4[]", [0.5]),
        ("'{}'::float8[]", []),
        ("NULL::float8[]", []),
    ],
)
def test_a_column_is_what_the_array_was(station: Engine, array: str, expected: list[float]) -> None:
    with station.connect() as connection:
        found = column(connection.execute(text(f"SELECT {packed('a')} FROM (SELECT {array} AS a) AS t")).scalar_one())
    assert np.array_equal(found, np.array(expected), equal_nan=True)
    assert found.dtype.isnative


@pytest.mark.parametrize("array", ["ARRAY[1, NULL]::int4[]", "ARRAY[[1, 2], [3, 4]]::int4[]"])
def test_what_is_no_column_is_refused(station: Engine, array: str) -> None:
    with station.connect() as connection, pytest.raises(ValueError, match="one dimension without nulls"):
        column(connection.execute(text(f"SELECT array_send({array})")).scalar_one())
