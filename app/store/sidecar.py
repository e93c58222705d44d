"""XMP with the faces of one photo: what other programs keep beside a photo or inside it, read and written.

Written are the regions of the Metadata Working Group, which digiKam and Lightroom read, and the names once more as
what each of them lists people under: digiKam:TagsList and lr:hierarchicalSubject below "People", dc:subject as plain
keywords, and Iptc4xmpExt:PersonInImage, which IPTC has for this. (Property names as in Exiv2's and ExifTool's tag
tables for mwg-rs, digiKam, lr and Iptc4xmpExt.)

A foreign file is XML out of foreign hands: no document type, no entities, nothing fetched, and no more of it than a
sidecar can need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.errors import InvalidInput
from app.store.regions import Region

MAX_BYTES = 2 << 20
_OURS = "Namesake"
_PEOPLE = "People"
_MOST_REGIONS = 1000
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_SPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
for _prefix, _uri in _SPACES.items():
    ElementTree.register_namespace(_prefix, _uri)


@dataclass(frozen=True)
class Sidecar:
    """regions: the faces that have a name, in the order of the file. applied: (width, height) in pixels of the
    picture that they were drawn on, None when the file does not say."""

    regions: tuple[Region, ...]
    applied: tuple[int, int] | None = None


def read(data: bytes) -> Sidecar:
    """The named faces in an XMP file or packet; none when it speaks of other things.

    Names come back as they are written there. Raises InvalidInput for what is no XMP, or more than XMP.
    """
    root = _parse(data)
    holder = next(root.iter(_tag("mwg-rs:Regions")), None)
    if holder is None:
        return Sidecar(())
    listed = _child(holder, "mwg-rs:RegionList")
    items = [] if listed is None else listed.findall(f"{_tag('rdf:Bag')}/{_tag('rdf:li')}")
    regions = (_region(item) for item in items[:_MOST_REGIONS])
    return Sidecar(tuple(region for region in regions if region is not None), _dimensions(holder))


def write(regions: Sequence[Region], width: int, height: int) -> bytes:
    """An XMP file with these faces in a stored picture of this width and height, in pixels. The same faces give the
    same bytes."""
    root = Element(_tag("x:xmpmeta"), {_tag("x:xmptk"): _OURS})
    about = SubElement(SubElement(root, _tag("rdf:RDF")), _tag("rdf:Description"), {_tag("rdf:about"): ""})
    names = sorted({_sayable(region.name) for region in regions})
    _list(about, "dc:subject", "rdf:Bag", names)
    _list(about, "Iptc4xmpExt:PersonInImage", "rdf:Bag", names)
    # What parts the levels of a tag would part a name.
    _list(about, "digiKam:TagsList", "rdf:Seq", [f"{_PEOPLE}/{name}" for name in names if "/" not in name])
    _list(about, "lr:hierarchicalSubject", "rdf:Bag", [f"{_PEOPLE}|{name}" for name in names if "|" not in name])
    holder = SubElement(about, _tag("mwg-rs:Regions"), {_tag("rdf:parseType"): "Resource"})
    size = {"stDim:w": str(width), "stDim:h": str(height), "stDim:unit": "pixel"}
    SubElement(holder, _tag("mwg-rs:AppliedToDimensions"), _attributes(size))
    bag = SubElement(SubElement(holder, _tag("mwg-rs:RegionList")), _tag("rdf:Bag"))
    for region in regions:
        told = {"mwg-rs:Name": _sayable(region.name), "mwg-rs:Type": "Face"}
        face = SubElement(SubElement(bag, _tag("rdf:li")), _tag("rdf:Description"), _attributes(told))
        area = {f"stArea:{key}": f"{getattr(region, key):.9f}" for key in "xywh"} | {"stArea:unit": "normalized"}
        SubElement(face, _tag("mwg-rs:Area"), _attributes(area))
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, "unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def is_ours(data: bytes) -> bool:
    """Whether this program wrote it and nobody has rewritten it since: others put their own name there."""
    try:
        return _parse(data).get(_tag("x:xmptk")) == _OURS
    except InvalidInput:
        return False


def _parse(data: bytes) -> Element:
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"The sidecar is larger than {MAX_BYTES:,} bytes, so it was not read.")
    # Packets are filled up behind, sometimes with zeros; in UTF-16 half of a text is zeros.
    packet = data if data[:2] in _UTF_16 else data.strip(b" \t\r\n\0")
    try:
        root: Element = fromstring(packet, forbid_dtd=True)
    except DefusedXmlException as error:
        raise InvalidInput("The sidecar defines entities or fetches files, which XMP never needs.") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InvalidInput("The sidecar is damaged, or is no XMP at all.") from error
    if root.tag not in (_tag("x:xmpmeta"), _tag("rdf:RDF")):
        raise InvalidInput("The sidecar is no XMP.")
    return root


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}"


def _attributes(values: dict[str, str]) -> dict[str, str]:
    return {_tag(name): value for name, value in values.items()}


def _list(parent: Element, name: str, kind: str, values: Sequence[str]) -> None:
    if values:
        items = SubElement(SubElement(parent, _tag(name)), _tag(kind))
        for value in values:
            SubElement(items, _tag("rdf:li")).text = value


def _sayable(name: str) -> str:
    """XML has no way to write these two, which are no characters; a name holds no others that it lacks."""
    return name.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


# ---- RDF says the same thing in several ways: a property is an attribute or a child, of a node or of the
# Description in it.


def _nodes(node: Element) -> list[Element]:
    return [node, *node.findall(_tag("rdf:Description"))]


def _text(node: Element, name: str) -> str | None:
    tag = _tag(name)
    for place in _nodes(node):
        if tag in place.attrib:
            return place.attrib[tag]
        child = place.find(tag)
        if child is not None:
            return child.text or ""
    return None


def _child(node: Element, name: str) -> Element | None:
    return next((found for place in _nodes(node) if (found := place.find(_tag(name))) is not None), None)


def _number(node: Element, name: str) -> float | None:
    try:
        value = float(_text(node, name) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _dimensions(holder: Element) -> tuple[int, int] | None:
    size = _child(holder, "mwg-rs:AppliedToDimensions")
    if size is None or (_text(size, "stDim:unit") or "pixel") != "pixel":
        return None
    width, height = _number(size, "stDim:w"), _number(size, "stDim:h")
    return (round(width), round(height)) if width and height and min(width, height) > 0 else None


def _region(item: Element) -> Region | None:
    name, kind, area = _text(item, "mwg-rs:Name"), _text(item, "mwg-rs:Type"), _child(item, "mwg-rs:Area")
    if not name or kind not in (None, "Face") or area is None:
        return None
    x, y, w, h = (_number(area, f"stArea:{key}") for key in "xywh")
    if x is None or y is None or not w or not h or (_text(area, "stArea:unit") or "normalized") != "normalized":
        return None
    return Region(name, x, y, w, h) if 0 < w <= 1 and 0 < h <= 1 else None
