"""Measures one photo after the other, as a user meets them: medians in milliseconds. Prints one line of JSON.

The packaged examples, portraits of 1024 pixels: a new target with a new reference (both are read, found, aligned,
encoded and blended), another strength of the same two, the networks alone on an aligned pair, and the whole command,
cold. On a machine that does nothing else.

    python benchmarks/photo.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import tyro
from line import print_line

import twocet
from twocet.edit.examples import example_photos


def main(model: str = "default", commands: int = 5, pairs: int = 40) -> None:
    """Print the figures.

    Args:
        model: Name of a packaged model, or a model file.
        commands: Calls of the whole command.
        pairs: Aligned pairs.
    """
    examples = example_photos().items()
    targets, references = ([p for n, p in examples if n.startswith(kind)] for kind in ("target", "reference"))
    editor = twocet.load(model)
    editor.transfer(targets[0], references[-1])
    couples = list(zip(targets[1:], references, strict=False))
    image = torch.zeros(1, 3, editor.model.size, editor.model.size)

    def aligned_pair() -> None:
        code = editor.model.encode(image)
        editor.model.generate(editor.model.generate(image, torch.zeros_like(code)), code)

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.jpg"
        words = [sys.executable, "-m", "twocet", "transfer", str(targets[0]), str(references[0]), "-o", str(output)]
        figures = {
            "new_pair_ms": median_ms([lambda c=c: editor.transfer(*c) for c in couples]),
            "other_strength_ms": median_ms([lambda c=c: editor.transfer(*c, strength=0.7) for c in couples[-4:]]),
            "aligned_pair_ms": median_ms([aligned_pair] * pairs),
            "cold_command_ms": median_ms(
                [lambda: subprocess.run([*words, "--model", model], check=True, capture_output=True)] * commands
            ),
        }
    print_line({"benchmark": "photo", "model": model, **figures})


def median_ms(tasks: Sequence[Callable[[], object]]) -> float:
    """The median time of the tasks."""
    times = []
    for task in tasks:
        started = time.perf_counter()
        task()
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times), 1)


if __name__ == "__main__":
    tyro.cli(main)
