"""The demo's MQTT broker: Mosquitto where it is installed, else amqtt in a process of its own."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from control_room.core.errors import CannotStart

_POLL_S = 0.05


def find_mosquitto() -> str | None:
    """Return Mosquitto's path; Debian keeps it where ordinary users do not look."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def run_mosquitto(program: str, folder: Path, port: int, pipe: "Connection[Any, Any]") -> None:
    """Run Mosquitto on loopback until the pipe ends; sends ("started", its process id).

    The demo's plant has no secrets: whoever is on this machine may read and publish.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"mosquitto-{port}.conf"
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false", "log_dest none"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # else it changes to a user that may not read this folder
        lines.append("user root")
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    nothing = subprocess.DEVNULL
    with subprocess.Popen([program, "-c", str(config)], stdin=nothing, stdout=nothing, stderr=nothing) as broker:
        try:
            pipe.send(("started", broker.pid))
            # whatever arrives, or nothing more, means the end
            while broker.poll() is None and not pipe.poll(1.0):
                continue
        except OSError:
            # the parent is gone
            pass
        broker.terminate()
    config.unlink(missing_ok=True)


def wait_until_open(port: int, timeout_s: float, is_ending: Callable[[], bool]) -> None:
    """Return when something listens on the port or the simulator ends; raises CannotStart after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and not is_ending():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            time.sleep(_POLL_S)
    if not is_ending():
        raise CannotStart(f"No MQTT broker answers on port {port}.", advice="Start it, or leave --broker-port out.")


def run_amqtt(port: int, pipe: "Connection[Any, Any]") -> None:
    """Serve MQTT 3.1.1 with amqtt until the pipe ends; sends ("started", None)."""
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
    pipe.send(("started", None))
    await ended.wait()
    await broker.shutdown()
