"""``twocet train --recipe shapes``."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twocet.errors import check
from twocet.runtime.settings import override
from twocet.shapes import sources
from twocet.shapes.config import ShapeConfig
from twocet.training.recipes.table import owners

if TYPE_CHECKING:
    from twocet.shapes.training import Run


def train_shapes(
    output: Path, data: Sequence[Path], mix: Sequence[float], words: Sequence[str], *, dry_run: bool
) -> None:
    """Begin a run on faces as points, or print its settings. ``words``: field=value. Raises UserError."""
    config = override(ShapeConfig(), words, owners()) if words else ShapeConfig()
    if dry_run:
        print(json.dumps(dataclasses.asdict(config), indent=2))
        return
    check(bool(data), "--data is missing: give photos, archives (.npz) or meshes")
    _train(sources.begin(output, config, data, mix))


def resume_shapes(output: Path) -> None:
    """Go on with a run. Raises UserError."""
    _train(sources.resume(output))


def _train(run: Run) -> None:
    from twocet.shapes.model import MODEL_FILE
    from twocet.shapes.training import train

    complete = train(run)
    print(run.folder / MODEL_FILE)
    if not complete:
        print(f"stopped early; go on with: twocet train -o {run.folder} --resume", file=sys.stderr)
        raise SystemExit(130)
