"""Named expressions: codes that come with the packaged model, and the user's own. A code fits one model alone."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from twocet.errors import UserError

if TYPE_CHECKING:
    from twocet.edit.stages import Code

FORMAT = 1
_PACKAGED = Path(__file__).parents[1] / "model" / "packaged"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


class Preset(NamedTuple):
    """One named expression code."""

    name: str
    code: tuple[float, ...]
    """Numbers of the code, at strength 1."""
    model_sha256: str
    """Hash of the model file whose encoder made the code; for any other model the numbers mean nothing."""
    made_from: str
    """Which photos, in words."""
    own: bool
    """Saved by the user, not packaged."""


def user_file() -> Path:
    """Where the user's own presets are: ``twocet/presets.json`` in XDG_CONFIG_HOME or ``~/.config``."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "twocet" / "presets.json"


def packaged_file(model: str) -> Path:
    """The presets that come with the packaged model of this name."""
    return _PACKAGED / f"{model}.presets.json"


def all_presets(model: str) -> list[Preset]:
    """The presets of the packaged model named ``model`` and the user's, whatever model they fit. Raises UserError."""
    return [*read_file(packaged_file(model), own=False), *read_file(user_file(), own=True)]


def fitting(model: str, sha256: str | None) -> dict[str, Preset]:
    """By name, the presets that fit the model; the user's own go before packaged ones of the same name."""
    return {preset.name: preset for preset in all_presets(model) if preset.model_sha256 == sha256}


def find(name: str, model: str, sha256: str | None) -> Preset:
    """The preset of this name for this model. Raises UserError that says which there are, or that it fits another."""
    choices = fitting(model, sha256)
    if name in choices:
        return choices[name]
    if any(preset.name == name for preset in all_presets(model)):
        raise UserError(
            f"The preset {name!r} was made with another model: make it again with twocet presets save {name} PHOTO"
        )
    known = f"choose one of {', '.join(sorted(choices))}, or " if choices else ""
    raise UserError(f"There is no preset {name!r}: {known}make it with twocet presets save {name} PHOTO")


def code_of(name: str, model: str, sha256: str | None, code_dim: int) -> Code:
    """The code (code_dim,) float32 of a preset for this model. Raises UserError."""
    code = np.array(find(name, model, sha256).code, np.float32)
    if code.shape != (code_dim,):
        raise UserError(f"The preset {name!r} is damaged: make it again with twocet presets save {name} PHOTO")
    return code


def save(preset: Preset) -> Path:
    """Adds a preset to the user's, in place of one of the same name for the same model. Raises UserError."""
    if not _NAME.fullmatch(preset.name):
        raise UserError(f"{preset.name!r} is no name for a preset: use letters, digits, - and _, 40 at most.")
    return _write_own([*(other for other in _own() if not _same(other, preset.name, preset.model_sha256)), preset])


def remove(name: str, sha256: str | None) -> Path:
    """Removes one of the user's presets. Raises UserError when the user has none of this name for this model."""
    kept = [preset for preset in _own() if not _same(preset, name, sha256)]
    if len(kept) == len(_own()):
        raise UserError(f"You have no preset {name!r} for this model: see twocet presets list")
    return _write_own(kept)


def _same(preset: Preset, name: str, sha256: str | None) -> bool:
    return preset.name == name and preset.model_sha256 == sha256


def _own() -> list[Preset]:
    return read_file(user_file(), own=True)


def _write_own(presets: list[Preset]) -> Path:
    path = user_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, presets)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): set XDG_CONFIG_HOME to a folder of yours."
        ) from None
    return path


def write_file(path: Path, presets: list[Preset]) -> None:
    """Writes a file of presets, whole or not at all. Raises OSError."""
    content = {
        "format": FORMAT,
        "presets": [
            {
                "name": preset.name,
                "model_sha256": preset.model_sha256,
                "made_from": preset.made_from,
                "code": list(preset.code),
            }
            for preset in presets
        ],
    }
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def read_file(path: Path, *, own: bool) -> list[Preset]:
    """The presets in a file; none if there is no file. Raises UserError for a file that is something else."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise UserError(f"{path} was written by another version of twocet: update twocet, or remove the file.")
        return [
            Preset(
                str(entry["name"]),
                tuple(float(value) for value in entry["code"]),
                str(entry["model_sha256"]),
                str(entry["made_from"]),
                own,
            )
            for entry in content["presets"]
        ]
    except FileNotFoundError:
        return []
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no file of presets ({error!r}): mend it or remove it.") from None
