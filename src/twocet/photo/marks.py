"""AI marks: saying in the file itself that a picture was made or changed by a trained model.

The mark is XMP with IPTC's DigitalSourceType (IPTC Photo Metadata Standard 2025.1); what the file carried stays.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from twocet import __version__
from twocet.photo.images import JPEG_XMP_LIMIT, SUFFIXES, Photo, read_photo, write_photo
from twocet.photo.xmp import find_rdf, parse_xmp, to_packet

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": _RDF,
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "twocet": "urn:twocet:mark:1#",
}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a file says about the model that changed it. Fields that a file lacks are None."""

    digital_source_type: str
    """``COMPOSITE`` for an edited photo, ``SYNTHETIC`` for a picture that a model made altogether."""
    software: str | None = None
    model: str | None = None
    model_sha256: str | None = None
    strength: float | None = None
    """Of the expression; None where it has no meaning."""


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


def write_marked(path: str | os.PathLike[str], photo: Photo, mark: Mark | None) -> Path:
    """``images.write_photo`` with ``mark``; None adds nothing, and marks that the photo carries are kept anyway."""
    if mark is None:
        return write_photo(path, photo)
    packet = mark_xmp(photo.xmp, mark)
    if SUFFIXES.get(Path(path).suffix.lower()) == "JPEG" and len(packet) > JPEG_XMP_LIMIT:
        # JPEG holds one segment of XMP. The mark matters more than what some editor stored.
        packet = mark_xmp(None, mark)
    return write_photo(path, photo, xmp=packet)


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
