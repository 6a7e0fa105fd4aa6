"""The samples behind a trend as an export writes them: every one as it is stored, pen after pen."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from control_room.core.samples import quality_text
from control_room.core.tags import Tag
from control_room.ui.audit_words import utc_text
from control_room.ui.export import Page
from control_room.ui.table_files import Cell
from db.sample_pages import SamplePage, read_sample_page

EXPORT_PAGE = 5_000
TITLES = ("time_utc", "time_local", "municipality", "site", "asset", "tag", "name", "value", "unit", "state", "quality")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Read = Callable[[partial[SamplePage]], Awaitable[SamplePage]]


async def trend_pages(
    read: Read, pens: Sequence[tuple[Tag, str]], begin: datetime, end: datetime
) -> AsyncGenerator[Page, None]:
    """Yield the samples of each (tag, municipality) from `begin` to `end`, both included. Raises ControlRoomError."""
    for number, (tag, municipality) in enumerate(pens):
        since, skip = begin, 0
        while True:
            page = await read(
                partial(read_sample_page, tag_id=tag.id, begin=since, end=end, skip=skip, most=EXPORT_PAGE)
            )
            is_last = page.time_us.size < EXPORT_PAGE
            share = 1.0 if is_last else (_time(page.time_us[-1]) - begin) / max(end - begin, timedelta.resolution)
            yield Page(_rows(tag, municipality, page), int(100 * (number + share) / len(pens)))
            if is_last:
                break
            # several samples of the same time may lie on both sides of a page's end
            at_end = int(np.count_nonzero(page.time_us == page.time_us[-1]))
            last = _time(page.time_us[-1])
            since, skip = last, at_end + (skip if last == since else 0)


def _time(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(time_us))


def _rows(tag: Tag, municipality: str, page: SamplePage) -> list[list[Cell]]:
    place = (municipality, tag.site, tag.asset, tag.key, tag.name)
    return [
        [
            utc_text(time := _time(time_us)),
            time,
            *place,
            None if value != value else value,
            tag.unit,
            tag.text(value) if tag.states and value == value else "",
            quality_text(quality),
        ]
        for time_us, value, quality in zip(page.time_us, page.value.tolist(), page.quality.tolist(), strict=True)
    ]
