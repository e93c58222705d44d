"""Files -> broken files: as a bad disk breaks them, and as someone does who knows the format."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz.seeds import png_chunk

# Where arithmetic goes wrong.
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_HEAD = 300


class Part(NamedTuple):
    """A piece of a file, and where the field with its length is: place and bytes; little-endian or not."""

    start: int
    end: int
    length_at: int
    length_size: int
    order: str


def mutate(data: bytes, other: bytes, choose: random.Random) -> bytes:
    """One to four things go wrong. other: a file to splice with."""
    for _ in range(choose.choice((1, 1, 1, 2, 2, 3, 4))):
        change = choose.choice(_CHANGES)
        data = change(data, choose) if change is not None else _splice(data, other, choose)
    return data


def parts(data: bytes) -> list[Part]:
    """The chunks, segments, boxes or tags of a picture, as far as they can be followed."""
    if data.startswith(b"\x89PNG"):
        return _chunks(data, 8, ">", lambda length: length + 12, 0)
    if data.startswith(b"RIFF"):
        return _chunks(data, 12, "<", lambda length: length + 8 + length % 2, 4)
    if data[4:8] == b"ftyp":
        return _chunks(data, 0, ">", lambda length: length, 0)
    if data.startswith(b"\xff\xd8"):
        return _segments(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tags(data)
    return []


def _chunks(data: bytes, at: int, order: str, whole: Callable[[int], int], length_offset: int) -> list[Part]:
    found = []
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(f"{order}I", data, at + length_offset)
        end = at + whole(length)
        if not at + 8 <= end <= len(data):
            break
        found.append(Part(at, end, at + length_offset, 4, order))
        # Boxes hold boxes.
        if data[at + 4 : at + 8] in (b"meta", b"iprp", b"ipco", b"moov", b"trak") and order == ">":
            inside = at + (12 if data[at + 4 : at + 8] == b"meta" else 8)
            found += [
                part._replace(start=part.start + inside, end=part.end + inside, length_at=part.length_at + inside)
                for part in _chunks(data[inside:end], 0, order, whole, 0)
            ]
        at = end
    return found


def _segments(data: bytes) -> list[Part]:
    at, found = 2, []
    while at + 4 <= len(data) and data[at] == 0xFF:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end > len(data):
            break
        found.append(Part(at, end, at + 2, 2, ">"))
        at = end
    return found


def _tags(data: bytes) -> list[Part]:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    if at + 2 > len(data):
        return []
    (count,) = struct.unpack_from(f"{order}H", data, at)
    starts = (at + 2 + 12 * number for number in range(min(count, 60)))
    return [Part(start, start + 12, start + 4, 4, order) for start in starts if start + 12 <= len(data)]


# ---- What goes wrong


def _flip(data: bytes, choose: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(choose.choice((1, 1, 2, 8, 40))):
        if changed:
            changed[choose.randrange(len(changed))] ^= 1 << choose.randrange(8)
    return bytes(changed)


def _set_edge(data: bytes, choose: random.Random, at: int | None = None) -> bytes:
    """A number at the edge of what fits, most often near the beginning, where sizes and offsets are."""
    size, order = choose.choice((1, 2, 2, 4, 4, 8)), choose.choice("<>")
    if len(data) < size:
        return data
    if at is None:
        at = choose.randrange(min(len(data), _HEAD) if choose.random() < 0.7 else len(data))
    value = choose.choice(EDGES) & ((1 << 8 * size) - 1)
    return data[:at] + struct.pack(f"{order}{_WIDTHS[size]}", value) + data[at + size :]


def _truncate(data: bytes, choose: random.Random) -> bytes:
    return data[: choose.randrange(len(data) + 1)]


def _span(data: bytes, choose: random.Random) -> tuple[int, int]:
    start = choose.randrange(len(data) + 1)
    return start, min(len(data), start + choose.choice((1, 4, 16, 100, 1000)))


def _delete(data: bytes, choose: random.Random) -> bytes:
    start, end = _span(data, choose)
    return data[:start] + data[end:]


def _repeat(data: bytes, choose: random.Random) -> bytes:
    start, end = _span(data, choose)
    return data[:end] + data[start:end] * choose.choice((1, 1, 5, 50)) + data[end:]


def _blank(data: bytes, choose: random.Random) -> bytes:
    start, end = _span(data, choose)
    return data[:start] + choose.choice((b"\0", b"\xff")) * (end - start) + data[end:]


def _insert(data: bytes, choose: random.Random) -> bytes:
    start = choose.randrange(len(data) + 1)
    return data[:start] + choose.randbytes(choose.choice((1, 3, 30, 300))) + data[start:]


def _splice(data: bytes, other: bytes, choose: random.Random) -> bytes:
    return data[: choose.randrange(len(data) + 1)] + other[choose.randrange(len(other) + 1) :]


def _part_length(data: bytes, choose: random.Random) -> bytes:
    found = parts(data)
    if not found:
        return _set_edge(data, choose)
    part = choose.choice(found)
    field = f"{part.order}{_WIDTHS[part.length_size]}"
    (length,) = struct.unpack_from(field, data, part.length_at)
    most = (1 << 8 * part.length_size) - 1
    wrong = choose.choice((length - 1, length + 1, 0, 1, length * 2, choose.choice(EDGES), most)) & most
    return data[: part.length_at] + struct.pack(field, wrong) + data[part.length_at + part.length_size :]


def _part_inside(data: bytes, choose: random.Random) -> bytes:
    """A number at the edge inside a part, whose checksum is right again if it has one."""
    found = parts(data)
    if not found:
        return _set_edge(data, choose)
    part = choose.choice(found)
    changed = _set_edge(data, choose, choose.randrange(part.start, part.end))
    if data.startswith(b"\x89PNG") and choose.random() < 0.9 and part.end - part.start >= 12:
        body = changed[part.start + 8 : part.end - 4]
        return data[: part.start] + png_chunk(data[part.start + 4 : part.start + 8], body) + data[part.end :]
    return changed


def _part_again(data: bytes, choose: random.Random) -> bytes:
    found = parts(data)
    if not found:
        return _repeat(data, choose)
    part, other = choose.choice(found), choose.choice(found)
    return data[: other.end] + data[part.start : part.end] * choose.choice((1, 1, 3, 200)) + data[other.end :]


def _part_gone(data: bytes, choose: random.Random) -> bytes:
    found = parts(data)
    if not found:
        return _delete(data, choose)
    part = choose.choice(found)
    return data[: part.start] + data[part.end :]


def _pack_more(data: bytes, choose: random.Random) -> bytes:
    """Compressed data that goes on and on, in a PNG; elsewhere so many zeros."""
    if not data.startswith(b"\x89PNG"):
        return data + bytes(choose.choice((1, 1000, 100_000)))
    at = data.find(b"IDAT") - 4
    more = png_chunk(choose.choice((b"IDAT", b"zTXt", b"iCCP")), b"a\0\0" + zlib.compress(bytes(20_000_000), 9))
    return data[:at] + more + data[at:] if at > 0 else data


_CHANGES: tuple[Callable[[bytes, random.Random], bytes] | None, ...] = (
    *(_flip, _flip, _set_edge, _set_edge, _truncate, _delete, _repeat, _blank, _insert, None),
    *(_part_length, _part_length, _part_inside, _part_inside, _part_inside, _part_again, _part_gone, _pack_more),
)
