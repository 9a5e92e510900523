"""Expressions in films: a still face driven by a film, or the face in a film edited; smooth in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from twocet.edit import blend
from twocet.edit.editor import Editor
from twocet.edit.inside import MouthSource, mouth_source
from twocet.edit.light import Light
from twocet.edit.lips import CURVES, gap_of
from twocet.edit.mouth import Shapes
from twocet.edit.regions import Region, edited_share
from twocet.edit.shape import closed, within_lips
from twocet.edit.skin import lit
from twocet.edit.stages import Code, Expression, Plan, apply_plan, plan_mouth
from twocet.method import codes
from twocet.networks.edit import Edit, render
from twocet.photo import align, resample
from twocet.photo.faces import Face, choose_face
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_image
from twocet.runtime.arrays import Floats
from twocet.video.clips import Frame
from twocet.video.smooth import OneEuro, local_weights, neighbourhoods

_CODE_CUTOFF, _CODE_BETA = 1.5, 1.0
"""Hz at rest; Hz for a speed of one standard deviation of the codes a second."""
_CROP_CUTOFF, _CROP_BETA = 1.0, 20.0
"""Hz at rest; Hz for a speed of one crop side (or one radian, or a factor e in size) a second."""
_OUTLINE_CUTOFF, _OUTLINE_BETA = 1.0, 10.0
_LIGHT_SHARE = 0.1
"""Share of each frame in what is known of the light."""
_CUT = 0.5
"""In crop sides: a face that is this far from where it was belongs to another shot."""
_EDIT_REACH, _EDIT_REACH_MOST = 0.16, 0.5
"""Seconds around a frame that its edit is smoothed over; the frames of the second half are in memory meanwhile."""


class Tracked(NamedTuple):
    """The face in one frame."""

    photo_to_crop: Floats
    """Smoothed."""
    landmarks: Floats
    """(478, 2) in crop sides, smoothed: for the outline of the face."""
    code: Code
    """(d,) float32, smoothed."""
    own_code: Code
    """(d,) float32, of this frame alone."""
    image: torch.Tensor
    """(1, 3, S, S) crop."""
    shot: int
    """Counts up wherever the face jumps."""
    points: Floats
    """(478, 2) in crop sides, of this frame alone, lips at their borders."""
    mouth: MouthSource | None
    """Of this frame; None where mouths stay painted."""

    def expression(self) -> Expression:
        """What this face shows, smoothed, for another face."""
        gap = None if self.mouth is None else gap_of(self.landmarks[CURVES])
        return Expression(self.code, self.mouth, gap=gap)


class Tracker:
    """Follows one face through a film. ``smoothing``: 1 is usual, 0 none."""

    def __init__(self, editor: Editor, *, face: int | None, smoothing: float, argument: str = "face") -> None:
        """``face``: its number in the first frame that shows faces, 1 = largest (None: the largest).

        ``argument``: what chooses it, for messages.
        """
        self._editor, self._number, self._argument = editor, face, argument
        rest = math.inf if smoothing == 0 else 1 / smoothing
        self._place = OneEuro(_CROP_CUTOFF * rest, _CROP_BETA)
        self._outline = OneEuro(_OUTLINE_CUTOFF * rest, _OUTLINE_BETA)
        self._code = OneEuro(_CODE_CUTOFF * rest, _CODE_BETA)
        self._power = codes.power_of(editor.model.metadata)
        self._spread = code_spread(editor) ** self._power
        self._template = str(editor.model.metadata.get("template", align.TEMPLATE_NAME))
        self._face: Face | None = None
        self._last: Floats | None = None
        self._unit = 1.0
        self._shot = 0
        self._light: Light | None = None

    @torch.inference_mode()
    def follow(self, pixels: Pixels, seconds: float) -> Tracked | None:
        """The face in the next frame, or None when there is none. Raises UserError where it cannot be chosen."""
        self._face = self._seen(pixels)
        if self._face is None:
            return None
        landmarks = self._face.landmarks[:, :2].astype(np.float64)
        place = place_of(self._aligned(landmarks, pixels))
        if self._last is None or np.hypot(*(place[:2] - self._last[:2])) > _CUT * math.exp(self._last[2]):
            self._unit = math.exp(place[2])
            self._shot += 1
            for smoother in (self._place, self._outline, self._code):
                smoother.reset()
            self._light = None
        else:
            place[3] = self._last[3] + math.remainder(place[3] - self._last[3], 2 * math.pi)
        self._last = place
        # Positions in crop sides, so that the filter means the same in films of any size.
        scale = np.array((1 / self._unit, 1 / self._unit, 1.0, 1.0))
        photo_to_crop = crop_at(self._place(place * scale, seconds) / scale)
        mouth = self._mouth(pixels, landmarks)
        if mouth is not None:
            landmarks[CURVES] = mouth.lips + mouth.corner
        points = align.apply(photo_to_crop, landmarks)
        outline = self._outline(points, seconds)
        image = to_image(resample.crop(pixels, photo_to_crop, self._editor.model.size)).to(self._editor.model.device)
        code = self._editor.model.encode(image).float().cpu()
        # As long as the generator takes it: a short code is hardly seen, but the power would enlarge its noise.
        seen = codes.powered(code, self._power)[0].numpy()
        smooth = torch.from_numpy(self._code(seen / self._spread, seconds) * self._spread).float()
        smooth = codes.powered(smooth[None], 1 / self._power)[0]
        return Tracked(photo_to_crop, outline, smooth.numpy(), code[0].numpy(), image, self._shot, points, mouth)

    def _mouth(self, pixels: Pixels, landmarks: Floats) -> MouthSource | None:
        """The frame's mouth, in a light that does not flicker; landmarks read on what is painted would shake."""
        if self._editor.mouth == "painted" or self._editor.stages.mover is None:
            return None
        mouth = mouth_source(pixels, landmarks)
        self._light = mouth.light if self._light is None else self._light.nearer(mouth.light, _LIGHT_SHARE)
        return mouth._replace(light=self._light)

    def _aligned(self, landmarks: Floats, pixels: Pixels) -> Floats:
        """photo_to_crop by the template that the model was trained on."""
        return align.align_to(self._template, landmarks, (pixels.shape[1], pixels.shape[0]))

    def _seen(self, pixels: Pixels) -> Face | None:
        """The face where it was in the frame before; if it is not there, the nearest; at first, the one asked for."""
        if self._face is not None and (face := self._editor.follow_face(pixels, self._face)) is not None:
            return face
        faces = self._editor.find_faces(pixels)
        if not faces or self._last is None:
            return choose_face(faces, self._number, "The film", self._argument)[0] if faces else None
        last = self._last[:2]

        def distance(face: Face) -> float:
            place = place_of(self._aligned(face.landmarks[:, :2].astype(np.float64), pixels))
            return float(np.hypot(*(place[:2] - last)))

        return min(faces, key=distance)


