"""Measures ``twocet video``: speed, and whether the face shakes more than in the film it is made from.

The film: a synthetic person, rendered frame by frame, who talks, raises the brows and moves the head a little; or, with
--photo, a photo over which the camera pans by fractions of a pixel. H.264 adds the noise that films have. Jitter is the
root mean square of what is left of every landmark's path when the parabola through 0.2 s about each moment is taken
away (a high pass at about 5 Hz: words and nods go, shaking stays), in pixels of a face whose eyes are as far apart as
the input's: the bar is 1.2 times the input's own. So that smoothing does not pass for an improvement where it makes
lips late, the mouth's opening is compared too: the delay (frames) at which it correlates best with the input's, and how
far it moves. Prints one JSON line for each way.

    python benchmarks/clip.py                                # 10 s at 25 frames a second
    python benchmarks/clip.py --seconds 0.4 --side 256       # to see that it works
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from line import print_line
from PIL import Image
from tqdm import tqdm

from twocet.edit.examples import example_photos
from twocet.errors import UserError
from twocet.photo.faces import FaceFinder
from twocet.photo.images import Pixels, read_photo
from twocet.synth import Head, Identity, render
from twocet.video.clips import ClipReader, ClipWriter

PERSON = 900_065
EYES = (33, 263)
LIPS = (13, 14)
"""Middle of the inner edges, upper and lower."""
MOST_LAG = 5
SMOOTH_SECONDS = 0.2


def talking(frames: int, fps: int, side: int) -> Iterator[Pixels]:
    """A person who moves, smoothly."""
    head = Head(Identity.sample(PERSON))
    for number in range(frames):
        t = number / fps
        mouth = max(0.0, np.sin(2 * np.pi * 2.3 * t)) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.31 * t))
        smile, brows = 0.5 - 0.5 * np.cos(2 * np.pi * t / 5), max(0.0, np.sin(2 * np.pi * 0.4 * t)) ** 2
        units = {
            "jawOpen": 0.35 * mouth, "mouthFunnel": 0.25 * mouth, "browInnerUp": 0.8 * brows,
            "mouthSmileLeft": 0.6 * smile, "mouthSmileRight": 0.6 * smile,
        }  # fmt: skip
        pose = (2 * np.sin(2 * np.pi * 0.21 * t), 5 * np.sin(2 * np.pi * 0.17 * t), 1.5 * np.sin(2 * np.pi * 0.13 * t))
        yield render(head, units, side, "portrait", 1, pose).pixels


def panning(path: Path, frames: int, fps: int, side: int) -> Iterator[Pixels]:
    """A camera that wanders over a photo, by at most 4 % of the side."""
    photo = Image.fromarray(read_photo(path).pixels)
    scale = min(photo.size) * 0.9 / side
    for number in range(frames):
        t = number / fps
        x = (photo.width - scale * side) / 2 + 0.04 * scale * side * np.sin(2 * np.pi * 0.23 * t)
        y = (photo.height - scale * side) / 2 + 0.03 * scale * side * np.sin(2 * np.pi * 0.17 * t)
        place = (scale, 0, x, 0, scale, y)
        yield np.array(photo.transform((side, side), Image.Transform.AFFINE, place, Image.Resampling.BICUBIC))


def landmarks(path: Path) -> np.ndarray:
    """(frames, 478, 2) of the largest face, pixels; NaN in frames without one."""
    finder = FaceFinder(threads=1)
    found = []
    with ClipReader(path) as reader:
        for frame in tqdm(reader, desc=f"landmarks of {path.name}", disable=None):
            faces = finder.find(frame.pixels)
            found.append(faces[0].landmarks[:, :2] if faces else np.full((478, 2), np.nan))
    return np.array(found, np.float64)


def eye_distance(points: np.ndarray) -> float:
    """Median distance of the eyes' outer corners, pixels."""
    return float(np.nanmedian(np.linalg.norm(points[:, EYES[0]] - points[:, EYES[1]], axis=-1)))


