"""The examples of the documentation run as they are written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from mouths import SHA256, picture
from PIL import Image
from test_video import write_film

from twocet.model.model import ModelId

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(run, tmp_path, me, smile, monkeypatch):
    """A folder with the photos and the film that the examples name."""
    (tmp_path / "portraits").mkdir()
    for name, file in (("me.jpg", me), ("smile.jpg", smile), ("portraits/a.jpg", me), ("portraits/b.jpg", me)):
        with Image.open(file) as photo:
            photo.save(tmp_path / name, quality=95)
    write_film(tmp_path / "speaker.mp4", [picture(), picture(mouth=0.72)], sound=True)
    monkeypatch.setattr("twocet.model.model.find_model", lambda name: Path("stub.safetensors"))
    monkeypatch.setattr("twocet.model.model.file_hash", lambda path: SHA256)
    monkeypatch.setattr("twocet.edit.models.load_editing", lambda *_: (None, ModelId("default", SHA256)))
    monkeypatch.setattr("twocet.runtime.processes.num_cores", lambda: 1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("photos.md", ["out.png", "grin.png", "smiling/b.jpg", "edited/a.png", "me-0.5.png"]),
        ("video.md", ["me-speaking.mp4", "calm.mp4"]),
        ("stimuli.md", ["smile/stimuli.csv", "equal/me-smile-8.png", "ramp/me-smile.mp4", "design/b-120.png"]),
    ],
)
def test_the_examples_run(run, folder, page, made):
    blocks = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    assert blocks
    for kind, text in blocks:
        if kind == "csv":
            (folder / "jobs.csv").write_text(text)
        elif kind == "python":
            exec(compile(text, page, "exec"), {})
        else:
            assert kind == "sh"
            for line in text.splitlines():
                program, *words = shlex.split(line)
                assert program == "twocet"
                assert run(*words) == 0, line
    for name in made:
        assert (folder / name).is_file(), name
