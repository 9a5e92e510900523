"""Features of the Inception network of the original FID, through torch-fidelity, for machines that are on-line.

torch-fidelity fetches its weights (91 MB, converted from the TensorFlow graph of Heusel et al. 2017) on first use.
"""

from __future__ import annotations

import os
import urllib.error
from pathlib import Path
from typing import Any

import torch

from twocet.errors import UserError
from twocet.photo import scaling
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_levels
from twocet.readers.features.network import ImageFeatures

WEIGHTS_VARIABLE = "TWOCET_INCEPTION_WEIGHTS"
INSTALL = "pip install 'twocet[inception]'"

_FILE = "weights-inception-2015-12-05-6726825d.pth"
_LAYERS = ["2048", "logits_unbiased"]


class InceptionReader:
    """Pooled features and class probabilities; one instance holds the loaded network."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Loads ``path``, the file in TWOCET_INCEPTION_WEIGHTS, or what torch-fidelity fetches. Raises UserError."""
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError:
            raise UserError(
                f"Inception features need torch-fidelity: {INSTALL}, or use --backbone mobilenetv2"
            ) from None
        chosen = path or os.environ.get(WEIGHTS_VARIABLE)
        if chosen and not Path(chosen).is_file():
            raise UserError(f"The weights {chosen} do not exist: correct the path or unset {WEIGHTS_VARIABLE}.")
        try:
            self._network: Any = FeatureExtractorInceptionV3(
                "inception-v3-compat", list(_LAYERS), feature_extractor_weights_path=str(chosen) if chosen else None
            )
        except (urllib.error.URLError, OSError) as error:
            raise UserError(
                f"The weights of Inception cannot be fetched ({error}): put {_FILE} of torch-fidelity's releases into "
                f"{Path(torch.hub.get_dir()) / 'checkpoints'}, set {WEIGHTS_VARIABLE} to it, or use --backbone "
                "mobilenetv2"
            ) from None
        self._network.eval()

    @torch.inference_mode()
    def read(self, pictures: Pixels) -> ImageFeatures:
        """The features of pictures (N, S, S, 3). The network scales them itself, as the original does."""
        values = to_levels(scaling.to_image(pictures))
        pooled, logits = self._network(values)
        return ImageFeatures(pooled.numpy(), logits.softmax(dim=1).numpy())
