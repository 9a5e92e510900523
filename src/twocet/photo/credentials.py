"""Signed statements in a file about where it comes from: C2PA manifests (extra ``c2pa``), written and read.

Nothing is fetched: neither manifests that lie elsewhere, nor the state of certificates, nor a time stamp.
"""

from __future__ import annotations

import io
import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple

from twocet import __version__
from twocet.errors import UserError
from twocet.photo.certificates import INSTALL, Chain, algorithm_of, chain_folder, read_chain
from twocet.photo.mark import Mark

TYPES = {
    **dict.fromkeys((".jpg", ".jpeg"), "image/jpeg"),
    **dict.fromkeys((".tif", ".tiff"), "image/tiff"),
    ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".avif": "image/avif",
    ".mp4": "video/mp4", ".mov": "video/quicktime",
}  # fmt: skip
"""Suffixes of files that can hold a manifest, and their types. Matroska and BMP cannot."""
AI_SOURCE = "trainedalgorithmicmedia"
_SOURCE_ID = "source"
_SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    # A thumbnail of the source would show the face as it was.
    "builder": {"thumbnail": {"enabled": False}},
}


class Manifest(NamedTuple):
    """What the newest manifest of a file says."""

    generator: str
    """The program that made the claim."""
    signer: str | None
    """The organisation in the certificate."""
    valid: bool
    """Whether the signature fits and nothing was changed after it."""
    trusted: bool
    """Whether the certificate stands under one that the reader trusts."""
    failures: tuple[str, ...]
    """Codes of the C2PA specification: why it is not valid, or not trusted."""
    actions: tuple[str, ...]
    source_types: tuple[str, ...]
    """The digital source types of its actions."""
    model_sha256: str | None
    """Of a model of twocet."""
    earlier: int
    """How many older manifests it stands on."""

    @property
    def tells_of_ai(self) -> bool:
        """Whether it says that a trained model made or changed the picture."""
        return any(AI_SOURCE in kind.lower() for kind in self.source_types)


def is_installed() -> bool:
    """Whether the extra is there."""
    return find_spec("c2pa") is not None


def signing_chain() -> Chain | None:
    """What pictures are signed with; None without a chain or without the extra. Raises UserError."""
    return read_chain(chain_folder()) if is_installed() else None


def hint() -> str | None:
    """How pictures would be signed too, in one line; None if they are."""
    if not is_installed():
        return f"results are marked, not signed: {INSTALL}, then twocet marks init"
    return None if signing_chain() else "results are marked, not signed: twocet marks init makes a certificate for it"


def has_manifest(path: Path) -> bool:
    """Whether a file seems to hold a manifest; the extra is not needed for it."""
    content = path.read_bytes()
    return b"jumb" in content and b"c2pa" in content


class Original(NamedTuple):
    """What was edited, where it is no file."""

    content: bytes
    suffix: str


def signed(content: bytes, suffix: str, mark: Mark, source: Path | Original | None, chain: Chain) -> bytes:
    """A picture file's ``content`` with a manifest, see :func:`sign`."""
    result = io.BytesIO()
    sign(io.BytesIO(content), result, suffix, mark, source, chain)
    return result.getvalue()


def sign(
    content: BinaryIO, result: BinaryIO, suffix: str, mark: Mark, source: Path | Original | None, chain: Chain
) -> None:
    """Copies a file to ``result`` with a manifest that says what ``mark`` says, of what was made from ``source``.

    The source is the manifest's parent: a fingerprint of it and its own manifests are kept, no picture and no name.
    Raises UserError where signing fails.
    """
    c2pa = _module()
    there = isinstance(source, Original) or (source is not None and source.is_file())
    parent = TYPES.get(source.suffix.lower()) if there and source is not None else None
    try:
        info = c2pa.C2paSignerInfo(algorithm_of(chain).encode(), chain.certificates, chain.key, None)
        with c2pa.Builder.from_json(_statement(mark, opened=parent is not None), _context(None)) as builder:
            if parent is not None and source is not None:
                ingredient = {"title": "source", "relationship": "parentOf", "label": _SOURCE_ID}
                with io.BytesIO(source.content) if isinstance(source, Original) else source.open("rb") as file:
                    builder.add_ingredient(ingredient, parent, file)
            with c2pa.Signer.from_info(info) as signer:
                builder.sign(signer, TYPES[suffix.lower()], content, result)
    except c2pa.C2paError as error:
        raise UserError(f"The file cannot be signed ({error}): twocet marks init --replace, or --no-mark.") from None


def read_manifest(path: Path, anchors: bytes | None = None) -> Manifest | None:
    """The newest manifest of a file, None if it has none. ``anchors``: certificates to trust, as PEM.

    Raises UserError without the extra, or for a file whose manifest cannot be read at all.
    """
    c2pa, kind = _module(), TYPES.get(path.suffix.lower())
    if kind is None:
        return None
    try:
        with path.open("rb") as file, c2pa.Reader(kind, file, context=_context(anchors)) as reader:
            return _manifest(json.loads(reader.json()))
    except c2pa.C2paError as error:
        if "ManifestNotFound" in str(error):
            return None
        raise UserError(f"{path} holds a C2PA manifest that cannot be read ({error}).") from None


def _module() -> ModuleType:
    try:
        import c2pa
    except ImportError:
        raise UserError(f"C2PA manifests need one more package: {INSTALL}") from None
    module: ModuleType = c2pa
    return module


@lru_cache(maxsize=4)
def _context(anchors: bytes | None) -> Any:
    trust = {"trust": {"user_anchors": anchors.decode()}} if anchors else {}
    c2pa = _module()
    return c2pa.Context(c2pa.Settings.from_dict({**_SETTINGS, **trust}))


def _statement(mark: Mark, *, opened: bool) -> dict[str, Any]:
    agent = {"name": "twocet", "version": __version__}
    model = {"twocet.model": mark.model, "twocet.model_sha256": mark.model_sha256}
    made = {
        "action": "c2pa.edited" if opened else "c2pa.created",
        "digitalSourceType": mark.digital_source_type,
        "softwareAgent": agent,
        "parameters": {name: value for name, value in model.items() if value},
    }
    before = [{"action": "c2pa.opened", "parameters": {"ingredientIds": [_SOURCE_ID]}}] if opened else []
    return {
        "claim_generator_info": [agent],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [*before, made]}}],
    }


def _manifest(store: dict[str, Any]) -> Manifest:
    active = store["manifests"][store["active_manifest"]]
    assertions = [a["data"] for a in active.get("assertions", []) if a["label"].startswith("c2pa.actions")]
    actions = [action for data in assertions for action in data.get("actions", [])]
    state = store.get("validation_state", "Invalid")
    by = (active.get("claim_generator_info") or [{"name": active.get("claim_generator", "unknown")}])[0]
    return Manifest(
        generator=" ".join(str(by[key]) for key in ("name", "version") if by.get(key)),
        signer=(active.get("signature_info") or {}).get("issuer"),
        valid=state in ("Valid", "Trusted"),
        trusted=state == "Trusted",
        failures=tuple(dict.fromkeys(status["code"] for status in store.get("validation_status", []))),
        actions=tuple(action["action"] for action in actions),
        source_types=tuple(action["digitalSourceType"] for action in actions if action.get("digitalSourceType")),
        model_sha256=next(
            (sha for action in actions if (sha := (action.get("parameters") or {}).get("twocet.model_sha256"))), None
        ),
        earlier=len(store["manifests"]) - 1,
    )
