"""The seat: everything that one workstation owns, built in order and closed in reverse."""

import asyncio
import logging
import os
import platform
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import qasync
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from sqlalchemy import URL, Engine, make_url

from control_room.core.errors import ControlRoomError
from control_room.local_server import LocalServer
from control_room.ui.main_window import MainWindow
from db.engine import make_engine
from db.live_reader import LiveReader
from db.network_store import read_networks
from db.tag_store import read_configuration
from db.worker import DatabaseThread

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 30.0
COLLECTOR_CHECK_S = 2.0


@dataclass(frozen=True, slots=True)
class SeatOptions:
    """Which database: a shared server by URL, else this machine's own in `data_folder`."""

    data_folder: Path
    server: str | None = None
