"""Logs: a rotating file per process, and warnings on stderr."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_SIZE_BYTES = 5_000_000
FILES_KEPT = 5

# libraries that tell of every reconnect and every packet at INFO
_CHATTY = ("asyncua", "amqtt", "transitions", "alembic", "asyncio", "qasync", "matplotlib")


def log_to(path: Path, console_level: int = logging.WARNING) -> None:
    """Write INFO and above to `path` (rotated, UTC times), `console_level` and above to stderr."""
    path.parent.mkdir(parents=True, exist_ok=True)
    in_file = RotatingFileHandler(path, maxBytes=FILE_SIZE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    in_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    on_console = logging.StreamHandler(sys.stderr)
    on_console.setLevel(console_level)
    on_console.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[in_file, on_console], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
