"""What is said of several marks together."""

from __future__ import annotations

import pytest

from twocet.photo.credentials import Manifest
from twocet.photo.mark import COMPOSITE, SYNTHETIC, Mark
from twocet.photo.verdict import Verdict
from twocet.photo.watermark.code import message_of
from twocet.photo.watermark.find import Found

SHA256 = "c0ffee" + "0" * 58
CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
XMP = Mark(digital_source_type=COMPOSITE, software="twocet 1.0", model="default", model_sha256=SHA256)
MARK = Found(message_of(SHA256), 5.0)
MANIFEST = Manifest("twocet 1.0", "Lab", True, False, ("signingCredential.untrusted",), ("c2pa.edited",), (COMPOSITE,),
                    SHA256, 0)  # fmt: skip
CAMERA = Manifest("Camera 1", "Maker", True, True, (), ("c2pa.created",), (CAPTURE,), None, 0)


def verdict(metadata=XMP, source_type=COMPOSITE, manifest=MANIFEST, watermarks=(MARK,), faces=1):
    return Verdict(file="a.jpg", metadata=metadata, source_type=source_type, manifest=manifest,
                   watermarks=watermarks, faces=faces)  # fmt: skip


def test_all_layers_together_contradict_nothing():
    whole = verdict()
    assert whole.tells_of_ai
    assert whole.contradictions == whole.notes == ()
    facts = whole.to_json()
    assert facts["watermarks"] == [{"model": "c0ffee", "score": 5.0}]
    assert facts["c2pa"]["signer"] == "Lab"
    assert facts["metadata"]["model"] == "default"


def test_each_layer_alone_tells_of_a_model():
    nothing = {"metadata": None, "source_type": None, "manifest": None, "watermarks": ()}
    assert not verdict(**nothing).tells_of_ai
    assert verdict(**{**nothing, "watermarks": (MARK,)}).tells_of_ai
    assert verdict(**{**nothing, "manifest": MANIFEST}).tells_of_ai
    peer = Mark(digital_source_type=SYNTHETIC)
    assert verdict(**{**nothing, "metadata": peer, "source_type": SYNTHETIC}).tells_of_ai
    assert not verdict(**{**nothing, "manifest": CAMERA, "source_type": CAPTURE}).tells_of_ai


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"manifest": MANIFEST._replace(valid=False, failures=("assertion.dataHash.mismatch",))}, "dataHash"),
        ({"manifest": CAMERA}, "does not speak of a trained model"),
        ({"metadata": None, "source_type": CAPTURE, "manifest": None}, "calls it digitalCapture"),
        ({"watermarks": (Found(message_of("123456" + "0" * 58), 5.0),)}, "different models: 123456, c0ffee"),
    ],
)
def test_what_cannot_all_be_true_is_named(parts, said):
    (sentence,) = verdict(**parts).contradictions
    assert said in sentence


def test_what_was_removed_is_noted():
    (note,) = verdict(metadata=None, source_type=None, manifest=None).notes
    assert "metadata is not" in note
    (note,) = verdict(watermarks=(), faces=2).notes
    assert "none of 2 faces" in note
    assert verdict(watermarks=(), faces=2).contradictions == ()


def test_an_invalid_manifest_tells_nothing():
    invalid = verdict(None, None, MANIFEST._replace(valid=False, failures=("claimSignature.mismatch",)), ())
    assert not invalid.tells_of_ai
    assert invalid.contradictions