def place_of(photo_to_crop: Floats) -> Floats:
    """A crop as four numbers: centre x, y (photo pixels), logarithm of the side, turn (radians)."""
    crop_to_photo = align.invert(photo_to_crop)
    along = crop_to_photo[:, 0]
    centre = align.apply(crop_to_photo, (0.5, 0.5))
    return np.array((*centre, math.log(math.hypot(*along)), math.atan2(along[1], along[0])))


def crop_at(place: Floats) -> Floats:
    """The photo_to_crop of four such numbers."""
    side = math.exp(place[2])
    cosine, sine = side * math.cos(place[3]), side * math.sin(place[3])
    linear = np.array([(cosine, -sine), (sine, cosine)])
    return align.invert(np.column_stack([linear, place[:2] - linear @ (0.5, 0.5)]))


def code_spread(editor: Editor) -> float:
    """Typical size of one number of the model's codes; 1 where the model does not say."""
    covariance = editor.model.metadata.get("code_covariance")
    if covariance is not None:
        return max(float(np.sqrt(np.mean(np.diagonal(covariance)))), 1e-6)
    deviations = editor.model.metadata.get("code_std")
    return max(float(np.mean(deviations)), 1e-6) if deviations is not None else 1.0


class _Change(NamedTuple):
    """One edit of one frame."""

    edit: Edit
    plan: Plan | None
    """What becomes of the mouth; None: it is painted."""


class _Made(NamedTuple):
    """An edit of one frame, ready to be applied."""

    change: blend.Change
    plan: Plan | None


class _Moment(NamedTuple):
    """A frame on its way to the output."""

    frame: Frame
    tracked: Tracked | None
    """Its image has the edits so far."""
    made: tuple[_Made, ...]
    """Smoothed; to be applied one after the other."""


CodeOf = Callable[[Tracked], Code]
"""The expression that a tracked face is given, at strength 1."""


def edit_film(
    editor: Editor,
    frames: Iterable[Frame],
    tracker: Tracker,
    code_of: CodeOf | None,
    strength: float,
    smoothing: float,
    regions: Collection[Region] = (),
) -> Iterator[tuple[Frame, bool]]:
    """The film with other expressions on its face (None: neutral), and whether each frame shows the face.

    Frames without the face come out as they are. The neutral face is made in every frame, even where the face is
    neutral already: a decision for each frame would flicker. What shakes in a film edited frame by frame is the flow:
    networks answer to noise that eyes do not see. So the edits are smoothed, and not what they are made from; each
    waits for the frames that follow it, so that no movement comes late. ``smoothing``: 1 is usual, 0 none.
    ``regions`` of the face stay as they are.
    """
    reach = min(_EDIT_REACH * smoothing, _EDIT_REACH_MOST)
    moments: Iterator[_Moment] = (_Moment(frame, tracker.follow(frame.pixels, frame.seconds), ()) for frame in frames)
    moments = _edited(editor, moments, lambda tracked: np.zeros_like(tracked.code), 1.0, reach)
    if code_of is not None:
        moments = _edited(editor, moments, code_of, strength, reach)
    for moment in moments:
        yield _applied(editor, moment, regions), moment.tracked is not None


