"""When the seat looks for garbage: never in the middle of a flood, for a look through everything holds up several frames.

Python looks through all objects whenever there are a quarter more of them. In a seat most of them last: configuration, alarms,
rows. So it looks by itself only through what is young; what stays is set aside, and everything is looked through when
nobody is at work.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable

PERIOD_S = 20.0
WHOLE_PERIOD_S = 3_600.0
SWITCH_S = 0.001
_NEVER = 1_000_000


def spare_frames() -> None:
    """Let Python look by itself only through young objects, and let threads that work hand over within a millisecond.

    A frame asks for Python's lock some twenty times; at Python's own 5 ms each, a thread that reckons would cost it 100 ms.
    """
    sys.setswitchinterval(SWITCH_S)
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)


def set_aside() -> None:
    """Look through everything now, a tenth of a second and more, and take what is there for lasting."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def keep_tidy(is_unattended: Callable[[], bool]) -> None:
    """Set aside again and again what came; now and then, when nobody is at work, look through everything."""
    looked = time.monotonic()
    while True:
        await asyncio.sleep(PERIOD_S)
        if time.monotonic() > looked + WHOLE_PERIOD_S and is_unattended():
            looked = time.monotonic()
            set_aside()
        else:
            gc.collect(1)
            gc.freeze()
