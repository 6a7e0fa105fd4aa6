"""Samples page by page, as an export reads them."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from control_room.core.samples import BAD_SENSOR_FAILURE
from control_room.core.tags import Quantity, Tag
from control_room.ui import trend_export
from control_room.ui.trend_export import trend_pages
from db.sample_pages import SamplePage
from db.stores import PostgresSampleStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.fakes import START, sample
from tests.plants import plant


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_pages_give_every_sample_once_however_many_share_a_time(
    size: int, thread: DatabaseThread, owner: Engine, station: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owner.begin() as connection:
        import_plant(connection, plant(tags=2))
    shared = [sample(1, float(number), 5) for number in range(7)]
    written = [sample(1, 0.5), *shared, sample(1, None, 6, BAD_SENSOR_FAILURE), sample(1, 2.0, 9), sample(2, 3.0, 1)]
    await PostgresSampleStore(thread).write_samples([*written, sample(1, 9.0, 11)])
    monkeypatch.setattr(trend_export, "EXPORT_PAGE", size)

    async def read(job: "partial[SamplePage]") -> SamplePage:
        with station.connect() as connection:
            return job(connection)

    tags = [Tag(one, 1, "Hill", "Tank", f"T{one}", "Level", Quantity.LEVEL, 1, "", "m") for one in (1, 2, 777)]
    found: list[Any] = []
    percents = []
    pages = trend_pages(read, [(tag, "Northfield") for tag in tags], START, START + timedelta(seconds=10))
    async for page in pages:
        found += page.rows
        percents.append(page.percent or 0)
    assert [(row[5], row[1], row[7]) for row in found] == [
        (f"T{one.tag_id}", one.source_time, one.value) for one in written
    ]
    assert found[8][-1] == "Bad: sensor failure"
    assert percents == sorted(percents)
    assert percents[-1] == 100
