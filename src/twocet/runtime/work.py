"""Much work on many files: processes that end with their parent, and files that are whole or absent."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, PngImagePlugin

from twocet.errors import UserError

PARTIAL = ".partial"
"""Ends the name of a file while it is written."""

_Job = TypeVar("_Job")


def num_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def for_each(function: Callable[[_Job], None], jobs: Sequence[_Job], workers: int) -> Iterator[None]:
    """Call ``function`` (a function of a module, or a partial of one) for every job; yields once for each one done.

    In ``workers`` processes, in any order; in this process if one worker is enough. An exception ends the work.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            function(job)
            yield
        return
    # Forking is not safe once torch has threads, and the command line may have imported it: start fresh processes.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), context, _begin) as pool:
        futures = [pool.submit(function, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                yield
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """What a worker does first, before it imports torch: one worker keeps one core busy."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    die_with_parent()


def die_with_parent() -> None:
    """A worker of a killed parent would wait for ever: end it when the parent goes."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def make_folder(path: Path) -> None:
    """Makes the folder and its parents. Raises UserError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {path} cannot be made ({error.strerror}): choose another output.") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is complete."""
    # The partial name is always the same, so that what a kill leaves behind is overwritten by the run that resumes.
    partial = path.with_name(path.name + PARTIAL)
    partial.write_bytes(content)
    os.replace(partial, path)


def png_bytes(pixels: np.ndarray[Any, Any], xmp: bytes | None = None) -> bytes:
    """(H, W, 3) uint8 as a PNG file, with an XMP packet if one is given."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=png_info(xmp))
    return buffer.getvalue()


def png_info(xmp: bytes | None) -> PngImagePlugin.PngInfo:
    """What Pillow writes into a PNG file beside the pixels: an XMP packet, or nothing."""
    chunks = PngImagePlugin.PngInfo()
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return chunks


def json_bytes(value: Any, indent: int | None = None) -> bytes:
    """``value`` as a JSON file."""
    return (json.dumps(value, indent=indent) + "\n").encode()
