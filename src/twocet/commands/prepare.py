"""``twocet prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro


def prepare(
    dataset: tyro.conf.Positional[Literal["cfee", "rafd", "cfd", "london", "folder"]],
    source: tyro.conf.Positional[tuple[Path, ...]],
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    people: Literal["names", "faces", "none"] = "names",
    neutral: Literal["names", "auto"] = "names",
    alignment: Literal["template", "paper"] = "template",
    size: int = 128,
    master: int = 256,
    split: Literal["paper", "paper-16", "tenth", "random"] | None = None,
    test_ids: tuple[str, ...] = (),
    val_ids: tuple[str, ...] = (),
    test_share: float = 0.05,
    val_share: float = 0.05,
    seed: int = 0,
    neutrals_expressive: bool = False,
    allow_unpaired: bool = False,
    leave_out_unpaired: bool = False,
    name: str = "",
    licence: str = "",
    citation: str = "",
    workers: int | None = None,
    json: bool = False,
) -> None:
    """Turn face photos, such as a laboratory set, into a dataset folder.

    Finds, aligns and crops every face and divides the people into training, validation and testing. SOURCE are folders
    or zip files with the original file names. report.json lists copies and photos without a face, and contact-sheet.jpg
    shows the result. Run the same command again to continue after an interruption.

    examples:
      twocet prepare cfee CFEE/ -o faces-cfee --alignment paper
      twocet prepare rafd RafD.zip -o faces-rafd --alignment paper
      twocet prepare london neutral_front.zip smiling_front.zip -o faces-london
      twocet prepare cfd CFD.zip -o faces-cfd --leave-out-unpaired
      twocet prepare folder my-photos/ -o faces --name "My lab" --licence "with consent"
      twocet prepare folder photos/ -o faces --people faces --leave-out-unpaired
      twocet prepare folder holiday/ -o faces --neutral auto --people faces --leave-out-unpaired
      twocet prepare folder photos/ -o strangers --people none    # for twocet train --recipe unpaired

    Args:
        dataset: The set that the file names follow: cfee (Compound Facial Expressions of Emotion), rafd (Radboud Faces
            Database), cfd (Chicago Face Database), london (Face Research Lab London Set), or folder:
            neutral/PERSON*.jpg and expressive/[EXPRESSION/]PERSON*.jpg or EXPRESSION/PERSON*.jpg. PERSON ends at the
            first underscore.
        source: Folders or zip files with the photos.
        output: Dataset folder: a new or empty one, or one that this command has begun.
        people: Who is who in a folder. names: PERSON says it. faces: photos whose faces match are of one person (needs
            twocet[eval]; check contact-sheet.jpg). none: every photo is another person.
        neutral: Which photos are neutral. names: files or folders say it. auto: it is read in the faces; a folder may
            then hold photos in any order, and neutral-sheet.jpg shows what was taken. It needs people's own photos to
            compare; with --people none it takes the tenth most at rest.
        alignment: template: by eyes and nose, as the packaged model needs it. paper: squares, as the paper's authors
            cropped.
        size: Side of the crops in pixels.
        master: Side of the larger crops kept in masters/; 0 for none.
        split: paper, paper-16: test on the paper's 8 (RaFD: 6) or 16 people. tenth: validate on every tenth person.
            random: draw people. Default: paper for cfee and rafd, tenth for london, random for the others.
        test_ids: Test on these people instead.
        val_ids: Validate on these people instead.
        test_share: Share of people drawn for testing by --split random.
        val_share: Share of the other people drawn for validation; 0 for nobody, as in the paper.
        seed: Seed of the draw of people.
        neutrals_expressive: Count neutral faces as expressive ones too, as the authors' later code does.
        allow_unpaired: Keep people who have only neutral or only expressive photos (training on them usually fails).
        leave_out_unpaired: Leave out people who have only neutral or only expressive photos.
        name: Name of the set in dataset.json.
        licence: Its licence, in dataset.json.
        citation: How to cite it.
        workers: Processes; one per core if not given.
        json: Print the report as JSON.
    """
    import json as encoder

    from twocet.data.prepare import Settings, Splitting, prepare_dataset
    from twocet.errors import UserError

    if not source:
        raise UserError("SOURCE is missing: give at least one folder or zip file with the original photos")
    if allow_unpaired and leave_out_unpaired:
        raise UserError("--allow-unpaired and --leave-out-unpaired exclude each other: give only one")
    settings = Settings(
        kind=dataset,
        alignment=alignment,
        size=size,
        master=master,
        people=people,
        neutral=neutral,
        neutrals_expressive=neutrals_expressive,
        unpaired="keep" if allow_unpaired else "leave out" if leave_out_unpaired else "refuse",
        name=name,
        licence=licence,
        citation=citation,
    )
    splitting = Splitting(
        rule=split, test_ids=test_ids, val_ids=val_ids, test_share=test_share, val_share=val_share, seed=seed
    )
    prepared = prepare_dataset(output, source, settings, splitting, workers=workers)
    print(encoder.dumps(prepared.report, indent=2) if json else describe(prepared.report, output))


def describe(report: dict[str, Any], output: Path) -> str:
    """The report in lines for people."""
    photos, people = report["photos"], report["people"]
    lines = [
        f"{photos['used']} of {photos['found']} photos: {photos['neutral']} neutral, {photos['expressive']} expressive",
        f"people: {people['train']} for training, {people['val']} for validation, {people['test']} for testing",
    ]
    if found := report.get("neutral_found"):
        agreed = (
            f" (named so: precision {found['precision']:.2f}, recall {found['recall']:.2f})"
            if "recall" in found
            else ""
        )
        sheet = output / "neutral-sheet.jpg"
        lines.append(f"{found['taken']} photos taken for neutral by their faces{agreed}: look at {sheet}")
    noted = {
        "problems": "photos left out",
        "several_faces": "photos with several faces (the largest was taken)",
        "copies": "groups of equal photos",
        "copies_between_people": "pairs of nearly equal photos of different people",
        "names_not_understood": "pictures with other names",
        "people_in_one_domain": "people with neutral or expressive photos only",
        "people_left_out_for_a_lost_photo": "people left out because a photo of theirs could not be used",
    }
    for key, words in noted.items():
        if report[key]:
            first = next(iter(report[key]))
            shown = " and ".join(first) if isinstance(first, list) else first
            lines.append(f"{len(report[key])} {words}, such as {shown}")
    return "\n".join([*lines, f"{output / 'faces.csv'}, {output / 'report.json'}, {output / 'contact-sheet.jpg'}"])
