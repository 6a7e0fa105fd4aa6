"""The words that are tried first: the lists of the package zxcvbn, read when they are needed."""

from functools import lru_cache


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Return about 90,000 words in small letters: leaked passwords, words of a dictionary, names."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset[str]().union(*FREQUENCY_LISTS.values())
