"""A dataset folder of a laboratory set: crops by many processes, resumable, then checks, splits and reports.

The folder holds ``faces.csv`` and ``dataset.json``, crops in ``faces/`` and larger ones in ``masters/``, what was found
about each photo in ``records/``, and for people ``report.json`` and ``contact-sheet.jpg``. A record is written after
its photo's crops and so says that the photo is done; ``faces.csv`` is written at the very end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from twocet import __version__
from twocet.data.prepare import neutral, report, who
from twocet.data.prepare.crops import READING, Alignment, CropJob, make_crops, read_record, sides
from twocet.data.prepare.originals import SETS, Original, SetName, read_originals
from twocet.data.prepare.splits import Splitting, split_people, unpaired
from twocet.errors import UserError
from twocet.photo.align import PAPER_TEMPLATE_NAME, TEMPLATE_NAME
from twocet.runtime.files import is_partial, json_bytes, remove_partials, write_whole
from twocet.runtime.processes import for_each, num_cores
from twocet.runtime.records import read_object

People = Literal["names", "faces", "none"]
Neutral = Literal["names", "auto"]

COLUMNS = ("file", "identity", "expression", "domain", "split", "pose_yaw", "gaze")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a set is prepared."""

    kind: SetName
    alignment: Alignment = "template"
    """template: ours, by eyes and nose; paper: the authors' square crops."""
    size: int = 128
    """Side of the crops in pixels."""
    master: int = 256
    """Side of the larger crops to keep besides; 0 for none."""
    neutrals_expressive: bool = False
    """Whether neutral faces count as expressive ones too, as in the authors' later code."""
    people: People = "names"
    """What tells who is who: the files' names, the faces (``prepare.who``, with dlib), or nothing: every photo is of a
    person of its own, as the recipe unpaired takes it anyway. The latter two for the kind folder alone."""
    neutral: Neutral = "names"
    """What tells which photos are neutral: names of files and folders, or their faces (``prepare.neutral``)."""
    unpaired: str = "refuse"
    """People with photos in one domain only: refuse, keep, or leave out."""
    name: str = ""
    licence: str = ""
    citation: str = ""
    """What dataset.json says in place of what is known of the set."""

    def __post_init__(self) -> None:
        if self.size < 16:
            raise UserError(f"size is {self.size}: give 16 or more")
        if self.master and self.master < self.size:
            raise UserError(f"master is {self.master}: give {self.size} (the size) or more, or 0 for no masters")
        if self.people != "names" and self.kind != "folder":
            raise UserError(f"the names of {self.kind} say who is who: leave out --people {self.people}")

    @property
    def keeps_unpaired(self) -> bool:
        """Whether people with photos in one domain only are welcome."""
        return self.unpaired == "keep" or self.people == "none"


class Prepared(NamedTuple):
    """What came of it."""

    folder: Path
    photos: int
    """Rows of faces.csv."""
    people: dict[str, int]
    """In every split."""
    report: dict[str, Any]
    """report.json."""


