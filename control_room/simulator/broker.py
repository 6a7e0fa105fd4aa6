"""The demo's MQTT broker: Mosquitto where it is installed, else amqtt in a process of its own."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from control_room.core.errors import CannotStart

START_TIMEOUT_S = 10.0


def find_mosquitto() -> str | None:
    """Return Mosquitto's path; Debian keeps it where ordinary users do not look."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def run_mosquitto(program: str, folder: Path, port: int, pipe: "Connection[Any, Any]") -> None:
    """Run Mosquitto on loopback until the pipe ends.

    The demo's plant has no secrets: whoever is on this machine may read and publish.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "mosquitto.conf"
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false", "log_dest none"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # else it changes to a user that may not read this folder
        lines.append("user root")
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with subprocess.Popen(
        [program, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as broker:
        while broker.poll() is None and not pipe.poll(1.0):
            continue
        broker.terminate()


def wait_until_open(port: int) -> None:
    """Return when something listens on the port; raises CannotStart after START_TIMEOUT_S."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            time.sleep(0.05)
    raise CannotStart(f"No MQTT broker answers on port {port}.", advice="Start it, or leave --broker-port out.")


def run_amqtt(port: int, pipe: "Connection[Any, Any]") -> None:
    """Serve MQTT 3.1.1 with amqtt until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    asyncio.run(_serve(port, pipe))


async def _serve(port: int, pipe: "Connection[Any, Any]") -> None:
    from amqtt.broker import Broker

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 500}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), ended.set)
    await ended.wait()
    await broker.shutdown()
