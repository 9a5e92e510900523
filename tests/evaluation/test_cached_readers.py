"""The cache of what was read, and the readers' way through it."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from twocet.errors import UserError
from twocet.evaluation import readers as module
from twocet.evaluation.cache import Cache, key_of
from twocet.evaluation.readers import PooledReaders

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)


def test_what_was_put_is_there_after_closing(tmp_path):
    vectors = {bytes([k]): np.arange(k + 1, dtype=np.float32) for k in range(200)}
    cache = Cache(tmp_path / "cache.sqlite")
    cache.put(vectors)
    cache.close()
    found = Cache(tmp_path / "cache.sqlite").get([*vectors, b"unknown"])
    assert set(found) == set(vectors)
    assert all(np.array_equal(found[key], vectors[key]) for key in vectors)


def test_more_keys_than_sqlite_takes_at_once():
    cache = Cache()
    vectors = {k.to_bytes(2, "big"): np.float32([k]) for k in range(1200)}
    cache.put(vectors)
    assert len(cache.get(list(vectors))) == 1200


def test_nan_is_kept():
    cache = Cache()
    cache.put({b"lost": np.float32([np.nan, 1])})
    assert np.isnan(cache.get([b"lost"])[b"lost"][0])


def test_a_file_that_is_no_cache_is_refused(tmp_path):
    (tmp_path / "cache.sqlite").write_text("something else, and long enough to be looked at" * 100)
    with pytest.raises(UserError, match="delete it"):
        Cache(tmp_path / "cache.sqlite")


def test_keys_depend_on_content_shape_and_reader():
    picture = PICTURES[0]
    changed = picture.copy()
    changed[7, 7, 2] ^= 1
    keys = [key_of("a", picture), key_of("b", picture), key_of("a", changed), key_of("a", picture.reshape(4, 16, 3))]
    assert len(set(keys)) == 4
    assert key_of("a", picture[::-1][::-1]) == keys[0], "the layout in memory does not matter"


@pytest.fixture
def counted(monkeypatch):
    """Readers that note how many pictures they get, instead of the networks."""
    seen = {"identity": 0, "diversity": 0}

    def make(kind):
        def read(items):
            seen[kind] = seen.get(kind, 0) + len(items)
            values = items.reshape(len(items), -1).mean(axis=1, keepdims=True)
            if kind == "expression":
                return np.repeat(values, 51 + 956, axis=1).astype(np.float32)
            if kind == "mobilenetv2":
                return np.hstack([np.full((len(items), 1), 2), values, values, values]).astype(np.float32)
            return values.astype(np.float32)

        return lambda: read

    monkeypatch.setattr(module, "_MAKERS", {kind: make(kind) for kind in module._MAKERS})
    monkeypatch.setattr(module, "_loaded", {})
    monkeypatch.setattr(module, "_name", lambda kind: kind)
    return seen


def test_known_pictures_are_not_read_again(tmp_path, counted):
    with PooledReaders("mobilenetv2", workers=1, cache=tmp_path / "cache.sqlite") as readers:
        first = readers.identities(PICTURES[:30])
        assert counted["identity"] == 30
        assert np.array_equal(readers.identities(PICTURES)[:30], first)
        assert counted["identity"] == 40
    with PooledReaders("mobilenetv2", workers=1, cache=tmp_path / "cache.sqlite") as again:
        assert np.array_equal(again.identities(PICTURES[::-1])[::-1][:30], first)
        assert counted["identity"] == 40


def test_the_same_picture_twice_is_read_once(counted):
    with PooledReaders("mobilenetv2", workers=1) as readers:
        found = readers.identities(PICTURES[[3, 5, 3, 3]])
    assert counted["identity"] == 2
    assert found[:, 0] == pytest.approx(PICTURES[[3, 5, 3, 3]].mean(axis=(1, 2, 3)), rel=1e-6)


def test_what_was_read_before_a_kill_is_kept(tmp_path, counted, monkeypatch):
    read = module._MAKERS["identity"]()

    def dies(items):
        if counted["identity"] >= 16:
            raise KeyboardInterrupt
        return read(items)

    module._loaded["identity"] = dies
    with (
        pytest.raises(KeyboardInterrupt),
        PooledReaders("mobilenetv2", workers=1, cache=tmp_path / "c.sqlite") as first,
    ):
        first.identities(PICTURES)
    module._loaded["identity"] = read
    with PooledReaders("mobilenetv2", workers=1, cache=tmp_path / "c.sqlite") as second:
        second.identities(PICTURES)
    assert counted["identity"] == 40, "16 before, 24 after"


def test_rows_are_taken_apart(counted):
    with PooledReaders("mobilenetv2", workers=1) as readers:
        expressions, features = readers.expressions(PICTURES[:3]), readers.features(PICTURES[:3])
        groups = readers.diversity(PICTURES[:16].reshape(2, 8, 8, 8, 3))
    assert expressions.blendshapes.shape == (3, 51)
    assert expressions.landmarks.shape == (3, 478, 2)
    assert features.pooled.shape == (3, 2)
    assert features.probabilities.shape == (3, 1)
    assert groups.shape == (2,)


def test_an_impossible_cache_is_said_before_the_work(tmp_path, counted):
    with pytest.raises(UserError, match="delete it"):
        PooledReaders("mobilenetv2", workers=1, cache=tmp_path)
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(tmp_path).execute("SELECT 1")
