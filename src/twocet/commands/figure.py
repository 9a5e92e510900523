"""``twocet figure``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from twocet.evaluation.figures.grids import Grid
    from twocet.photo.mark import Mark


def figure(
    kind: tyro.conf.Positional[Literal["matrix", "rows", "continuity", "curve"]],
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    model: tuple[str, ...] = ("default",),
    data: Path | None = None,
    split: Literal["train", "val", "test"] = "test",
    targets: int = 6,
    references: int = 6,
    expressions: tuple[str, ...] = (),
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25),
    run: tuple[Path, ...] = (),
    metric: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Draw the paper's figures from any model and dataset, as PNG or PDF.

    Kinds: matrix (Fig. 1), with targets above, references at the left and every transfer; rows (Fig. 3 and 4), with
    targets, references and a row of results for each model; continuity (Fig. 5), with the mean code of an expression at
    growing strengths; curve, a metric of one or several runs against the round. Needs: pip install 'twocet[figures]'

    examples:
      twocet figure matrix --model runs/one/model.safetensors --data faces -o matrix.pdf
      twocet figure rows --model default mine.safetensors --data faces --targets 8 --references 8 -o rows.png
      twocet figure continuity --data faces --expressions happy angry -o continuity.pdf
      twocet figure curve --run runs/one runs/two -o selection.pdf

    Args:
        kind: Which figure.
        output: File to write, .png or .pdf.
        model: Packaged models or model files; only rows takes several.
        data: Dataset folder, aligned as the model needs it.
        split: Whose photos are shown.
        targets: How many targets.
        references: How many references.
        expressions: Labels for continuity; if not given, as many as there are targets are drawn.
        strengths: Factors on the code for continuity.
        run: Run folders for curve.
        metric: Name in metrics.jsonl for curve; if not given, the one that chose the best checkpoint.
        seed: Draws the people and the expressions.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    from twocet.errors import UserError, check
    from twocet.evaluation.figures import drawing
    from twocet.runtime import devices

    drawing.check_output(output)
    if kind == "curve":
        check(bool(run), "--run is missing: give at least one run folder")
        drawing.save(drawing.curves(run, metric), output)
        _announce(kind, output, as_json)
        return
    check(kind == "rows" or len(model) == 1, f"a {kind} shows one model: give one, or use rows")
    for name, number in (("targets", targets), ("references", references), ("strengths", len(strengths))):
        check(number >= 1, f"--{name} is {number}: give 1 or more")
    if data is None:
        raise UserError("--data is missing: give a dataset folder")
    place = devices.find(device)
    with devices.on(place):
        grid, mark = _grid(kind, model, data, split, targets, references, expressions, strengths, seed, device)
    drawing.save(drawing.draw_grid(grid), output, mark)
    _announce(kind, output, as_json)


def _announce(kind: str, output: Path, as_json: bool) -> None:
    import json

    print(json.dumps({"figure": kind, "output": str(output)}) if as_json else output)


def _grid(
    kind: Literal["matrix", "rows", "continuity"],
    names: tuple[str, ...],
    data: Path,
    split: str,
    num_targets: int,
    num_references: int,
    expressions: tuple[str, ...],
    strengths: tuple[float, ...],
    seed: int,
    device: str,
) -> tuple[Grid, Mark]:
    """The pictures, and the mark that says that a model made them."""
    from twocet.data.dataset import open_dataset
    from twocet.evaluation.figures import grids
    from twocet.model.model import find_model, identify_model, load_model
    from twocet.photo.marks import sheet_mark

    files = [find_model(name) for name in names]
    models = [load_model(file, device) for file in files]
    dataset = open_dataset(data, allow_one_sided=True)
    grids.check_fit(dataset, dict(zip(names, models, strict=True)))
    faces = grids.load_split(dataset, split, models[0].size)
    people = grids.cast(faces, num_targets, num_references, seed)
    if kind == "matrix":
        grid = grids.matrix(models[0], people)
    elif kind == "rows":
        labels = [Path(name).stem if len(names) > 1 else "result" for name in names]
        grid = grids.rows(list(zip(labels, models, strict=True)), people)
    else:
        training = grids.load_split(dataset, "train" if dataset.select("train") else split, models[0].size)
        chosen = expressions or tuple(grids.cast(training, 1, num_targets, seed).expressions)
        grid = grids.continuity(models[0], people, training, strengths, chosen)
    shown = [identify_model(file) for file in files]
    return grid, sheet_mark(", ".join(each.name for each in shown), shown[0].sha256)
