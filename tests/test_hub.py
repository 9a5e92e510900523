"""Models by ``hf:OWNER/NAME``: asked for only by name, with the extra named where it is missing."""

from __future__ import annotations

import sys

import huggingface_hub
import pytest

from twocet.errors import UserError
from twocet.model.model import find_model


def test_a_name_on_the_hub_is_downloaded_by_owner_name_and_revision(monkeypatch, tmp_path):
    asked = []

    def download(repository, file, *, revision):
        asked.append((repository, file, revision))
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find_model("hf:lab/faces") == tmp_path / "model.safetensors"
    assert find_model("hf:lab/faces@v2") == tmp_path / "model.safetensors"
    assert asked == [("lab/faces", "model.safetensors", None), ("lab/faces", "model.safetensors", "v2")]


def test_without_a_connection_the_remedy_is_said(monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def download(*_, **__):
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(UserError, match=r"hf:lab/faces cannot be fetched: check the connection"):
        find_model("hf:lab/faces")


@pytest.mark.parametrize("name", ["hf:", "hf:faces", "hf:a/b/c", "hf:/b"])
def test_names_that_are_none(name):
    with pytest.raises(UserError, match="names no model"):
        find_model(name)


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"twocet\[hub\]"):
        find_model("hf:lab/faces")
