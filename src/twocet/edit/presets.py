"""Named expressions: codes that come with the packaged model, and the user's own. A code fits one model alone."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from twocet.errors import UserError
from twocet.runtime.configuration import from_dict, valid
from twocet.runtime.files import json_bytes, make_folder, only_process, write_whole
from twocet.runtime.records import named, read_object

if TYPE_CHECKING:
    from twocet.edit.stages import Code

FORMAT = 1
_PATIENCE = 30.0
"""Seconds to wait for another command that writes presets."""
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
        raise UserError(f"{preset.name!r} cannot be a preset's name: use letters, digits, - and _, 40 at most.")
    with _writing():
        return _write([*(other for other in _own() if not _same(other, preset.name, preset.model_sha256)), preset])


def remove(name: str, sha256: str | None) -> Path:
    """Removes one of the user's presets. Raises UserError when the user has none of this name for this model."""
    with _writing():
        kept = [preset for preset in _own() if not _same(preset, name, sha256)]
        if len(kept) == len(_own()):
            raise UserError(f"You have no preset {name!r} for this model: see twocet presets list")
        return _write(kept)


def _same(preset: Preset, name: str, sha256: str | None) -> bool:
    return preset.name == name and preset.model_sha256 == sha256


def _own() -> list[Preset]:
    return read_file(user_file(), own=True)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Two commands that write presets at once take turns, or one would lose what the other wrote."""
    folder = user_file().parent
    try:
        make_folder(folder)
        with only_process(folder, "presets", wait=_PATIENCE):
            yield
    except UserError as error:
        raise UserError(f"{error} (XDG_CONFIG_HOME names another folder)") from None


def _write(presets: list[Preset]) -> Path:
    path = user_file()
    write_file(path, presets)
    return path


def write_file(path: Path, presets: list[Preset]) -> None:
    """Writes a file of presets, whole or not at all. Raises UserError."""
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
    write_whole(path, json_bytes(content, indent=1))


def read_file(path: Path, *, own: bool) -> list[Preset]:
    """The presets in a file; none if there is no file. Raises UserError for a file that is something else."""
    if not path.exists():
        return []
    remedy = "correct it or remove it"
    try:
        content = read_object(path, remedy)
        if content.get("format", FORMAT) != FORMAT:
            raise UserError("another version of twocet wrote it")
        entries = valid(list[dict[str, Any]], content.get("presets"), "presets")
        return [from_dict(Preset, {**named(entry, Preset), "own": own}) for entry in entries]
    except UserError as error:
        raise UserError(f"{path} is not a file of presets ({error}): {remedy}.") from None
