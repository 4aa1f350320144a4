"""The demo's supervisor: one sentence for what goes wrong, and no child left behind."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from PIL import Image

from config import supervisor
from inference.labels import CellClass

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def state():
    """A state folder that root's servers can reach, which pytest's temporary ones are not."""
    parent = Path(tempfile.mkdtemp(prefix="cytodesk-demo-"))
    parent.chmod(0o711)
    yield parent / "state"
    shutil.rmtree(parent)


def surroundings(state, **changes):
    """The environment of somebody who has just cloned the project."""
    ours = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PATIENT_KEYS", "MEDIA_ROOT", "LOG_LEVEL"}
    ours |= {"DJANGO_SETTINGS_MODULE", "ALLOWED_HOSTS", "DEBUG", "HTTPS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "STATE_DIR": str(state), **changes}


def supervise(state, *arguments, **changes):
    return subprocess.run(
        [sys.executable, "-m", "config.supervisor", *arguments],
        cwd=ROOT,
        env=surroundings(state, **changes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(question, seconds=30):
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return answer


def children_of(pid):
    """Every process below this one, by number and start, so that a number used again is another."""
    below = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        if fields[0] != "Z":
            below[int(name.split()[0])] = (int(fields[1]), fields[19])
    found = set()
    wanted = {pid}
    while wanted:
        wanted = {child for child, (parent, _) in below.items() if parent in wanted}
        found |= {(child, below[child][1]) for child in wanted}
    return found


def command_of(pid):
    """What a process was started with; nothing once it has ended, as a database backend may."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def still_running(processes):
    running = set()
    for pid, started in processes:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and fields[19] == started:
            running.add(pid)
    return running


def test_a_port_in_use_is_said_in_one_sentence_with_another(state):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = supervise(state, PORT=str(port))

    assert refused.returncode == 1
    assert refused.stdout == ""
    [sentence] = refused.stderr.splitlines()
    assert sentence.startswith(f"CytoDesk: port {port} is in use: choose another, PORT=")


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_said_in_one_sentence(state, port):
    refused = supervise(state, PORT=port)

    assert refused.returncode == 1
    assert refused.stderr == f"CytoDesk: PORT is {port!r}: write a number from 1 to 65535.\n"


def test_a_second_demo_is_refused_while_one_runs(state):
    state.mkdir()
    (state / "secrets.json").write_text("{}")
    with (state / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        refused = [supervise(state, PORT=str(free_port())), supervise(state, "reset")]

    assert [(answer.returncode, answer.stdout) for answer in refused] == [(1, ""), (1, "")]
    for answer in refused:
        [sentence] = answer.stderr.splitlines()
        assert sentence.startswith("CytoDesk: it already runs from")


@pytest.mark.parametrize("command", ["demo", "reset"])
def test_a_state_folder_with_the_files_of_others_is_left_alone(state, command):
    state.mkdir()
    (state / "thesis.tex").write_text("important")

    refused = supervise(state, command)

    assert refused.returncode == 1
    assert "which holds other files: name an empty folder." in refused.stderr
    assert [path.name for path in state.iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said_in_one_sentence(state):
    state.parent.chmod(0o500)

    refused = supervise(state)

    state.parent.chmod(0o700)
    assert refused.returncode == 1
    assert refused.stderr == f"CytoDesk: {state}: Permission denied.\n"


def test_a_command_runs_beside_servers_that_stop_with_it_and_reset_forgets_them(state):
    asked = "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1')"
    inner = (
        f'"{sys.executable}" -c "{asked}" && exec "{sys.executable}" -m config.supervisor with true'
    )

    answered = supervise(state, "with", "sh", "-c", inner)
    secrets = json.loads((state / "secrets.json").read_text())
    again = supervise(
        state, "with", sys.executable, "-c", "import os; print(os.environ['SECRET_KEY'])"
    )
    refused = supervise(state, "with", sys.executable, "-m", "config.supervisor", "reset")
    forgotten = supervise(state, "reset")

    assert (answered.returncode, answered.stderr) == (0, "")
    # Once: the second supervisor, inside the first, finds them running.
    assert answered.stdout == "Starting PostgreSQL …\nStarting Valkey …\n"
    assert again.stdout.splitlines()[-1] == secrets["SECRET_KEY"]
    assert "its servers still run" in refused.stderr
    assert forgotten.returncode == 0
    assert not state.exists()


def test_the_code_of_the_command_is_passed_on(state, services):
    ended = supervise(
        state,
        "with",
        "sh",
        "-c",
        "exit 7",
        DATABASE_URL=services.postgres.url,
        REDIS_URL=services.valkey.url,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "", "")
    assert stat.S_IMODE((state / "secrets.json").stat().st_mode) == 0o600


def test_what_dies_again_and_again_is_given_up_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.01)
    log = tmp_path / "clock.log"
    program = supervisor.Program("The clock", ["sh", "-c", "echo tick; exit 1"], log, os.environ)
    program.start()
    kept = supervisor.Kept(program)

    with pytest.raises(supervisor.Refused, match=r"The clock died 6 times in a row: .*clock\.log"):
        wait_until(kept.tend)

    assert log.read_text() == "tick\n" * 6


def test_what_ran_for_long_is_started_again_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "QUICK_DEATH", 0.0)
    log = tmp_path / "clock.log"
    program = supervisor.Program("The clock", ["sh", "-c", "echo tick; exit 1"], log, os.environ)
    program.start()
    kept = supervisor.Kept(program)

    wait_until(lambda: kept.tend() or log.read_text().count("tick") > 8)

    assert kept.quick_deaths == 1
    program.stop()


