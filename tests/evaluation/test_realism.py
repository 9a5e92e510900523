"""The paper's protocol on made-up faces: which pictures are in which set, and what is said about them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from made_up import NAMES, PEOPLE, SIDE, Painter, Plain, StubReaders, face, grid, write_dataset

from twocet import metrics
from twocet.evaluation import to_json
from twocet.evaluation.codes import measure_codes
from twocet.evaluation.maker import Maker
from twocet.evaluation.people import picture_sets, read_people
from twocet.evaluation.photos import cycle_error, own_reference_gain
from twocet.evaluation.realism import distance_names, make_set, measure_realism, see
from twocet.model.interface import expression_model


def maker(share=1.0):
    return Maker(expression_model(Painter(share)))


def test_sets_have_the_papers_numbers(tmp_path):
    """8 people with 25 expressions: 200, 200 and 600 pictures."""
    rows, pictures = grid(8, tuple(f"class{k:02d}" for k in range(25)))
    people = read_people(write_dataset(tmp_path / "data", rows, pictures), "test", SIDE)
    neutralised, sampled, transferred = picture_sets(people, 10_000, 0)
    assert [len(wanted.targets) for wanted in (neutralised, sampled, transferred)] == [200, 200, 600]
    assert neutralised.targets.tolist() == list(range(200)), "every expressive photo once"
    assert np.bincount(sampled.targets).tolist() == [25] * 8
    labels = np.array(people.labels)[transferred.references]
    for target in range(8):
        shown, counts = np.unique(labels[transferred.targets == target], return_counts=True)
        assert len(shown) == 25
        assert set(counts) == {3}
    assert [len(wanted.targets) for wanted in picture_sets(people, 100, 0)] == [100, 100, 100]


def test_references_of_the_sets_are_drawn_without_repetition_and_from_the_seed(folder):
    people = read_people(folder, "test", SIDE)
    first, again, other = (picture_sets(people, 10_000, seed)[2] for seed in (0, 0, 1))
    assert first.references.tolist() == again.references.tolist()
    assert first.references.tolist() != other.references.tolist()
    triples = first.references.reshape(-1, 3)
    assert all(len(set(triple)) == 3 for triple in triples.tolist())


def test_sets_show_what_they_should(folder):
    people = read_people(folder, "test", SIDE)
    neutralised, sampled, transferred = picture_sets(people, 10_000, 0)
    made = {wanted.name: np.concatenate([block for _, block in make_set(maker(), people, wanted, 0)])
            for wanted in (neutralised, sampled, transferred)}  # fmt: skip
    assert np.array_equal(made["a_n"], people.expressive), "the Painter leaves a face with the zero code as it is"
    assert np.array_equal(made["b_e_z"][:, 0], people.neutral[sampled.targets][:, 0])
    assert made["b_e_z"][:, -1, 10, 0].std() > made["b_e_z"][:, -1, 0, 0].std()
    for pixels, target, reference in zip(made["b_e_r"], transferred.targets, transferred.references, strict=True):
        assert np.array_equal(pixels, face(target, NAMES.index(people.labels[reference]) + 1))


def test_distances_are_those_of_the_pictures_and_carry_the_networks_name(folder):
    people, readers = read_people(folder, "test", SIDE), StubReaders()
    result = measure_realism(maker(0.5), people, readers, most=10_000, seed=0)
    photos = see(people.expressive, people.expressive_people, readers, "photos").features.pooled.astype(np.float64)
    wanted = picture_sets(people, 10_000, 0)[2]
    pictures = np.concatenate([block for _, block in make_set(maker(0.5), people, wanted, 0)])
    made = readers.features(pictures).pooled.astype(np.float64)
    found = result["sets"]["b_e_r"]
    assert found["pictures"] == len(made) == PEOPLE * 3 * 3
    assert found["fd_stub"] == pytest.approx(metrics.frechet_distance(made, photos))
    assert found["kid_stub"].value == pytest.approx(metrics.kernel_distance(made, photos))
    assert found["kid_stub"].low < found["kid_stub"].value < found["kid_stub"].high
    sad = np.array(people.labels) == "sad"
    given = np.array(people.labels)[wanted.references] == "sad"
    assert result["by_expression"]["sad"]["fd_stub"] == pytest.approx(
        metrics.frechet_distance(made[given], photos[sad])
    )
    assert (result["by_expression"]["sad"]["photos"], result["by_expression"]["sad"]["pictures"]) == (9, 27)


def test_large_sets_are_thinned_with_their_labels(folder):
    people = read_people(folder, "test", SIDE)
    found = measure_realism(maker(), people, StubReaders(), most=12, seed=0)
    assert [values["pictures"] for values in found["photos"].values()] == [9, 12]
    assert [values["pictures"] for values in found["sets"].values()] == [12, 12, 12]
    assert sum(values["photos"] for values in found["by_expression"].values()) == 12
    assert sum(values["pictures"] for values in found["by_expression"].values()) == 12


def test_a_model_that_makes_the_photos_again_is_at_no_distance_from_them(folder):
    people = read_people(folder, "test", SIDE)
    perfect = measure_realism(maker(1.0), people, StubReaders(), most=10_000, seed=0)
    nothing = measure_realism(maker(0.0), people, StubReaders(), most=10_000, seed=0)
    assert perfect["sets"]["b_e_r"]["fd_stub"] == pytest.approx(0, abs=1e-4)
    assert nothing["sets"]["b_e_r"]["fd_stub"] > 0.005
    assert perfect["sets"]["b_e_r"]["is_stub"] == pytest.approx(perfect["photos"]["b_e"]["is_stub"], rel=0.05)
    assert nothing["sets"]["b_e_r"]["is_stub"] == pytest.approx(1)


def test_only_inceptions_frechet_distance_is_called_fid():
    assert distance_names("mobilenetv2") == ("kid_mobilenetv2", "fd_mobilenetv2")
    assert distance_names("inception") == ("kid_inception", "fid_inception")


def test_codes_are_measured_by_label(folder):
    """The Painter's codes are 1, 2 and 3 for the three labels, in everybody."""
    people = read_people(folder, "test", SIDE)
    found = measure_codes(maker(), people, most=1000)
    assert found["images"] == PEOPLE * 3
    assert found["silhouette"] == pytest.approx((1, 1, 1))
    assert found["all"]["mean"] == pytest.approx(2)
    assert found["by_expression"]["sad"]["std_between"] == pytest.approx(0, abs=1e-6)
    distances = found["mean_code_distances"]
    assert distances["expressions"] == ["happy", "sad", "units0"]
    assert np.array(distances["matrix"]) == pytest.approx(np.array([[0, 1, 2], [1, 0, 1], [2, 1, 0]]), abs=1e-5)
    assert distances["farthest"][0] == {"expressions": ["happy", "units0"], "distance": pytest.approx(2, abs=1e-5)}


