"""A journal for tests: rows in memory, answering as the database's function does."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from control_room.core.alarms import Happening
from control_room.core.ports import Configuration
from db.journal_search import JournalFilter, JournalRow, read_opening, search_journal
from tests.fakes import START
from tests.ui.rooms import Stage, configuration

_KINDS = (
    ("raised", "NORM", "UNACK"),
    ("acknowledged", "UNACK", "ACKED"),
    ("returned", "ACKED", "NORM"),
    ("shelved", "NORM", "SHLVD"),
    ("commented", "SHLVD", "SHLVD"),
)
LONG = " after the works at the northern main that the joint association announced twice and moved three times"


def row(number: int, known: Configuration, **more: Any) -> JournalRow:
    """Return a row that is one of a mixed lot, 40 seconds after the one before."""
    rule = known.rules[number * 7 % len(known.rules)]
    tag = next(one for one in known.tags if one.id == rule.tag_id)
    happening, before, after = _KINDS[number % len(_KINDS)]
    time = START + timedelta(seconds=40 * number)
    is_person = happening in ("acknowledged", "shelved", "commented")
    made = JournalRow(
        id=int(time.timestamp()) * 1_000_000,
        commit_time=time,
        source_time=time - timedelta(seconds=90 if number % 11 == 0 else 0),
        rule_id=rule.id,
        event_id=1 + number // 50,
        happening=happening,
        previous_state=before,
        state=after,
        value=rule.limit * 1.02,
        quality=0,
        limit=rule.limit,
        priority=int(rule.priority),
        message=rule.message,
        person=("m.okafor", "j.lind")[number % 2] if is_person else "",
        station="desk-1" if is_person else "",
        comment="Crew informed" if happening == "acknowledged" and number % 3 else "Pump test" if is_person else "",
        detail={"until": (time + timedelta(hours=2)).isoformat()} if happening == "shelved" else {},
        municipality_id=tag.municipality_id,
        tag_id=tag.id,
        tag_key=tag.key,
        tag_name=tag.name,
        site=tag.site,
        asset=tag.asset,
    )
    return replace(made, **more)


@dataclass
class Books:
    """The journal's rows, the oldest first, and what was asked."""

    rows: list[JournalRow] = field(default_factory=list)
    asked: list[JournalFilter] = field(default_factory=list)

    def read(self, wanted: JournalFilter, before: int | None, limit: int) -> Sequence[JournalRow]:
        self.asked.append(wanted)
        found = [one for one in self.rows if _is_wanted(one, wanted) and (before is None or one.id < before)]
        return sorted(found, key=lambda one: one.id, reverse=True)[:limit]

    def opening(self, area: JournalFilter, at: datetime) -> Sequence[JournalRow]:
        newest: dict[int, JournalRow] = {}
        for one in self.rows:
            if one.commit_time < at and area.municipality_id in (None, one.municipality_id):
                newest[one.rule_id] = one
        return sorted((one for one in newest.values() if one.state != "NORM"), key=lambda one: one.id, reverse=True)


def _is_wanted(one: JournalRow, wanted: JournalFilter) -> bool:
    words = f"{one.tag_key} {one.tag_name} {one.message} {one.comment}".lower()
    return (
        all(word in words for word in wanted.text.lower().split())
        and wanted.municipality_id in (None, one.municipality_id)
        and wanted.site in ("", one.site)
        and wanted.asset in ("", one.asset)
        and wanted.person.lower() in one.person
        and (not wanted.kinds or Happening(one.happening) in wanted.kinds)
        and (wanted.start is None or one.commit_time >= wanted.start)
        and (wanted.end is None or one.commit_time < wanted.end)
    )


def keep_books(stage: Stage, count: int = 450) -> Books:
    """Return a journal that the stage's reading thread answers from; its last row is of the present."""
    known = configuration()
    books = Books([row(number, known) for number in range(count)])
    stage.clock.pass_s(40 * count)
    stage.reading.answers = {**stage.reading.answers, search_journal: books.read, read_opening: books.opening}
    return books
