"""What the page asks for: an expression, how strong, of which face, and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from twocet.edit.regions import Region, parse_regions
from twocet.errors import UserError

STRENGTHS = (-0.5, 1.5)
_MOST_FACES = 40


@dataclass(frozen=True)
class Wish:
    """What the face shall look like."""

    kind: str
    """``neutral``, ``reference``, ``random``, ``pad`` or ``preset``."""
    strength: float
    face: int
    """Which face of the target, 1 = largest."""
    reference_face: int = 1
    seed: int = 0
    x: float = 0.0
    y: float = 0.0
    """Place on the pad, -1..1."""
    preset: str = ""
    keep: tuple[Region, ...] = ()
    """Parts of the face that stay as they are."""
    strip_private: bool = False
    """Whether the download leaves out what the target tells of place, camera and owner."""
    others: tuple[Wish, ...] = ()
    """What is wished for other faces of the target."""

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Wish:
        """From what the page sends. Raises UserError for anything else."""
        try:
            others = values.get("others", [])
            if not isinstance(others, list) or len(others) > _MOST_FACES:
                raise ValueError(others)
            return replace(_one(values), others=tuple(_one(other) for other in others))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            raise UserError("The page sent something that makes no sense: reload it.") from None

    @property
    def is_neutral(self) -> bool:
        """Whether the face loses its expression."""
        return self.kind == "neutral" or self.strength == 0


def _one(values: Mapping[str, object]) -> Wish:
    """One face's wish. Raises ValueError, TypeError or KeyError for anything else."""
    keep = values.get("keep", [])
    if not isinstance(keep, list):
        raise TypeError(keep)
    return Wish(
        kind=str(values["kind"]),
        strength=_bounded(values.get("strength", 1.0), *STRENGTHS),
        face=int(_bounded(values.get("face", 1), 1, 1000)),
        reference_face=int(_bounded(values.get("reference_face", 1), 1, 1000)),
        seed=int(_bounded(values.get("seed", 0), 0, 2**32 - 1)),
        x=_bounded(values.get("x", 0.0), -1, 1),
        y=_bounded(values.get("y", 0.0), -1, 1),
        preset=str(values.get("preset", "")),
        keep=parse_regions(map(str, keep)),
        strip_private=values.get("strip_private") is True,
    )


def _bounded(value: object, low: float, high: float) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not low <= number <= high:
        raise ValueError(value)
    return number
