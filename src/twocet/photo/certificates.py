"""A certificate chain of one's own, with which pictures are signed (extra ``c2pa``).

C2PA refuses a certificate that signs itself: the signing certificate stands under a root that is made with it, and
names an organisation (C2PA 2.2, 14.5.1). Nobody else trusts that root until they choose to.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twocet.errors import UserError
from twocet.runtime.files import make_folder, write_whole

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Name

INSTALL = "pip install 'twocet[c2pa]'"
CHAIN, KEY, ROOT = "chain.pem", "key.pem", "root.pem"
_YEARS = 10
_ALGORITHMS = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


class Chain(NamedTuple):
    """What a picture is signed with, as PEM."""

    certificates: bytes
    """The signing certificate first, then those above it."""
    key: bytes
    """Private, without a password."""
    root: bytes
    """The last of the certificates: who is given it can trust the signatures."""


def chain_folder() -> Path:
    """Where the user's chain is: ``twocet/marks`` in XDG_CONFIG_HOME or ``~/.config``."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "twocet" / "marks"


def read_chain(folder: Path) -> Chain | None:
    """The chain in a folder, None if none was made. Raises UserError for one that cannot be read."""
    if not (folder / CHAIN).is_file():
        return None
    try:
        return Chain(*((folder / name).read_bytes() for name in (CHAIN, KEY, ROOT)))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}): twocet marks init --replace") from None


def write_chain(folder: Path, chain: Chain, *, replace: bool = False) -> Path:
    """Writes the chain; the private key may be read by its owner alone. Raises UserError if there is one already."""
    if (folder / CHAIN).exists() and not replace:
        raise UserError(f"{folder} holds a chain already: --replace makes another one, and pictures signed with this "
                        "one stay signed.")  # fmt: skip
    make_folder(folder)
    folder.chmod(0o700)
    (folder / KEY).unlink(missing_ok=True)
    with os.fdopen(os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(chain.key)
    write_whole(folder / ROOT, chain.root)
    write_whole(folder / CHAIN, chain.certificates)
    return folder


def make_chain(organisation: str, name: str) -> Chain:
    """A new root and a signing certificate under it, for ten years. Raises UserError without the extra."""
    _need_cryptography()
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if not organisation.strip() or not name.strip():
        raise UserError("A certificate names an organisation and who signs: --organisation NAME --name NAME")
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = _name(f"{name} (root)", organisation)
    root = _certificate(root_name, root_name, root_key, root_key, [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_usage(signs_certificates=True), True),
    ])  # fmt: skip
    signer = _certificate(_name(name, organisation), root_name, key, root_key, [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
    ])  # fmt: skip
    return Chain(_pem(signer) + _pem(root), _pem_of_key(key), _pem(root))


def import_chain(certificates: Path, key: Path) -> Chain:
    """A chain from files, by its owner's authority. Raises UserError for what does not fit together."""
    _need_cryptography()
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        chain = x509.load_pem_x509_certificates(certificates.read_bytes())
        private: Any = load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}).") from None
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{certificates} and {key} have to be PEM files, the key without a password ({error})."
        ) from None
    if chain[0].public_key() != private.public_key():
        raise UserError(f"{key} is not the key of the first certificate in {certificates}.")
    if not chain[0].subject.get_attributes_for_oid(x509.oid.NameOID.ORGANIZATION_NAME):
        raise UserError(f"The certificate in {certificates} names no organisation (O=), which C2PA asks for.")
    return Chain(b"".join(map(_pem, chain)), _pem_of_key(private), _pem(chain[-1]))


def algorithm_of(chain: Chain) -> str:
    """The name that C2PA gives to the signature. Raises UserError for a kind of key that it does not know."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(chain.key, password=None)
    except (ValueError, TypeError):
        raise UserError("The private key cannot be read: twocet marks init --replace makes another chain.") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _ALGORITHMS:
        return _ALGORITHMS[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise UserError("C2PA signs with keys of the kinds P-256, P-384, P-521, Ed25519 and RSA: choose another one.")


def describe(chain: Chain) -> dict[str, str]:
    """Subject, issuer, and the last day of the signing certificate."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificates(chain.certificates)[0]
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "until": certificate.not_valid_after_utc.date().isoformat(),
    }


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise UserError(f"Certificates need one more package: {INSTALL}") from None


def _name(common: str, organisation: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    attributes = ((NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in attributes])


def _certificate(subject: Name, issuer: Name, key: Any, issuer_key: Any, extensions: list[Any]) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    # Clocks differ: a picture may be checked on a machine that is a little behind.
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, SHA256())


def _usage(*, signs_certificates: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _pem_of_key(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    content: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return content
