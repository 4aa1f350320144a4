"""Child processes that end with the one who started them, even when that one is killed.

``start`` runs this file as a small script that asks the kernel for a signal on the parent's death,
gives up root where asked to, and becomes the command. (A ``preexec_fn`` would do the same inside
the forked copy of a process that may have threads, which is not safe.) Linux only: elsewhere the
children are stopped in the ordinary way.

The kernel counts the *thread* that started a child as its parent: start children from a thread
that lives as long as they should.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def start(  # noqa: PLR0913 -- each is something to know about a process
    command: Sequence[str | Path],
    *,
    on_parent_death: signal.Signals,
    log: Path | None = None,
    uid: int | None = None,
    gid: int | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    keep_open: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that Ctrl-C in a terminal does not reach it."""
    identity = [
        str(os.getpid()),
        str(int(on_parent_death)),
        str(_or_minus(uid)),
        str(_or_minus(gid)),
    ]
    output = log.open("ab") if log else None
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *identity, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            cwd=folder,
            env=environment,
            start_new_session=True,
            pass_fds=keep_open,
        )
    finally:
        if output:
            output.close()


def kill_group(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    """Signal the session of a child: itself and what it started, as long as any of them lives."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says "not permitted" of a zombie
        return


def _or_minus(number: int | None) -> int:
    return -1 if number is None else number


def _become(parent: int, number: int, uid: int, gid: int, command: list[str]) -> None:
    if uid >= 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        except OSError as error:
            sys.exit(f"error: root may not become user {uid} here: {error.strerror}")
    if sys.platform == "linux":
        # After setuid, which would clear it; kept by exec.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)  # the parent died before the kernel was asked
    try:
        os.execvp(command[0], command)  # noqa: S606 -- to become it is what this script is for
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    parent, number, uid, gid = map(int, sys.argv[1:5])
    _become(parent, number, uid, gid, sys.argv[5:])
