"""Strangers' photos made to pairs."""

from __future__ import annotations

import csv
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import PAIRS, SIZE, write_dataset

from twocet.commands.train import configure
from twocet.data.dataset import Faces, load_faces, open_dataset
from twocet.errors import UserError
from twocet.model.model import load_model
from twocet.pairs import landmark_table, morph, neutral_estimate, transplant, unpaired
from twocet.readers.expression import NO_FACE, Expression
from twocet.training.config import Sources
from twocet.training.loop import Run, resume, train
from twocet.training.recipes.configs import LandmarksConfig

SIDE = 64
EYES_MOUTH = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75], [0.5, 0.5]])
LIFTED = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [0, -0.125]])
"""The last landmark is an eighth of the crop above its place at rest."""


class Lifted(neutral_estimate.Rest):
    """Knows that the last landmark is lifted in every photo."""

    def movement(self, landmarks):
        return np.broadcast_to(LIFTED, landmarks.shape)


AT_REST = Lifted(EYES_MOUTH + LIFTED, LIFTED, np.zeros((10, 10)))


@pytest.fixture
def strangers(monkeypatch):
    """Six neutral faces and four expressive ones, white dots in the middle and above it; no face is found in one."""
    monkeypatch.setattr(morph, "INNER_LIPS", (0, 1, 3, 2))
    neutral, expressive = (torch.full((n, 3, SIDE, SIDE), 50, dtype=torch.uint8) for n in (6, 4))
    neutral[:, :, 30:34, 30:34] = 250
    expressive[:, :, 22:26, 30:34] = 250
    rows = [[{"file": f"{kind}{k}"} for k in range(n)] for kind, n in (("n", 6), ("e", 4))]
    meshes = {row["file"]: EYES_MOUTH for row in rows[0]} | {row["file"]: EYES_MOUTH + LIFTED for row in rows[1]}
    meshes["e2"] = np.full_like(EYES_MOUTH, np.nan)
    return Faces(neutral, expressive, *rows, [[]] * 4), meshes


def test_neutral_faces_are_estimated_by_moving_pixels(strangers):
    faces, meshes = strangers
    made = unpaired.estimated_pairs(faces, meshes, AT_REST, progress=False)
    assert len(made.neutral) == len(made.expressive) == 3
    assert [row["file"] for row in made.expressive_rows] == ["e0", "e1", "e3"]
    assert (made.expressive == faces.expressive[[0, 1, 3]]).all()
    assert made.companions == [[0], [1], [2]]
    # Upwards from the neutral face to the expressive one, which shows there what is further down, and back.
    middle = made.known.flows[:, :, 15, 15].float()
    assert (middle[:, 1] > 0.05).all()
    assert (middle[:, 3] < -0.05).all()
    assert middle[:, ::2].abs().max() < 0.01
    # Between these lips lies the quarter in the middle.
    assert made.known.mouths.float().mean() == pytest.approx(0.25, abs=0.02)
    assert (made.known.mouths[:, :, 12:20, 12:20] == 1).all()
    # The dot has come down to the middle, but for half a pixel; at the corners nothing has changed.
    assert made.neutral[:, :, 31:33, 31:33].min() > 200
    assert made.neutral[:, :, 20:23, 30:34].max() < 80
    assert (made.neutral[:, :, :4, :4] == 50).all()


