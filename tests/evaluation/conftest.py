"""Folders of made-up faces, and evaluation with the readers that stand for the networks."""

from __future__ import annotations

import pytest
from made_up import StubReaders, grid, write_dataset

from twocet.evaluation import evaluate_model


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path / "data", *grid())


@pytest.fixture
def photos(tmp_path):
    """The same without the promise that one label is one expression."""
    return write_dataset(tmp_path / "photos", *grid(), shared=False)


@pytest.fixture
def evaluate():
    """Evaluates with the stub readers."""

    def call(model, folder, **options):
        return evaluate_model(model, folder, name="stub", **{"readers": StubReaders(), **options})

    return call
