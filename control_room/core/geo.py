"""Web Mercator (EPSG:3857), the map's plane."""

from math import log, pi, radians, tan

EARTH_RADIUS_M = 6_378_137.0
MAX_LATITUDE_DEG = 85.051128


def project(longitude_deg: float, latitude_deg: float) -> tuple[float, float]:
    """Return (x, y) in EPSG:3857 metres, y to the north (OGC 'Popular Visualisation Pseudo-Mercator', EPSG method 1024)."""
    latitude_deg = max(-MAX_LATITUDE_DEG, min(MAX_LATITUDE_DEG, latitude_deg))
    return (
        EARTH_RADIUS_M * radians(longitude_deg),
        EARTH_RADIUS_M * log(tan(pi / 4 + radians(latitude_deg) / 2)),
    )
