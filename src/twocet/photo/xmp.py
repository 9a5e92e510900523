"""XMP packets: read with care, cleaned of what a changed picture makes untrue."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

MOST_BYTES = 4_000_000
_MOST_DEPTH = 100
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{}\n<?xpacket end="w"?>'
_GOOGLE = "http://ns.google.com/photos/1.0/"

_PREFIXES = {
    "x": "adobe:ns:meta/",
    "rdf": _RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "HDRGainMap": "http://ns.apple.com/HDRGainMap/1.0/",
    "apdi": "http://ns.apple.com/pixeldatainfo/1.0/",
    "GCamera": f"{_GOOGLE}camera/",
    "Container": f"{_GOOGLE}container/",
    "GDepth": f"{_GOOGLE}depthmap/",
    "GImage": f"{_GOOGLE}image/",
    "GAudio": f"{_GOOGLE}audio/",
}

_PREFIX_OF = {uri: prefix for prefix, uri in _PREFIXES.items()}

_UNTRUE = {
    "tiff": (
        "Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation",
        "SamplesPerPixel", "PlanarConfiguration", "YCbCrSubSampling", "YCbCrPositioning", "NativeDigest",
    ),
    "exif": ("PixelXDimension", "PixelYDimension", "NativeDigest"),
    "xmp": ("Thumbnails",),
    "dc": ("format",),
}  # fmt: skip
"""Where the picture lay, how large its file's was, how it looked before: by prefix and name."""
_APPENDED = ("hdrgm", "HDRGainMap", "apdi", "Container", "GDepth", "GImage", "GAudio", "xmpNote")
"""What these say is about something stored behind the picture, which does not come along."""
_GAIN_MAPS = ("hdrgm", "HDRGainMap")
_MOVING = ("MotionPhoto", "MicroVideo")

_PRIVATE: dict[str, dict[str, tuple[str, ...]]] = {
    "place": {
        "exif": ("GPS",),
        "photoshop": ("City", "State", "Country"),
        "Iptc4xmpCore": ("Location", "CountryCode"),
        "Iptc4xmpExt": ("LocationCreated", "LocationShown"),
    },
    "serial numbers": {
        "aux": ("SerialNumber", "LensSerialNumber"),
        "exifEX": ("BodySerialNumber", "LensSerialNumber", "SerialNumber"),
        "exif": ("ImageUniqueID",),
    },
    "owner of the camera": {"aux": ("OwnerName",), "exifEX": ("CameraOwnerName",)},
}
"""By what it tells: prefix and how names begin."""


class _Builder(ElementTree.TreeBuilder):
    """Refuses what no XMP needs: document types, in which entities could expand without bound, and deep nesting."""

    depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise ValueError("nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)

    def doctype(self, name: str, public: str | None, system: str | None, /) -> None:
        raise ValueError("has a document type")


def parse_xmp(packet: bytes | None) -> ElementTree.Element | None:
    """The root of a packet; None for none, for one that cannot be read, and for one of more than 4 MB."""
    if not packet or len(packet) > MOST_BYTES:
        return None
    parser = ElementTree.XMLParser(target=_Builder())
    try:
        parser.feed(packet.strip(b"\x00 \r\n\t"))
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    return root


def find_rdf(root: ElementTree.Element) -> ElementTree.Element | None:
    """The element that holds the descriptions."""
    return root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")


def to_packet(root: ElementTree.Element) -> bytes:
    """The packet of a root."""
    for prefix, uri in _PREFIXES.items():
        ElementTree.register_namespace(prefix, uri)
    return _PACKET.format(ElementTree.tostring(root, encoding="unicode")).encode("utf-8", "replace")


def cleaned(packet: bytes) -> bytes | None:
    """The packet without what is untrue of a new file; as it is if there is no such thing, None if it is unreadable."""
    return _without(packet, _is_untrue)


def without_private(packet: bytes) -> bytes | None:
    """The packet without place, serial numbers and owner; None if it is unreadable."""
    return _without(packet, lambda tag: bool(_private_kind(tag)))


def private_kinds(packet: bytes | None) -> set[str]:
    """Which of "place", "serial numbers" and "owner of the camera" a packet tells."""
    root = parse_xmp(packet)
    return set() if root is None else {kind for tag in _tags(root) if (kind := _private_kind(tag))}


def announces_gain_map(packet: bytes | None) -> bool:
    """Whether a packet says that the file holds a map from standard to high dynamic range."""
    return _any(packet, lambda prefix, _: prefix in _GAIN_MAPS)


def announces_movement(packet: bytes | None) -> bool:
    """Whether a packet says that a film is stored with the picture."""
    return _any(packet, lambda prefix, name: prefix == "GCamera" and name.startswith(_MOVING))


def orientation(packet: bytes | None) -> int | None:
    """How the stored picture lies, 1..8; None where the packet does not say."""
    root = parse_xmp(packet)
    tag = f"{{{_PREFIXES['tiff']}}}Orientation"
    if root is None:
        return None
    texts = [element.get(tag) or (element.text if element.tag == tag else None) for element in root.iter()]
    found = next((text.strip() for text in texts if text), "")
    return int(found) if found in tuple("12345678") else None


def _any(packet: bytes | None, holds: Callable[[str, str], bool]) -> bool:
    root = parse_xmp(packet)
    return root is not None and any(holds(*_split(tag)) for tag in _tags(root))


def _tags(root: ElementTree.Element) -> list[str]:
    """The names of all properties, written as attributes or as elements, at whatever depth."""
    return [tag for element in root.iter() for tag in (element.tag, *element.attrib)]


def _without(packet: bytes, unwanted: Callable[[str], bool]) -> bytes | None:
    root = parse_xmp(packet)
    if root is None or not any(unwanted(tag) for tag in _tags(root)):
        return None if root is None else packet
    for element in list(root.iter()):
        for tag in [tag for tag in element.attrib if unwanted(tag)]:
            del element.attrib[tag]
        for child in [child for child in element if unwanted(child.tag)]:
            element.remove(child)
    return to_packet(root)


def _split(tag: str) -> tuple[str, str]:
    """Prefix and name of a tag, ``{uri}name`` in the tree; the prefix is empty where it is not known."""
    uri, _, name = tag.removeprefix("{").rpartition("}")
    return _PREFIX_OF.get(uri, ""), name


def _is_untrue(tag: str) -> bool:
    prefix, name = _split(tag)
    moving = prefix == "GCamera" and name.startswith(_MOVING)
    return prefix in _APPENDED or name in _UNTRUE.get(prefix, ()) or moving


def _private_kind(tag: str) -> str | None:
    prefix, name = _split(tag)
    return next((kind for kind, names in _PRIVATE.items() if name.startswith(names.get(prefix, ("\0",)))), None)
