"""The colours: grey for the ordinary, saturated only for alarms, for day and night.

Alarm colours, grounds and texts are chosen for contrast (WCAG 2.1) and for colour-vision deficiencies; because no set of
colours serves everybody, priority is always said by shape and digit as well.
"""

from dataclasses import dataclass

from control_room.core.alarms import Priority


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme; every colour as '#rrggbb'."""

    name: str
    ground: str
    panel: str
    raised: str
    border: str
    text: str
    label: str
    faint: str
    line: str
    selection: str
    selection_text: str
    # a quality that may not be trusted: achromatic, never an alarm colour
    untrusted: str
    symbol_outline: str
    priorities: dict[Priority, str]
    priority_texts: dict[Priority, str]
    pens: tuple[str, ...]
    # low to high, readable in greyscale
    scale: tuple[str, ...]
    water: str
    lit: str
    unlit: str
    # what is not the present: neither grey nor an alarm colour
    replay: str = "#00695C"
    replay_text: str = "#FFFFFF"


LIGHT = Palette(
    name="day",
    ground="#D4D4D4",
    panel="#E2E2E2",
    raised="#ECECEC",
    border="#A8A8A8",
    text="#1A1A1A",
    label="#404040",
    faint="#6A6A6A",
    line="#707070",
    selection="#3A4A5C",
    selection_text="#FFFFFF",
    untrusted="#5A5A5A",
    symbol_outline="#000000",
    priorities={
        Priority.HIGHEST: "#C00000",
        Priority.HIGH: "#FF8C00",
        Priority.MEDIUM: "#FFE000",
        Priority.LOW: "#8A2BC2",
    },
    priority_texts={
        Priority.HIGHEST: "#FFFFFF",
        Priority.HIGH: "#000000",
        Priority.MEDIUM: "#000000",
        Priority.LOW: "#FFFFFF",
    },
    pens=("#00557F", "#00734F", "#7A4A1E", "#4B4B9B", "#1A1A1A", "#2E7D95", "#5C6B00", "#8C4A6B", "#3D5A3D", "#5A5A5A"),
    scale=("#2D3E57", "#45688A", "#6E93A6", "#A3B8B5", "#D9D6C3"),
    water="#5E7F96",
    lit="#FAFAFA",
    unlit="#8E8E8E",
)

DARK = Palette(
    name="night",
    ground="#2B2D30",
    panel="#333639",
    raised="#3C3F43",
    border="#55595E",
    text="#E6E6E6",
    label="#B5B5B5",
    faint="#8F9398",
    line="#8C8C8C",
    selection="#5B7590",
    selection_text="#FFFFFF",
    untrusted="#A8A8A8",
    symbol_outline="#000000",
    priorities={
        Priority.HIGHEST: "#FF4B4B",
        Priority.HIGH: "#FF9A1F",
        Priority.MEDIUM: "#FFE14D",
        Priority.LOW: "#C48BFF",
    },
    priority_texts=dict.fromkeys(Priority, "#000000"),
    pens=("#6FB7E0", "#5FC9A0", "#D2A679", "#A9A9F5", "#E6E6E6", "#7FD0E0", "#B9C46A", "#E0A0C0", "#9CC49C", "#B0B0B0"),
    scale=("#3F5F86", "#5684A6", "#7FA6B5", "#ABC3BF", "#E4E0CC"),
    water="#7FA3BC",
    lit="#D8D8D8",
    unlit="#6E7277",
)
