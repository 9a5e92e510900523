"""Write a dataset folder of synthetic faces: many processes, resumable, the same bytes however it was made.

The folder holds ``faces.csv``, ``dataset.json`` and ``landmarks.npz``, pictures in ``faces/IDENTITY/``, and in
``records/`` one JSON file for each identity with all its parameters. A record is written after its identity's last
picture and so says that the identity is done; ``faces.csv`` is written at the very end. Every file appears under its
name only when it is complete.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
from tqdm import tqdm

from twocet import __version__
from twocet.errors import UserError, check
from twocet.photo.align import TEMPLATE_NAME
from twocet.photo.png import png_bytes
from twocet.runtime.configuration import Number, valid
from twocet.runtime.files import is_partial, json_bytes, remove_partials, write_whole
from twocet.runtime.processes import for_each, num_cores
from twocet.runtime.records import read_object

from .camera import LANDMARK_VERTICES, View
from .expressions import Expression, sample_expression, shared_expressions
from .head import Head
from .identity import BENCHMARK_START, Identity
from .render import render

RENDERER = 2  # to be raised when a change of the renderer changes any pixel
_HOW_MANY = frozenset({"identities", "people"})
"""Settings that may grow when a set is gone on with."""
COLUMNS = (
    *("file", "identity", "expression", "domain", "split", "strength"),
    *("pose_pitch", "pose_yaw", "pose_roll", "units"),
)
CITATION = "Rendered by twocet from MakeHuman assets (CC0) and Faceunits 01 by Mika Suominen (CC0)"


class Plan(Protocol):
    """Who is rendered with which expressions, and how: a frozen dataclass, whose fields decide every byte of a set."""

    @property
    def size(self) -> int: ...

    @property
    def view(self) -> View: ...

    @property
    def seeds(self) -> Sequence[int]:
        """Numbers of the people."""
        ...

    @property
    def pictures(self) -> int:
        """Pictures of one person."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """Name, template and the command that makes the set, for ``dataset.json``."""
        ...

    def person(self, number: int) -> Identity: ...

    def expressions_of(self, number: int) -> Sequence[Expression]:
        """What the person shows after the neutral face."""
        ...

    def split(self, number: int) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Random people with random or shared expressions; see :class:`Plan`."""

    identities: int
    expressions: int
    size: int
    seed: int
    first_identity: int
    shared_expressions: bool
    view: View
    renderer: int = RENDERER

    def __post_init__(self) -> None:
        lowest = {"identities": 1, "expressions": 0, "size": 16, "seed": 0, "first_identity": 0}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}: give {least} or more")
        if self.view not in get_args(View):
            raise UserError(f"view is {self.view!r}: choose one of {', '.join(get_args(View))}")

    @property
    def seeds(self) -> range:
        """Numbers of the identities."""
        return range(self.first_identity, self.first_identity + self.identities)

    @property
    def pictures(self) -> int:
        """Pictures of one identity."""
        return self.expressions + 1

    @property
    def about(self) -> dict[str, Any]:
        """See :class:`Plan`."""
        flags = [f"--{name.replace('_', '-')} {value}" for name, value in asdict(self).items() if _is_option(name)]
        flags += ["--shared-expressions"] if self.shared_expressions else []
        return {
            "name": "twocet synthetic faces",
            "template": TEMPLATE_NAME if self.view == "aligned" else None,
            "made_by": f"twocet synth DIR {' '.join(flags)}",
        }

    def person(self, number: int) -> Identity:
        """Who has the number."""
        return Identity.sample(number)

    def expressions_of(self, number: int) -> list[Expression]:
        """The expressions of one identity after its neutral face."""
        if self.shared_expressions:
            return shared_expressions(np.random.default_rng([4242 + self.seed]), self.expressions)
        rng = np.random.default_rng([9001 + self.seed, number])
        return [sample_expression(rng) for _ in range(self.expressions)]

    def split(self, number: int) -> str:
        """See :func:`split_of`."""
        return split_of(number, benchmark=self.shared_expressions)


def write_dataset(
    out: str | os.PathLike[str],
    identities: int,
    expressions: int,
    size: int = 128,
    seed: int = 0,
    first_identity: int = 0,
    shared_expressions: bool = False,
    workers: int | None = None,
    progress: bool = True,
    view: View = "aligned",
) -> Path:
    """Render ``identities`` x (neutral + ``expressions``) pictures into the dataset folder ``out`` and return it.

    Called again after an interruption, or with more identities, it goes on where it stopped. ``seed`` changes the
    expressions; who identity i is never changes. With ``shared_expressions`` all identities show the same: the named
    ones first, then random units; such a set is a benchmark, all of it in split ``test``. ``workers`` is the number of
    processes (default: all processor cores); it does not change the result.

    Raises UserError for impossible numbers, and when ``out`` holds something else.
    """
    settings = Settings(
        identities=identities,
        expressions=expressions,
        size=size,
        seed=seed,
        first_identity=first_identity,
        shared_expressions=shared_expressions,
        view=view,
    )
    return write_plan(Path(out), settings, workers=workers, progress=progress)


