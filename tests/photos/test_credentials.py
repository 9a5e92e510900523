"""C2PA manifests with a chain of one's own: written, read, and every change noticed. Nothing here needs a network."""

from __future__ import annotations

import stat

import numpy as np
import pytest
from PIL import Image

from twocet.errors import UserError
from twocet.photo import certificates, credentials
from twocet.photo.encode import write_photo
from twocet.photo.images import read_photo
from twocet.photo.mark import COMPOSITE, Mark
from twocet.photo.marks import edit_mark, parse_mark, write_marked
from twocet.photo.photo import Photo

pytest.importorskip("c2pa")

SHA256 = "ab" * 32
FORMATS = ["jpg", "png", "webp", "tif"]
PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def chain():
    return certificates.make_chain("Test Lab", "signer")


@pytest.fixture
def signing(monkeypatch, tmp_path, chain):
    """A home in which the chain is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    certificates.write_chain(certificates.chain_folder(), chain)
    return chain


@pytest.fixture
def source(tmp_path):
    return write_photo(tmp_path / "A Private Name.jpg", Photo(pixels=PIXELS))


def signed(tmp_path, source, suffix="jpg"):
    photo = read_photo(source)
    mark = edit_mark(photo, model="default", model_sha256=SHA256, strength=0.8)
    return write_marked(tmp_path / f"result.{suffix}", photo, mark)


@pytest.mark.parametrize("suffix", FORMATS)
def test_our_files_read_as_valid_and_untrusted_and_trusted_by_who_has_the_root(signing, tmp_path, source, suffix):
    path = signed(tmp_path, source, suffix)
    manifest = credentials.read_manifest(path)
    assert (manifest.valid, manifest.trusted) == (True, False)
    assert manifest.failures == ("signingCredential.untrusted",)
    assert manifest.signer == "Test Lab"
    assert manifest.generator.startswith("twocet ")
    assert manifest.actions == ("c2pa.opened", "c2pa.edited")
    assert manifest.source_types == (COMPOSITE,)
    assert manifest.model_sha256 == SHA256
    assert manifest.tells_of_ai
    trusting = credentials.read_manifest(path, signing.root)
    assert (trusting.valid, trusting.trusted, trusting.failures) == (True, True, ())
    assert parse_mark(read_photo(path).xmp).model == "default"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_changed_byte_is_found(signing, tmp_path, source, suffix):
    path = signed(tmp_path, source, suffix)
    before = credentials.read_manifest(path)
    content = bytearray(path.read_bytes())
    # The pixels of a TIFF file are in its middle here, of the others at the end.
    place = len(content) // 3 if suffix == "tif" else len(content) - 40
    content[place] ^= 1
    path.write_bytes(content)
    try:
        after = credentials.read_manifest(path)
    except UserError:
        return
    assert before.valid
    assert not after.valid
    assert set(after.failures) & {"assertion.dataHash.mismatch", "claimSignature.mismatch"}


def test_what_was_signed_before_stays_as_ingredient(signing, tmp_path, source):
    first = signed(tmp_path, source)
    second = signed(tmp_path, first, "png")
    third = signed(tmp_path, second, "webp")
    assert [credentials.read_manifest(path).earlier for path in (first, second, third)] == [0, 1, 2]
    assert credentials.read_manifest(third).valid


def test_a_manifest_tells_neither_the_sources_name_nor_its_picture(signing, tmp_path, source):
    content = signed(tmp_path, source).read_bytes()
    assert b"Private Name" not in content
    assert b"thumbnail" not in content
    assert content.count(b"\xff\xd8\xff") == 1


def test_a_picture_without_a_source_file_is_created(signing, tmp_path):
    mark = Mark(digital_source_type=COMPOSITE, software="twocet 1", model="default", model_sha256=SHA256)
    path = write_marked(tmp_path / "sheet.png", Photo(pixels=PIXELS), mark)
    manifest = credentials.read_manifest(path)
    assert manifest.actions == ("c2pa.created",)
    assert manifest.valid


def test_a_source_in_a_format_without_manifests_does_no_harm(signing, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.bmp")
    assert credentials.read_manifest(signed(tmp_path, tmp_path / "a.bmp")).valid


def test_without_a_chain_or_without_a_mark_nothing_is_signed(monkeypatch, tmp_path, source, chain):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert credentials.read_manifest(signed(tmp_path, source)) is None
    certificates.write_chain(certificates.chain_folder(), chain)
    path = write_marked(tmp_path / "b.jpg", read_photo(source), None)
    assert credentials.read_manifest(path) is None


def test_that_a_manifest_is_left_behind_is_said_where_none_can_be_made(signing, tmp_path, source, monkeypatch):
    path = signed(tmp_path, source)
    assert read_photo(path).notes == ()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "empty"))
    (note,) = read_photo(path).notes
    assert "content credentials" in note
    assert "twocet marks init" in note


def test_the_private_key_is_its_owners_alone_and_never_replaced_in_silence(tmp_path, chain):
    folder = certificates.write_chain(tmp_path / "marks", chain)
    assert stat.S_IMODE((folder / certificates.KEY).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert certificates.read_chain(folder) == chain
    other = certificates.make_chain("Another", "signer")
    with pytest.raises(UserError, match="--replace"):
        certificates.write_chain(folder, other)
    assert certificates.read_chain(folder) == chain
    certificates.write_chain(folder, other, replace=True)
    assert certificates.read_chain(folder) == other
    assert stat.S_IMODE((folder / certificates.KEY).stat().st_mode) == 0o600


def test_a_chain_of_the_users_is_taken_if_it_fits(tmp_path, chain):
    (tmp_path / "chain.pem").write_bytes(chain.certificates)
    (tmp_path / "key.pem").write_bytes(chain.key)
    assert certificates.import_chain(tmp_path / "chain.pem", tmp_path / "key.pem") == chain
    (tmp_path / "other.pem").write_bytes(certificates.make_chain("Other", "signer").key)
    with pytest.raises(UserError, match="not the key of the first certificate"):
        certificates.import_chain(tmp_path / "chain.pem", tmp_path / "other.pem")
    with pytest.raises(UserError, match="PEM"):
        certificates.import_chain(tmp_path / "key.pem", tmp_path / "key.pem")
    with pytest.raises(UserError, match="cannot be read"):
        certificates.import_chain(tmp_path / "none.pem", tmp_path / "key.pem")
    with pytest.raises(UserError, match="names an organisation"):
        certificates.make_chain(" ", "signer")


def test_the_subject_names_the_organisation(chain):
    facts = certificates.describe(chain)
    assert facts["subject"] == "CN=signer,O=Test Lab"
    assert facts["issuer"] == "CN=signer (root),O=Test Lab"
    assert certificates.algorithm_of(chain) == "es256"


def test_a_key_that_does_not_fit_is_one_line(signing, tmp_path, source):
    folder = certificates.chain_folder()
    (folder / certificates.KEY).write_bytes(b"no key")
    with pytest.raises(UserError, match="twocet marks init --replace"):
        signed(tmp_path, source)


def test_without_the_extra_files_are_marked_and_not_signed(monkeypatch, signing, tmp_path, source):
    monkeypatch.setattr(credentials, "is_installed", lambda: False)
    path = signed(tmp_path, source)
    assert parse_mark(read_photo(path).xmp) is not None
    monkeypatch.undo()
    assert credentials.read_manifest(path) is None


def claimed(tmp_path, name, source, actions, parent=None):
    """A file that another program signed."""
    import c2pa

    chain = certificates.make_chain(f"{name} makers", "signer")
    info = c2pa.C2paSignerInfo(b"es256", chain.certificates, chain.key, None)
    statement = {
        "claim_generator_info": [{"name": name, "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    path = tmp_path / f"{name}.jpg"
    with c2pa.Builder.from_json(statement) as builder, c2pa.Signer.from_info(info) as signer:
        if parent is not None:
            with parent.open("rb") as file:
                builder.add_ingredient({"relationship": "parentOf", "label": "before"}, "image/jpeg", file)
        with source.open("rb") as content, path.open("wb+") as result:
            builder.sign(signer, "image/jpeg", content, result)
    return path


def test_cameras_editors_and_peers_are_read_and_kept(signing, tmp_path, source):
    capture = COMPOSITE.replace("compositeWithTrainedAlgorithmicMedia", "digitalCapture")
    synthetic = COMPOSITE.replace("compositeWith", "").replace("Trained", "trained")
    camera = claimed(tmp_path, "Camera", source, [{"action": "c2pa.created", "digitalSourceType": capture}])
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["before"]}}
    editor = claimed(tmp_path, "Editor", source, [opened, {"action": "c2pa.color_adjustments"}], camera)
    peer = claimed(tmp_path, "Peer", source, [{"action": "c2pa.created", "digitalSourceType": synthetic}])
    said = [credentials.read_manifest(path) for path in (camera, editor, peer)]
    assert [one.generator for one in said] == ["Camera 1", "Editor 1", "Peer 1"]
    assert [one.signer for one in said] == ["Camera makers", "Editor makers", "Peer makers"]
    assert [one.tells_of_ai for one in said] == [False, False, True]
    assert [one.earlier for one in said] == [0, 1, 0]
    assert all(one.valid and not one.trusted for one in said)
    ours = credentials.read_manifest(signed(tmp_path, editor))
    assert (ours.valid, ours.tells_of_ai, ours.earlier) == (True, True, 2)


@pytest.mark.parametrize(("suffix", "holds"), [("mp4", True), ("mov", True), ("mkv", False)])
def test_films_are_signed_as_far_as_their_formats_go(signing, tmp_path, source, suffix, holds):
    pytest.importorskip("av")
    from fractions import Fraction

    from twocet.video.clips import ClipWriter

    mark = edit_mark(read_photo(source), model="default", model_sha256=SHA256, strength=1.0)
    path = tmp_path / f"film.{suffix}"
    with ClipWriter(path, Fraction(10), mark, source=source) as film:
        for number in range(5):
            film.write(PIXELS, number / 10)
    manifest = credentials.read_manifest(path)
    assert (manifest is not None) == holds
    assert not holds or (manifest.valid and manifest.actions == ("c2pa.opened", "c2pa.edited"))
    assert [file.name for file in tmp_path.glob(".twocet-*")] == []
    if holds:
        content = bytearray(path.read_bytes())
        content[content.index(b"mdat") + 40] ^= 1
        path.write_bytes(content)
        assert not credentials.read_manifest(path).valid
