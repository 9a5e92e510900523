"""Synthetic faces with exact ground truth: identities, expressions, pictures and whole datasets, all from seeds."""

from .dataset import write_dataset
from .expressions import EXPRESSIONS, FACE_UNITS, Expression, random_units, sample_expression
from .head import Head
from .identity import BENCHMARK_START, Identity
from .render import Render, render

__all__ = [
    "BENCHMARK_START",
    "EXPRESSIONS",
    "FACE_UNITS",
    "Expression",
    "Head",
    "Identity",
    "Render",
    "random_units",
    "render",
    "sample_expression",
    "write_dataset",
]