def write_plan(folder: Path, plan: Plan, *, workers: int | None = None, progress: bool = True) -> Path:
    """Render what ``plan`` says into the dataset folder and return it; goes on where an earlier call stopped.

    Raises UserError for impossible numbers, and when the folder holds something else.
    """
    check(workers is None or workers >= 1, f"workers is {workers}: give 1 or more")
    _check_resumable(folder, plan)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "dataset.json", json_bytes(_description(plan), indent=2))
    pending = [number for number in plan.seeds if not _record_path(folder, number).exists()]
    with tqdm(
        total=len(plan.seeds) * plan.pictures,
        initial=(len(plan.seeds) - len(pending)) * plan.pictures,
        unit="image",
        desc="rendering",
        disable=not progress,
    ) as bar:
        for _ in for_each(partial(render_identity, folder, plan), pending, workers or num_cores()):
            bar.update(plan.pictures)
    remove_partials(folder)
    _write_tables(folder, plan)
    return folder


def split_of(identity: int, *, benchmark: bool = False) -> str:
    """The split of an identity: of every 20 in a row 18 ``train``, one ``val``, one ``test``; benchmarks ``test``."""
    if benchmark or identity >= BENCHMARK_START:
        return "test"
    return {9: "val", 19: "test"}.get(identity % 20, "train")


def render_identity(folder: Path, plan: Plan, number: int) -> None:
    """Write the pictures of one identity, then its record."""
    identity = plan.person(number)
    head = Head(identity)
    pose = dict(zip(("pose_pitch", "pose_yaw", "pose_roll"), identity.pose, strict=True))
    (folder / "faces" / f"{number:07d}").mkdir(parents=True, exist_ok=True)
    rows, landmarks = [], {}
    neutral = Expression("neutral", 0.0, {})
    for index, (name, strength, units) in enumerate([neutral, *plan.expressions_of(number)]):
        picture = render(head, units, plan.size, plan.view)
        file = f"faces/{number:07d}/{index:02d}-{name}.png"
        write_whole(folder / file, png_bytes(picture.pixels))
        landmarks[file] = picture.landmarks.tolist()
        rows.append(
            {
                "file": file,
                "identity": number,
                "expression": name,
                "domain": "expressive" if index else "neutral",
                "split": plan.split(number),
                "strength": float(strength),
                **pose,
                "units": json.dumps({unit: float(weight) for unit, weight in units.items()}),
            }
        )
    record = {"identity": identity.to_json(), "rows": rows, "landmarks": landmarks}
    path = _record_path(folder, number)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json_bytes(record))


def _check_resumable(folder: Path, plan: Plan) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder")
    description = folder / "dataset.json"
    if not description.exists():
        if folder.is_dir() and any(not is_partial(path) for path in folder.iterdir()):
            raise UserError(f"{folder} holds other files: name a new or empty folder")
        return
    begun = read_object(description, "name a new or empty folder").get("settings")
    if not isinstance(begun, dict):
        raise UserError(f"{folder} holds a dataset of another kind: name a new or empty folder") from None
    wanted = asdict(plan)  # type: ignore[call-overload]
    changed = [name for name in {**wanted, **begun} if name not in _HOW_MANY and begun.get(name) != wanted.get(name)]
    if changed:
        begun_with = ", ".join(f"{name} {begun.get(name)}" for name in changed)
        raise UserError(f"{folder} was begun with {begun_with}: use the same, or name a new folder")
    for name in _HOW_MANY & set(wanted):
        number = valid(Number, begun.get(name), f"{description}: {name}")
        check(number <= wanted[name], f"{folder} was begun with {number} {name}: give as many or more")


def _description(plan: Plan) -> dict[str, Any]:
    return {
        "format": 1,
        "licence": "CC0-1.0",
        "citation": CITATION,
        "size": plan.size,
        "version": __version__,
        "landmarks": list(LANDMARK_VERTICES),
        "settings": asdict(plan),  # type: ignore[call-overload]
        **plan.about,
    }


def _is_option(name: str) -> bool:
    return name not in ("shared_expressions", "renderer")


def _write_tables(folder: Path, plan: Plan) -> None:
    """landmarks.npz, then faces.csv from the records: a folder with a faces.csv is complete."""
    records = [read_object(_record_path(folder, number), "delete it and go on") for number in plan.seeds]
    landmarks: dict[str, Any] = {}
    for record in records:
        landmarks |= {file: np.array(points, np.float32) for file, points in record["landmarks"].items()}
    archive = io.BytesIO()
    np.savez(archive, **landmarks)
    write_whole(folder / "landmarks.npz", archive.getvalue())
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerows(record["rows"])
    write_whole(folder / "faces.csv", table.getvalue().encode())


def _record_path(folder: Path, number: int) -> Path:
    return folder / "records" / f"{number:07d}.json"
