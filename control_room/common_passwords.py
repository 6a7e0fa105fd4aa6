"""The passwords that are tried first: the list of the package zxcvbn, read when it is needed."""

from functools import lru_cache


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Return about 30,000 passwords in small letters."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
