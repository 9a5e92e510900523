"""The paper's protocol: sets of made pictures against sets of photos, and the encoder's codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from twocet import metrics
from twocet.evaluation.maker import BLOCK, Maker, blocks
from twocet.evaluation.people import Ints, People, PictureSet, picture_sets, thinned
from twocet.evaluation.readers import Readers
from twocet.model.interface import Neutralizes, Samples
from twocet.photo.images import Pixels
from twocet.readers.features import ImageFeatures

_LEAST = 2
"""Pictures a set must have to be compared."""


class Seen(NamedTuple):
    """The features of a set, and whose each picture is."""

    features: ImageFeatures
    people: Ints

    def take(self, chosen: Ints) -> Seen:
        """Some of the pictures."""
        return Seen(ImageFeatures(*(rows[chosen] for rows in self.features)), self.people[chosen])


def measure_realism(maker: Maker, people: People, readers: Readers, *, most: int, seed: int) -> dict[str, Any]:
    """The sets' distances and scores; every name ends with the network that saw them.

    ``photos`` and ``sets``: how many pictures, the inception scores, and for the made sets the distances from the
    photos (a_n from the neutral, the others from the expressive ones). ``by_expression``: distances of b_e_r's pictures
    with references of one label from the photos with that label.
    """
    calm, shown = thinned(len(people.neutral), most), thinned(len(people.expressive), most)
    neutral = see(people.neutral[calm], people.neutral_people[calm], readers, "neutral photos")
    expressive = see(people.expressive[shown], people.expressive_people[shown], readers, "expressive photos")
    result: dict[str, Any] = {
        "backbone": readers.backbone,
        "photos": {"a_n": _scores(neutral, readers, seed), "b_e": _scores(expressive, readers, seed)},
        "sets": {},
    }
    for wanted in picture_sets(people, most, seed):
        if not _can_make(maker, wanted):
            continue
        made = _see_set(maker, people, wanted, readers, seed)
        reference = neutral if wanted.name == "a_n" else expressive
        result["sets"][wanted.name] = {**_distances(made, reference, readers), **_scores(made, readers, seed)}
        if wanted.name == "b_e_r":
            labels = np.array(people.labels)
            given = labels[wanted.references]
            result["by_expression"] = {
                label: _label_distances(made, given == label, expressive, labels[shown] == label, readers)
                for label in people.expressions
            }
    return result


def see(pictures: Pixels, people: Ints, readers: Readers, title: str) -> Seen:
    """The features of pictures (N, S, S, 3)."""
    return _join([readers.features(pictures[rows]) for rows in blocks(len(pictures), title=title)], people)


def make_set(maker: Maker, people: People, wanted: PictureSet, seed: int) -> Iterator[tuple[slice, Pixels]]:
    """The pictures of a set, in blocks."""
    generator = torch.Generator().manual_seed(seed)
    for rows in blocks(len(wanted.targets), BLOCK, title=wanted.name):
        targets, references = wanted.targets[rows], wanted.references[rows]
        if wanted.name == "a_n":
            yield rows, maker.neutralize(people.expressive[targets])
        elif wanted.name == "b_e_z":
            yield rows, maker.sample(people.neutral[targets], generator)
        else:
            labels = [people.labels[k] for k in references]
            yield rows, maker.transfer(people.neutral[targets], people.expressive[references], labels)


def _see_set(maker: Maker, people: People, wanted: PictureSet, readers: Readers, seed: int) -> Seen:
    owners = people.expressive_people if wanted.name == "a_n" else people.neutral_people
    parts = [readers.features(made) for _, made in make_set(maker, people, wanted, seed)]
    return _join(parts, owners[wanted.targets])


def _join(parts: list[ImageFeatures], people: Ints) -> Seen:
    return Seen(ImageFeatures(*(np.concatenate(rows) for rows in zip(*parts, strict=True))), people)


def _can_make(maker: Maker, wanted: PictureSet) -> bool:
    needed = {"a_n": Neutralizes, "b_e_z": Samples}.get(wanted.name)
    return needed is None or isinstance(maker.model, needed)


def distance_names(backbone: str) -> tuple[str, str]:
    """What the kernel and the Frechet distance are called. Only Inception's may be called FID."""
    return f"kid_{backbone}", f"{'fid' if backbone == 'inception' else 'fd'}_{backbone}"


def _distances(made: Seen, photos: Seen, readers: Readers) -> dict[str, Any]:
    """Empty for sets that are too small."""
    if min(len(made.people), len(photos.people)) < _LEAST:
        return {}
    kernel, frechet = distance_names(readers.backbone)
    features, reference = made.features.pooled.astype(np.float64), photos.features.pooled.astype(np.float64)
    return {
        kernel: metrics.kernel_distance_estimate(features, reference, made.people, photos.people),
        frechet: metrics.frechet_distance(features, reference),
    }


def _scores(seen: Seen, readers: Readers, seed: int) -> dict[str, Any]:
    probabilities = seen.features.probabilities.astype(np.float64)
    return {
        "pictures": len(probabilities),
        f"is_{readers.backbone}": metrics.inception_score(probabilities).mean,
        f"is_per_batch_{readers.backbone}": metrics.batch_inception_score(probabilities, seed=seed)._asdict(),
    }


def _label_distances(
    made: Seen, given: NDArray[np.bool_], photos: Seen, shown: NDArray[np.bool_], readers: Readers
) -> dict[str, Any]:
    counts = {"pictures": int(given.sum()), "photos": int(shown.sum())}
    return {**counts, **_distances(made.take(np.flatnonzero(given)), photos.take(np.flatnonzero(shown)), readers)}
