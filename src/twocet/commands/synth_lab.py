"""``twocet synth lab``: render a laboratory set after CFEE's plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro import conf
from tyro.conf import Positional


def synth_lab(
    folder: Positional[Path],
    people: int = 230,
    size: int = 128,
    test_people: Literal[8, 16] = 8,
    val_people: int = 0,
    workers: int | None = None,
    as_json: Annotated[bool, conf.arg(name="json")] = False,
) -> None:
    """Render a laboratory set after CFEE's plan, to follow the paper's protocol without CFEE.

    The set has 230 people, each neutral and in 25 further categories of expression, in one light, from the front, in
    the paper's crop and with the paper's test people. Every command that works on CFEE works on it. Run the same
    command again to continue after an interruption.

    examples:
      twocet synth lab lab
      twocet synth lab lab-16 --test-people 16 --val-people 14
      twocet synth lab small --people 30
      twocet compare --data lab --minutes 60 -o comparison

    Args:
        folder: Where the dataset goes: a new or empty folder, or one that this command has begun.
        people: How many of the 230 people; the test people always stay.
        size: Side of the square pictures in pixels.
        test_people: How many people are for testing: the paper has a split with 8 and one with 16.
        val_people: How many of the others choose the round that becomes the model (twocet train); the paper has none.
        workers: Processes; one per core if not given.
        as_json: Print a report as JSON.
    """
    from twocet.synth.dataset import write_plan
    from twocet.synth.lab import LabPlan

    plan = LabPlan(people=people, size=size, test_people=test_people, val_people=val_people)
    write_plan(folder, plan, workers=workers)
    pictures = people * plan.pictures
    if as_json:
        import json

        print(json.dumps({"output": str(folder), "people": people, "pictures": pictures}))
    else:
        print(f"{pictures} pictures of {people} people: {folder / 'faces.csv'}")
