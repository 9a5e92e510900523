"""What a run writes for people: metrics.jsonl, TensorBoard events, sample sheets, the progress bar."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from twocet.photo.scaling import to_levels
from twocet.runtime.files import write_whole


class Recorder:
    """Means of the terms over some rounds, written as one line, one set of events and one text on the bar."""

    def __init__(self, folder: Path, step: int, steps: int | None, *, progress: bool = True) -> None:
        self.path = folder / "metrics.jsonl"
        forget_after(self.path, step)
        self.events = open_events(folder / "tensorboard", step)
        self.bar = tqdm(total=steps, initial=step, unit="round", disable=not progress, dynamic_ncols=True)
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.images, self.since = 0, time.perf_counter()

    def add(self, terms: dict[str, Tensor], images: int) -> None:
        """Take in the terms of one round, which has used ``images`` photos. Nothing is read from the device."""
        for name, term in terms.items():
            self.sums[name] = self.sums[name] + term if name in self.sums else term
            self.counts[name] = self.counts.get(name, 0) + 1
        self.images += images
        self.bar.update()

    def flush(self, step: int, **values: float) -> None:
        """Write the means since the last call, with ``values``, for the rounds up to ``step``."""
        now = time.perf_counter()
        # One copy from the device for all of them.
        totals = torch.stack(list(self.sums.values())).tolist() if self.sums else []
        line = {name: total / self.counts[name] for name, total in zip(self.sums, totals, strict=True)}
        line |= {**values, "images_per_second": self.images / max(now - self.since, 1e-9)}
        self.write(step, line)
        self.bar.set_postfix({_short(name): f"{value:.3g}" for name, value in line.items()}, refresh=False)
        self.sums, self.counts, self.images, self.since = {}, {}, 0, now

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append ``values`` to metrics.jsonl and to the TensorBoard events."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self.events is not None:
            for name, value in values.items():
                self.events.add_scalar(name, value, step)

    def set_steps(self, steps: int) -> None:
        """Tell the bar how many rounds there will be."""
        self.bar.total = steps
        self.bar.refresh()

    def say(self, text: str) -> None:
        """One line above the bar."""
        self.bar.write(text, file=sys.stderr)

    def close(self) -> None:
        """Finish the bar and the events."""
        self.bar.close()
        if self.events is not None:
            self.events.close()


def _short(name: str) -> str:
    words = name.split("_")
    return words[0] if len(words) == 1 else "_".join(word[:4] for word in words)


def forget_after(path: Path, step: int) -> None:
    """Drop the lines of metrics.jsonl that a resumed run will write again, and a line cut short by a crash."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    write_whole(path, "".join(kept).encode())


def open_events(folder: Path, step: int) -> Any:
    """A TensorBoard writer that hides the events after ``step``; None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("note: no TensorBoard events (pip install 'twocet[train]'); metrics.jsonl has it all", file=sys.stderr)
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)


def sheet(rows: Sequence[Tensor]) -> Image.Image:
    """A contact sheet: every row is images (n, 3, S, S) in [-1, 1], beside each other."""
    lines = [torch.cat(list(row.float()), dim=2) for row in rows]
    picture = torch.cat(lines, dim=1).permute(1, 2, 0)
    pixels = to_levels(picture).cpu().numpy()
    return Image.fromarray(pixels)
