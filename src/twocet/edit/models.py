"""Models that edit faces, by their name: those of pixels, and those of landmarks."""

from __future__ import annotations

import os
from pathlib import Path

from twocet.model.model import Model, ModelId, find_model, identify_model, load_model
from twocet.shapes import model as shapes
from twocet.shapes.photos import PhotoShapes


def load_editing(name: str | os.PathLike[str], device: str) -> tuple[Model | PhotoShapes, ModelId]:
    """A model of either kind, and which one it is. Raises UserError."""
    named = Path(name) if isinstance(name, os.PathLike) else name
    if shapes.is_shape_model(named):
        return PhotoShapes(shapes.load(named)), identify_model(shapes.find(named))
    path = find_model(named)
    return load_model(path, device), identify_model(path)
