from __future__ import annotations

from pathlib import Path

import pytest
import toy

from twocet.shapes.training import Run, Source, train


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on faces of twelve points."""
    run = Run(tmp_path_factory.mktemp("run"), toy.CONFIG, [Source(name="toy", sets=toy.unpaired())])
    assert train(run, progress=False)
    return run


@pytest.fixture(scope="session")
def model_file(run: Run) -> Path:
    return run.folder / "model.safetensors"
