"""What the seat says of people, stations and their rights."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from control_room.core.access import Membership, Role
from control_room.core.tags import Municipality
from db.people import Account

EVERYWHERE = "everywhere"
Places = Mapping[int, Municipality]


def place_word(places: Places, municipality_id: int | None) -> str:
    """Return where a role is held; None: in every municipality."""
    if municipality_id is None:
        return EVERYWHERE
    one = places.get(municipality_id)
    return one.name if one else f"municipality {municipality_id}"


def roles_words(memberships: Iterable[Membership], places: Places) -> str:
    """Return the roles in words: "operator in Cedar Valley and Northfield; auditor everywhere"."""
    where: dict[Role, list[str]] = {}
    for one in memberships:
        where.setdefault(one.role, []).append(_where(places, one.municipality_id))
    return "; ".join(f"{role} {joined(sorted(where[role]))}" for role in Role if role in where) or "no role"


def _where(places: Places, municipality_id: int | None) -> str:
    word = place_word(places, municipality_id)
    return word if municipality_id is None else f"in {word}"


def joined(words: Sequence[str]) -> str:
    """Return the words as a sentence lists them."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def shown_words(municipality_ids: Iterable[int | None], places: Places) -> str:
    """Return which municipalities a station shows."""
    ids = set(municipality_ids)
    if None in ids:
        return "every municipality"
    return joined(sorted(place_word(places, one) for one in ids)) or "none"


def state_words(account: Account, now: datetime) -> str:
    """Return whether and how the person may sign in."""
    if not account.is_enabled:
        return "disabled"
    if account.locked_until is not None and account.locked_until > now:
        # a lock lasts minutes
        return f"locked until {account.locked_until.astimezone():%H:%M}"
    return "must change password" if account.must_change_password else "enabled"
