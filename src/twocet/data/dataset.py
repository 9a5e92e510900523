"""Dataset folders, and their photos in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from twocet.errors import UserError, check
from twocet.photo.images import decode_photo
from twocet.photo.scaling import to_unit
from twocet.runtime import devices
from twocet.runtime.configuration import Between, from_dict
from twocet.runtime.records import named, read_csv, read_object

TEMPLATE = "eyes-nose-v1"
"""The alignment of our crops; defined in ``align``."""
TEMPLATES = (TEMPLATE, "paper-v1")
"""All alignments there are. One model knows one of them."""
DOMAINS = ("neutral", "expressive")
SPLITS = ("train", "val", "test")
_AGAIN = "make the dataset again"
_COLUMNS = ("file", "identity", "expression", "domain", "split")


@dataclass(frozen=True)
class DatasetFolder:
    """A dataset folder's description, checked: ``faces.csv`` and ``dataset.json``."""

    path: Path
    info: dict[str, Any]
    """dataset.json: name, licence, citation, template, size, ..."""
    rows: list[dict[str, str]]
    """faces.csv, one dict per photo; columns of our own and any others."""

    @property
    def size(self) -> int:
        """Side of the photos in pixels."""
        return int(self.info["size"])

    def select(self, split: str) -> list[dict[str, str]]:
        """The rows of one split."""
        return [row for row in self.rows if row["split"] == split]


def open_dataset(path: Path | str, *, allow_one_sided: bool = False) -> DatasetFolder:
    """Read and check a dataset folder.

    Raises UserError when something is missing or malformed, when an identity is in two splits, and (unless
    ``allow_one_sided``) when an identity of the training split has photos in one domain only: identities that differ
    between the domains are what breaks this method (paper, Sec. 5).
    """
    path = Path(path)
    check(path.is_dir(), f"there is no dataset folder {path}: make one with `twocet synth` or `twocet prepare`")
    info = _read_info(path / "dataset.json")
    rows = _read_rows(path / "faces.csv")
    _check_splits(path, rows)
    if not allow_one_sided:
        _check_two_sided(path, [row for row in rows if row["split"] == "train"])
    return DatasetFolder(path, info, rows)


def table_path(dataset: DatasetFolder, folder: Path, name: str) -> Path:
    """Where readings of a dataset's photos are kept: beside faces.csv, or in ``folder`` if that cannot be written."""
    beside = dataset.path / name
    return beside if beside.exists() or os.access(dataset.path, os.W_OK) else folder / f"{dataset.path.name}-{name}"


def common_template(datasets: Sequence[DatasetFolder]) -> str:
    """The template that all ``datasets`` share. Raises UserError where they differ."""
    found = {str(dataset.info["template"]): dataset.path for dataset in datasets}
    named = ", ".join(f"{path} to {template}" for template, path in found.items())
    check(len(found) == 1, f"datasets of one run must be aligned alike ({named}): prepare them with one --alignment")
    return next(iter(found))


@dataclass(frozen=True, kw_only=True)
class Info:
    """The fields of ``dataset.json`` that are read."""

    format: int
    name: str
    licence: str
    template: str
    size: Annotated[int, Between(1, 16_384)]
    citation: str = ""


def _read_info(path: Path) -> dict[str, Any]:
    check(path.exists(), f"{path} is missing: {path.parent} is not a dataset folder")
    info = read_object(path, _AGAIN)
    check(
        info.get("format") == 1,
        f"{path} has format {info.get('format')!r:.20}, this version of twocet reads 1: update twocet",
    )
    try:
        from_dict(Info, named(info, Info))
    except UserError as error:
        raise UserError(f"{path} is damaged ({error}): {_AGAIN}") from None
    check(
        info["template"] in TEMPLATES,
        f"{path.parent} is aligned to {info['template'][:40]!r}, not to {' or '.join(TEMPLATES)}: prepare it again",
    )
    return info


def _read_rows(path: Path) -> list[dict[str, str]]:
    check(path.exists(), f"{path} is missing: {path.parent} is not a dataset folder")
    rows = read_csv(path, _AGAIN)
    check(bool(rows), f"{path} lists no photos")
    missing = [column for column in _COLUMNS if column not in rows[0]]
    check(not missing, f"{path} has no column {', '.join(missing)}")
    listed: set[str] = set()
    for number, row in enumerate(rows, start=2):
        check(bool(row["file"] and row["identity"]), f"{path}, line {number}: file and identity must not be empty")
        parts = Path(row["file"]).parts
        inside = not Path(row["file"]).is_absolute() and ".." not in parts
        check(inside, f"{path}, line {number}: {row['file'][:80]} is not in the folder")
        name = "/".join(parts)
        check(name not in listed, f"{path}, line {number}: {row['file'][:80]} is listed twice")
        listed.add(name)
        for column, allowed in (("domain", DOMAINS), ("split", SPLITS)):
            check(
                row[column] in allowed,
                f"{path}, line {number}: {column} is {row[column][:40]!r}, must be {' or '.join(allowed)}",
            )
    return rows


def _check_splits(path: Path, rows: Sequence[dict[str, str]]) -> None:
    split_of: dict[str, str] = {}
    for row in rows:
        split = split_of.setdefault(row["identity"], row["split"])
        check(
            split == row["split"],
            f"{path}: identity {row['identity']} is in the splits {split} and {row['split']}; every identity must be "
            "in one split only",
        )


