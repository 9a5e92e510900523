"""``benchmarks/paper_sets.py``: the sets that evaluation measures, as files."""

from __future__ import annotations

import numpy as np
from made_up import PEOPLE, Painter
from PIL import Image


def test_sets_are_written_as_files(folder, tmp_path, monkeypatch, capsys, load_benchmark):
    sets = load_benchmark("paper_sets")
    model = Painter(1.0)
    model.metadata = {"template": "eyes-nose-v1"}
    monkeypatch.setattr(sets, "load_model", lambda name: model)
    sets.main("any", folder, tmp_path / "sets")
    numbers = {name: len(list((tmp_path / "sets" / name).iterdir())) for name in
               ("real/a_n", "real/b_e", "fake/a_n", "fake/b_e_z", "fake/b_e_r")}  # fmt: skip
    assert list(numbers.values()) == [PEOPLE, PEOPLE * 3, PEOPLE * 3, PEOPLE * 3, PEOPLE * 9]
    assert f"{tmp_path / 'sets' / 'fake' / 'b_e_r'}: 81 pictures" in capsys.readouterr().out
    with Image.open(tmp_path / "sets/fake/a_n/00004.png") as made, Image.open(folder / "1-2.png") as photo:
        assert np.array_equal(np.asarray(made), np.asarray(photo))
