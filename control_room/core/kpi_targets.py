"""The figures against their targets: ISA-18.2 clause 16, EEMUA 191; those of acknowledgement are this installation's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from control_room.core.alarm_kpis import Kpis
from control_room.core.alarm_load import ACCEPTABLE, MANAGEABLE, AlarmLoad
from control_room.core.alarms import AlarmState, Priority


class Verdict(StrEnum):
    """How a figure stands to its target."""

    GOOD = "good"
    WATCH = "watch"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its name, its value and target in words, and how they compare; `what` says more of it."""

    title: str
    value: str
    target: str
    verdict: Verdict
    what: str = ""


# of what is announced: 80 % low, 15 % medium, 5 % high and highest together
_MIX = ((Priority.LOW, 0.80), (Priority.MEDIUM, 0.15), (Priority.HIGH, 0.05), (Priority.HIGHEST, 0.01))
_MIX_OFF = 0.15
_ACK_P90_S = {Priority.HIGHEST: 60.0, Priority.HIGH: 60.0, Priority.MEDIUM: 300.0, Priority.LOW: 900.0}


_ASIDE = {
    AlarmState.SHELVED: "Shelved",
    AlarmState.SUPPRESSED_BY_DESIGN: "Suppressed by a known cause",
    AlarmState.OUT_OF_SERVICE: "Out of service",
}


def live_figures(found: Kpis, now: AlarmLoad) -> Iterator[Figure]:
    """Yield what is so now, then the figures of the last day in `found`."""
    yield _rate("Alarms in the last 10 min", now.count, ACCEPTABLE, MANAGEABLE, digits=0)
    is_flood = now.flood_since is not None
    what = f"at most {now.peak:,} in 10 min" if is_flood else ""
    yield Figure("Flood", "yes" if is_flood else "no", "none", Verdict.ACT if is_flood else Verdict.GOOD, what)
    yield Figure("Standing", f"{len(found.standing):,}", "–", Verdict.GOOD)
    yield _rate("Stale alarms", len(found.stale), 4, 4, digits=0, what="standing for more than 24 h")
    yield _count("Chattering alarms", len(found.chattering), "3 times or more in a minute, last 24 h")
    for state, words in _ASIDE.items():
        yield Figure(words, f"{found.aside.get(state, 0):,}", "–", Verdict.GOOD)
    yield _rate("Alarms in the last 24 h", found.announced, 150, 300, digits=0)
    yield _share("The ten most frequent alarms", found.top_share, 0.05, 0.20, "share of all announcements")
    for priority, target in _MIX:
        yield _mix(found, priority, target)
    for priority, target_s in _ACK_P90_S.items():
        if (time := found.ack_times.get(priority)) is not None:
            title = f"Acknowledged, priority {priority:d}, median"
            verdict = _verdict(time.median_s, target_s, 2 * target_s)
            yield Figure(title, _span(time.median_s), f"at most {_span(target_s)}", verdict, f"of {time.count:,}")


def figures(found: Kpis) -> Iterator[Figure]:
    """Yield every figure in the order of the report."""
    yield Figure("Alarms announced", f"{found.announced:,}", "–", Verdict.GOOD)
    yield _rate("Alarms a day", found.per_day, 150, 300)
    yield _rate("Alarms in 10 min, on average", found.per_bin, 1, 2, digits=2)
    yield _rate("Most alarms in 10 min", found.peak, 10, 10, digits=0)
    yield _share("10-minute bins above 10", found.bins_over, 0.01, 0.05)
    yield _share("Hours above 30", found.hours_over, 0.01, 0.05)
    yield _share("Time in flood", found.flood_share, 0.01, 0.05, f"floods: {len(found.floods):,}")
    yield _share("The ten most frequent alarms", found.top_share, 0.05, 0.20, "share of all announcements")
    yield _count("Chattering alarms", len(found.chattering), "3 times or more in a minute")
    yield _count("Fleeting alarms", len(found.fleeting), "gone within 10 s, and not again within a minute")
    yield _rate("Stale alarms", len(found.stale), 4, 4, digits=0, what="standing for more than 24 h at the end")
    yield Figure("Standing at the end", f"{len(found.standing):,}", "–", Verdict.GOOD)
    for state, words in _ASIDE.items():
        yield Figure(f"{words} at the end", f"{found.aside.get(state, 0):,}", "–", Verdict.GOOD)
    for priority, target in _MIX:
        yield _mix(found, priority, target)
    for priority, target_s in _ACK_P90_S.items():
        if priority in found.ack_times:
            yield _ack(found, priority, target_s)
    yield Figure("Gone before anybody acknowledged", f"{found.unseen_share:.0%}", "–", Verdict.GOOD)
    each = found.deeds / found.announced if found.announced else 0.0
    yield Figure("Acts of people for each alarm", f"{each:.2f}", "–", Verdict.GOOD)


def _verdict(value: float, acceptable: float, manageable: float) -> Verdict:
    if value <= acceptable:
        return Verdict.GOOD
    return Verdict.WATCH if value <= manageable else Verdict.ACT


def _rate(title: str, value: float, acceptable: float, manageable: float, digits: int = 1, what: str = "") -> Figure:
    verdict = _verdict(value, acceptable, manageable)
    return Figure(title, f"{value:,.{digits}f}", f"at most {acceptable:g}", verdict, what)


def _share(title: str, value: float, acceptable: float, manageable: float, what: str = "") -> Figure:
    verdict = _verdict(value, acceptable, manageable)
    return Figure(title, f"{value:.1%}", f"at most {acceptable:.0%}", verdict, what)


def _count(title: str, value: int, what: str) -> Figure:
    return Figure(title, f"{value:,}", "none", Verdict.GOOD if not value else Verdict.ACT, what)


def _mix(found: Kpis, priority: Priority, target: float) -> Figure:
    share = found.share(priority)
    is_off = found.announced > 0 and abs(share - target) > _MIX_OFF
    verdict = Verdict.ACT if is_off else Verdict.GOOD
    title = f"Priority {priority:d}, {priority.name.lower()}"
    return Figure(title, f"{share:.0%}", f"about {target:.0%}", verdict, f"{found.priorities[priority]:,} alarms")


def _ack(found: Kpis, priority: Priority, target_s: float) -> Figure:
    time = found.ack_times[priority]
    words = f"median {_span(time.median_s)}, 95 % within {_span(time.p95_s)}, of {time.count:,}"
    verdict = _verdict(time.p90_s, target_s, 2 * target_s)
    title = f"Acknowledged, priority {priority:d}, 90 % within"
    return Figure(title, _span(time.p90_s), f"at most {_span(target_s)}", verdict, words)


def _span(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.1f} min"
