"""The service that has roll-ups reckoned."""

import asyncio
from contextlib import suppress

import pytest

from control_room.core.errors import DatabaseUnavailable
from control_room.services import rollups
from control_room.services.rollups import BATCH, Rollups


class Store:
    """Answers as told, and stops the service when nothing is left to answer."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    async def roll_up(self, most: int) -> int:
        self.asked.append(most)
        if not self.answers:
            raise asyncio.CancelledError
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "PAUSE_S", 0.0)
    with suppress(asyncio.CancelledError):
        await Rollups(store).run()


async def test_it_goes_on_while_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(BATCH, BATCH, 3)
    await run(store, monkeypatch)
    assert store.asked == [BATCH] * 4


async def test_a_database_that_is_away_is_told_once_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    with caplog.at_level("INFO"):
        await run(Store(away, away, 1), monkeypatch)
    assert [one.levelname for one in caplog.records] == ["WARNING", "INFO"]
    caplog.clear()
