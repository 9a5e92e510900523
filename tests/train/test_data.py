"""Dataset folders: what is accepted, what is refused, and which photos a batch holds."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from tiny import SIZE, face, write_dataset

from twocet.data.dataset import Faces, as_images, load_faces, open_dataset, pairs
from twocet.errors import UserError
from twocet.training.loader import Loader, make_batch
from twocet.training.sampler import Batch, Sampler, epoch_indices, shares


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "faces")


def loaded(folder: Path, split: str = "train") -> Faces:
    return load_faces(open_dataset(folder), split, SIZE, progress=False)


def edit_rows(folder: Path, change: dict[str, str], line: int = 0) -> None:
    """Change columns of one row of faces.csv."""
    with (folder / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[line] |= change
    with (folder / "faces.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def edit_info(folder: Path, **change: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


class TestFolder:
    def test_reads_photos_and_unknown_columns(self, folder: Path) -> None:
        faces = loaded(folder)
        assert faces.neutral.shape == (6, 3, SIZE, SIZE)
        assert faces.expressive.shape == (18, 3, SIZE, SIZE)
        assert faces.neutral.dtype == torch.uint8
        assert torch.equal(faces.expressive[4].permute(1, 2, 0), torch.from_numpy(face(1, 2 / 3)))
        assert faces.expressive_rows[4]["lamp"] == "on"
        assert faces.companions[4] == [1]

    def test_splits_are_apart(self, folder: Path) -> None:
        assert {row["identity"] for row in loaded(folder, "val").neutral_rows} == {"id6", "id7"}

    def test_larger_photos_are_reduced_by_averaging(self, folder: Path) -> None:
        whole = load_faces(open_dataset(folder), "train", SIZE, progress=False).neutral.float()
        half = load_faces(open_dataset(folder), "train", SIZE // 2, progress=False).neutral
        means = torch.nn.functional.avg_pool2d(whole, 2)
        assert (half - means).abs().max() <= 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"split": "val"}, "id0 is in the splits val and train"),
            ({"domain": "happy"}, "line 2: domain is 'happy'"),
            ({"split": "rest"}, "line 2: split is 'rest'"),
            ({"identity": ""}, "line 2: file and identity"),
            ({"domain": "expressive"}, "1 training identities .such as id0. have photos in one domain only"),
        ],
    )
    def test_wrong_rows_are_refused(self, folder: Path, change: dict[str, str], message: str) -> None:
        edit_rows(folder, change)
        with pytest.raises(UserError, match=message):
            open_dataset(folder)

    def test_one_sided_identities_may_be_allowed(self, folder: Path) -> None:
        edit_rows(folder, {"domain": "expressive"})
        assert len(open_dataset(folder, allow_one_sided=True).rows) == 32

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"template": "other"}, "aligned to 'other'"),
            ({"format": 2}, "format 2"),
            ({"size": "big"}, "size must be a whole number"),
        ],
    )
    def test_wrong_descriptions_are_refused(self, folder: Path, change: dict[str, object], message: str) -> None:
        edit_info(folder, **change)
        with pytest.raises(UserError, match=message):
            open_dataset(folder)

    def test_missing_and_damaged_files_are_named(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no dataset folder"):
            open_dataset(tmp_path / "nowhere")
        photo = folder / "faces" / "2_1.png"
        photo.write_bytes(photo.read_bytes()[:60])
        with pytest.raises(UserError, match=r"2_1\.png is damaged"):
            loaded(folder)
        photo.unlink()
        with pytest.raises(UserError, match=r"2_1\.png does not exist"):
            loaded(folder)
        (folder / "faces.csv").write_text("file,identity\n2_1.png,2\n")
        with pytest.raises(UserError, match="no column expression, domain, split"):
            open_dataset(folder)
        (folder / "dataset.json").write_text("{")
        with pytest.raises(UserError, match=r"dataset\.json is damaged"):
            open_dataset(folder)

    def test_photos_of_another_size_are_refused(self, folder: Path) -> None:
        edit_info(folder, size=64)
        with pytest.raises(UserError, match=r"is 32 x 32, dataset\.json says 64 x 64"):
            loaded(folder)
        edit_info(folder, size=16)
        with pytest.raises(UserError, match="the network needs 32"):
            loaded(folder)


class TestOrder:
    def test_an_epoch_shows_every_photo_once(self) -> None:
        drawn = [i for step in range(5) for i in epoch_indices(20, 4, 0, step, "x").tolist()]
        assert sorted(drawn) == list(range(20))
        second = [i for step in range(5, 10) for i in epoch_indices(20, 4, 0, step, "x").tolist()]
        assert sorted(second) == list(range(20))
        assert drawn != second

    def test_a_remainder_is_left_out(self) -> None:
        drawn = [i for step in range(3) for i in epoch_indices(14, 4, 0, step, "x").tolist()]
        assert len(set(drawn)) == 12

    def test_small_sets_repeat(self) -> None:
        assert set(epoch_indices(3, 8, 0, 5, "x").tolist()) <= {0, 1, 2}

    def test_seed_and_step_decide(self) -> None:
        assert torch.equal(epoch_indices(50, 8, 1, 3, "x"), epoch_indices(50, 8, 1, 3, "x"))
        assert not torch.equal(epoch_indices(50, 8, 1, 3, "x"), epoch_indices(50, 8, 2, 3, "x"))

    @pytest.mark.parametrize(
        ("batch", "mix", "expected"),
        [(16, [0.75, 0.25], [12, 4]), (8, [1, 1, 1], [3, 3, 2]), (4, [100, 1], [3, 1]), (5, [2.0], [5])],
    )
    def test_shares(self, batch: int, mix: list[float], expected: list[int]) -> None:
        assert shares(batch, mix) == expected


class TestSampler:
    def test_range(self) -> None:
        assert as_images(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]

    def test_pairs_are_one_person(self, folder: Path) -> None:
        faces = loaded(folder)
        sampler = Sampler([faces], [1.0], 6, 0, paired=True)
        for number in range(6):
            batch = sampler.batch(number)
            # The top left corner shows the skin, which is the identity's own.
            assert torch.equal(batch.neutral[..., 0, 0], batch.expressive[..., 0, 0])
            assert not torch.equal(batch.neutral, batch.expressive)

    def test_unpaired_batches_are_not(self, folder: Path) -> None:
        batch = Sampler([loaded(folder)], [1.0], 6, 0, paired=False).batch(0)
        assert not torch.equal(batch.neutral[..., 0, 0], batch.expressive[..., 0, 0])

    def test_unpaired_photos_are_shuffled_by_themselves(self) -> None:
        """Neutral and expressive ones, and those of every dataset: nobody comes with the same other photo each time."""
        pixels = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(200, 3, 1, 1)
        faces = Faces(pixels, pixels, [], [], [[]] * 200)
        sampler = Sampler([faces, faces], [1, 1], 8, 0, paired=False)
        drawn = [torch.stack(list(sampler.batch(number)))[:, :, 0, 0, 0] for number in range(50)]
        neutral, expressive = (torch.stack([batch[k] for batch in drawn]).view(50, 2, 4) for k in range(2))
        for column in (neutral[:, 0], neutral[:, 1], expressive[:, 0], expressive[:, 1]):
            assert len(column.unique()) == 200
        # Two shuffles of 200 agree at one place on average.
        assert (neutral == expressive).sum() < 20
        assert (neutral[:, 0] == neutral[:, 1]).sum() < 10
        assert (expressive[:, 0] == expressive[:, 1]).sum() < 10

    def test_mixes_datasets(self, folder: Path, tmp_path: Path) -> None:
        one, two = loaded(folder), loaded(write_dataset(tmp_path / "other", identities=5))
        white = two._replace(neutral=torch.full_like(two.neutral, 255), expressive=torch.full_like(two.expressive, 255))
        for paired in (False, True):
            batch = Sampler([one, white], [3, 1], 8, 0, paired=paired).batch(3)
            assert Counter((batch.neutral == 1).all(dim=(1, 2, 3)).tolist()) == {False: 6, True: 2}
            assert Counter((batch.expressive == 1).all(dim=(1, 2, 3)).tolist()) == {False: 6, True: 2}

    @pytest.mark.parametrize(("mix", "batch"), [([1, 1], 4), ([-1], 4), ([1], 0)])
    def test_impossible_mixes_are_refused(self, folder: Path, mix: list[float], batch: int) -> None:
        with pytest.raises(UserError):
            Sampler([loaded(folder)], mix, batch, 0, paired=False)

    def test_pairs_for_looking_at_spread_over_the_set(self, folder: Path) -> None:
        assert list(pairs(loaded(folder), 6)) == [(0, 0), (1, 3), (2, 6), (3, 9), (4, 12), (5, 15)]


def plain(batch: Batch, generator: torch.Generator) -> Batch:
    noise = torch.rand(batch.neutral.shape, generator=generator)
    return Batch(batch.neutral + noise, batch.expressive)


class TestLoader:
    def test_gives_batches_in_order_from_any_number(self, folder: Path) -> None:
        sampler = Sampler([loaded(folder)], [1.0], 4, 7, paired=False)
        with Loader(sampler, plain, 7, first=5) as draw:
            for number in range(5, 12):
                expected = make_batch(sampler, plain, 7, number)
                assert all(torch.equal(a, b) for a, b in zip(draw(), expected, strict=True))

    def test_passes_on_what_went_wrong(self, folder: Path) -> None:
        def broken(batch: Batch, generator: torch.Generator) -> Batch:
            raise ZeroDivisionError("broken")

        sampler = Sampler([loaded(folder)], [1.0], 4, 7, paired=False)
        with Loader(sampler, broken, 7, first=0) as draw, pytest.raises(ZeroDivisionError, match="broken"):
            draw()
