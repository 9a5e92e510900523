"""A face that can be measured by hand: a grey square with a red mouth, and a model that moves the mouth.

Everything is exact and quick: the finder reads the height of the mouth from the picture, and the model lowers it by
``DROP`` crop sides times a square of the code, so that movement is known and not linear in strength.
"""

from __future__ import annotations

import numpy as np
import torch

from twocet.edit.blend import FACE_OVAL
from twocet.errors import UserError
from twocet.networks.edit import Edit
from twocet.photo import align
from twocet.photo.faces import Face

SIZE = 64
SHA256 = "ab" * 32
DROP = 0.08
REST = 0.68
"""Height of the mouth at rest, in crop sides."""
MARGIN, SHARE = 0.1, 0.8
"""The face crop is the middle of the photo."""
OPEN_EYES = ((33, 160, 158, 153, 144, 133), (362, 385, 387, 373, 380, 263))
"""A corner of each eye, two points of its upper lid and two of its lower lid, the other corner."""
MOUTH_LANDMARKS = (0, 13, 14, 17, 61, 291)


def picture(side=240, mouth=REST, x=0.5):
    """(side, side, 3) photo whose face crop has its mouth at height ``mouth`` and place ``x``."""
    pixels = np.full((side, side, 3), (120, 120, 120), np.uint8)
    pixels[::8] = (100, 100, 110)
    top, left = (round((MARGIN + SHARE * value) * side) for value in (mouth, x))
    tall, wide = side // 40, side // 12
    pixels[top - tall : top + tall, left - wide : left + wide] = (220, 40, 40)
    return pixels


def mouth_height(pixels):
    """Of a whole photo, in crop sides."""
    red = (pixels[..., 0].astype(float) - pixels[..., 1]).clip(min=40) - 40
    y = ((np.arange(len(pixels)) + 0.5) * red.sum(axis=1)).sum() / red.sum()
    return (y / len(pixels) - MARGIN) / SHARE


class StubFinder:
    """Finds one face in every picture that has a red mouth."""

    def find(self, pixels):
        if (pixels[..., 0].astype(int) - pixels[..., 1]).max() < 60:
            return []
        points = np.full((478, 2), 0.5)
        angles = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
        points[list(FACE_OVAL)] = np.column_stack([0.5 + 0.4 * np.sin(angles), 0.5 - 0.42 * np.cos(angles)])
        points[list(align.TEMPLATE_LANDMARKS)] = align.TEMPLATE
        points[list(MOUTH_LANDMARKS), 1] = mouth_height(pixels)
        points[[61, 291], 0] = 0.42, 0.58
        for outer, *lids, inner in OPEN_EYES:
            points[lids] = (points[outer] + points[inner]) / 2 + [
                (-0.02, -0.03),
                (0.02, -0.03),
                (0.02, 0.03),
                (-0.02, 0.03),
            ]
        side = len(pixels)
        landmarks = np.column_stack([(MARGIN + SHARE * points) * side, np.zeros(478)]).astype(np.float32)
        return [Face(landmarks, np.zeros(52, np.float32), 1.0, (0.0, 0.0, float(side), float(side)))]

    def follow(self, pixels, face):
        return next(iter(self.find(pixels)), None)

    def require(self, pixels, name):
        faces = self.find(pixels)
        if not faces:
            raise UserError(f"No face found in {name}: use another picture.")
        return faces


class StubModel:
    """The first number of a code is the square root of the mouth's drop in units of ``DROP``; the rest is ignored."""

    size = SIZE
    code_dim = 3

    def __init__(self):
        self.metadata = {"code_std": [0.5, 0.1, 0.1]}
        self.device = torch.device("cpu")

    def encode(self, image):
        rows = []
        for face in image:
            red = (face[0] - face[1] - 0.4).clamp(min=0)
            place = (torch.arange(SIZE) + 0.5) / SIZE
            drop = float((red.sum(dim=1) * place).sum() / red.sum().clamp(min=1e-6)) - REST
            rows.append([np.sign(drop) * np.sqrt(abs(drop) / DROP) if abs(drop) > 0.004 else 0.0, 0.0, 0.0])
        return torch.tensor(rows, dtype=torch.float32)

    def sample_codes(self, count, generator):
        return torch.rand(count, 3, generator=generator)

    def edit(self, image, code, strength=1.0):
        """The zero code brings the mouth back to rest."""
        value = strength * float(code[0, 0])
        own = float(self.encode(image)[0, 0])
        down = DROP * value * abs(value) if value else -DROP * own * abs(own)
        flow = torch.zeros(1, 2, SIZE, SIZE)
        flow[:, 1] = -down
        return Edit(flow, torch.zeros(1, 1, SIZE, SIZE), torch.zeros(1, 3, SIZE, SIZE))
