"""Models from the Hugging Face Hub: the only thing in the package that asks another computer, and only by name."""

from __future__ import annotations

from pathlib import Path

from twocet.errors import UserError

PREFIX = "hf:"
FILE = "model.safetensors"


def fetch(name: str) -> Path:
    """The model file of ``hf:OWNER/NAME`` or ``hf:OWNER/NAME@REVISION``, downloaded once and kept by huggingface_hub.

    Nothing but the request for the file leaves the computer. Raises UserError.
    """
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise UserError(f"{name} names no model: write {PREFIX}OWNER/NAME or {PREFIX}OWNER/NAME@REVISION")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise UserError("Models of the Hugging Face Hub need one more package: pip install 'twocet[hub]'") from None
    try:
        return Path(hf_hub_download(repository, FILE, revision=revision or None))
    except LocalEntryNotFoundError:
        raise UserError(f"{name} cannot be fetched: check the connection, or give a model file") from None
    except (HfHubHTTPError, HFValidationError) as error:
        raise UserError(f"{name} cannot be fetched ({str(error).splitlines()[0]}): check its name") from None
