"""What must cost nothing: kills, full disks, flipped bits, crowds. One line for each kind; 0 lost is what counts.

Kills come at random times by SIGKILL, SIGTERM and SIGHUP; the same command then goes on. Full disks are small ones
(tmpfs, needs root). Run: PYTHONPATH=src python benchmarks/mishaps.py [--kills 50] [--bits 200] [--clients 60]
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import av
import torch
from PIL import Image

import twocet
from twocet.errors import UserError
from twocet.model.model import load_model, packaged_file
from twocet.training import checkpoint

EXAMPLES = Path(twocet.__file__).parent / "commands" / "examples"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
TRAIN = (
    "--recipe", "fast", "--steps", "60", "--set", "network.size=32", "network.code_dim=4",
    "network.generator_widths=8,12", "network.trunk_widths=8,12", "batch=4", "threads=1", "log_every=2",
    "sample_every=20", "validate_every=20", "checkpoint_every=3", "even=False",
)  # fmt: skip


class Work(NamedTuple):
    """A command, how it goes on, and what it makes."""

    name: str
    begin: Sequence[str]
    again: Sequence[str]
    folder: Path
    results: int
    """Pictures, films or models that are there at the end."""


def run(*words: str, limit: float = 600) -> subprocess.CompletedProcess[str]:
    """The command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "twocet", *words], capture_output=True, text=True, check=False, timeout=limit
    )


