"""Where the time of an answer goes, and what the same pictures cost in other ways.

Each line of the tables is a process of its own, so that threads, memory and warm caches of one do
not serve another. A figure is the median of three passes over the pictures, after one batch that
is not counted. ``throughput.py`` prints it before the whole path of a case.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multiprocessing import Queue
    from threading import Barrier

    from inference.network import EfficientNet
    from inference.runtime import Answers

T = TypeVar("T")

BATCHES = (1, 8, 32)
THREADS = (1, 2)
PASSES = 3
PAIRS = 9  # passes of each of two ways that are compared, in turns
USUAL_SIDE = 224  # what such networks are commonly served at
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def report(files: Sequence[bytes], folder: Path) -> None:
    """Print every table."""
    from inference.preprocess import SIDE

    counts = [threads for threads in THREADS if threads <= (os.cpu_count() or 1)]
    print(f"\nImages a second, {len(files)} pictures from bytes to answer, {folder.name}\n")
    print(f"{'':52}" + "".join(f"{_count(threads, 'thread'):>11}" for threads in counts))
    for name, way in _ways(files, folder, SIDE).items():
        rates = [_apart(way, threads) for threads in counts]
        print(f"{name:52}" + "".join(f"{rate:>11.1f}" for rate in rates))
    print(f"{'ours as it serves, two processes of one thread':52}{_two(files, folder):>11.1f}")

    ratio, low, high = _apart(partial(read_ahead, files, folder), 1)
    print(
        f"\nReading ahead of the network, one thread, {PAIRS} pairs: {ratio:.3f} times the images "
        f"a second (quartiles {low:.3f} to {high:.3f})"
    )
    stages = _apart(partial(parts_of_an_answer, files, folder), 1)
    floor = _apart(partial(compute_floor, folder), 1)
    _print_stages(stages, floor, SIDE)
    seconds, resident, peak = _apart(partial(footprint, files, folder), 1)
    print(
        f"Model loaded and warmed in {seconds:.2f} s; {resident:.0f} MB resident after "
        f"{len(files)} pictures, {peak:.0f} MB at the most"
    )


def _ways(files: Sequence[bytes], folder: Path, side: int) -> dict[str, Callable[[], float]]:
    """Ways to answer, by what they are called in the table."""
    return {
        f"eager PyTorch, one by one, {USUAL_SIDE} pixels": partial(
            one_by_one, files, folder, USUAL_SIDE
        ),
        f"eager PyTorch, one by one, {side} pixels": partial(one_by_one, files, folder, side),
        **{
            f"eager PyTorch, channels last, batches of {batch}": partial(
                channels_last, files, folder, batch
            )
            for batch in BATCHES[1:]
        },
        **{f"ours, batches of {batch}": partial(ours, files, folder, batch) for batch in BATCHES},
        "ours as it serves, batches of 8, read ahead": partial(as_it_serves, files, folder),
    }


def _apart(way: Callable[[], T], threads: int) -> T:
    """What a function returns in a fresh process that may use so many threads."""
    before = {name: os.environ.get(name) for name in POOLS}
    os.environ.update(dict.fromkeys(POOLS, str(threads)))
    try:
        with get_context("spawn").Pool(1) as pool:
            return pool.apply(way)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _rate(answer: Callable[[], object], pictures: int) -> float:
    """Pictures a second: the median of some passes."""
    took = []
    for _ in range(PASSES):
        began = time.perf_counter()
        answer()
        took.append(time.perf_counter() - began)
    return pictures / statistics.median(took)


def _threads() -> int:
    return int(os.environ[POOLS[0]])


def _batches(files: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (files[i : i + size] for i in range(0, len(files), size))


# Ways to answer: each runs in a process of its own


def one_by_one(files: Sequence[bytes], folder: Path, side: int) -> float:
    """As it is commonly served: each picture alone, planes first, torchvision's preprocessing."""
    from io import BytesIO

    import torch
    from PIL import Image

    from inference.network import DEVIATION, MEAN, torchvision

    transforms = torchvision.transforms
    prepared = transforms.Compose(
        [
            transforms.Resize((side, side)),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, DEVIATION),
        ]
    )
    torch.set_num_threads(_threads())
    network = _eager(folder)

    def answer(chosen: Sequence[bytes]) -> None:
        for file in chosen:
            picture = prepared(Image.open(BytesIO(file)).convert("RGB")).unsqueeze(0)
            with torch.no_grad():
                torch.softmax(network(picture), dim=1).tolist()

    answer(files[:8])
    return _rate(partial(answer, files), len(files))


def channels_last(files: Sequence[bytes], folder: Path, batch: int) -> float:
    """PyTorch at its best without compiling: batches, channels last, our preprocessing."""
    import numpy as np
    import torch

    from inference.network import normalise
    from inference.preprocess import preprocess

    torch.set_num_threads(_threads())
    network = _eager(folder).to(memory_format=torch.channels_last)

    def answer(chosen: Sequence[bytes]) -> None:
        for some in _batches(chosen, batch):
            pixels = torch.from_numpy(np.stack([preprocess(file) for file in some]))
            with torch.inference_mode():
                torch.softmax(network(normalise(pixels)), dim=1).tolist()

    answer(files[:batch])
    return _rate(partial(answer, files), len(files))


def _eager(folder: Path) -> "EfficientNet":
    from inference import manifest, reference

    described = manifest.read(folder)
    return reference.load(folder / manifest.WEIGHTS, described.files[manifest.WEIGHTS])