def jitter(points: np.ndarray, fps: int) -> float:
    """Root mean square of the landmarks' paths (frames, n, 2) less their local parabolas, in eye distances."""
    width = max(5, round(SMOOTH_SECONDS * fps) | 1)
    powers = np.vander(np.arange(width) - width // 2, 3)
    weights = (powers @ np.linalg.pinv(powers))[width // 2]
    windows = np.lib.stride_tricks.sliding_window_view(points, width, axis=0)
    shaken = points[width // 2 : len(points) - width // 2] - windows @ weights
    return float(np.sqrt(np.nanmean(np.square(shaken).sum(axis=-1)))) / eye_distance(points)


def opening(points: np.ndarray) -> np.ndarray:
    """(frames,) how far the lips are apart, in eye distances."""
    return np.linalg.norm(points[:, LIPS[0]] - points[:, LIPS[1]], axis=-1) / eye_distance(points)


def lag(given: np.ndarray, made: np.ndarray) -> tuple[float, float]:
    """Frames by which ``made`` (n,) comes later than ``given`` (n,), between frames too, and the correlation there."""
    reach = min(MOST_LAG, len(given) // 4)
    middle = given[reach : len(given) - reach]
    shifted = np.lib.stride_tricks.sliding_window_view(made, len(middle))
    seen = np.isfinite(middle) & np.isfinite(shifted).all(axis=0)
    scores = np.array([np.corrcoef(middle[seen], row[seen])[0, 1] for row in shifted])
    best = int(np.argmax(scores))
    if not 0 < best < len(scores) - 1:
        return float(best - reach), float(scores[best])
    before, top, after = scores[best - 1 : best + 2]
    # The top of the parabola through the best correlation and its neighbours.
    return best - reach + (before - after) / (2 * (before - 2 * top + after)), float(top)


def write_film(path: Path, pictures: Iterator[Pixels], frames: int, fps: int) -> None:
    """The film that is read by the command."""
    with ClipWriter(path, Fraction(fps), None) as film:
        for number, pixels in enumerate(tqdm(pictures, total=frames, desc="film", disable=None)):
            film.write(pixels, number / fps)


def measure(words: list[str], source: Path, output: Path, given: np.ndarray, fps: int) -> dict[str, Any]:
    """Calls the command and compares what it made with what it read."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "twocet", "video", *words, "-o", str(output), "--json"]
    called = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if called.returncode:
        raise UserError(f"twocet video failed: {' '.join(words)}")
    seconds, facts = time.perf_counter() - began, json.loads(called.stdout)
    found = landmarks(output)
    unit, own, made = eye_distance(given), jitter(given, fps), jitter(found, fps)
    delay, correlation = lag(opening(given), opening(found))
    moved = float(np.nanstd(opening(found)) / np.nanstd(opening(given)))
    return {
        "frames": facts["frames"], "without_face": facts["without_face"], "seconds": round(seconds, 1),
        "frames_per_second": round(facts["frames"] / seconds, 2),
        "jitter_px_input": round(own * unit, 3), "jitter_px_output": round(made * unit, 3),
        "jitter_ratio": round(made / own, 3), "within_1.2": made <= 1.2 * own,
        "mouth_lag_frames": round(delay, 2), "mouth_correlation": round(correlation, 3),
        "mouth_movement": round(moved, 2), "film": source.name,
    }  # fmt: skip


def main(seconds: float = 10.0, fps: int = 25, side: int = 512, photo: Path | None = None) -> None:
    """Makes the film, drives a still face with it, edits it, and prints the figures.

    Args:
        seconds: Length of the film.
        fps: Frames a second.
        side: Side of its square frames in pixels.
        photo: Pan over this photo in place of the rendered person (its face is found in the middle).
    """
    still = example_photos()["target-2"]
    frames = max(6, round(seconds * fps))
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / ("panned.mp4" if photo else "rendered.mp4")
        write_film(source, panning(photo, frames, fps, side) if photo else talking(frames, fps, side), frames, fps)
        given = landmarks(source)
        ways = {
            "drive a still face": [str(still), str(source)],
            "edit, strength 0": [str(source), "--edit", "--strength", "0"],
            "edit, strength 1.3": [str(source), "--edit", "--strength", "1.3"],
        }
        for number, (way, words) in enumerate(ways.items()):
            figures = measure(words, source, Path(scratch) / f"out-{number}.mp4", given, fps)
            print_line({"benchmark": "clip", "way": way, "side": side, "fps_of_the_film": fps, **figures})


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except UserError as error:
        sys.exit(str(error))
