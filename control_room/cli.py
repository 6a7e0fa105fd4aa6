"""The command `control-room`: reads arguments, runs one of the programs, tells a person in one line why it cannot."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from control_room import __version__
from control_room.core.errors import BadOption, ControlRoomError
from control_room.logs import log_to
from control_room.places import default_folder, log_file

Run = Callable[[argparse.Namespace], int]


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, is {text}")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"must be a port from 0 to 65535, is {text}")
    return value


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; without a command the seat starts."""
    top = argparse.ArgumentParser(prog="control-room", description=__doc__)
    top.add_argument("--version", action="version", version=f"control-room {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    _add_seat(commands.add_parser("seat", help="open the control room on this machine (default)"))
    _add_demo(commands.add_parser("demo", help="open the control room with three living municipalities"))
    _add_collect(commands.add_parser("collect", help="collect from the plant without a window"))
    _add_simulate(commands.add_parser("simulate", help="run the demo's water networks alone"))
    _add_db(commands.add_parser("db", help="prepare, upgrade or look at the database"))
    return top


def _add_place(command: argparse.ArgumentParser, name: str) -> None:
    place = command.add_mutually_exclusive_group()
    _add_server(place)
    place.add_argument(
        "--data-folder",
        type=Path,
        default=default_folder(name),
        help="where the database of this machine lies when no server is given (default: %(default)s)",
    )
    _add_trust(command)


def _add_server(place: "argparse._ActionsContainer", *, is_required: bool = False) -> None:
    place.add_argument(
        "--server",
        metavar="URL",
        required=is_required,
        help="a shared PostgreSQL 15 or newer, postgresql://user@host/database, of several servers "
        "postgresql://user@one:5432,two:5432/database; the password comes from PGPASSWORD or the password file of "
        "PostgreSQL, never from this line",
    )


def _add_trust(command: argparse.ArgumentParser) -> None:
    trust = command.add_mutually_exclusive_group()
    trust.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="the authority that signed the server's certificate, as PEM (default: those that this machine trusts)",
    )
    trust.add_argument(
        "--plain",
        action="store_true",
        help="connect to another machine without a check of its certificate, unencrypted if need be; not for daily work",
    )


def _server(arguments: argparse.Namespace) -> str | None:
    """Return the URL of the shared server with the wishes of --ca and --plain in it, None for this machine's own."""
    if arguments.server is None:
        if arguments.ca is not None or arguments.plain:
            raise BadOption("--ca and --plain are for a shared server.", advice="Add --server, or leave them out.")
        return None
    from db.engine import with_tls

    return with_tls(arguments.server, arguments.ca, is_plain=arguments.plain)


def _add_seat(command: argparse.ArgumentParser) -> None:
    _add_place(command, "local")
    command.set_defaults(run=_seat)