def test_expressions_are_transplanted_to_strangers(strangers):
    """Neutral photos move as the donors did; the code will be read from the donors' photos."""
    faces, meshes = strangers
    meshes["n1"] = np.full_like(EYES_MOUTH, np.nan)
    pairs = unpaired.estimated_pairs(faces, meshes, AT_REST, progress=False)
    moved = unpaired.movements(np.stack([EYES_MOUTH + LIFTED] * 3), AT_REST)
    made = transplant.with_transplants(pairs, faces, meshes, moved, supervised=True, progress=False)
    assert [row["file"] for row in made.neutral_rows] == ["e0", "e1", "e3", "n0", "n2", "n3", "n4", "n5"]
    assert (made.neutral[3:] == faces.neutral[[0, 2, 3, 4, 5]]).all()
    assert len(made.expressive) == 6
    assert made.known.references == [0, 1, 2, 0, 1, 2]
    targets = [places[0] for places in made.companions]
    assert targets[:3] == [0, 1, 2]
    assert len(set(targets[3:])) == 3
    assert min(targets[3:]) >= 3
    # The dot of the neutral photo has gone up, as the donors' dots have.
    assert made.expressive[3:, :, 23:25, 31:33].min() > 200
    assert made.expressive[3:, :, 30:34, 30:34].max() < 80
    assert (made.expressive[:3] == pairs.expressive).all()
    # Sampled where the dots are: half way up.
    assert (made.known.flows[3:, 1, 12, 15] > 0.05).all()
    assert (made.known.flows[3:, 3, 15, 15] < -0.05).all()


def test_true_pairs_tell_how_faces_move(strangers):
    """Two neutral photos of one person, one of another; whoever has no landmarks in one of two photos is left out."""
    faces, meshes = strangers
    faces = faces._replace(companions=[[0, 1], [0, 1], [2], [3]])
    meshes["n3"] = np.full_like(EYES_MOUTH, np.nan)
    pairs, moved = transplant.known_pairs(faces, meshes, progress=False)
    assert [row["file"] for row in pairs.expressive_rows] == ["e0", "e1"]
    assert (pairs.expressive == faces.expressive[[0, 1]]).all()
    assert pairs.neutral is faces.neutral
    assert (pairs.companions, pairs.known.references) == ([[0], [1]], [0, 1])
    assert moved == pytest.approx(np.stack([LIFTED * (1 - neutral_estimate.STILL / 0.125)] * 2))
    middle = pairs.known.flows[:, :, 15, 15].float()
    assert (middle[:, 1] > 0.05).all()
    assert (middle[:, 3] < -0.05).all()
    assert middle[:, ::2].abs().max() < 0.01
    assert pairs.known.mouths.float().mean() == pytest.approx(0.25, abs=0.02)
    meshes.update(e0=meshes["n3"], e1=meshes["n3"])
    with pytest.raises(UserError, match="nobody has"):
        transplant.known_pairs(faces, meshes, progress=False)


def test_some_pairs_are_neutral_photos_with_themselves(strangers):
    """Two fifths of all pairs are wanted: two of the six neutral photos beside three others."""
    faces, meshes = strangers
    pairs = unpaired.estimated_pairs(faces, meshes, AT_REST, progress=False)
    made = transplant.with_nothing_to_change(pairs, faces, 0.4)
    assert [row["file"] for row in made.neutral_rows[3:]] == ["n0", "n5"]
    assert (made.neutral[3:] == made.expressive[3:]).all()
    assert (made.neutral[3:] == faces.neutral[[0, 5]]).all()
    assert made.companions == [[0], [1], [2], [3], [4]]
    assert made.known.references == [0, 1, 2, 3, 4]
    assert len(transplant.with_nothing_to_change(pairs, faces, 0.9).neutral) == 3 + 6


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path / "faces", identities=24, expressions=1)


@pytest.fixture
def readings(monkeypatch):
    """In place of the landmark runtime: landmarks drawn for each photo; counts the photos. Every tenth has no face."""
    count = SimpleNamespace(photos=0)

    class Reader:
        def read(self, pixels):
            count.photos += 1
            if count.photos % 10 == 0:
                return NO_FACE
            random = np.random.default_rng(int(pixels.sum()))
            mesh = np.repeat(EYES_MOUTH, 100, axis=0)[:478] * SIZE + random.normal(size=(478, 2))
            return Expression(np.zeros(51), mesh)

    monkeypatch.setattr(landmark_table, "ExpressionReader", Reader)
    return count


