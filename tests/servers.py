"""Real servers for tests, each in a process of its own, so that it can be killed and frozen."""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server's process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


class _Door(UserManager):
    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        is_welcome = username is None or (username, password) == ("ada", "secret")
        return User(role=UserRole.User) if is_welcome else None


def _serve(port: int, count: int, period_s: float, pipe: "Connection[Any, Any]") -> None:
    logging.disable(logging.CRITICAL)
    asyncio.run(_serve_opc_ua(port, count, period_s, pipe))


async def _serve_opc_ua(port: int, count: int, period_s: float, pipe: "Connection[Any, Any]") -> None:
    server = Server(user_manager=_Door())
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/test")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:test")
    folder = await server.nodes.objects.add_object(index, "folder")
    nodes = []
    for number in range(count):
        node_id = ua.NodeId(ua.String(f"v{number}"), ua.Int16(index))
        nodes.append(await folder.add_variable(node_id, f"v{number}", float(number), ua.VariantType.Double))
    for node in nodes[:2]:
        await node.set_writable()
    words = await folder.add_variable(ua.NodeId(ua.String("words"), ua.Int16(index)), "words", "no number")
    await words.set_writable(False)
    async with server:
        pipe.send("ready")
        while not pipe.poll():
            await asyncio.sleep(period_s)
            value = ua.DataValue(
                ua.Variant(time.time(), ua.VariantType.Double),
                SourceTimestamp=ua.DateTime.now(ua.DateTime.now().astimezone().tzinfo),
            )
            await server.write_attribute_value(nodes[-1].nodeid, value)


@contextmanager
def opc_ua_server(port: int, count: int = 5, period_s: float = 0.05) -> Iterator[Process]:
    """Run a server with variables ns=2;s=v0 ... of value 0, 1, ...; the last one changes all the time."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(port, count, period_s, theirs), daemon=True
    )
    process.start()
    theirs.close()
    assert ours.poll(30), "the server did not start"
    ours.recv()
    try:
        yield Process(process.pid or 0)
    finally:
        process.kill()
        process.join()
        ours.close()


@contextmanager
def mosquitto(program: Path, port: int, folder: Path, lines: str = "allow_anonymous true") -> Iterator[Process]:
    """Run Mosquitto."""
    config = folder / f"mosquitto-{port}.conf"
    as_root = "user root\n" if os.geteuid() == 0 else ""
    config.write_text(f"listener {port} 127.0.0.1\npersistence false\nlog_dest none\n{as_root}{lines}\n")
    with subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for_port(port)
        try:
            yield Process(process.pid)
        finally:
            process.kill()


def wait_for_port(port: int) -> None:
    """Return when something listens."""
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.025)
    raise TimeoutError(f"nothing listens on {port}")