def prepare_dataset(
    out: Path,
    containers: tuple[Path, ...],
    settings: Settings,
    splitting: Splitting,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Prepared:
    """Turn the photos in ``containers`` (folders, zip files) into the dataset folder ``out``.

    Called again after an interruption it goes on where it stopped; called with another splitting it keeps the crops.
    Raises UserError for impossible settings, when ``out`` holds something else, and when people have photos in one
    domain only (the failure case of the paper's Sec. 5) unless the settings say what to do with them.
    """
    if workers is not None and workers < 1:
        raise UserError(f"workers is {workers}: give 1 or more")
    by_face, found = settings.people == "faces", settings.neutral == "auto"
    if by_face:
        who.check_ready()
    originals, strangers = read_originals(settings.kind, containers, anywhere=found)
    if settings.people == "none":
        originals = who.each_by_itself(originals)
    alone: list[str] = []
    if not (by_face or found):
        # Before the work: impossible splits and people without a counterpart are found in the names.
        originals, alone = _without_unpaired(originals, settings)
        split_people(_people(originals), splitting, SETS[settings.kind])
    _begin(out, settings)
    jobs = [
        CropJob(out, settings.kind, settings.alignment, settings.size, settings.master, original, by_face, found)
        for original in originals
    ]
    _crop_all(jobs, workers or num_cores(), progress)
    records = {job.original.name: record for job in jobs if (record := read_record(job)) is not None}
    kept = [original for original in originals if not records[original.name]["problem"]]
    if not kept:
        raise UserError(f"no photo could be used; the first one: {records[originals[0].name]['problem']}")
    if by_face:
        kept = who.with_found_people(kept, records)
    doubts: dict[str, float] = {}
    if found:
        named, (kept, doubts) = kept, _with_found_neutral(kept, records, settings)
    if by_face or found:
        kept, alone = _without_unpaired(kept, settings)
    split_of = split_people(_people(kept if by_face or found else originals), splitting, SETS[settings.kind])
    lost = [] if settings.keeps_unpaired else [person for person in unpaired(kept) if person not in alone]
    kept = [original for original in kept if original.identity not in lost]
    rows = _rows(kept, split_of, settings)
    summary = report.summarise(originals, kept, records, rows, strangers=strangers, alone=alone, lost=lost)
    if found:
        summary["neutral_found"] = report.found_neutral(named, doubts)
        report.write_neutral_sheet(out / "neutral-sheet.jpg", out, doubts)
    write_whole(out / "report.json", json_bytes(summary, indent=2))
    report.write_contact_sheet(out / "contact-sheet.jpg", out, rows)
    _write_table(out / "faces.csv", rows)
    return Prepared(out, len(rows), summary["people"], summary)


def _people(originals: Sequence[Original]) -> list[str]:
    return sorted({original.identity for original in originals})


def _with_found_neutral(
    kept: list[Original], records: dict[str, dict[str, Any]], settings: Settings
) -> tuple[list[Original], dict[str, float]]:
    """The photos with the domains that their faces show, neutral ones first, and the doubt of each by its name."""
    readings = [records[original.name][READING] for original in kept]
    people = None if settings.people == "none" else [original.identity for original in kept]
    doubts = neutral.doubts(
        np.array([reading["blendshapes"] for reading in readings]),
        np.array([reading["shape"] for reading in readings]),
        people,
    )
    told = [
        original._replace(domain="neutral" if doubt < 0 else "expressive")
        for original, doubt in zip(kept, doubts, strict=True)
    ]
    order = sorted(told, key=lambda original: (original.identity, original.domain != "neutral", original.name))
    return order, {original.name: float(doubt) for original, doubt in zip(kept, doubts, strict=True)}


def _without_unpaired(originals: list[Original], settings: Settings) -> tuple[list[Original], list[str]]:
    """The photos to be used, and the people with photos in one domain only."""
    alone = [] if settings.people == "none" else unpaired(originals)
    if alone and settings.unpaired == "refuse":
        raise UserError(
            f"{len(alone)} of {len(_people(originals))} people (such as "
            f"{', '.join(alone[:3])}) have neutral or expressive photos only, which makes training fail: "
            "--leave-out-unpaired prepares the others, --allow-unpaired prepares them all"
        )
    if settings.unpaired == "leave out":
        originals = [original for original in originals if original.identity not in alone]
        if not originals:
            raise UserError("nobody has both neutral and expressive photos: check the folders")
    return originals, alone


def _begin(out: Path, settings: Settings) -> None:
    """Make the folder and its description. Raises UserError if it holds something else."""
    crops = {key: value for key, value in asdict(settings).items() if key in ("kind", "alignment", "size", "master")}
    description = out / "dataset.json"
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: name a folder")
    if description.exists():
        begun = read_object(description, "name a new or empty folder").get("settings")
        if not isinstance(begun, dict):
            raise UserError(f"{out} holds a dataset of another kind: name a new or empty folder") from None
        changed = [f"{name} {begun.get(name)}" for name in crops if begun.get(name) != crops[name]]
        if changed:
            raise UserError(f"{out} was begun with {', '.join(changed)}: use the same, or name a new folder")
    elif out.is_dir() and any(not is_partial(path) for path in out.iterdir()):
        raise UserError(f"{out} holds other files: name a new or empty folder")
    for place in ("records", *sides(settings.size, settings.master)):
        (out / place).mkdir(parents=True, exist_ok=True)
    lab_set = SETS[settings.kind]
    info = {
        "format": 1,
        "name": settings.name or lab_set.name or out.name,
        "licence": settings.licence or lab_set.licence,
        "citation": settings.citation or lab_set.citation,
        "template": PAPER_TEMPLATE_NAME if settings.alignment == "paper" else TEMPLATE_NAME,
        "size": settings.size,
        "made_by": f"twocet prepare {settings.kind} --alignment {settings.alignment} --size {settings.size} "
        f"--master {settings.master}",
        "version": __version__,
        "settings": crops,
    }
    (out / "faces.csv").unlink(missing_ok=True)
    write_whole(description, json_bytes(info, indent=2))


def _crop_all(jobs: Sequence[CropJob], workers: int, progress: bool) -> None:
    pending = [job for job in jobs if read_record(job) is None]
    done = len(jobs) - len(pending)
    with tqdm(total=len(jobs), initial=done, unit="photo", desc="cropping", disable=None if progress else True) as bar:
        for _ in for_each(make_crops, pending, workers):
            bar.update()
    remove_partials(jobs[0].folder)


def _rows(kept: Sequence[Original], split_of: dict[str, str], settings: Settings) -> list[dict[str, str]]:
    rows = []
    for original in kept:
        row = {
            "file": f"faces/{original.name}.png",
            "identity": original.identity,
            "expression": original.expression,
            "domain": original.domain,
            "split": split_of[original.identity],
            "pose_yaw": original.pose_yaw,
            "gaze": original.gaze,
        }
        rows.append(row)
        if settings.neutrals_expressive and original.domain == "neutral":
            rows.append({**row, "domain": "expressive"})
    return rows


def _write_table(path: Path, rows: Sequence[dict[str, str]]) -> None:
    table = io.StringIO(newline="")
    columns = [name for name in COLUMNS if any(row[name] for row in rows)]
    writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, table.getvalue().encode())