def killed(work: Work, number: signal.Signals, after: float) -> None:
    """Start or go on, and end it after some seconds."""
    begun = (work.folder / "checkpoints").is_dir() and any((work.folder / "checkpoints").glob("step-*.pt"))
    words = work.again if begun else work.begin
    process = subprocess.Popen(
        [sys.executable, "-m", "twocet", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    process.send_signal(number)
    process.wait(120)


def whole(path: Path) -> bool:
    """Whether a picture, film or model is what it says."""
    try:
        if path.suffix == ".safetensors":
            load_model(path)
        elif path.suffix == ".mp4":
            with av.open(str(path)) as film:
                return sum(1 for _ in film.decode(video=0)) > 0
        else:
            with Image.open(path) as picture:
                picture.load()
    except (UserError, OSError, av.FFmpegError):
        return False
    return True


def results(folder: Path) -> list[Path]:
    """Whatever was made, under its own name."""
    return [p for p in folder.rglob("*") if p.suffix in (".png", ".mp4", ".safetensors") and "samples" not in p.parts]


def works(folder: Path) -> list[Work]:
    """Training, a table, a film and a continuum, all small."""
    data, film = dataset(folder / "faces"), clip(folder / "film.mp4", 12)
    table = folder / "jobs.csv"
    with table.open("w", newline="") as file:
        rows = [(EXAMPLES / "target-1.jpg", EXAMPLES / "reference-1-happy.jpg", s / 10) for s in range(1, 9)]
        csv.writer(file).writerows([("target", "reference", "strength"), *rows])
    target, reference = str(EXAMPLES / "target-1.jpg"), str(EXAMPLES / "reference-1-happy.jpg")
    run_folder, edited, steps, films = (folder / name for name in ("run", "edited", "steps", "films"))
    films.mkdir()
    begin = ["train", "--data", str(data), "-o", str(run_folder), *TRAIN]
    batch = ["batch", str(table), "-o", str(edited), "--workers", "1"]
    video = ["video", str(film), "--edit", "--strength", "0", "-o", str(films / "out.mp4")]
    continuum = ["continuum", target, reference, "-o", str(steps), "--steps", "5"]
    return [
        Work("train", begin, ["train", "-o", str(run_folder), "--resume"], run_folder, 1),
        Work("batch", batch, batch, edited, 8),
        Work("video", video, video, films, 1),
        Work("continuum", continuum, continuum, steps, 5),
    ]


def dataset(folder: Path) -> Path:
    """Eight cartoons of faces."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "train"))
    from tiny import write_dataset

    return Path(write_dataset(folder))


def clip(path: Path, frames: int) -> Path:
    """A still face as a film."""
    with Image.open(EXAMPLES / "target-1.jpg") as photo, av.open(str(path), "w") as container:
        picture = photo.resize((240, 240))
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 240, 240, "yuv420p"
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
    return path


def kills(number: int, folder: Path) -> None:
    """Every command is killed again and again, then finishes; nothing half written may stay."""
    chance = random.Random(0)
    every = works(folder)
    for work in every:
        for k in range(number // len(every) + (every.index(work) < number % len(every))):
            killed(work, SIGNALS[k % 3], chance.uniform(1, 12))
            broken = [path for path in results(work.folder) if not whole(path)] if work.folder.exists() else []
            assert not broken, broken
        begun = work.name == "train" and any((work.folder / "checkpoints").glob("step-*.pt"))
        done = run(*(work.again if begun else work.begin))
        left = [path.name for path in work.folder.rglob(".twocet-*")]
        made = [path for path in results(work.folder) if whole(path) and path.parent.name != "mask"]
        count = number // len(every) + (every.index(work) < number % len(every))
        said = (done.stderr.strip().splitlines() or [""])[-1] if done.returncode else ""
        print(
            f"{work.name}: {count} kills, then exit {done.returncode}, {len(made)} results of at least {work.results}, "
            f"{len(left)} left half written {said}"
        )


def bits(number: int, folder: Path) -> None:
    """Bits flipped in a checkpoint and in a model file: refused, or what is read is as it was."""
    chance, taken = random.Random(1), 0
    path = folder / "a.pt"
    checkpoint.write(path, {"parts": {"generator": torch.randn(20_000)}})
    model = folder / "m.safetensors"
    from twocet.model.model import save_model

    save_model(model, load_model(packaged_file("default")))
    for file, read in ((path, checkpoint.read), (model, load_model)):
        content = file.read_bytes()
        good = read(file)
        for _ in range(number // 2):
            damaged = bytearray(content)
            place = chance.randrange(len(content) * 8)
            damaged[place // 8] ^= 1 << (place % 8)
            file.write_bytes(damaged)
            with contextlib.suppress(UserError):
                taken += not same(read(file), good)
        file.write_bytes(content)
    print(f"bits: {number} flipped, {taken} taken with other values")


def same(one: object, other: object) -> bool:
    """Whether two checkpoints or models say the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return bool(torch.equal(one["parts"]["generator"], other["parts"]["generator"]))
    left, right = (m.networks.generator.state_dict() for m in (one, other))  # type: ignore[attr-defined]
    told = one.metadata == other.metadata  # type: ignore[attr-defined]
    return told and all(torch.equal(left[name], right[name]) for name in left)


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of this size."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disks(folder: Path) -> None:
    """Training, a table, a film and a continuum on disks that are too small: exit 2, nothing half written."""
    for work, kilobytes in zip(works(folder), (400, 1500, 8, 1500), strict=True):
        with small_disk(work.folder, kilobytes):
            done = run(*work.begin)
            left = [path.name for path in work.folder.rglob(".twocet-*")]
            broken = [path.name for path in results(work.folder) if not whole(path)]
            said = re.sub(r"/\S+/", "", (done.stderr.strip().splitlines() or [""])[-1])
            print(
                f"full disk, {work.name}: exit {done.returncode}, {len(left)} left, {len(broken)} broken: {said[:140]}"
            )


def crowd(number: int, silent: int) -> None:
    """Visitors at once beside silent connections: everybody who got a place keeps the photo."""
    server = subprocess.Popen(
        [sys.executable, "-m", "twocet", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    address = re.search(r"http://\S+?(?=/ )", server.stdout.readline())
    assert address is not None
    host, port = address.group().removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(number) as threads:
        for _ in range(silent):
            slow = stack.enter_context(socket.create_connection((host, int(port))))
            slow.sendall(b"PUT /api/photos/target HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        began = time.perf_counter()
        said = list(threads.map(lambda _: visit(address.group()), range(number)))
        seconds = time.perf_counter() - began
    server.send_signal(signal.SIGINT)
    server.wait(60)
    counts = {answer: said.count(answer) for answer in sorted(set(said))}
    print(f"crowd: {number} visitors beside {silent} silent connections: {counts} in {seconds:.0f} s")


def visit(address: str) -> str:
    """Enter, give a photo, and look whether it is still there: kept, refused, or lost."""
    import json

    def send(method: str, path: str, body: bytes | None = None, session: str = "") -> bytes:
        request = urllib.request.Request(address + path, body, {"X-Session": session}, method=method)
        for _ in range(200):
            try:
                with urllib.request.urlopen(request, timeout=300) as answer:
                    content: bytes = answer.read()
                    return content
            except urllib.error.HTTPError as error:
                if error.code != 503 or path == "/api/sessions":
                    raise
                time.sleep(1)
        raise TimeoutError

    try:
        session = json.loads(send("POST", "/api/sessions", b""))["session"]
    except urllib.error.HTTPError as error:
        return f"refused ({error.code})"
    try:
        send("PUT", "/api/photos/target", (EXAMPLES / "target-4.jpg").read_bytes(), session)
        send("GET", "/api/photos/target", session=session)
    except urllib.error.HTTPError as error:
        return f"lost ({error.code})"
    return "kept"


def main() -> None:
    """Everything in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--bits", type=int, default=200)
    parser.add_argument("--clients", type=int, default=60)
    parser.add_argument("--silent", type=int, default=256)
    parser.add_argument("--disks", action="store_true", help="full disks too (root)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("bits", "kills", "disks"):
            (folder / name).mkdir()
        if given.bits:
            bits(given.bits, folder / "bits")
        if given.clients:
            crowd(given.clients, given.silent)
        if given.disks:
            full_disks(folder / "disks")
        if given.kills:
            kills(given.kills, folder / "kills")


if __name__ == "__main__":
    main()
