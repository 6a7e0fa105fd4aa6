"""Runs one benchmark and prints its figures as a table or as JSON."""

import argparse
import importlib
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

NAMES = (
    "ingest",
    "live",
    "access",
    "alarms",
    "holds",
    "journal",
    "board",
    "flood",
    "spool",
    "soak",
    "outage",
    "history",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement (default: %(default)g)")
    parser.add_argument("--rates", type=int, nargs="*", help="values per second to try")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    module = importlib.import_module(f"tests.benchmarks.{given.name}")
    rows: list[dict[str, Any]] = module.run(given.seconds, given.rates)
    print(json.dumps(rows, indent=2) if given.json else _table(rows))
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([_text(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
