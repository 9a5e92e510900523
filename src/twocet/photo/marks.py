"""AI marks: saying in the file itself that a picture was made or changed by a trained model. They are made here alone.

Three layers: a watermark in every changed face (:mod:`twocet.photo.watermark`), XMP with IPTC's DigitalSourceType (IPTC
Photo Metadata Standard 2025.1), in which what the file carried stays, and a signed C2PA manifest where the user has
made a certificate chain (:mod:`twocet.photo.credentials`).
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

from twocet import __version__
from twocet.photo import credentials
from twocet.photo.credentials import Original
from twocet.photo.encode import JPEG_XMP_LIMIT, SUFFIXES, check_fits, check_writable, encode_photo, write_photo
from twocet.photo.images import read_photo
from twocet.photo.mark import COMPOSITE, SYNTHETIC, Mark
from twocet.photo.photo import Photo, Pixels
from twocet.photo.watermark.embed import watermarked
from twocet.photo.xmp import find_rdf, parse_xmp, to_packet
from twocet.runtime.files import write_whole

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": _RDF,
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "twocet": "urn:twocet:mark:1#",
}


def edit_mark(photo: Photo, *, model: str, model_sha256: str | None, strength: float | None) -> Mark:
    """The mark of an edit of ``photo``: a synthetic picture stays synthetic, anything else becomes a composite."""
    before = parse_mark(photo.xmp)
    synthetic = before is not None and before.digital_source_type == SYNTHETIC
    return Mark(
        digital_source_type=SYNTHETIC if synthetic else COMPOSITE,
        software=f"twocet {__version__}",
        model=model,
        model_sha256=model_sha256,
        strength=strength,
    )


def sheet_mark(model: str, model_sha256: str | None = None) -> Mark:
    """The mark of a picture that shows what models did to faces, beside those faces."""
    return Mark(digital_source_type=COMPOSITE, software=f"twocet {__version__}", model=model, model_sha256=model_sha256)


def write_marked(path: str | os.PathLike[str], photo: Photo, mark: Mark | None, source: Path | None = None) -> Path:
    """``images.write_photo`` with ``mark`` in all layers; None adds nothing, and XMP that the photo carries stays.

    ``source``: the file that was edited, for the C2PA manifest; None: the photo's own.
    """
    if mark is None:
        return write_photo(path, photo)
    path = Path(path)
    check_writable(path)
    check_fits(path, photo)
    return write_whole(path, marked_bytes(photo, path.suffix, mark, source))


def marked_bytes(photo: Photo, suffix: str, mark: Mark, source: Path | Original | None = None) -> bytes:
    """The file that :func:`write_marked` writes, of the format that ``suffix`` stands for."""
    file_format = SUFFIXES[suffix.lower()]
    packet = mark_xmp(photo.xmp, mark)
    if file_format == "JPEG" and len(packet) > JPEG_XMP_LIMIT:
        # JPEG holds one segment of XMP. The mark matters more than what some editor stored.
        packet = mark_xmp(None, mark)
    content = encode_photo(replace(photo, pixels=marked_pixels(photo, mark)), file_format, xmp=packet)
    chain = credentials.signing_chain()
    if chain is not None:
        content = credentials.signed(content, suffix, mark, source or photo.path, chain)
    return content


def marked_pixels(photo: Photo, mark: Mark) -> Pixels:
    """(H, W, 3) the photo's pixels with the watermark in its edited faces; as they are where none was edited."""
    return watermarked(photo.pixels, photo.edited, mark.model_sha256)


def read_mark(path: str | os.PathLike[str]) -> Mark | None:
    """The mark in a picture file, None if it has none. Raises UserError for a file that is no picture."""
    return parse_mark(read_photo(path).xmp)


def mark_xmp(existing: bytes | None, mark: Mark) -> bytes:
    """The XMP packet ``existing`` (None or unreadable: an empty one) with ``mark`` in place of an earlier one."""
    for prefix, uri in _NAMESPACES.items():
        ElementTree.register_namespace(prefix, uri)
    root = parse_xmp(existing)
    rdf = None if root is None else find_rdf(root)
    if root is None or rdf is None:
        root = ElementTree.Element(_name("x:xmpmeta"))
        rdf = ElementTree.SubElement(root, _name("rdf:RDF"))
    values = _properties(mark)
    descriptions = rdf.findall(_name("rdf:Description"))
    about = descriptions[0].get(_name("rdf:about"), "") if descriptions else ""
    for description in descriptions:
        for name in _PROPERTIES:
            description.attrib.pop(name, None)
            for child in description.findall(name):
                description.remove(child)
        if len(description) == 0 and set(description.attrib) <= {_name("rdf:about")}:
            rdf.remove(description)
    ElementTree.SubElement(rdf, _name("rdf:Description"), {_name("rdf:about"): about, **values})
    return to_packet(root)


def parse_mark(xmp: bytes | None) -> Mark | None:
    """The mark in an XMP packet: any statement that a trained model made or changed the picture, by whatever tool."""
    root = parse_xmp(xmp)
    rdf = None if root is None else find_rdf(root)
    if rdf is None:
        return None
    found = {name: value for name in _PROPERTIES if (value := _value(rdf, name))}
    kind = found.get(_name("Iptc4xmpExt:DigitalSourceType"))
    if kind is None or "trainedalgorithmicmedia" not in kind.lower():
        return None
    strength = found.get(_name("twocet:Strength"))
    return Mark(
        digital_source_type=kind,
        software=found.get(_name("xmp:CreatorTool")),
        model=found.get(_name("twocet:Model")),
        model_sha256=found.get(_name("twocet:ModelSHA256")),
        strength=None if strength is None else _number(strength),
    )


def source_type(xmp: bytes | None) -> str | None:
    """IPTC's digital source type in an XMP packet, whatever it says."""
    root = parse_xmp(xmp)
    rdf = None if root is None else find_rdf(root)
    return None if rdf is None else _value(rdf, _name("Iptc4xmpExt:DigitalSourceType"))


def _name(qualified: str) -> str:
    prefix, _, name = qualified.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{name}"


_PROPERTIES = tuple(
    _name(name)
    for name in (
        "Iptc4xmpExt:DigitalSourceType",
        "Iptc4xmpExt:AISystemUsed",
        "Iptc4xmpExt:AISystemVersionUsed",
        "xmp:CreatorTool",
        "twocet:Model",
        "twocet:ModelSHA256",
        "twocet:Strength",
    )
)


def _properties(mark: Mark) -> dict[str, str]:
    system, _, version = (mark.software or "").partition(" ")
    values = {
        "Iptc4xmpExt:DigitalSourceType": mark.digital_source_type,
        "Iptc4xmpExt:AISystemUsed": system,
        "Iptc4xmpExt:AISystemVersionUsed": version,
        "xmp:CreatorTool": mark.software,
        "twocet:Model": mark.model,
        "twocet:ModelSHA256": mark.model_sha256,
        "twocet:Strength": None if mark.strength is None else f"{mark.strength:g}",
    }
    return {_name(name): value for name, value in values.items() if value}


def _value(rdf: ElementTree.Element, name: str) -> str | None:
    """A property's text, whether written as an attribute, as an element or as a resource."""
    for description in rdf.findall(_name("rdf:Description")):
        if name in description.attrib:
            return description.attrib[name]
        child = description.find(name)
        if child is not None:
            return (child.text or "").strip() or child.get(_name("rdf:resource"))
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
