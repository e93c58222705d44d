"""What a process that decodes and the one that asks it say to each other: fixed fields and raw bytes. Nothing of it is
ever run or unpickled, and who asked checks every field."""

from __future__ import annotations

import struct
import time
from enum import IntEnum
from socket import socket
from typing import NamedTuple

from app.errors import InvalidInput, NamesakeError, TooLarge, UnsupportedType

READY = b"\n"
"""The first byte: everything is imported, every limit is set."""

REFUSALS: tuple[type[NamesakeError], ...] = (InvalidInput, UnsupportedType, TooLarge)
LONGEST_REFUSAL = 400
"""in bytes"""


class Wish(IntEnum):
    PHOTO = 1
    HEADER = 2


class Request(NamedTuple):
    """size: bytes of the file, which follows. enough: as for images.decode, 0 for None. With a wish for a photo comes
    the descriptor of the memory that its pixels go to."""

    wish: int
    size: int
    max_pixels: int
    enough: int


class Answer(NamedTuple):
    """refusal: a place in REFUSALS, counted from 1, or 0. kind: the place of the format in images.FORMATS, or the EXIF
    orientation of a header. rest: bytes that follow: the words of a refusal, or the XMP of a header; has_rest tells no
    XMP from an empty one."""

    refusal: int = 0
    kind: int = 0
    width: int = 0
    height: int = 0
    rows: int = 0
    columns: int = 0
    has_rest: bool = False
    rest: int = 0


REQUEST = struct.Struct("<BQQQ")
ANSWER = struct.Struct("<BBQQQQ?Q")


class HungUp(Exception):
    """The other side has ended."""


def receive(connection: socket, size: int, deadline: float | None = None) -> bytearray:
    """So many bytes. deadline: by the monotonic clock. Raises HungUp, TimeoutError, and OSError as sockets do."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        if deadline is not None:
            set_deadline(connection, deadline)
        got = connection.recv_into(view)
        if not got:
            raise HungUp
        view = view[got:]
    return data


def set_deadline(connection: socket, deadline: float) -> None:
    """Until when the next call may take. Raises TimeoutError when that is past."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
