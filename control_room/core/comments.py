"""Comments on acknowledgements: where one is demanded, and the standard ones to choose from.

What holds everywhere and what a municipality has set for itself add up. The database decides by the same settings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from control_room.core.alarms import Priority

EVERYWHERE = 0
MOST_COMMENTS, LONGEST_COMMENT = 50, 200


@dataclass(frozen=True, slots=True)
class CommentSetting:
    """The priorities whose acknowledgement needs a comment, and the standard comments in their order."""

    priorities: frozenset[Priority] = frozenset()
    comments: tuple[str, ...] = ()


NOTHING = CommentSetting()


@dataclass(frozen=True, slots=True)
class CommentBook:
    """What is set, by municipality id; EVERYWHERE for all of them."""

    settings: Mapping[int, CommentSetting] = field(default_factory=dict)

    def of(self, municipality_id: int) -> CommentSetting:
        """Return what is set there itself."""
        return self.settings.get(municipality_id, NOTHING)

    def is_demanded(self, municipality_id: int, priority: Priority) -> bool:
        """Return whether an acknowledgement there needs a comment."""
        return any(priority in self.of(place).priorities for place in (EVERYWHERE, municipality_id))

    def comments(self, municipality_ids: Iterable[int]) -> list[str]:
        """Return the standard comments of these municipalities: their own first, each of them once."""
        places = [*sorted({*municipality_ids} - {EVERYWHERE}), EVERYWHERE]
        return list(dict.fromkeys(one for place in places for one in self.of(place).comments))


def demand_words(priority: Priority) -> str:
    """Return what an acknowledgement without a comment is answered; the database says the same words."""
    return f"An acknowledgement of priority {priority:d} needs a comment here."
