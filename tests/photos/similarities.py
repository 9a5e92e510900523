"""Similarities by scale, angle and shift."""

from __future__ import annotations

import numpy as np


def similarity(scale, degrees, shift):
    angle = np.deg2rad(degrees)
    linear = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    return np.column_stack([linear, shift])
