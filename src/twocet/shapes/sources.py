"""Where the faces of a run come from: photos, archives of points, meshes; and a run folder that holds them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twocet.errors import UserError, check
from twocet.runtime.configuration import Weight, from_dict
from twocet.runtime.files import json_bytes, make_folder, write_whole
from twocet.runtime.records import read_object
from twocet.shapes.config import ShapeConfig
from twocet.shapes.points import DOMAINS, PointSets, is_points, read_archive, read_points, write_archive

if TYPE_CHECKING:
    from twocet.shapes.training import Run, Source

RECIPE = "shapes"
PLAN = "config.json"
"""In a run folder: settings and sources."""
FACES = "faces"
"""Folder in a run folder: the points of every source, so that a run goes on without its data."""


class _Row(NamedTuple):
    name: str
    share: Weight
    licence: str
    faces: str


class _Plan(NamedTuple):
    """``config.json``."""

    recipe: str
    config: ShapeConfig
    data: list[_Row]


def read_faces(path: Path, split: str, work: Path, threads: int = 2) -> tuple[PointSets, str]:
    """The faces that ``path`` holds, and their licence where a dataset folder names it.

    ``path``: an archive, a folder of meshes, a dataset folder, of which one ``split`` is read, or a folder of photos in
    ``neutral`` and ``expressive``. Readings are kept beside a dataset or in ``work``. Raises UserError.
    """
    if is_points(path):
        return read_points(path), ""
    check(path.is_dir(), f"there is no {path}: give .npz archives, or folders of photos or meshes")
    from twocet.shapes.reading import read_dataset, read_photos

    if (path / "faces.csv").exists():
        return read_dataset(path, split, work, threads), _licence(path)
    check(
        any((path / domain).is_dir() for domain in DOMAINS),
        f"{path} holds neither faces.csv nor folders neutral and expressive with photos or meshes",
    )
    return read_photos(path, threads), ""


def _licence(path: Path) -> str:
    return str(read_object(path / "dataset.json", "make the dataset again").get("licence", ""))


def begin(folder: Path, config: ShapeConfig, data: Sequence[Path], mix: Sequence[float]) -> Run:
    """A new run in ``folder`` on all of ``data``, each with its share of ``mix`` in mini-batches. Raises UserError."""
    from twocet.shapes.training import Run, Source

    check(not list((folder / "checkpoints").glob("step-*.pt")), f"{folder} holds a run: --resume it, or choose another")
    check(len(mix) in (0, len(data)), f"--mix needs one share for each of the {len(data)} sources")
    make_folder(folder)
    make_folder(folder / FACES)
    rows = []
    for number, (path, share) in enumerate(zip(data, mix or [1.0] * len(data), strict=True), start=1):
        sets, licence = read_faces(path, "train", folder, config.threads)
        source = Source(name=path.name, sets=sets, share=share, licence=licence)
        file = write_archive(folder / FACES / f"{number}.npz", source.sets)
        rows.append({"name": source.name, "share": share, "licence": licence, "faces": f"{FACES}/{file.name}"})
    plan = {"recipe": RECIPE, "config": dataclasses.asdict(config), "data": rows}
    write_whole(folder / PLAN, json_bytes(plan, indent=2))
    return Run(folder, config, _sources(folder, rows))


def is_run(folder: Path) -> bool:
    """Whether the run folder is one of this recipe."""
    try:
        return bool(read_object(folder / PLAN, "").get("recipe") == RECIPE)
    except UserError:
        return False


def resume(folder: Path) -> Run:
    """The run in ``folder``, as its newest checkpoint left it. Raises UserError."""
    from twocet.shapes.training import Run

    plan: _Plan = from_dict(_Plan, read_object(folder / PLAN, "begin the run again in another folder"))
    config, sources = plan.config, _sources(folder, [row._asdict() for row in plan.data])
    run = Run(folder, config, sources)
    run.resume()
    return run


def _sources(folder: Path, rows: Sequence[dict[str, Any]]) -> list[Source]:
    from twocet.shapes.training import Source

    return [
        Source(
            name=row["name"], sets=read_archive(folder / row["faces"]), share=row["share"], licence=row["licence"]
        )
        for row in rows
    ]  # fmt: skip