def ours(files: Sequence[bytes], folder: Path, batch: int) -> float:
    """Our classifier, everything it says included, at another batch size than it serves at."""
    from inference import load_classifier
    from inference.preprocess import read

    classifier = load_classifier(folder, threads=_threads(), batch=batch)

    def answer(chosen: Sequence[bytes]) -> None:
        for some in _batches(chosen, batch):
            classifier.answer([read(file) for file in some])

    answer(files[:batch])
    return _rate(partial(answer, files), len(files))


def as_it_serves(files: Sequence[bytes], folder: Path) -> float:
    from inference import load_classifier

    classifier = load_classifier(folder, threads=_threads())
    return _rate(partial(classifier.classify, files), len(files))


def _two(files: Sequence[bytes], folder: Path) -> float:
    """Two processes of one thread at the same time, as two workers are: the sum of both."""
    before = {name: os.environ.get(name) for name in POOLS}
    os.environ.update(dict.fromkeys(POOLS, "1"))
    context = get_context("spawn")
    ready, rates = context.Barrier(2), context.Queue()
    both = [
        context.Process(target=beside_another, args=(files, folder, ready, rates)) for _ in range(2)
    ]
    for one in both:
        one.start()
    found = [rates.get() for _ in both]
    for one in both:
        one.join()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
    return float(sum(found))


def beside_another(
    files: Sequence[bytes], folder: Path, ready: "Barrier", rates: "Queue[float]"
) -> None:
    from inference import load_classifier

    classifier = load_classifier(folder)
    ready.wait()
    rates.put(_rate(partial(classifier.classify, files), len(files)))


# What is inside an answer


def read_ahead(files: Sequence[bytes], folder: Path) -> tuple[float, float, float]:
    """How many times the pictures a second when a thread reads ahead; in pairs, in turns."""
    from inference import load_classifier
    from inference.preprocess import read
    from inference.runtime import BATCH

    classifier = load_classifier(folder)

    def in_turn() -> None:
        for some in _batches(files, BATCH):
            classifier.answer([read(file) for file in some])

    def ahead() -> None:
        classifier.classify(files)

    ratios = []
    for number in range(PAIRS):
        took = {}
        for way in (in_turn, ahead) if number % 2 else (ahead, in_turn):
            began = time.perf_counter()
            way()
            took[way] = time.perf_counter() - began
        ratios.append(took[in_turn] / took[ahead])
    low, middle, high = statistics.quantiles(ratios, n=4)
    return middle, low, high


def parts_of_an_answer(files: Sequence[bytes], folder: Path) -> dict[str, float]:
    """Milliseconds a picture of each step, batches of eight, one thread."""
    from io import BytesIO

    import numpy as np
    from PIL import Image

    from inference import load_classifier, manifest, runtime
    from inference.classifier import Classifier
    from inference.preprocess import read

    described = manifest.read(folder)
    network = runtime.load(folder, described)
    whole = load_classifier(folder)
    opened = [Image.open(BytesIO(file)).convert("RGB") for file in files]
    readings = [read(picture) for picture in opened]
    pixels = np.stack([reading.pixels for reading in readings])
    said = network.answer(pixels)
    after = Classifier(_Said(said), described.name, whole.calibration, whole.familiarity)

    def decode() -> None:
        for file in files:
            Image.open(BytesIO(file)).convert("RGB")

    def prepare() -> None:
        for picture in opened:
            read(picture)

    steps: dict[str, Callable[[], object]] = {
        "decode": decode,
        "preprocess": prepare,
        "forward": partial(network.answer, pixels),
        "post-process": partial(after.answer, readings),
    }
    return {name: 1000 / _rate(step, len(files)) for name, step in steps.items()}


class _Said:
    """A network that has answered already."""

    def __init__(self, answers: "Answers") -> None:
        self._answers = answers

    def answer(self, _pixels: object) -> "Answers":
        return self._answers


def compute_floor(folder: Path) -> tuple[float, float]:
    """Multiply-adds of a picture, in millions; and of this core in matrix products, in billions."""
    import numpy as np
    import torch
    from torch import nn

    from inference.preprocess import SIDE

    counted = 0

    def count(module: nn.Module, _given: object, out: torch.Tensor) -> None:
        nonlocal counted
        if isinstance(module, nn.Conv2d):
            counted += out[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            counted += module.weight.numel()

    network = _eager(folder)
    for module in network.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, SIDE, SIDE))

    side = 1536
    left, right = np.random.default_rng(1).random((2, side, side), dtype=np.float32)
    left @ right
    took = []
    for _ in range(PAIRS):
        began = time.perf_counter()
        left @ right
        took.append(time.perf_counter() - began)
    return counted / 1e6, side**3 / statistics.median(took) / 1e9


def footprint(files: Sequence[bytes], folder: Path) -> tuple[float, float, float]:
    """Seconds to load, imports included; megabytes resident after the pictures, and at the most."""
    began = time.perf_counter()
    from inference import load_classifier

    classifier = load_classifier(folder)
    seconds = time.perf_counter() - began
    classifier.classify(files)
    return seconds, _memory("VmRSS"), _memory("VmHWM")


def _memory(name: str) -> float:
    """Megabytes of this process, as Linux counts them; nothing elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1000


# Printing


def _print_stages(stages: dict[str, float], floor: tuple[float, float], side: int) -> None:
    million, billion = floor
    print("\nMilliseconds a picture, one thread, batches of 8")
    for name, milliseconds in stages.items():
        print(f"  {name:14}{milliseconds:8.2f}")
    print(f"  {'together':14}{sum(stages.values()):8.2f}")
    least = million / billion
    print(
        f"\n{million:.1f} million multiply-adds a picture at {side} pixels; a core of this machine "
        f"({platform.machine()}) does {billion:.1f} billion a second in matrix products: "
        f"{least:.1f} ms at the least, {least / stages['forward']:.0%} of the forward pass"
    )


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