def _check_two_sided(path: Path, rows: Sequence[dict[str, str]]) -> None:
    check(bool(rows), f"{path} has no photo in the split train")
    neutral, expressive = ({row["identity"] for row in rows if row["domain"] == domain} for domain in DOMAINS)
    alone = sorted(neutral ^ expressive)
    check(
        not alone,
        f"{path}: {len(alone)} training identities (such as {', '.join(alone[:3])}) have photos in one domain only, "
        "which makes training fail; remove them, or allow it with --allow-one-sided",
    )


class Known(NamedTuple):
    """What landmarks tell of every expressive photo and its companion."""

    references: list[int]
    """The index of the expressive photo whose expression it is; its own unless the expression was transplanted."""
    flows: Tensor
    """(m, 4, k, k) float16: how the face moves from the neutral photo to the expressive one, and back; each as in
    ``networks.edit.Edit``."""
    mouths: Tensor
    """(m, 1, k, k) float16: how much of each pixel lies between the expressive photo's lips."""
    supervised: Tensor
    """(m,) bool: whether the pair's pixels are to be learnt too, and not how they move alone."""

    def to(self, device: torch.device) -> Known:
        """The same, with the tensors on ``device``."""
        flows, mouths, supervised = (values.to(device) for values in self[1:])
        return Known(self.references, flows, mouths, supervised)


class Faces(NamedTuple):
    """The photos of one split of one dataset in memory."""

    neutral: Tensor
    """(n, 3, S, S) uint8."""
    expressive: Tensor
    """(m, 3, S, S) uint8."""
    neutral_rows: list[dict[str, str]]
    expressive_rows: list[dict[str, str]]
    companions: list[list[int]]
    """For every expressive photo the indices of the neutral photos of the same identity."""
    known: Known | None = None
    """What is known of the pairs where landmarks were read."""

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of all photos: the neutral ones, then the expressive ones."""
        return [*self.neutral_rows, *self.expressive_rows]

    @property
    def num_bytes(self) -> int:
        """Memory of the photos and of what is known of their pairs."""
        tensors = [self.neutral, self.expressive, *(self.known[1:] if self.known else ())]
        return sum(values.nbytes for values in tensors)

    def to(self, device: torch.device) -> Faces:
        """The same, with photos and what is known of their pairs on ``device``."""
        known = self.known.to(device) if self.known else None
        return self._replace(neutral=self.neutral.to(device), expressive=self.expressive.to(device), known=known)

    @property
    def counts(self) -> dict[str, int]:
        """How many different photos they were made of, by domain."""
        domain_of = {row["file"]: row["domain"] for row in self.rows}
        return {domain: sum(value == domain for value in domain_of.values()) for domain in DOMAINS}

    def take(self, places: Sequence[int]) -> Tensor:
        """The photos at these places among ``rows``: (N, 3, S, S) uint8."""
        num = len(self.neutral)
        return torch.stack([self.neutral[k] if k < num else self.expressive[k - num] for k in places])


def load_faces(dataset: DatasetFolder, split: str, size: int, *, threads: int = 2, progress: bool = True) -> Faces:
    """Decode the photos of one split, reduced to ``size`` where they are larger. Raises UserError."""
    check(
        dataset.size >= size,
        f"{dataset.path} has photos of {dataset.size} px, the network needs {size}: make it again with a larger --size",
    )
    rows = dataset.select(split)
    neutral, expressive = ([row for row in rows if row["domain"] == domain] for domain in DOMAINS)
    paths = [dataset.path / row["file"] for row in (*neutral, *expressive)]
    pixels = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)

    def load(index: int) -> None:
        pixels[index] = torch.from_numpy(_read_pixels(paths[index], dataset.size, size)).permute(2, 0, 1)

    with ThreadPoolExecutor(threads) as pool:
        work = pool.map(load, range(len(paths)))
        for _ in tqdm(work, total=len(paths), desc=f"reading {dataset.info['name']}", disable=not progress):
            pass
    companions_of: dict[str, list[int]] = {}
    for index, row in enumerate(neutral):
        companions_of.setdefault(row["identity"], []).append(index)
    companions = [companions_of.get(row["identity"], []) for row in expressive]
    return Faces(pixels[: len(neutral)], pixels[len(neutral) :], neutral, expressive, companions)


def _read_pixels(path: Path, expected: int, size: int) -> np.ndarray:
    try:
        pixels = decode_photo(path).pixels
    except UserError as error:
        raise UserError(f"{error} It is listed in faces.csv: make the dataset again.") from None
    height, width = pixels.shape[:2]
    check(
        height == width == expected,
        f"{path} is {width} x {height}, dataset.json says {expected} x {expected}: make the dataset again",
    )
    if size == expected:
        return pixels
    return np.array(Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX))


def as_images(photos: Tensor) -> Tensor:
    """(N, 3, S, S) uint8 to float32 in [-1, 1]. Photos on a card stay there, others go to where ``devices.on`` says."""
    return to_unit(devices.sent(photos) if photos.device == devices.CPU else photos)


def pairs(faces: Faces, most: int) -> Iterator[tuple[int, int]]:
    """Up to ``most`` (neutral, expressive) indices of the same identity, evenly over the set; always the same ones."""
    usable = [i for i, companions in enumerate(faces.companions) if companions]
    for k in range(min(most, len(usable))):
        expressive = usable[k * len(usable) // min(most, len(usable))]
        yield faces.companions[expressive][0], expressive
