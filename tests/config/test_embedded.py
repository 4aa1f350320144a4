"""The embedded servers: they answer, they survive crashes, and they never outlive their starter."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from config import embedded, leash

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder():
    """A folder that root's servers can reach, which pytest's own temporary ones are not."""
    path = Path(tempfile.mkdtemp(prefix="cytodesk-embedded-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def postgres(folder):
    with embedded.Postgres(folder, durable=False) as server:
        yield server


@pytest.fixture
def valkey(folder):
    with embedded.Valkey(folder, durable=False) as server:
        yield server


@contextmanager
def running(state):
    """Both servers, with their data where those of this state folder lie."""
    both = embedded.at(embedded.place(state), durable=False)
    with both.postgres, both.valkey:
        yield both


def execute(server, statement):
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def wait_until(question, seconds=10):
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid):
    """Whether the process runs; one that ended and waits to be noticed does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_killed_database_comes_back_with_every_committed_row(postgres):
    execute(postgres, "CREATE TABLE cell (number integer)")
    execute(postgres, "INSERT INTO cell SELECT generate_series(1, 1000)")

    postgres.kill()
    postgres.start()

    assert execute(postgres, "SELECT count(*) FROM cell") == [(1000,)]


def test_a_killed_broker_comes_back_with_every_message(valkey):
    with redis.Redis.from_url(valkey.url) as client:
        client.rpush("queue", *range(100))

        valkey.kill()
        valkey.start()

        assert client.llen("queue") == 100


def test_a_stopped_database_keeps_its_rows_and_answers_again(postgres):
    execute(postgres, "CREATE TABLE cell (number integer)")

    postgres.stop()
    stopped = postgres.is_running, postgres.pid, postgres.answers()
    postgres.start()

    assert stopped == (False, None, False)
    assert execute(postgres, "SELECT * FROM cell") == []


def test_nobody_but_its_owner_reaches_a_server_and_no_port_is_open(postgres, valkey):
    modes = {path.stat().st_mode & 0o077 for path in (postgres.sockets, postgres.data, valkey.data)}

    assert modes == {0}
    assert execute(postgres, "SHOW listen_addresses") == [("",)]
    with redis.Redis.from_url(valkey.url) as client:
        assert client.config_get("port") == {"port": "0"}


def test_two_databases_run_side_by_side(postgres, folder):
    with embedded.Postgres(folder / "second", durable=False) as other:
        execute(other, "CREATE TABLE only_here (number integer)")

        assert execute(postgres, "SELECT to_regclass('only_here') IS NULL") == [(True,)]
        assert other.url != postgres.url


def test_a_second_server_on_the_same_data_is_refused(postgres, folder, monkeypatch):
    monkeypatch.setattr(embedded, "UNLOCKED_WITHIN", 0.1)

    with pytest.raises(embedded.CannotStart, match="already runs"):
        embedded.Postgres(folder).start()

    assert postgres.answers()


def test_a_stale_pid_file_with_the_number_of_a_living_process_is_no_obstacle(postgres):
    postgres.stop()
    cluster = postgres.data / "data"
    owner, account = cluster.stat(), embedded.account_of_servers()
    other = leash.start(
        ["sleep", "60"],
        on_parent_death=signal.SIGKILL,
        uid=account.uid if account else None,
        gid=account.gid if account else None,
    )
    stale = cluster / "postmaster.pid"
    stale.write_text(f"{other.pid}\n{cluster}\n1700000000\n5432\n\n\n")
    os.chown(stale, owner.st_uid, owner.st_gid)

    postgres.start()

    assert postgres.answers()
    assert other.poll() is None
    leash.kill_group(other)
    other.wait()


def test_data_half_made_are_made_again(folder):
    half_made = folder / "postgres" / "unfinished"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    with embedded.Postgres(folder, durable=False) as server:
        assert execute(server, "SELECT 1") == [(1,)]


def test_a_path_too_long_for_a_socket_gets_a_short_one(folder):
    deep = folder / ("a-rather-long-name-for-a-folder/" * 4)
    with running(deep) as both:
        longest = both.postgres.sockets / ".s.PGSQL.5432"

        assert len(os.fsencode(longest)) <= 107
        assert execute(both.postgres, "SELECT 1") == [(1,)]
        assert both.valkey.answers()
    assert not both.postgres.sockets.exists()