def test_a_log_that_has_grown_large_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "LOG_LIMIT", 3)
    (tmp_path / "web.log").write_text("long")
    (tmp_path / "beat.log").write_text("ok")

    supervisor.shorten(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"web.log.old", "beat.log"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures for the demo's cases: to draw cells takes longer than all the rest of its start."""
    folder = tmp_path_factory.mktemp("pictures")
    for cell_class in CellClass:
        below = folder / f"im_{cell_class}"
        below.mkdir()
        for number in range(150):
            Image.effect_noise((32, 32), 64).convert("RGB").save(below / f"{number}.bmp")
    return folder


class Demo:
    """A demo as `make demo` starts it, and what it has said."""

    def __init__(self, state, port, pictures):
        self.port = port
        self.output = state.parent / "output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.supervisor"],
                cwd=ROOT,
                env=surroundings(state, PORT=str(port), DEMO_IMAGES=str(pictures)),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self):
        wait_until(lambda: self.process.poll() is not None or "Stop: Ctrl-C" in self.said(), 400)
        assert self.process.poll() is None, self.said()

    def said(self):
        return self.output.read_text().rpartition("Seeding the demo laboratory")[2]

    def status(self, page):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", page)
            return connection.getresponse().status
        finally:
            connection.close()


def test_the_demo_runs_recovers_keeps_its_data_and_leaves_no_child_behind(state, pictures):
    demo = Demo(state, free_port(), pictures)
    try:
        demo.wait_until_ready()
        logins = (state / "demo-logins.txt").read_text().strip()
        children = children_of(demo.process.pid)

        assert demo.status("/login/") == 200
        assert f"http://localhost:{demo.port}/" in demo.said()
        assert logins in demo.said()
        assert len(children) > 8  # database, broker, web server, worker, clock, and theirs

        [clock] = [pid for pid, _ in children if b"beat" in command_of(pid)]
        os.kill(clock, signal.SIGKILL)
        wait_until(lambda: "The clock stopped unexpectedly and is started again." in demo.said())

        children = children_of(demo.process.pid)
        demo.process.kill()
        demo.process.wait()
        wait_until(lambda: not still_running(children))

        demo.output.unlink()
        demo = Demo(state, demo.port, pictures)
        demo.wait_until_ready()
        children = children_of(demo.process.pid)

        assert logins in demo.said()
        assert (state / "demo-logins.txt").read_text().strip() == logins

        demo.process.terminate()

        assert demo.process.wait(60) == 0
        assert demo.said().endswith("Stopped.\n")
        assert not still_running(children)
    finally:
        demo.process.terminate()
        demo.process.wait()
