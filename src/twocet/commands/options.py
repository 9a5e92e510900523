"""Types of options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import tyro

Face = int | Literal["all"] | None
Keep = Annotated[tuple[tuple[Literal["mouth", "eyes", "brows", "gaze"], ...], ...], tyro.conf.UseAppendAction]
"""``--keep mouth eyes`` or ``--keep mouth --keep eyes``; the names are those of ``twocet.edit.regions``."""


def kept(keep: Sequence[Sequence[str]]) -> list[str]:
    """The regions of all ``--keep``."""
    return [region for regions in keep for region in regions]
