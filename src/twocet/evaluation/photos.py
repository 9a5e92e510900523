"""Photos against what the model makes of them and their own expression: no other person is needed."""

from __future__ import annotations

import numpy as np

from twocet import metrics
from twocet.evaluation.maker import Maker, blocks
from twocet.evaluation.people import People, thinned
from twocet.metrics import Estimate


def cycle_error(maker: Maker, people: People, *, most: int) -> Estimate:
    """|x - G(G(x, 0), E(x))| of the expressive photos (Eq. 7), mean over whole crops in [0, 1]."""
    chosen = thinned(len(people.expressive), most)
    errors = []
    for rows in blocks(len(chosen), title="cycles"):
        photos = people.expressive[chosen[rows]]
        restored = maker.restore(photos, [people.labels[k] for k in chosen[rows]])
        errors.append(metrics.pixel_error(restored, photos))
    return metrics.bootstrap_mean(np.concatenate(errors), people.expressive_people[chosen])


def own_reference_gain(maker: Maker, people: People, *, most: int) -> Estimate | None:
    """Gain where the reference is the truth itself: the person's own photo. None where nobody has both photos.

    An encoder that let pixels through would be rewarded: this is no measure of transfer, but it needs no rendered
    truth, and it is what training watches.
    """
    neutral = people.first_neutral
    owners = people.expressive_people
    usable = np.flatnonzero(np.isin(owners, list(neutral)))
    chosen = usable[thinned(len(usable), most)]
    if len(chosen) == 0:
        return None
    errors = []
    for rows in blocks(len(chosen), title="own references"):
        photos = people.expressive[chosen[rows]]
        targets = people.neutral[[neutral[int(person)] for person in owners[chosen[rows]]]]
        made = maker.transfer(targets, photos, [people.labels[k] for k in chosen[rows]])
        truth = metrics.face_box(photos)
        errors.append([metrics.pixel_error(metrics.face_box(pictures), truth) for pictures in (made, targets)])
    output, copy = np.concatenate(errors, axis=1)
    return metrics.gain_estimate(output, copy, owners[chosen])
