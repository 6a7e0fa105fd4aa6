"""Logs: a rotating file per process, and warnings on stderr."""

import logging
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_SIZE_BYTES = 5_000_000
FILES_KEPT = 5

# libraries that tell of every packet at INFO, and those whose every lost link is an ERROR with a traceback: the supervisor
# tells of it once
_LEVELS = {
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "qasync": logging.WARNING,
    "transitions": logging.WARNING,
}
_LEVELS |= {"asyncua": logging.CRITICAL, "amqtt": logging.CRITICAL}


def log_to(path: Path, console_level: int = logging.WARNING) -> None:
    """Write INFO and above to `path` (rotated, UTC times), `console_level` and above to stderr."""
    # a disk that is full makes no traceback of every line that cannot be written
    logging.raiseExceptions = False
    path.parent.mkdir(parents=True, exist_ok=True)
    in_file = RotatingFileHandler(path, maxBytes=FILE_SIZE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    lines = logging.Formatter("%(asctime)sZ %(levelname)-7s %(name)s: %(message)s")
    lines.converter = time.gmtime
    in_file.setFormatter(lines)
    on_console = logging.StreamHandler(sys.stderr)
    on_console.setLevel(console_level)
    on_console.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[in_file, on_console], force=True)
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
