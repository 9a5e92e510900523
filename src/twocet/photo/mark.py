"""What a mark says, in whatever layer of a file it is."""

from __future__ import annotations

from dataclasses import dataclass

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a file says about the model that changed it. Fields that a file lacks are None."""

    digital_source_type: str
    """``COMPOSITE`` for an edited photo, ``SYNTHETIC`` for a picture that a model made altogether."""
    software: str | None = None
    model: str | None = None
    model_sha256: str | None = None
    strength: float | None = None
    """Of the expression; None where it has no meaning."""
