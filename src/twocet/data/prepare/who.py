"""Who is who in photos whose names do not say it: photos with matching faces are of one person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twocet.data.prepare.crops import DESCRIPTOR
from twocet.data.prepare.originals import Original
from twocet.readers.identity import MATCH, IdentityReader


def each_by_itself(originals: Sequence[Original]) -> list[Original]:
    """The photos, each of a person of its own, called photo-00001 and so on."""
    return [original._replace(identity=f"photo-{k:05d}") for k, original in enumerate(originals, start=1)]


def check_ready() -> None:
    """Say before the work what it needs: dlib and its weights. Raises UserError."""
    IdentityReader()


def with_found_people(originals: Sequence[Original], records: dict[str, dict[str, Any]]) -> list[Original]:
    """The photos with the people that their faces show, called person-0001 and so on; neutral photos first.

    Faces are nodes of a graph, joined where their descriptors are nearer than ``MATCH``, and the graph is parted by
    Chinese whispers (Biemann 2006), as dlib does it: one wrong match does not join two people.
    """
    import dlib

    descriptors = [dlib.vector(records[original.name][DESCRIPTOR]) for original in originals]
    labels = dlib.chinese_whispers_clustering(descriptors, MATCH)
    # By their first photo, whatever numbers dlib gave.
    number = {label: k for k, label in enumerate(dict.fromkeys(labels), start=1)}
    found = [
        original._replace(identity=f"person-{number[label]:04d}")
        for original, label in zip(originals, labels, strict=True)
    ]
    return sorted(found, key=lambda original: (original.identity, original.domain != "neutral", original.name))