def _add_demo(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data-folder", type=Path, default=default_folder("demo"), help="default: %(default)s")
    command.add_argument("--seconds", type=_positive, help="end by itself after so many seconds")
    command.add_argument("--pictures", type=Path, metavar="DIR", help="save a PNG of the window and of every view")
    command.add_argument("--summary", type=Path, metavar="FILE", help="write what was measured as JSON")
    _add_plant(command)
    command.set_defaults(run=_demo, server=None)


def _add_plant(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--speed", type=_positive, default=60.0, help="plant seconds per second (default: %(default)g)"
    )
    command.add_argument("--seed", type=int, default=1, help="repeats a run's noise and faults (default: %(default)s)")
    command.add_argument("--faults", choices=("script", "none"), default="script", help="default: %(default)s")
    command.add_argument("--broker-port", type=_port, help="an MQTT broker that runs already on this machine")
    command.add_argument("--opc-ua-port", type=_port, default=4840, help="first port to try (default: %(default)s)")


def _add_collect(command: argparse.ArgumentParser) -> None:
    _add_place(command, "local")
    command.add_argument("--for-seats", action="store_true", help=argparse.SUPPRESS)
    words = "how much may wait on disk while the database is away, in MB (default: %(default)s)"
    command.add_argument("--spool-mb", type=_positive, default=2048.0, metavar="MB", help=words)
    command.set_defaults(run=_collect)


def _add_simulate(command: argparse.ArgumentParser) -> None:
    command.add_argument("networks", nargs="*", metavar="NETWORK", help="net3, ky4, ky10 (default: all three)")
    command.add_argument("--document", type=Path, metavar="FILE", help="write what the plant offers as JSON")
    command.add_argument("--state-folder", type=Path, default=default_folder("simulator"), help="default: %(default)s")
    command.add_argument("--parent-pid", type=int, help="end when this process is gone")
    command.add_argument(
        "--trigger",
        nargs=4,
        metavar=("MUNICIPALITY", "KIND", "ELEMENT", "SECONDS"),
        help="cause a fault in the plant that runs (the demo's, or that of --document): burst, trip, stuck, bad or link",
    )
    _add_plant(command)
    command.set_defaults(run=_simulate)


def _add_db(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    init = actions.add_parser("init", help="prepare an empty shared server")
    init.add_argument("--admin", required=True, metavar="NAME", help="user name of the first, national administrator")
    init.add_argument("--name", default="", help="the administrator's full name (default: the user name)")
    init.add_argument(
        "--station", action="append", default=[], metavar="NAME", help="a workstation's user name; may be repeated"
    )
    _add_server(init, is_required=True)
    _add_trust(init)
    init.set_defaults(run=_db_init)
    for name, run, words in (
        ("status", _db_status, "say versions, size, standbys and who is connected"),
        ("upgrade", _db_upgrade, "bring the schema to this program's version"),
        ("verify-audit", _db_verify_audit, "check that no entry of the audit was changed"),
    ):
        action = actions.add_parser(name, help=words)
        _add_place(action, "local")
        action.set_defaults(run=run)
    action.add_argument(
        "--expect", metavar="HASH", help="the newest hash of an earlier check, which must still be there"
    )


def _seat(arguments: argparse.Namespace) -> int:
    from control_room.seat import SeatOptions, run_seat

    log_to(log_file(arguments.data_folder, "seat"))
    return run_seat(SeatOptions(arguments.data_folder, _server(arguments)))


def _demo(arguments: argparse.Namespace) -> int:
    from control_room.demo import DemoOptions, run_demo

    log_to(log_file(arguments.data_folder, "seat"))
    return run_demo(
        DemoOptions(
            data_folder=arguments.data_folder,
            seconds=arguments.seconds,
            pictures=arguments.pictures,
            summary=arguments.summary,
            plant_arguments=_plant_arguments(arguments),
        )
    )


def _plant_arguments(arguments: argparse.Namespace) -> tuple[str, ...]:
    given = ["--speed", f"{arguments.speed:g}", "--seed", str(arguments.seed), "--faults", arguments.faults]
    given += ["--opc-ua-port", str(arguments.opc_ua_port)]
    if arguments.broker_port is not None:
        given += ["--broker-port", str(arguments.broker_port)]
    return tuple(given)


def _collect(arguments: argparse.Namespace) -> int:
    from control_room.collector import run_collector

    log_to(log_file(arguments.data_folder, "collector"))
    limit_bytes = int(arguments.spool_mb * 1024**2)
    return run_collector(
        arguments.data_folder, _server(arguments), is_for_seats=arguments.for_seats, limit_bytes=limit_bytes
    )


def _simulate(arguments: argparse.Namespace) -> int:
    from control_room.simulator.by_hand import trigger_fault
    from control_room.simulator.run import SimulateOptions, simulate

    log_to(log_file(arguments.state_folder, "simulator"))
    if arguments.trigger:
        municipality, kind, element, seconds = arguments.trigger
        document = arguments.document or default_folder("demo") / "plant.json"
        trigger_fault(document, municipality, kind, element, _seconds(seconds))
        return 0
    return simulate(
        SimulateOptions(
            municipalities=tuple(arguments.networks) or ("net3", "ky4", "ky10"),
            speed=arguments.speed,
            seed=arguments.seed,
            document=arguments.document,
            broker_port=arguments.broker_port,
            opc_ua_port=arguments.opc_ua_port,
            faults=arguments.faults,
            parent_pid=arguments.parent_pid,
            state_folder=arguments.state_folder,
        ),
        _say,
    )


def _seconds(text: str) -> float:
    try:
        return _positive(text)
    except (ValueError, argparse.ArgumentTypeError) as fault:
        raise BadOption(f"'{text}' is no number of seconds.", advice="Give a number above 0.") from fault


def _db_init(arguments: argparse.Namespace) -> int:
    from control_room.database_command import Preparation, database_init
    from db.engine import with_tls

    server = with_tls(arguments.server, arguments.ca, is_plain=arguments.plain)
    wanted = Preparation(arguments.admin, arguments.name, tuple(arguments.station) or ("station",))
    return database_init(server, wanted, print)


def _db_status(arguments: argparse.Namespace) -> int:
    from control_room.database_command import database_status

    return database_status(arguments.data_folder, _server(arguments), print)


def _db_upgrade(arguments: argparse.Namespace) -> int:
    from control_room.database_command import database_upgrade

    return database_upgrade(arguments.data_folder, _server(arguments), print)


def _db_verify_audit(arguments: argparse.Namespace) -> int:
    from control_room.database_command import database_verify_audit

    return database_verify_audit(arguments.data_folder, _server(arguments), arguments.expect, print)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 cannot, 2 wrong arguments, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "seat")
    parsed = parser().parse_args(given)
    try:
        run: Run = parsed.run
        return run(parsed)
    except ControlRoomError as fault:
        _say(f"control-room {parsed.command}: {fault}")
    except OSError as fault:
        _say(f"control-room {parsed.command}: {fault}. Check that the folder exists, is writable and has space.")
    except KeyboardInterrupt:
        return 130
    return 1
