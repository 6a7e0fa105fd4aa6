"""The report of a period on paper: figures, bars, floods and the alarms to look after, as a PDF."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from PySide6.QtCore import QMarginsF, QRectF, QUrl
from PySide6.QtGui import QImage, QPageLayout, QPageSize, QPainter, QPdfWriter, QTextDocument

from control_room.core.alarm_kpis import Kpis
from control_room.core.errors import ControlRoomError
from control_room.core.kpi_targets import Figure, Verdict
from widgets.bin_bars import BinBars
from widgets.palette import LIGHT

VERDICT_WORDS = {Verdict.GOOD: "", Verdict.WATCH: "watch", Verdict.ACT: "act"}
# of floods and of alarms so many are on paper
_LISTED = 40
_BARS_PX = (1_400, 420)
_STYLE = (
    "<style>body{font-family:sans-serif;font-size:9pt} h1{font-size:15pt} h2{font-size:11pt}"
    " td,th{padding:2px 8px;text-align:left} th{border-bottom:1px solid #000}</style>"
)
Name = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported: the figures, of which area, made by whom and when (aware)."""

    found: Kpis
    figures: Sequence[Figure]
    area: str
    person: str
    made: datetime

    @property
    def period(self) -> str:
        """Return the period in local time."""
        begin, end = (datetime.fromtimestamp(one).astimezone() for one in (self.found.begin_s, self.found.end_s))
        return f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


def bad_actors(found: Kpis) -> list[tuple[int, int, str]]:
    """Return (rule, announcements, why) of every alarm to look after: frequent, chattering, fleeting or stale."""
    why: dict[int, list[str]] = {rule: ["frequent"] for rule, _ in found.top}
    for words, rules in (
        ("chattering", list(found.chattering)),
        ("fleeting", list(found.fleeting)),
        ("stale", [one.rule for one in found.stale]),
    ):
        for rule in rules:
            why.setdefault(rule, []).append(words)
    rows = [(rule, found.counts.get(rule, 0), ", ".join(words)) for rule, words in why.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def flood_words(found: Kpis) -> list[tuple[str, str, str, str, int]]:
    """Return each flood as (begin in local time, minutes, alarms, most in ten minutes, rule of the first alarm)."""
    return [
        (
            f"{datetime.fromtimestamp(one.begin_s).astimezone():%Y-%m-%d %H:%M}",
            f"{(one.end_s - one.begin_s) / 60:,.0f}",
            f"{one.count:,}",
            f"{one.peak:,}",
            one.first_rule,
        )
        for one in found.floods
    ]


def html(report: Report, name: Name) -> str:
    """Return the report as a page; `name` says what an alarm is called. The picture in it is called bars.png."""
    figures = [(one.title, one.value, one.target, VERDICT_WORDS[one.verdict], one.what) for one in report.figures]
    actors = [(name(rule), f"{count:,}", why) for rule, count, why in bad_actors(report.found)]
    floods = [(*words, name(rule)) for *words, rule in flood_words(report.found)]
    made = f"{report.made.astimezone():%Y-%m-%d %H:%M}"
    parts = [
        _STYLE,
        f"<h1>Alarm report</h1><p><b>{escape(report.area)}</b><br>{escape(report.period)}<br>",
        f"Made by {escape(report.person)}, {made}, after ISA-18.2 (clause 16) and EEMUA 191. ",
        "Only announced alarms are counted.</p>",
        _table(("Figure", "Value", "Target", "", ""), figures),
        "<h2>Alarms in ten minutes; floods are shaded</h2><img src='bars.png' width='680'>",
        "<h2>Alarms to look after</h2>",
        _table(("Alarm", "Announced", "Why"), actors),
        "<h2>Floods</h2>",
        _table(("Begin", "Minutes", "Alarms", "Most in 10 min", "First alarm"), floods),
    ]
    return "".join(parts)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(one)}</th>" for one in titles)
    # what a row is called stays on one line
    body = "".join(
        f"<tr><td style='white-space:nowrap'>{escape(first)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in more)}</tr>"
        for first, *more in rows[:_LISTED]
    )
    rest = f"<p>and {len(rows) - _LISTED:,} more</p>" if len(rows) > _LISTED else ""
    return f"<table cellspacing='0'><tr>{head}</tr>{body}</table>{rest}"


def picture(bars: BinBars) -> QImage:
    """Return the bars as they look on paper."""
    image = QImage(*_BARS_PX, QImage.Format.Format_RGB32)
    image.fill(0xFFFFFFFF)
    painter = QPainter(image)
    painter.scale(2, 2)
    bars.paint(painter, QRectF(0, 0, _BARS_PX[0] / 2, _BARS_PX[1] / 2), LIGHT)
    painter.end()
    return image


def write_pdf(path: Path, page: str, image: QImage) -> None:
    """Write the report as a PDF that appears when it is complete. Raises ControlRoomError."""
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.write_bytes(b"")
    except OSError as fault:
        raise ControlRoomError(
            f"The file cannot be written: {fault.strerror}.", advice="Choose another folder or name."
        ) from fault
    document = QTextDocument()
    document.addResource(QTextDocument.ResourceType.ImageResource, QUrl("bars.png"), image)
    document.setHtml(page)
    writer = QPdfWriter(str(draft))
    writer.setPageLayout(
        QPageLayout(QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Portrait, QMarginsF(15, 15, 15, 15))
    )
    writer.setResolution(96)
    writer.setTitle("Alarm report")
    document.print_(writer)
    del writer
    draft.replace(path)
