"""Files by URL: in the store of fsspec that lies in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from twocet.errors import UserError
from twocet.runtime import places


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryFileSystem:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    return MemoryFileSystem()


def test_names_are_meant_in_their_folder() -> None:
    assert places.join("s3://bucket/in", "a/b.png") == "s3://bucket/in/a/b.png"
    assert places.join("folder", "gs://other/b.png") == "gs://other/b.png"
    assert places.join("folder", "b.png") == os.path.join("folder", "b.png")
    assert places.parent("s3://bucket/in/jobs.csv") == "s3://bucket/in"
    assert places.parent("in/jobs.csv") == "in"
    assert places.is_remote("memory://x")
    assert not places.is_remote("C:\\x")


def test_a_file_appears_whole_or_not_at_all(store: MemoryFileSystem) -> None:
    def fail() -> None:
        with places.whole_copy("memory://out/a.txt") as here:
            Path(here).write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not places.is_file("memory://out/a.txt")
    with places.whole_copy("memory://out/a.txt") as here:
        Path(here).write_text("all")
        assert not places.is_file("memory://out/a.txt")
    assert places.read_bytes("memory://out/a.txt") == b"all"
    assert store.find("/out") == ["/out/a.txt"]


def test_a_changed_file_has_another_state(store: MemoryFileSystem) -> None:
    store.pipe_file("/a", b"1")
    before = places.state("memory://a")
    assert places.state("memory://a") == before
    store.pipe_file("/a", b"22")
    assert places.state("memory://a") != before


def test_the_last_few_files_are_kept_and_named_as_they_are_called(
    store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_KEPT", 2)
    fetched = places.Fetched()
    for name in "abc":
        store.pipe_file(f"/{name}.png", name.encode())
    copies = [fetched.get(f"memory://{name}.png") for name in "aabc"]
    assert copies[0] == copies[1]
    assert Path(copies[3]).read_bytes() == b"c"
    assert Path(copies[3]).name == "c.png"
    assert [Path(copy).exists() for copy in copies] == [False, False, True, True]
    assert fetched.named(f"{copies[3]} is damaged") == "memory://c.png is damaged"
    assert fetched.get("here.png") == "here.png"


def test_what_goes_wrong_is_one_line(store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="memory://none does not exist"):
        places.read_bytes("memory://none")
    with pytest.raises(UserError, match="nowhere://x cannot be used: Protocol not known: nowhere"):
        places.is_file("nowhere://x")

    def fails(*_: object) -> None:
        raise RuntimeError("token has expired\nand more")

    monkeypatch.setattr(MemoryFileSystem, "isfile", fails)
    with pytest.raises(UserError, match=r"cannot be reached \(RuntimeError: token has expired"):
        places.is_file("memory://x")
