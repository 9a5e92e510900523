"""``twocet synth``: render a dataset of synthetic faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro import conf
from tyro.conf import Positional


def synth(
    folder: Positional[Path],
    identities: int = 200,
    expressions: int = 8,
    size: int = 128,
    seed: int = 0,
    first_identity: int = 0,
    shared_expressions: bool = False,
    workers: int | None = None,
    view: Literal["aligned", "portrait"] = "aligned",
    as_json: Annotated[bool, conf.arg(name="json")] = False,
) -> None:
    """Render synthetic faces with exact ground truth into a dataset folder.

    Every identity gets one neutral picture and --expressions others. The same options give the same bytes on any number
    of workers. Run the same command again to continue after an interruption, or with more identities to extend the set.

    examples:
      twocet synth faces --identities 2000 --expressions 8
      twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
      twocet synth people --identities 20 --expressions 2 --view portrait --size 512

    Args:
        folder: Where the dataset goes: a new or empty folder, or one that this command has begun.
        identities: How many people.
        expressions: How many expressions of each, besides neutral.
        size: Side of the square pictures in pixels.
        seed: Another seed draws other expressions; the people stay the same.
        first_identity: Number of the first person. From 1000000 on they are for benchmarks alone, never for training.
        shared_expressions: Make a benchmark: everyone shows the same expressions (12 named ones, then random ones).
        workers: Processes; one per core if not given.
        view: The crop that training uses, or the whole head in front of a background.
        as_json: Print a report as JSON.
    """
    from twocet.synth.dataset import write_dataset

    write_dataset(
        folder,
        identities,
        expressions,
        size=size,
        seed=seed,
        first_identity=first_identity,
        shared_expressions=shared_expressions,
        workers=workers,
        view=view,
    )
    pictures = identities * (expressions + 1)
    if as_json:
        import json

        print(json.dumps({"output": str(folder), "people": identities, "pictures": pictures}))
    else:
        print(f"{pictures} pictures of {identities} people: {folder / 'faces.csv'}")
