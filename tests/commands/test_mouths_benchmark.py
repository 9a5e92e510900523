"""``benchmarks/mouths.py`` and ``benchmarks/portraits.py``: what they say of mouths in photos."""

import numpy as np
import pytest

pytest.importorskip("tqdm")


@pytest.fixture(scope="module")
def mouths(load_benchmark):
    return load_benchmark("mouths")


@pytest.fixture(scope="module")
def portraits(load_benchmark):
    return load_benchmark("portraits")


def face(mouth_width=100.0, opening=0.0):
    """(478, 2) landmarks of which only eyes, corners of the mouth and lips are placed, the lips as a rectangle."""
    points = np.zeros((478, 2))
    points[33], points[263] = (400, 300), (600, 300)
    points[61], points[291] = (500 - mouth_width / 2, 500), (500 + mouth_width / 2, 500)
    upper = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415]
    lower = [308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
    points[upper] = np.stack([np.linspace(460, 540, 10), np.full(10, 500 - opening / 2)], axis=1)
    points[lower] = np.stack([np.linspace(540, 460, 10), np.full(10, 500 + opening / 2)], axis=1)
    points[[185, 40, 39, 37, 0, 267, 269, 270, 409, 375, 321, 405, 314, 17, 84, 181, 91, 146]] = 500, 500
    return points


def made_up(features, people):
    features = np.array(features, float)
    return features, np.zeros(len(features)), [set(who) for who in people]


def test_opening_is_the_area_over_the_squared_width(portraits):
    assert portraits.opening(face(opening=0)) == 0
    assert portraits.opening(face(opening=10)) == pytest.approx(80 * 10 / 100**2)


def test_a_mouth_crop_shows_the_mouth_at_the_photos_scale(portraits):
    photo = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3)).astype(np.uint8)
    crop = portraits.mouth_crop(photo, face())
    assert crop.shape == (144, 144, 3)
    assert np.array_equal(crop, photo[428:572, 428:572])


def test_stripes_are_sharp_in_one_direction(portraits):
    striped = np.zeros((144, 144, 3), np.uint8)
    striped[::2] = 100
    assert portraits.sharpness(striped) == 50


def test_the_ten_people_kept_apart_are_paired_with_one_another(mouths, portraits):
    names = sorted([*portraits.APART, "004", "005"])
    pairs = mouths.pairs_of(names, everybody=False)
    assert len(set(pairs)) == 90
    assert {pair.target for pair in pairs} == {pair.reference for pair in pairs} == set(portraits.APART)
    everybody = mouths.pairs_of(names, everybody=True)
    assert [pair.target for pair in everybody] == names
    assert all(pair.target != pair.reference for pair in everybody)


def test_the_kernel_distance_leaves_out_pictures_that_share_a_person(mouths):
    some = mouths.Mouths(*made_up([[1.0], [2.0], [5.0]], ["a", "b", "a"]))
    real = mouths.Mouths(*made_up([[0.0], [1.0]], ["a", "c"]))

    def kernel(x, y):
        return (x * y + 1) ** 3

    own = (2 * kernel(1, 2) + 2 * kernel(2, 5)) / 4
    cross = (kernel(2, 0) + kernel(1, 1) + kernel(2, 1) + kernel(5, 1)) / 4
    assert mouths.distance(some, real) == pytest.approx(own + kernel(0, 1) - 2 * cross)


def test_everybodys_own_smiles_are_at_no_distance_from_themselves(mouths):
    smiles = mouths.Mouths(*made_up(np.random.default_rng(0).normal(size=(9, 4)), "abcdefghi"))
    assert mouths.distance(smiles, smiles) == pytest.approx(0, abs=1e-12)