def test_a_path_with_blanks_and_capitals_is_reached(folder):
    odd = folder / "My Project, Copy"
    odd.mkdir(mode=0o755)
    with running(odd) as both:
        assert execute(both.postgres, "SELECT 1") == [(1,)]
        with redis.Redis.from_url(both.valkey.url) as client:
            assert client.ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as somebody else")
def test_below_a_closed_folder_the_data_of_root_go_where_they_can_be_reached(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)

    inside, elsewhere = embedded.place(folder / "open"), embedded.place(closed / "state")

    assert inside == folder / "open" / "services"
    assert folder not in elsewhere.parents
    assert elsewhere == embedded.place(closed / "state")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as somebody else")
def test_a_program_in_a_closed_folder_is_copied_to_where_it_can_be_run(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    installed = embedded.Valkey(folder).program()
    packages = next(path for path in installed.parents if path.name == "site-packages")
    hidden = closed / installed.relative_to(packages.parent)
    hidden.parent.mkdir(parents=True)
    shutil.copy(installed, hidden)

    found = embedded.runnable(hidden, folder, embedded.account_of_servers(), "Valkey")

    assert found == folder / "programs" / installed.relative_to(packages)
    assert found.read_bytes() == installed.read_bytes()


def test_a_disk_without_room_is_said_in_a_sentence(folder, monkeypatch):
    monkeypatch.setattr(embedded, "SPACE_NEEDED", 1 << 60)

    with pytest.raises(embedded.CannotStart, match=r"^PostgreSQL needs \d+ MB of free disk, and"):
        embedded.Postgres(folder).start()


def test_a_folder_that_is_a_file_is_said_in_a_sentence(folder):
    (folder / "file").write_text("")

    with pytest.raises(embedded.CannotStart, match=r"^Valkey cannot use .*: (File|Not a)"):
        embedded.Valkey(folder / "file").start()


def test_a_server_that_refuses_its_data_says_why(postgres):
    postgres.stop()
    (postgres.data / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(embedded.CannotStart, match="database files are incompatible with server"):
        postgres.start()

    assert not postgres.is_running


def test_a_missing_package_is_said_in_a_sentence():
    with pytest.raises(embedded.CannotStart, match="pip install no-such-package"):
        embedded.package_folder("no_such_package", "PostgreSQL")


def test_a_socket_folder_that_a_stranger_made_is_refused(folder, monkeypatch):
    (folder / "run").mkdir()
    monkeypatch.setattr(embedded, "account_of_servers", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)

    with pytest.raises(embedded.CannotStart, match="belongs to someone else"):
        embedded.Valkey(folder).start()


def test_the_servers_end_when_the_process_that_started_them_is_killed(folder):
    program = f"""
        import time
        from pathlib import Path
        from tests.config.test_embedded import running
        with running(Path({str(folder)!r})) as both:
            print(both.postgres.pid, both.valkey.pid, both.postgres.url, flush=True)
            time.sleep(60)
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    with starter:
        first, second, address = starter.stdout.readline().split()
        session = psycopg.connect(address)

        starter.kill()

    wait_until(lambda: not is_alive(first) and not is_alive(second), seconds=5)
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    with running(folder) as both:
        assert both.postgres.answers()


def test_a_leashed_process_and_what_it_started_are_stopped_as_a_group(tmp_path):
    log = tmp_path / "log"
    process = leash.start(
        ["sh", "-c", "sleep 60 & echo $!; wait"], on_parent_death=signal.SIGTERM, log=log
    )
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    grandchild = log.read_text().strip()

    leash.kill_group(process)

    assert process.wait() == -signal.SIGKILL
    wait_until(lambda: not is_alive(grandchild))


def test_a_command_that_is_missing_is_said_in_a_sentence(tmp_path):
    log = tmp_path / "log"

    process = leash.start(["no-such-command"], on_parent_death=signal.SIGTERM, log=log)

    assert process.wait() == 1
    assert log.read_text() == "no-such-command cannot be run: No such file or directory\n"