def test_photos_are_read_once(folder, tmp_path, readings, monkeypatch):
    dataset = open_dataset(folder)
    meshes = landmark_table.read_meshes(dataset, tmp_path, 1)
    assert readings.photos == len(meshes) == 48
    again = landmark_table.read_meshes(dataset, tmp_path, 1)
    assert readings.photos == 48
    for file, mesh in meshes.items():
        assert again[file] == pytest.approx(mesh, abs=1e-6, nan_ok=True)
    assert np.isnan([mesh.sum() for mesh in meshes.values()]).sum() == 4


def test_reading_goes_on_where_it_stopped(folder, tmp_path, readings, monkeypatch):
    monkeypatch.setattr(landmark_table, "BLOCK", 20)
    save, saved = landmark_table.save_meshes, []

    def interrupted(path, meshes):
        save(path, meshes)
        saved.append(len(meshes))
        raise KeyboardInterrupt

    monkeypatch.setattr(landmark_table, "save_meshes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        landmark_table.read_meshes(open_dataset(folder), tmp_path, 1)
    monkeypatch.setattr(landmark_table, "save_meshes", save)
    assert len(landmark_table.read_meshes(open_dataset(folder), tmp_path, 1)) == 48
    assert (saved, readings.photos) == ([20], 48)


@pytest.mark.parametrize("kept", [0, 7, 300])
def test_a_broken_table_is_said_to_be_one(folder, tmp_path, readings, kept):
    landmark_table.read_meshes(open_dataset(folder), tmp_path, 1)
    table = folder / landmark_table.TABLE
    table.write_bytes(table.read_bytes()[:kept])
    with pytest.raises(UserError, match="delete it, and it is made again"):
        landmark_table.read_meshes(open_dataset(folder), tmp_path, 1)


WORDS = [*PAIRS, "even=False"]


def test_strangers_are_trained_on_and_the_run_goes_on(folder, tmp_path, readings):
    """Nobody has photos in both domains, which other recipes refuse; half a run and the rest make the whole one."""
    table = folder / "faces.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for k, row in enumerate(rows):
        row["identity"] = f"photo-{k}"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(UserError, match="photos in one domain only"):
        Run(tmp_path / "fast", configure("fast", "fast", tuple(WORDS), steps=6), Sources(data=(str(folder),), mix=(1,)))
    models = []
    for name, stop in (("whole", 6), ("parts", 3)):
        config = configure("fast", "unpaired", tuple(WORDS), steps=6)
        run = Run(tmp_path / name, config, Sources(data=(str(folder),), mix=(1.0,)), progress=False)
        complete = train(run, lambda step, steps, stop=stop: step >= stop)
        if not complete:
            assert train(resume(tmp_path / name, progress=False))
        models.append(load_model(tmp_path / name / "model.safetensors"))
    assert readings.photos == 48
    one, other = ([*model.networks.generator.parameters()] for model in models)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    photos = models[0].metadata["training"]["photos"][0]
    # Every tenth of the 48 photos shows no face, two of them of the 22 expressive ones for training.
    assert photos == {"neutral": 22, "expressive": 18}
    assert models[0].metadata["training"]["config"]["recipe"] == "unpaired"


def test_expressions_of_known_people_are_transplanted_too(folder, tmp_path, readings):
    """The recipe landmarks has true pairs, transplants, and neutral photos with themselves."""
    config = configure("fast", "landmarks", (*WORDS, "zero_edits=0.2"), steps=3)
    run = Run(tmp_path / "run", config, Sources(data=(str(folder),), mix=(1.0,)), progress=False)
    assert readings.photos == 48
    (faces,) = run.faces
    # Of the 22 people for training four have a photo that shows no face; a fifth of all pairs has nothing to change.
    assert faces.known.references == [*range(18), *range(18), *range(36, 45)]
    assert faces.known.supervised.tolist() == [True] * 18 + [False] * 18 + [True] * 9
    for k, (neutral,) in enumerate(faces.companions[:18]):
        assert faces.neutral_rows[neutral]["identity"] == faces.expressive_rows[k]["identity"]
    # What neutral photos become lies after all the neutral photos of the true pairs.
    assert all(22 <= neutral < 22 + 22 for (neutral,) in faces.companions[18:36])
    assert len(faces.neutral) == 22 + 22 + 9
    assert train(run)
    assert load_model(tmp_path / "run" / "model.safetensors").metadata["training"]["config"]["recipe"] == "landmarks"
    for recipe in ("landmarks", "unpaired"):
        with pytest.raises(UserError, match="zero_edits must be from 0 to less than 1, not 1"):
            LandmarksConfig(recipe=recipe, zero_edits=1.0)


def test_the_training_photos_alone_tell_where_faces_lie(folder, tmp_path, readings):
    dataset = open_dataset(folder)
    meshes = landmark_table.read_meshes(dataset, tmp_path, 1)
    sets = {split: [load_faces(dataset, split, SIZE, progress=False)] for split in ("train", "val")}
    whole = unpaired.fit_rest(sets["train"][0], meshes)
    changed = {file: mesh + 0.1 for file, mesh in meshes.items()} | {
        row["file"]: meshes[row["file"]] for row in sets["train"][0].rows
    }
    train_pairs, validation = unpaired.prepare(sets["train"], sets["val"], [meshes], 0.1, progress=False)
    assert train_pairs[0].known.supervised.all()
    assert np.array_equal(whole.filter, unpaired.fit_rest(sets["train"][0], changed).filter)
    assert all(row["domain"] == "expressive" for row in validation[0].neutral_rows)
    assert any(row["domain"] == "neutral" for row in train_pairs[0].neutral_rows)


def test_pairs_whose_neutral_face_was_estimated_can_be_left_out(folder, tmp_path, readings):
    dataset = open_dataset(folder)
    meshes = landmark_table.read_meshes(dataset, tmp_path, 1)
    sets = [load_faces(dataset, split, SIZE, progress=False) for split in ("train", "val")]
    made = []
    for transplants_alone in (False, True):
        ((pairs,), _) = unpaired.prepare(
            [sets[0]], [sets[1]], [meshes], 0.1, transplants_alone=transplants_alone, progress=False
        )
        neutral = [pairs.neutral_rows[k]["domain"] for others in pairs.companions for k in others]
        made.append((len(pairs.companions), neutral.count("neutral"), neutral.count("expressive")))
    (count, neutral, estimated), (same, kept, left) = made
    assert (same, kept, left) == (count, neutral, 0)
    # As many were transplanted, and some neutral photos stay as they are.
    assert neutral > estimated > 0


def test_every_dataset_has_its_own_rest(tmp_path, readings):
    """Two datasets at once give what each gives alone."""
    datasets = [open_dataset(write_dataset(tmp_path / name, identities=24, expressions=1)) for name in "ab"]
    meshes = [landmark_table.read_meshes(dataset, tmp_path, 1) for dataset in datasets]
    meshes[1] = {file: 0.9 * mesh for file, mesh in meshes[1].items()}
    sets = [load_faces(dataset, "train", SIZE, progress=False) for dataset in datasets]
    together, _ = unpaired.prepare(sets, sets, meshes, 0.1, progress=False)
    for faces, table, pairs in zip(sets, meshes, together, strict=True):
        ((alone,), _) = unpaired.prepare([faces], [faces], [table], 0.1, progress=False)
        assert torch.equal(pairs.neutral, alone.neutral)
    assert not torch.equal(together[0].neutral, together[1].neutral)


def test_missing_packages_are_said_before_photos_are_read(folder, tmp_path, readings, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    config = configure("fast", "unpaired", tuple(WORDS), steps=6)
    with pytest.raises(UserError, match=r"pip install 'twocet\[train\]'"):
        Run(tmp_path / "run", config, Sources(data=(str(folder),), mix=(1.0,)), progress=False)
    assert readings.photos == 0
