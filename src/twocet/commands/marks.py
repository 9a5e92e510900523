"""``twocet marks``: with what pictures are signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import tyro

from twocet.errors import check


def marks(
    action: tyro.conf.Positional[Literal["show", "init"]] = "show",
    /,
    organisation: str = "Private use of twocet",
    name: str = "twocet",
    certificate: Path | None = None,
    key: Path | None = None,
    replace: bool = False,
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Make the certificates that sign pictures (C2PA), or show which marks pictures get.

    The action init makes a root and a signing certificate in ~/.config/twocet/marks (or in XDG_CONFIG_HOME). Only you
    can read the private key. From then on every picture and film is signed. Others see a valid signature by somebody
    unknown, unless you give them root.pem. With --certificate and --key your own chain is used instead.

    examples:
      twocet marks init --organisation "Face Lab, University of X"
      twocet marks init --certificate chain.pem --key key.pem
      twocet marks show

    Args:
        action: What to do.
        organisation: Who signs (O= of the certificate).
        name: Common name (CN= of the certificate).
        certificate: Your own certificates (PEM), the signing one first.
        key: Private key of the first of them (PEM, without a password).
        replace: Replace the chain that is there.
        as_json: Print a report as JSON.
    """
    from twocet.photo import certificates

    check((certificate is None) == (key is None), "--certificate and --key go together")
    check(action == "init" or certificate is None, "--certificate is for twocet marks init")
    folder = certificates.chain_folder()
    if action == "init":
        chain = (
            certificates.make_chain(organisation, name)
            if certificate is None or key is None
            else certificates.import_chain(certificate, key)
        )
        certificates.write_chain(folder, chain, replace=replace)
    _show(folder, as_json)


def _show(folder: Path, as_json: bool) -> None:
    from twocet.photo import certificates, credentials

    chain = certificates.read_chain(folder)
    facts = None if chain is None or not credentials.is_installed() else certificates.describe(chain)
    if as_json:
        layers = {"watermark": True, "xmp": True, "c2pa": facts is not None}
        print(json.dumps({"layers": layers, "extra": credentials.is_installed(), "chain": facts}, indent=2))
        return
    print("watermark  in every changed face")
    print("metadata   XMP DigitalSourceType")
    if not credentials.is_installed():
        print(f"C2PA       not signed: {certificates.INSTALL}, then twocet marks init")
    elif facts is None:
        print("C2PA       not signed: twocet marks init")
    else:
        print(f"C2PA       signed by {facts['subject']} until {facts['until']}")
        print(f"           {folder / certificates.ROOT} is for those who should trust it")
