"""XMP, as this product writes it, as others write it, and as an enemy does."""

from __future__ import annotations

import time

import pytest

from app.errors import InvalidInput
from app.labelling.labels import clean_label
from app.store import sidecar
from app.store.regions import Region
from tests.labelling.names import NAMES

# The two ways in which the libraries behind other programs write: Exiv2 (digiKam), and Adobe's (Lightroom).
DIGIKAM = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
    xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
    xmlns:digiKam="http://www.digikam.org/ns/1.0/">
   <digiKam:TagsList><rdf:Seq><rdf:li>People/Ana</rdf:li></rdf:Seq></digiKam:TagsList>
   <mwg-rs:Regions rdf:parseType="Resource">
    <mwg-rs:AppliedToDimensions stDim:w="192" stDim:h="64" stDim:unit="pixel"/>
    <mwg-rs:RegionList>
     <rdf:Bag>
      <rdf:li>
       <rdf:Description mwg-rs:Name="Ana" mwg-rs:Type="Face">
        <mwg-rs:Area stArea:x="0.25" stArea:y="0.5" stArea:w="0.2" stArea:h="0.7" stArea:unit="normalized"/>
       </rdf:Description>
      </rdf:li>
      <rdf:li><rdf:Description mwg-rs:Name="" mwg-rs:Type="Face">
        <mwg-rs:Area stArea:x="0.5" stArea:y="0.5" stArea:w="0.2" stArea:h="0.7" stArea:unit="normalized"/>
      </rdf:Description></rdf:li>
      <rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet">
        <mwg-rs:Area stArea:x="0.5" stArea:y="0.5" stArea:w="0.2" stArea:h="0.7" stArea:unit="normalized"/>
      </rdf:Description></rdf:li>
     </rdf:Bag>
    </mwg-rs:RegionList>
   </mwg-rs:Regions>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
LIGHTROOM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:mr="http://www.metadataworkinggroup.com/schemas/regions/"
    xmlns:d="http://ns.adobe.com/xap/1.0/sType/Dimensions#" xmlns:a="http://ns.adobe.com/xmp/sType/Area#">
   <mr:Regions rdf:parseType="Resource">
    <mr:AppliedToDimensions rdf:parseType="Resource"><d:w>192</d:w><d:h>64</d:h><d:unit>pixel</d:unit>
    </mr:AppliedToDimensions>
    <mr:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">
     <mr:Area rdf:parseType="Resource"><a:x>0.25</a:x><a:y>0.5</a:y><a:w>0.2</a:w><a:h>0.7</a:h>
      <a:unit>normalized</a:unit></mr:Area>
     <mr:Type>Face</mr:Type><mr:Name>Ana</mr:Name>
    </rdf:li></rdf:Bag></mr:RegionList>
   </mr:Regions>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


@pytest.mark.parametrize("text", [DIGIKAM, LIGHTROOM], ids=["digiKam", "Lightroom"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_others_write_is_read(text: str, encoding: str) -> None:
    data = text.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode(encoding)
    padding = b"\n" * 2000 + b"\0" if encoding == "utf-8" else ("\n" * 2000).encode("utf-16-le")
    read = sidecar.read(data + padding)
    assert read == sidecar.Sidecar((Region("Ana", 0.25, 0.5, 0.2, 0.7),), (192, 64))
    assert not sidecar.is_ours(data)


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_as_they_went(name: str) -> None:
    assert clean_label(name) == name
    regions = (Region(name, 0.5, 0.25, 0.125, 0.0625), Region("Ana", 0.1, 0.2, 0.3, 0.4))
    data = sidecar.write(regions, 640, 480)
    assert sidecar.read(data) == sidecar.Sidecar(regions, (640, 480))
    assert sidecar.is_ours(data)
    assert sidecar.write(regions, 640, 480) == data


def test_names_are_listed_for_programs_that_read_no_regions() -> None:
    text = sidecar.write([Region(name, 0.5, 0.5, 0.1, 0.1) for name in ("Ana", "a/b", "a|b")], 9, 9).decode()
    lists = {
        tag: [line.strip().removeprefix("<rdf:li>").removesuffix("</rdf:li>") for line in _within(text, tag)]
        for tag in ("dc:subject", "Iptc4xmpExt:PersonInImage", "digiKam:TagsList", "lr:hierarchicalSubject")
    }
    assert lists == {
        "dc:subject": ["Ana", "a/b", "a|b"],
        "Iptc4xmpExt:PersonInImage": ["Ana", "a/b", "a|b"],
        "digiKam:TagsList": ["People/Ana", "People/a|b"],
        "lr:hierarchicalSubject": ["People|Ana", "People|a/b"],
    }


def _within(text: str, tag: str) -> list[str]:
    inside = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return [line for line in inside.splitlines() if "<rdf:li>" in line]


def test_what_xml_cannot_say_leaves_a_mark() -> None:
    (region,) = sidecar.read(sidecar.write([Region("A\ufffe\uffff", 0.5, 0.5, 0.1, 0.1)], 9, 9)).regions
    assert region.name == "A\ufffd\ufffd"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('stArea:x="0.25"', 'stArea:x="nan"'),
        ('stArea:x="0.25"', 'stArea:x="far left"'),
        ('stArea:w="0.2"', 'stArea:w="-0.2"'),
        ('stArea:w="0.2"', 'stArea:w="1e400"'),
        ('stArea:w="0.2"', ""),
        ('stArea:unit="normalized"', 'stArea:unit="pixel"'),
        ('mwg-rs:Type="Face"', 'mwg-rs:Type="BarCode"'),
    ],
)
def test_regions_that_make_no_sense_are_passed_over(old: str, new: str) -> None:
    assert sidecar.read(DIGIKAM.replace(old, new).encode()).regions == ()


def test_a_file_without_regions_names_nobody() -> None:
    head, _, _ = DIGIKAM.partition("<mwg-rs:Regions")
    data = f"{head}</rdf:Description></rdf:RDF></x:xmpmeta>".encode()
    assert sidecar.read(data) == sidecar.Sidecar(())


LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {after} '{f'&{before};' * 10}'>" for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "damaged"),
        (b"\xff\xd8\xff", "damaged"),
        (DIGIKAM[:700].encode(), "damaged"),
        (b'<?xml version="1.0" encoding="no-such"?><x/>', "damaged"),
        (b"<html/>", "no XMP"),
        (f"{LAUGHS}]><x>&i;</x>".encode(), "entities"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "entities"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>', "entities"),
        (b" " * sidecar.MAX_BYTES + b"<x/>", "larger"),
    ],
    ids=["empty", "a JPEG", "cut off", "unknown encoding", "HTML", "laughs", "a file", "a DTD", "large"],
)
def test_what_is_no_xmp_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        sidecar.read(data)
    assert not sidecar.is_ours(data)


@pytest.mark.parametrize("inside", [b"<a>" * 200_000 + b"</a>" * 200_000, b"<a/>" * 500_000], ids=["deep", "wide"])
def test_a_heap_of_elements_takes_no_time(inside: bytes) -> None:
    started = time.monotonic()
    assert sidecar.read(b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + inside + b"</x:xmpmeta>").regions == ()
    assert time.monotonic() - started < 5
