"""The command line with the model and the finder of ``mouths``."""

from __future__ import annotations

import pytest
from mouths import DROP, REST, SHA256, StubFinder, StubModel, picture

from twocet import cli
from twocet.edit.editor import Editor
from twocet.photo.images import Photo, write_photo


@pytest.fixture
def editor():
    return Editor(StubModel(), name="stub", sha256=SHA256, finder=StubFinder(), mouth="painted")


@pytest.fixture
def run(monkeypatch, editor, tmp_path):
    """Runs the command line with the stub model, and a configuration folder of its own."""
    monkeypatch.setattr("twocet.edit.editor.load", lambda *_, **__: editor)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return lambda *words: cli.main([str(word) for word in words])


@pytest.fixture
def me(tmp_path):
    """A neutral face."""
    return write_photo(tmp_path / "me.png", Photo(pixels=picture()))


@pytest.fixture
def smile(tmp_path):
    """A face whose code is 1."""
    return write_photo(tmp_path / "smile.png", Photo(pixels=picture(mouth=REST + DROP)))
