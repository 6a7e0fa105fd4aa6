"""Who may do what: roles, actions and the one matrix of both.

The database holds the same matrix in its tables `action` and `role_right` and decides by it; tests compare the two and the
handbook's page. A person holds a role in one municipality or nationally, which means in every one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is in a municipality."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Action(StrEnum):
    """What a person does."""

    VIEW = "view"
    ACKNOWLEDGE = "acknowledge"
    COMMENT = "comment"
    SHELVE = "shelve"
    SERVICE = "service"
    CONFIGURE = "configure"
    SET_COMMENTS = "set_comments"
    SEE_SHIFT = "see_shift"
    READ_AUDIT = "read_audit"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_INSTALLATION = "manage_installation"


# as a refusal says it: "You may not ... here."
TITLES: Mapping[Action, str] = {
    Action.VIEW: "see this",
    Action.ACKNOWLEDGE: "acknowledge alarms",
    Action.COMMENT: "comment on alarms",
    Action.SHELVE: "shelve alarms",
    Action.SERVICE: "take alarms out of service",
    Action.CONFIGURE: "configure tags and alarm rules",
    Action.SET_COMMENTS: "set which comments are demanded",
    Action.SEE_SHIFT: "see who is on shift",
    Action.READ_AUDIT: "read the audit",
    Action.MANAGE_PEOPLE: "manage people",
    Action.MANAGE_INSTALLATION: "manage municipalities and stations",
}

_R = Role
MATRIX: Mapping[Action, frozenset[Role]] = {
    Action.VIEW: frozenset(Role),
    Action.ACKNOWLEDGE: frozenset({_R.OPERATOR, _R.SUPERVISOR}),
    Action.COMMENT: frozenset({_R.OPERATOR, _R.SUPERVISOR, _R.ENGINEER}),
    Action.SHELVE: frozenset({_R.OPERATOR, _R.SUPERVISOR}),
    Action.SERVICE: frozenset({_R.SUPERVISOR, _R.ENGINEER}),
    Action.CONFIGURE: frozenset({_R.ENGINEER}),
    Action.SET_COMMENTS: frozenset({_R.ENGINEER, _R.ADMINISTRATOR}),
    Action.SEE_SHIFT: frozenset({_R.SUPERVISOR, _R.ADMINISTRATOR}),
    Action.READ_AUDIT: frozenset({_R.AUDITOR, _R.ADMINISTRATOR}),
    Action.MANAGE_PEOPLE: frozenset({_R.ADMINISTRATOR}),
    Action.MANAGE_INSTALLATION: frozenset({_R.ADMINISTRATOR}),
}
# what concerns every municipality at once needs the role nationally
NATIONAL_ONLY = frozenset({Action.MANAGE_INSTALLATION})
NOT_SIGNED_IN = "Nobody is signed in. Sign in first."


@dataclass(frozen=True, slots=True)
class Membership:
    """A role in one municipality; None: in every one."""

    municipality_id: int | None
    role: Role


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, and what they may do where."""

    login: str
    name: str
    memberships: frozenset[Membership]
    must_change_password: bool = False

    def may(self, action: Action, municipality_id: int | None = None) -> bool:
        """Return whether the matrix allows the action there; None: in every municipality at once."""
        return any(
            one.role in MATRIX[action] and one.municipality_id in (None, municipality_id) for one in self.memberships
        )

    def may_somewhere(self, action: Action) -> bool:
        """Return whether the matrix allows the action in any municipality."""
        only_national = action in NATIONAL_ONLY
        return any(
            one.role in MATRIX[action] and not (only_national and one.municipality_id is not None)
            for one in self.memberships
        )


def refusal(action: Action) -> str:
    """Return what a person without the right reads; the database says the same words."""
    return f"You may not {TITLES[action]} here. It needs the role {_either(MATRIX[action])}."


def _either(roles: Iterable[Role]) -> str:
    return " or ".join(role.value for role in Role if role in roles)


def why_not(person: Person | None, action: Action, municipality_id: int | None = None) -> str:
    """Return why the person may not act in the municipality, empty when they may."""
    if person is None:
        return NOT_SIGNED_IN
    return "" if person.may(action, municipality_id) else refusal(action)
