"""A database thread: order, restarts of the connection, and what becomes of jobs when the server is away or it closes."""

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from control_room.core.errors import DatabaseUnavailable, OutcomeUnknown, Refused, WrongCredentials
from db.backoff import FIRST_S, LAST_S, Backoff
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.worker import DatabaseThread
from tests.servers import free_port


@pytest.fixture
def thread(owner: Engine) -> Iterator[DatabaseThread]:
    one = DatabaseThread(owner, "test")
    yield one
    one.close()


def backend(connection: Connection) -> int:
    found = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    assert isinstance(found, int)
    return found


def end(owner: Engine, process_id: int) -> None:
    with owner.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": process_id})


def test_jobs_run_in_order_each_in_a_transaction_of_its_own(thread: DatabaseThread) -> None:
    def fill(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE made (n int)"))
        connection.execute(text("SELECT 1 / 0"))

    def count(connection: Connection) -> object:
        return connection.execute(text("SELECT to_regclass('made')")).scalar()

    failed, counted = thread.submit(fill), thread.submit(count)
    with pytest.raises(Exception, match="division by zero"):
        failed.result(10)
    assert counted.result(10) is None


def test_a_connection_that_was_ended_costs_nothing(thread: DatabaseThread, owner: Engine) -> None:
    first = thread.submit(backend).result(10)
    end(owner, first)
    assert thread.submit(backend).result(10) != first


def test_what_breaks_in_the_middle_is_done_once(thread: DatabaseThread, owner: Engine) -> None:
    thread.submit(lambda connection: connection.execute(text("CREATE TABLE made (n int)"))).result(10)
    tries: list[int] = []

    def add(connection: Connection) -> None:
        tries.append(backend(connection))
        connection.execute(text("INSERT INTO made VALUES (1)"))
        if len(tries) == 1:
            end(owner, tries[0])
            connection.execute(text("INSERT INTO made VALUES (2)"))

    thread.submit(add).result(10)
    assert len(tries) == 2
    assert thread.submit(lambda connection: connection.execute(text("SELECT n FROM made")).scalars().all()).result(
        10
    ) == [1]


def test_whoever_breaks_every_connection_is_not_tried_for_ever(thread: DatabaseThread, owner: Engine) -> None:
    tries: list[int] = []

    def suicide(connection: Connection) -> None:
        tries.append(backend(connection))
        end(owner, tries[-1])
        backend(connection)

    with pytest.raises(DatabaseUnavailable):
        thread.submit(suicide).result(10)
    assert len(tries) == 2


def test_a_connection_that_breaks_as_it_stores_leaves_the_outcome_open(thread: DatabaseThread, owner: Engine) -> None:
    tries: list[int] = []

    def act(connection: Connection) -> None:
        tries.append(backend(connection))
        # the next thing that the connection is asked is to commit
        end(owner, tries[0])

    with pytest.raises(OutcomeUnknown, match="may be done or not") as refusal:
        thread.submit(act).result(10)
    assert refusal.value.advice
    assert len(tries) == 1


def test_after_a_pause_a_dead_connection_costs_nothing(
    thread: DatabaseThread, owner: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.worker.IDLE_S", 0.0)
    first = thread.submit(backend).result(10)
    end(owner, first)
    assert thread.submit(backend).result(10) != first


def test_while_the_server_is_away_jobs_fail_at_once(server: EmbeddedServer) -> None:
    engine = make_engine(server.url("postgres").set(port=free_port()), "tests")
    thread = DatabaseThread(engine, "test")
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(DatabaseUnavailable, match="does not answer"):
            thread.submit(backend).result(10)
    assert time.monotonic() - began < 5
    thread.close()


def test_wrong_credentials_are_said_as_such(server: EmbeddedServer) -> None:
    for user, word in (("postgres", "guess"), ("nobody_knows", "guess")):
        engine = make_engine(server.url("postgres").set(username=user, password=word), "tests")
        thread = DatabaseThread(engine, "test")
        with pytest.raises(WrongCredentials) as refusal:
            thread.submit(backend).result(10)
        assert refusal.value.advice
        thread.close()


def test_rights_are_refused_and_the_thread_goes_on(station: Engine) -> None:
    thread = DatabaseThread(station, "test")
    with pytest.raises(Refused):
        thread.submit(lambda connection: connection.execute(text("DELETE FROM alarm_journal"))).result(10)
    assert thread.submit(backend).result(10)
    thread.close()


def test_closing_ends_the_job_that_runs_and_cancels_the_rest(owner: Engine) -> None:
    thread = DatabaseThread(owner, "test")
    has_begun = threading.Event()

    def slow(connection: Connection) -> int:
        has_begun.set()
        connection.execute(text("SELECT pg_sleep(0.3)"))
        return backend(connection)

    running, waiting = thread.submit(slow), thread.submit(backend)
    assert has_begun.wait(10)
    thread.close()
    assert running.result(0) > 0
    assert waiting.cancelled()
    assert thread.submit(backend).cancelled()


def test_pauses_double_up_to_a_limit_and_begin_anew() -> None:
    backoff = Backoff()
    pauses = [backoff.fail() for _ in range(10)]
    assert pauses[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert pauses[-1] == LAST_S
    backoff.succeed()
    assert backoff.fail() == FIRST_S
