"""Shapes as a method of ``twocet compare``."""

from __future__ import annotations

import dataclasses
import json

from toy import CONFIG, unpaired

from twocet.compare.comparison import training
from twocet.compare.comparison.plan import Entry
from twocet.shapes.points import write_archive


def test_a_shape_model_is_trained_and_goes_on_where_it_was_stopped(tmp_path):
    points = write_archive(tmp_path / "points.npz", unpaired())
    entry = Entry("2cet-shapes", "2CET, shapes", dataclasses.replace(CONFIG, steps=6, checkpoint_every=2))
    own, seen = tmp_path / "2cet-shapes", []

    def stop_in_the_third(step, steps):
        seen.append(step)
        return step == 3

    assert training.train_one(tmp_path, entry, points, stop_in_the_third, progress=False) is False
    assert not (own / training.DONE).exists()
    assert training.train_one(tmp_path, entry, points, lambda step, _: bool(seen.append(step)), progress=False)
    assert seen == [0, 1, 2, 3, 3, 4, 5]
    assert json.loads((own / training.DONE).read_text()) == {"model": "model.safetensors"}
    assert (own / "model.safetensors").exists()
