"""The pictures that raters see: the results of every method, all in one size and format and with one mark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from twocet import __version__
from twocet.errors import UserError
from twocet.photo.images import READABLE_SUFFIXES, Pixels, read_pixels
from twocet.photo.mark import COMPOSITE, Mark
from twocet.photo.marks import mark_xmp
from twocet.photo.png import png_bytes
from twocet.study.pairs import Pair

COPY, OWN = "copy", "own"
"""Methods without a model: the target unchanged, and the target's own photo with an expression of the same label."""


class Method(NamedTuple):
    """What is compared."""

    name: str
    """What tables and figures call it; raters never see it."""
    source: str
    """A packaged model, a model file or folder, a folder of pictures, ``COPY`` or ``OWN``."""


def parse_methods(words: Sequence[str]) -> list[Method]:
    """``NAME=SOURCE``, or a source whose name tells what it is. Raises UserError."""
    methods = []
    for word in words:
        name, sign, source = word.partition("=")
        methods.append(Method(name, source) if sign else Method(_name_of(Path(word)), word))
    names = [method.name for method in methods]
    if len(set(names)) < len(names) or not all(names):
        raise UserError(f"every method needs a name of its own ({', '.join(names)}): write NAME=SOURCE")
    return methods


def _name_of(source: Path) -> str:
    """``runs/one/model.safetensors`` is called ``one``, ``mine.safetensors`` ``mine``."""
    return source.parent.name if source.stem == "model" and source.parent.name else source.stem


def results(
    method: Method, pairs: Sequence[Pair], size: int, *, device: str = "cpu", template: str | None = None
) -> list[Pixels]:
    """The result of a method for every pair, its longer side ``size``. Raises UserError.

    Args:
        method: Whose results.
        pairs: What it is given.
        size: Of the stimuli.
        device: Where a model runs.
        template: The alignment of the pairs' photos; None if it is not known.
    """
    if method.source == COPY:
        return [picture(pair.target, size) for pair in pairs]
    if method.source == OWN:
        return _own(pairs, size)
    folder = Path(method.source)
    if folder.is_dir() and not (folder / "model.json").exists():
        return [picture(path, size) for path in _files(method, folder, pairs)]
    return [scaled(pixels, size) for pixels in _by_model(method, pairs, device, template)]


def picture(path: Path, size: int) -> Pixels:
    """A picture file in the size of a stimulus: (H, W, 3), the longer side ``size``. Raises UserError."""
    return scaled(read_pixels(path), size)


def scaled(pixels: Pixels, size: int) -> Pixels:
    """(H, W, 3) scaled by Lanczos so that the longer side is ``size``."""
    height, width = pixels.shape[:2]
    factor = size / max(height, width)
    if factor == 1:
        return pixels
    shape = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.LANCZOS))


def stimulus(pixels: Pixels, *, made: bool) -> bytes:
    """A PNG file. Results carry the mark that a model changed them, the same one whichever method made them."""
    mark = Mark(digital_source_type=COMPOSITE, software=f"twocet {__version__}")
    return png_bytes(pixels, mark_xmp(None, mark) if made else None)


def _own(pairs: Sequence[Pair], size: int) -> list[Pixels]:
    lacking = [pair.pair for pair in pairs if pair.own is None]
    if lacking:
        raise UserError(
            f"the method {OWN} needs the target's own photo of every pair's label: {len(lacking)} of {len(pairs)} "
            f"pairs have none, such as {lacking[0]}"
        )
    return [picture(pair.own, size) for pair in pairs if pair.own]


def _files(method: Method, folder: Path, pairs: Sequence[Pair]) -> list[Path]:
    """The picture of every pair in a folder of another program: named as the pair, in any readable format."""
    found = {path.stem: path for path in folder.iterdir() if path.suffix.lower() in READABLE_SUFFIXES}
    lacking = [pair.pair for pair in pairs if pair.pair not in found]
    if lacking:
        raise UserError(
            f"{folder} ({method.name}) lacks {len(lacking)} of {len(pairs)} results, such as {lacking[0]}.png: results "
            "are named as the pairs in pairs.csv (twocet study make --pairs-only)"
        )
    return [found[pair.pair] for pair in pairs]


def _by_model(method: Method, pairs: Sequence[Pair], device: str, template: str | None) -> Sequence[Pixels]:
    from twocet.compare.baselines.models import load_any
    from twocet.evaluation.maker import Maker
    from twocet.runtime import devices

    model = load_any(method.source, device)
    needed = model.metadata.get("template")
    if template and needed and needed != template:
        raise UserError(
            f"{method.name} needs crops aligned to {needed}, those of the dataset are to {template}: prepare the "
            "photos again with the other --alignment"
        )
    read: Callable[[Path], Pixels] = lambda path: _crop(path, model.size, method.name)  # noqa: E731
    targets = np.stack([read(pair.target) for pair in pairs])
    references = np.stack([read(pair.reference) for pair in pairs])
    with devices.on(devices.find(device)):
        return list(Maker(model, device).transfer(targets, references, [pair.label for pair in pairs]))


def _crop(path: Path, size: int, name: str) -> Pixels:
    """An aligned crop reduced to a model's size. Raises UserError for any other picture."""
    pixels = read_pixels(path)
    height, width = pixels.shape[:2]
    if height != width or height < size:
        raise UserError(
            f"{path} is {width} x {height}: the model {name} needs aligned square crops of {size} pixels or more. For "
            "other photos make the results first (twocet batch) and give their folder as NAME=FOLDER"
        )
    if height == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX))
