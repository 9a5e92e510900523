"""A rendered laboratory set after CFEE's plan: 230 people, neutral and in 25 categories each, one light, frontal.

The categories are those of Du, Tao & Martinez (2014), "Compound facial expressions of emotion", PNAS 111(15), Table 1,
with the two that Du & Martinez (2015), Dialogues Clin. Neurosci. 17(4), add, as the action units that most people show
in them. Contempt and pain fill the number up to CFEE's 26. Every unit is shown at full strength.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from twocet.errors import check
from twocet.photo.align import PAPER_TEMPLATE_NAME
from twocet.synth.camera import View
from twocet.synth.dataset import RENDERER
from twocet.synth.expressions import Expression, Units, units_from_text
from twocet.synth.identity import BENCHMARK_START, Identity

ACTION_UNITS: Mapping[int, Units] = MappingProxyType(
    {
        1: units_from_text("browInnerUp 1.0"),
        2: units_from_text("browOuterUp* 1.0"),
        4: units_from_text("browDown* 1.0"),
        5: units_from_text("eyeWide* 1.0"),
        6: units_from_text("cheekSquint* 1.0"),
        7: units_from_text("eyeSquint* 1.0"),
        9: units_from_text("noseSneer* 1.0"),
        10: units_from_text("mouthUpperUp* 0.8"),
        12: units_from_text("mouthSmile* 0.9"),
        14: units_from_text("mouthDimpleRight 1.0, mouthPressRight 0.4"),
        15: units_from_text("mouthFrown* 1.0"),
        17: units_from_text("mouthShrugLower 0.8"),
        20: units_from_text("mouthStretch* 0.9"),
        24: units_from_text("mouthPress* 1.0"),
        25: units_from_text("mouthLowerDown* 0.4, mouthUpperUp* 0.15, jawOpen 0.08"),
        26: units_from_text("jawOpen 0.5"),
        43: units_from_text("eyeBlink* 0.9"),
    }
)
"""Action units of FACS as weights of the renderer's face units."""

CATEGORIES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "happy": (12, 25),
        "sad": (4, 15),
        "fearful": (1, 4, 20, 25),
        "angry": (4, 7, 24),
        "surprised": (1, 2, 25, 26),
        "disgusted": (9, 10, 17),
        "happily-sad": (4, 6, 12, 25),
        "happily-surprised": (1, 2, 12, 25),
        "happily-disgusted": (10, 12, 25),
        "happily-fearful": (1, 2, 12, 25, 26),
        "sadly-fearful": (1, 4, 15, 25),
        "sadly-angry": (4, 7, 15),
        "sadly-surprised": (1, 4, 25, 26),
        "sadly-disgusted": (4, 10),
        "fearfully-angry": (4, 20, 25),
        "fearfully-surprised": (1, 2, 5, 20, 25),
        "fearfully-disgusted": (1, 4, 10, 20, 25),
        "angrily-surprised": (4, 25, 26),
        "angrily-disgusted": (4, 10, 17),
        "disgustedly-surprised": (1, 2, 5, 10),
        "appalled": (4, 9, 10),
        "hateful": (4, 7, 10),
        "awed": (1, 2, 5, 25),
        "contemptuous": (12, 14),
        "pained": (4, 6, 7, 9, 43),
    }
)
"""Action units of each category besides neutral."""

TEST_PEOPLE = (122, 174, 185, 224, 272, 188, 187, 265)
"""The paper's test people (authors' code)."""
MORE_TEST_PEOPLE = (378, 365, 369, 268, 235, 284, 304, 118)
"""The further test people of the authors' second split, 214 people for training."""
PEOPLE = (*range(118, 305), *range(336, 379))
"""230 numbers, those of all test people among them."""
_FRONTAL = {
    "key_light": (12.0, 35.0),
    "key_gain": 1.0,
    "sky_gain": 1.0,
    "temperature": 0.0,
    "background": (0.75, 0.75, 0.75),
    "cloth": (0.1, 0.1, 0.1),
    "pose": (0.0, 0.0, 0.0),
    "gaze": (0.0, 0.0),
    "stubble": 0.0,
}


@dataclass(frozen=True, kw_only=True)
class LabPlan:
    """What decides every byte of a laboratory set; see :class:`twocet.synth.dataset.Plan`."""

    people: int = len(PEOPLE)
    """How many of the 230 people: fewer keep the test people and drop others, for trying things out."""
    size: int = 128
    """Side of the square pictures in pixels."""
    test_people: int = len(TEST_PEOPLE)
    """8 or 16 people for testing, as in the paper's two splits."""
    val_people: int = 0
    """How many of the training people choose the round that becomes the model; the paper has none."""
    view: View = "paper"
    renderer: int = RENDERER

    def __post_init__(self) -> None:
        check(self.size >= 16, f"size is {self.size}: give 16 or more")
        check(self.test_people in (8, 16), f"test people are {self.test_people}: the paper's splits have 8 or 16")
        check(
            self.test_people < self.people <= len(PEOPLE),
            f"people are {self.people}: give {self.test_people + 1} to {len(PEOPLE)}",
        )
        rest = self.people - self.test_people
        check(0 <= self.val_people < rest, f"validation people are {self.val_people}: give 0 to {rest - 1}")

    @property
    def tested(self) -> frozenset[int]:
        """The numbers of the test people."""
        return frozenset(TEST_PEOPLE if self.test_people == len(TEST_PEOPLE) else TEST_PEOPLE + MORE_TEST_PEOPLE)

    @property
    def untested(self) -> Sequence[int]:
        """The numbers of the people for training and validation."""
        return [number for number in PEOPLE if number not in self.tested][: self.people - len(self.tested)]

    @property
    def seeds(self) -> Sequence[int]:
        """Numbers of the people."""
        return sorted([*self.untested, *self.tested])

    @property
    def pictures(self) -> int:
        """Pictures of one person."""
        return 1 + len(CATEGORIES)

    @property
    def about(self) -> dict[str, Any]:
        """See :class:`twocet.synth.dataset.Plan`."""
        flags = (
            f"--people {self.people} --size {self.size} --test-people {self.test_people} --val-people {self.val_people}"
        )
        return {
            "name": "twocet laboratory set",
            "template": PAPER_TEMPLATE_NAME,
            "made_by": f"twocet synth lab DIR {flags}",
            "shared_expressions": True,
        }

    def person(self, number: int) -> Identity:
        """Who ``number`` is, before the laboratory's camera and light; test people are nobody who is trained on."""
        benchmark = number in TEST_PEOPLE + MORE_TEST_PEOPLE
        identity = Identity.sample(number + (BENCHMARK_START + 500_000 if benchmark else 500_000))
        return dataclasses.replace(identity, **_FRONTAL)  # type: ignore[arg-type]

    def expressions_of(self, number: int) -> list[Expression]:
        """All categories at full strength, alike for everybody."""
        return [Expression(name, 1.0, units_of(actions)) for name, actions in CATEGORIES.items()]

    def split(self, number: int) -> str:
        """``test`` for the paper's test people, ``val`` for the first of the others that are asked for."""
        if number in self.tested:
            return "test"
        return "val" if number in self.untested[: self.val_people] else "train"


def units_of(actions: Sequence[int]) -> Units:
    """Face-unit weights of action units shown together; where two move one face unit the stronger counts."""
    units: Units = {}
    for action in actions:
        for unit, weight in ACTION_UNITS[action].items():
            units[unit] = max(units.get(unit, 0.0), weight)
    return units
