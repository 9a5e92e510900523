"""Photos of cartoons for all tests of the baselines."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from cartoons import GANIMATION, write_dataset

from twocet.compare.baselines.config import GANimationConfig


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "faces")


@pytest.fixture(scope="session")
def ganimation(data: Path) -> GANimationConfig:
    return dataclasses.replace(GANIMATION, action_units=str(data / "openface.csv"))