def _edited(
    editor: Editor, moments: Iterable[_Moment], code_of: CodeOf, strength: float, reach: float
) -> Iterator[_Moment]:
    """The moments with one more edit each, smoothed over its shot."""
    made = ((moment, _change(editor, moment, code_of, strength)) for moment in moments)
    for (moment, change), near in neighbourhoods(made, lambda pair: pair[0].frame.seconds, reach):
        if moment.tracked is None or change is None:
            yield moment
            continue
        shot = [(m.frame.seconds, c) for m, c in near if m.tracked and c and m.tracked.shot == moment.tracked.shot]
        weights = local_weights([seconds - moment.frame.seconds for seconds, _ in shot], reach)
        steady = _steady(change, [other for _, other in shot], weights)
        tracked = moment.tracked._replace(image=render(moment.tracked.image, steady.edit))
        yield moment._replace(tracked=tracked, made=(*moment.made, _ready(steady, moment.tracked.image)))


def _ready(steady: _Change, image: torch.Tensor) -> _Made:
    """The change of a frame whose crop ``image`` (1, 3, S, S) is before it."""
    edit, plan = steady
    return _Made(blend.unlit(edit) if plan is None else lit(edit, image, plan.shapes.after), plan)


@torch.inference_mode()
def _change(editor: Editor, moment: _Moment, code_of: CodeOf, strength: float) -> _Change | None:
    tracked = moment.tracked
    if tracked is None:
        return None
    code = code_of(tracked)
    edit = editor.model.edit(tracked.image, torch.from_numpy(code)[None].to(tracked.image.device), strength)
    return _Change(edit, _plan(editor, tracked, code, strength))


def _plan(editor: Editor, tracked: Tracked, code: Code, strength: float) -> Plan | None:
    """The mouth of one frame: closed for the zero code, otherwise from closed lips to what the code says."""
    mover = editor.stages.mover
    if tracked.mouth is None or mover is None:
        return None
    rest = closed(tracked.points - mover.from_rest(tracked.image, tracked.own_code))
    if not code.any():
        return Plan(Shapes(within_lips(tracked.points), rest, rest), None)
    own = code is tracked.own_code
    moved = tracked.points if own else rest + mover.given(tracked.image, code)
    return plan_mouth(rest, moved, tracked.mouth, Expression(code, tracked.mouth if own else None), strength)


def _steady(change: _Change, near: list[_Change], weights: Floats) -> _Change:
    """The sum of the changes ``near`` times their weights, which sum to 1 but may be negative."""
    edit = _weighted([other.edit for other in near], weights)
    plans = [other.plan for other in near]
    if change.plan is None or None in plans:
        return change._replace(edit=edit)
    stacks = zip(*(plan.shapes for plan in plans if plan), strict=True)
    shapes = Shapes(*(np.tensordot(weights, np.stack(stack), axes=1) for stack in stacks))
    return _Change(edit, change.plan._replace(shapes=shapes))


def _weighted(edits: list[Edit], weights: Floats) -> Edit:
    factors = torch.from_numpy(weights).to(edits[0].flow)
    flow, mask, colour = (
        torch.einsum("k,knchw->nchw", factors, torch.stack(fields)) for fields in zip(*edits, strict=True)
    )
    return Edit(flow, mask.clamp(0, 1), colour.clamp(-1, 1))


def _applied(editor: Editor, moment: _Moment, regions: Collection[Region]) -> Frame:
    if moment.tracked is None:
        return moment.frame
    size = editor.model.size
    alpha = blend.face_mask(moment.tracked.landmarks, size) * edited_share(moment.tracked.landmarks, size, regions)
    pixels = moment.frame.pixels
    for change, plan in moment.made:
        if plan is None or "mouth" in regions:
            pixels = blend.apply_edit(pixels, moment.tracked.photo_to_crop, change, alpha)
        else:
            pixels = apply_plan(pixels, moment.tracked.photo_to_crop, change, alpha, plan, lids=True)
    if not moment.made:
        return moment.frame
    landmarks = align.apply(align.invert(moment.tracked.photo_to_crop), moment.tracked.landmarks)
    return moment.frame._replace(pixels=pixels, edited=(align.align(landmarks),))
