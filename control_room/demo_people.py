"""The demo's people: one of every role, with random passwords that are told and kept for the next start."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, text

from db.access import make_person, scram_verifier

# login, name, role, key of the municipality or empty for national
PEOPLE = (
    ("omar", "Omar Haddad", "operator", ""),
    ("sofia", "Sofia Lind", "supervisor", ""),
    ("emil", "Emil Novak", "engineer", ""),
    ("anna", "Anna Weiss", "administrator", ""),
    ("adam", "Adam Okoro", "auditor", ""),
    ("kay", "Kay Duran", "operator", "cedar-valley"),
)
FIRST = "omar"


def words_of(folder: Path) -> Mapping[str, str]:
    """Return the people's passwords by login, made on the first start; the file may only be read by its owner."""
    path = folder / "demo-people.json"
    if not path.exists():
        words = {login: secrets.token_urlsafe(12) for login, *_ in PEOPLE}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(words, file, indent=2)
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return known


def make_people(connection: Connection, words: Mapping[str, str]) -> None:
    """Make the demo's people with these passwords, as the database's owner; who is there gets the password only."""
    for login, name, role, key in PEOPLE:
        there = {"login": login, "word": scram_verifier(connection, login, words[login])}
        if connection.execute(text("SELECT 1 FROM account WHERE login = :login"), there).first():
            connection.execute(text("SELECT set_password(:login, :word, false)"), there)
            continue
        place = connection.execute(text("SELECT id FROM municipality WHERE key = :key"), {"key": key}).scalar()
        if place is not None or not key:
            make_person(connection, login, name, words[login], place, role)


def told(words: Mapping[str, str]) -> str:
    """Return what a newcomer reads about the people."""
    width = max(len(login) for login in words)
    lines = [
        f"  {login:{width}}  {words[login]}  {role}" + (f" of {key}" if key else "") for login, _, role, key in PEOPLE
    ]
    return "\n".join(["People of this demo (user name, password, role); Ctrl+I signs in:", *lines])
