"""The three graphs of Google's ``face_landmarker.task`` (Apache-2.0), run by LiteRT without MediaPipe."""

from __future__ import annotations

import contextlib
import os
import sys
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twocet.errors import UserError
from twocet.photo.face_model import FACE_MODEL_URL, locate_face_model
from twocet.runtime.arrays import Floats32
from twocet.runtime.processes import PerProcess


class Graph:
    """One TFLite graph. Not safe to share between threads."""

    def __init__(self, content: bytes, threads: int) -> None:
        self._interpreter = PerProcess(lambda: _interpreter(content, threads))
        self._input = self._interpreter.get().get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get().get_output_details()]

    def __call__(self, values: npt.NDArray[np.floating[Any]]) -> list[Floats32]:
        """The outputs for one input without its batch dimension."""
        interpreter = self._interpreter.get()
        interpreter.set_tensor(self._input, values.astype(np.float32)[None])
        interpreter.invoke()
        return [interpreter.get_tensor(output).copy() for output in self._outputs]


def _interpreter(content: bytes, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise UserError("Finding faces needs LiteRT: pip install ai-edge-litert") from None
    with _silenced_stderr():
        interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


class Graphs(NamedTuple):
    """What the file holds."""

    detector: Graph
    """BlazeFace short-range (arXiv 1907.05047)."""
    mesh: Graph
    """The attention mesh (arXiv 2006.10962)."""
    blendshapes: Graph


def load_graphs(path: str | os.PathLike[str] | None, threads: int) -> Graphs:
    """The graphs from ``path`` or from ``locate_face_model``. Raises UserError when there are none."""
    file = locate_face_model(path)
    try:
        with zipfile.ZipFile(file) as archive:
            names = ("face_detector", "face_landmarks_detector", "face_blendshapes")
            contents = [archive.read(f"{name}.tflite") for name in names]
    except (OSError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{file} is not a face_landmarker.task: download it again from {FACE_MODEL_URL}") from None
    return Graphs(*(Graph(content, threads) for content in contents))


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """LiteRT prints what it does from C++, which only the file descriptor can stop."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is none, in a service for example
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
