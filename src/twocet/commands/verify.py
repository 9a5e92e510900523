"""``twocet verify``: the marks in pictures and films."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from twocet.errors import UserError

if TYPE_CHECKING:
    from twocet.photo.verdict import Verdict

EXIT_UNMARKED, EXIT_CONTRADICTION = 3, 4


def verify(
    files: tyro.conf.Positional[tuple[Path, ...]],
    /,
    trust: Path | None = None,
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Read the marks that say whether a trained model made or changed pictures and films.

    Three layers are read: metadata (XMP, which anybody can write), a signed C2PA manifest (from any program; needs pip
    install 'twocet[c2pa]') and twocet's watermark in faces. No mark does not mean that no model was used. Works
    off-line.

    exit code: 0 every file carries a mark and nothing contradicts it, 2 the input was wrong, 3 a file carries none, 4
    marks contradict each other or a manifest does not hold

    examples:
      twocet verify out.jpg
      twocet verify out.jpg --trust ~/.config/twocet/marks/root.pem
      twocet verify folder/*.jpg --json

    Args:
        files: Pictures or films.
        trust: File of certificates (PEM) to trust.
        as_json: Print a report as JSON.
    """
    from twocet.photo.faces import FaceFinder
    from twocet.video.verify import verify as read

    if not files:
        raise UserError("A file is missing: twocet verify IMAGE ...")
    finder = FaceFinder()
    verdicts = [read(file, trust=trust, finder=finder) for file in files]
    if as_json:
        print(json.dumps([verdict.to_json() for verdict in verdicts], indent=2))
    else:
        for verdict in verdicts:
            print("\n".join(_lines(verdict)))
    sys.stdout.flush()
    if any(verdict.contradictions for verdict in verdicts):
        sys.exit(EXIT_CONTRADICTION)
    if not all(verdict.tells_of_ai for verdict in verdicts):
        sys.exit(EXIT_UNMARKED)


def _lines(verdict: Verdict) -> list[str]:
    told = "a trained model made or changed it" if verdict.tells_of_ai else "nothing says that a model changed it"
    return [
        f"{verdict.file}: {told}",
        f"  metadata   {_metadata(verdict)}",
        f"  C2PA       {_manifest(verdict)}",
        f"  watermark  {_watermark(verdict)}",
        *(f"  note: {note}" for note in verdict.notes),
        *(f"  contradiction: {sentence}" for sentence in verdict.contradictions),
    ]


def _metadata(verdict: Verdict) -> str:
    mark = verdict.metadata
    if mark is None:
        kind = verdict.source_type
        return "no mark" if kind is None else f"no mark ({kind.rpartition('/')[2]})"
    facts = [mark.digital_source_type.rpartition("/")[2], f"by {mark.software or 'an unnamed program'}"]
    facts += [f"model {mark.model}"] if mark.model else []
    facts += [f"strength {mark.strength:g}"] if mark.strength is not None else []
    return f"found: {', '.join(facts)} (not signed)"


def _manifest(verdict: Verdict) -> str:
    manifest = verdict.manifest
    if manifest is None:
        return "no manifest"
    state = "valid" if manifest.valid else "INVALID"
    trust = "trusted" if manifest.trusted else "signer not trusted"
    kinds = [kind.rpartition("/")[2] for kind in dict.fromkeys(manifest.source_types)]
    facts = [f"{state}, {trust}", f"signed by {manifest.signer or 'nobody'}", f"made by {manifest.generator}", *kinds]
    facts += [f"{manifest.earlier} earlier"] if manifest.earlier else []
    return "; ".join(facts)


def _watermark(verdict: Verdict) -> str:
    from twocet.photo.watermark.code import model_in

    if not verdict.watermarks:
        return f"none in {verdict.faces} faces" if verdict.faces != 1 else "none in the face"
    models = sorted({model_in(mark.message) or "without a hash" for mark in verdict.watermarks})
    return f"found in {len(verdict.watermarks)} of {max(verdict.faces, 1)} faces: model {', '.join(models)}"