def test_cycle_error_is_the_distance_of_what_comes_back(folder):
    """The Painter's neutral face keeps its expression, so that the cycle adds it a second time: 40, 80 or 120 levels.

    They are added to a quarter of the picture.
    """
    people = read_people(folder, "test", SIDE)
    shown = people.expressive.astype(int)
    added = [np.clip(255 - photo[-1, 10, 0], 0, photo[-1, 10, 0] - photo[-1, 0, 0]) for photo in shown]
    expected = np.mean(added) / 4 / 255
    assert cycle_error(maker(1.0), people, most=1000).value == pytest.approx(expected, abs=1e-6)
    assert cycle_error(maker(0.0), people, most=1000) == (0, 0, 0)


def test_own_reference_gain_needs_both_photos_of_a_person(tmp_path):
    rows, pictures = grid(4)
    kept = [k for k, row in enumerate(rows) if (row["identity"] in ("p0", "p1")) == (row["domain"] == "neutral")]
    data = write_dataset(tmp_path / "data", [rows[k] for k in kept], [pictures[k] for k in kept], shared=False)
    people = read_people(data, "test", SIDE)
    assert own_reference_gain(maker(), people, most=10) is None


def test_photos_of_people_have_no_gain_but_everything_else(photos, evaluate):
    summary = evaluate(Painter(1.0), photos).summary
    assert not summary["ground_truth"]
    assert not {"gain", "gain_by_expression", "gain_by_strength"} & set(summary)
    assert list(summary["agreement"]) == ["all"]
    assert summary["agreement"]["all"].value == pytest.approx(1)
    assert summary["own_reference_gain"] == (1, 1, 1)
    assert {"realism", "codes", "cycle_error", "strength_response", "diversity"} <= set(summary)


def test_a_model_that_only_transfers_is_measured_as_far_as_it_goes(folder, evaluate):
    summary = evaluate(Plain(), folder).summary
    assert list(summary["realism"]["sets"]) == ["b_e_r"]
    assert not {"codes", "cycle_error", "diversity"} & set(summary)
    assert summary["strength_linearity"].value > 0.9
    assert json.loads(to_json(summary))["gain"]["all"]["value"] == pytest.approx(summary["gain"]["all"].value, abs=1e-6)


@pytest.mark.parametrize("number", [0, 2])
def test_batches_do_not_change_what_is_made(folder, monkeypatch, number):
    people = read_people(folder, "test", SIDE)
    wanted = picture_sets(people, 10_000, 0)[number]

    def made():
        return np.concatenate([block for _, block in make_set(maker(), people, wanted, 3)])

    whole = made()
    monkeypatch.setattr("twocet.evaluation.maker.BATCH", 5)
    assert np.array_equal(made(), whole)


def test_the_wrapped_model_is_what_it_was():
    painter = Painter(1.0)
    wrapped = expression_model(painter)
    image = torch.zeros(2, 3, SIDE, SIDE)
    reference = torch.from_numpy(np.stack([face(1, 1), face(1, 3)])).permute(0, 3, 1, 2) / 127.5 - 1
    assert torch.equal(
        wrapped.transfer(image, reference, 0.5), painter.generate(image, 0.5 * painter.encode(reference))
    )
    assert torch.equal(wrapped.neutralize(image), image)
    assert torch.equal(wrapped.encode(reference), painter.encode(reference))
    assert expression_model(wrapped) is wrapped
