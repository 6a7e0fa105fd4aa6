"""The rules of the house: where things stand, what may know what, and the pinned PySide6."""

import ast
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import setup_venv

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("control_room", "widgets", "drivers", "db")
# the parts of drivers/ that every driver may use
DRIVERS_COMMON = {"__init__", "find", "inbox"}
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "tests", "resources", "packaging")
LINT = (sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())")


def settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contracts() -> dict[str, dict[str, Any]]:
    return {contract["id"]: contract for contract in settings()["tool"]["importlinter"]["contracts"]}


def files() -> Iterator[Path]:
    """Yield the files of the project, without what tools leave behind."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not name.startswith((".", "__pycache__"))]
        yield from (Path(folder) / name for name in names if not name.endswith(".pyc"))


def modules() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def test_packaging_is_no_package() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()
    import packaging.version

    assert "site-packages" in packaging.version.__file__


@pytest.mark.parametrize("room", ROOMS)
def test_no_installed_package_hides_a_room(room: str) -> None:
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin == str(ROOT / room / "__init__.py")


def test_every_module_says_in_a_sentence_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for path in modules() if not ast.get_docstring(_parse(path))]
    assert not silent


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_no_path_of_a_machine_is_written_anywhere() -> None:
    # split, so that this file does not name what it looks for
    pattern = re.compile(rb"(?<![\w.:/])/(?:wo" rb"rk|ho" rb"me|Users|ro" rb"ot)/[\w.]")
    # the lock files' hashes and pictures are no text of ours
    texts = (path for path in files() if path.suffix not in {".lock", ".png", ".wav", ".ico"})
    assert not [str(path.relative_to(ROOT)) for path in texts if pattern.search(path.read_bytes())]


def test_every_top_level_package_is_a_room_of_the_contract() -> None:
    packages = {path.relative_to(ROOT).parts[0] for path in modules() if path.parent != ROOT}
    # resources/ holds no code: its one module only makes it a package, so that its files are installed
    assert [path.name for path in modules() if path.is_relative_to(ROOT / "resources")] == ["__init__.py"]
    assert packages - {"tests", "packaging", "resources"} == set(ROOMS)
    assert set(settings()["tool"]["importlinter"]["root_packages"]) == set(ROOMS)


def test_every_folder_with_modules_is_a_package() -> None:
    # import-linter would pass over any other without a word
    folders = {path.parent.relative_to(ROOT) for path in modules()}
    rooms = [folder for folder in folders if folder.parts[0] in ROOMS and "migrations" not in folder.parts]
    assert not [str(folder) for folder in rooms if not (ROOT / folder / "__init__.py").exists()]


def test_every_part_of_the_control_room_has_a_layer() -> None:
    layers = " ".join(contracts()["layers"]["layers"])
    placed = set(re.findall(r"control_room\.(\w+)", layers))
    parts = {path.stem for path in (ROOT / "control_room").iterdir() if path.suffix == ".py" or _holds_python(path)}
    assert parts - {"__init__"} <= placed


def _holds_python(folder: Path) -> bool:
    return folder.is_dir() and any(folder.rglob("*.py"))


def test_every_driver_is_kept_apart_from_the_others() -> None:
    parts = {path.stem for path in (ROOT / "drivers").iterdir() if path.suffix == ".py" or _holds_python(path)}
    assert {f"drivers.{name}" for name in parts - DRIVERS_COMMON} == set(contracts()["drivers-apart"]["modules"])


def test_migrations_are_numbered_without_a_gap() -> None:
    names = sorted(path.name for path in (ROOT / "db" / "migrations" / "versions").glob("[!_]*.py"))
    numbers = [int(found[1]) for name in names if (found := re.fullmatch(r"(\d{4})_[a-z0-9_]+\.py", name))]
    assert numbers == list(range(1, len(names) + 1))


@pytest.mark.parametrize(
    ("path", "offence", "contract"),
    [
        ("control_room/core/samples.py", "import PySide6", "no-qt"),
        ("control_room/core/samples.py", "import logging", "pure-core"),
        ("control_room/services/bus.py", "import db", "services-see-ports"),
        ("widgets/__init__.py", "import control_room.services.bus", "widgets-take-samples"),
        ("drivers/mqtt.py", "import drivers.opc_ua", "drivers-apart"),
        ("control_room/core/samples.py", "import widgets", "layers"),
    ],
)
def test_the_contract_bites(tmp_path: Path, path: str, offence: str, contract: str) -> None:
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=IGNORED)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{offence}\n")
    command = [*LINT, "--contract", contract, "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    module, line = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"), offence.split()[1]
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contracts()[contract]['name']} BROKEN" in done.stdout
    assert f"{module} -> {line}" in done.stdout


def test_the_installed_pyside_is_the_pinned_one() -> None:
    pins = dict(line.split("==") for line in settings()["project"]["dependencies"] if line.startswith("PySide6"))
    assert pins == {name: importlib.metadata.version(name) for name in ("PySide6-Essentials", "PySide6-Addons")}


def test_pyside_neither_leaks_nor_returns_references_once_too_often() -> None:
    if (interpreter := _python_with_a_mortal_none()) is None:
        pytest.skip("needs a Python 3.11: from 3.12 on None is immortal and nothing can be counted")
    import PySide6

    # PySide6's compiled parts serve every Python 3.11 and newer
    environment = os.environ | {"PYTHONPATH": str(Path(PySide6.__file__).parent.parent)}
    probe = ROOT / "tests" / "refcount_probe.py"
    done = subprocess.run([interpreter, probe], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _python_with_a_mortal_none() -> str | None:
    paths = [sys.executable, *setup_venv.candidates(11)]
    return next((path for path in paths if setup_venv.probe(path)[0] == [3, 11]), None)
