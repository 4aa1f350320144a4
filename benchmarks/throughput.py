"""Images a second: through the classifier and its rivals, and through the whole path of a case.

``make bench`` runs it beside PostgreSQL and Valkey of its own. ``compute.py`` measures what is
between bytes and answers; the whole path is what a laboratory does: HTTP upload of each file,
intake, storage, submission, queue, worker, stored prediction. The cells are drawn, or taken from
``--images FOLDER``; all figures are of the same pictures, the first of them for the classifier.
"""

import argparse
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import django
import requests

ROOT = Path(__file__).resolve().parent.parent
PICTURES = {".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"}
READY_WITHIN = 60.0
DONE_WITHIN = 600.0
COMPUTED = 96  # pictures that every way of computing answers, several times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many pictures")
    parser.add_argument("--images", type=Path, help="a folder of pictures instead of drawn ones")
    parser.add_argument(
        "--model", type=Path, help="a model folder to compute with instead of the shipped one"
    )
    parser.add_argument("--uploads", type=int, default=3, help="files sent at the same time")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cases", type=int, default=4, help="cases that the pictures belong to")
    parser.add_argument("--only", choices=("compute", "path"), help="one part alone")
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.path.insert(0, str(ROOT))
    django.setup()
    files = _files(chosen.images, chosen.count)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{len(files)} pictures, {sum(map(len, files)) / 2**20:.1f} MiB")
    if chosen.only != "path":
        import compute

        from inference import manifest

        compute.report(files[:COMPUTED], chosen.model or manifest.shipped_folder())
    if chosen.only != "compute":
        _whole_path(files, chosen)


def _files(folder: Path | None, count: int) -> list[bytes]:
    from cases import synthetic
    from inference.labels import CellClass

    if folder:
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)
        step = max(1, len(found) // count)
        return [path.read_bytes() for path in found[::step][:count]]
    files = []
    for seed in range(count):
        file = BytesIO()
        synthetic.draw(list(CellClass)[seed % len(CellClass)], seed).save(file, "PNG")
        files.append(file.getvalue())
    return files


def _whole_path(files: list[bytes], chosen: argparse.Namespace) -> None:
    from django.core.management import call_command

    from accounts.models import Laboratory, Role, User
    from accounts.tokens import make_token
    from cases.models import Prediction
    from inference import registry

    call_command("migrate", verbosity=0)
    registry.register_shipped()
    laboratory = Laboratory.objects.create(name=f"Benchmark {time.time_ns()}")
    user = User.objects.create_user(
        f"bench{time.time_ns()}@bench.example",
        name="Benchmark",
        role=Role.CYTOTECHNOLOGIST,
        laboratory=laboratory,
    )
    _, secret = make_token(user, "benchmark")
    with ExitStack() as stack:
        address = stack.enter_context(_web())
        stack.enter_context(_worker(chosen.workers))
        session = requests.Session()
        session.headers["Authorization"] = f"Token {secret}"
        api = f"{address}/api/v1/cases/"
        cases = [_accession(session, api) for _ in range(chosen.cases)]

        began = time.perf_counter()
        _upload(session, api, cases, files, chosen.uploads)
        uploaded = time.perf_counter()
        for case in cases:
            session.post(f"{api}{case}/submit/", timeout=60).raise_for_status()
        stored = Prediction.objects.filter(image__case__in=cases)
        while stored.count() < len(files):
            if time.perf_counter() - uploaded > DONE_WITHIN:
                raise SystemExit(f"Only {stored.count()} of {len(files)} were classified.")
            time.sleep(0.02)
        classified = time.perf_counter()
    n = len(files)
    print(
        f"upload to stored file, {chosen.uploads} at a time: "
        f"{n / (uploaded - began):.1f} images a second"
    )
    print(
        f"submit to stored prediction, {chosen.workers} worker processes, {chosen.cases} cases: "
        f"{n / (classified - uploaded):.1f} images a second"
    )
    print(f"whole path, one after the other: {n / (classified - began):.1f} images a second")


def _accession(session: requests.Session, api: str) -> str:
    answer = session.post(api, json={"record_number": "P-1", "specimen_type": "LBC"}, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["id"])


def _upload(
    session: requests.Session, api: str, cases: Sequence[str], files: list[bytes], at_once: int
) -> None:
    def send(position: int) -> None:
        case = cases[position % len(cases)]
        parts = {"file": (f"cell-{position:05d}.png", files[position])}
        answer = session.post(f"{api}{case}/images/", files=parts, timeout=120)
        answer.raise_for_status()
        [fate] = answer.json()["files"]
        if fate["fate"] != "stored":
            raise SystemExit(f"Picture {position} was {fate['fate']}: {fate['reason']}")

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(send, range(len(files))))


@contextmanager
def _web() -> Iterator[str]:
    """The web server as the demonstration runs it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["gunicorn", "config.wsgi:application", f"--bind=127.0.0.1:{port}"]
    with _running([*command, "--workers=2", "--worker-class=gthread", "--threads=8"]):
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            try:
                requests.get(f"{address}/api/v1/schema/", timeout=5)
            except requests.ConnectionError:
                time.sleep(0.1)
            else:
                break
        yield address


@contextmanager
def _worker(processes: int) -> Iterator[None]:
    options = ["--pool=prefork", f"--concurrency={processes}", "--loglevel=WARNING"]
    with _running(["celery", "-A", "config", "worker", *options, "--without-gossip"]):
        time.sleep(5)  # started, so that only classification is timed
        yield


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    """A process of ours, which ends with this one however this one ends."""
    from config import leash

    process = leash.start(
        [sys.executable, "-m", *command],
        on_parent_death=signal.SIGTERM,
        log=Path(os.environ["STATE_DIR"]) / f"{command[0]}.log",
        folder=ROOT,
        environment={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        leash.kill_group(process)


if __name__ == "__main__":
    main()
