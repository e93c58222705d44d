"""train.pickle as this product publishes it: rewritten whole, or appended to at a cost that never grows.

A pickle is a program for a stack machine. Ours builds the head (the keys, an empty list of faces, the names),
then runs one self-contained piece per face: fetch the list from the memo, build the face, append it, drop the
list. So one more face is one more piece where STOP used to be, and a rewrite is the head and the same pieces.
Protocol 2 and built-in types only, so that any `pickle.load` reads the file.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pickle
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.store.files import discard, sync_folder

ENCODING_SIZE = 128
# A value beyond it would become infinite in the store, which keeps encodings as float32.
LARGEST_VALUE = float(np.finfo(np.float32).max)

_MEMO_FACES = bytes([1])
_MEMO_KEYS = {"imagePath": bytes([2]), "loc": bytes([3]), "encoding": bytes([4]), "label": bytes([5])}
_PACKED_FLOATS = np.dtype([("opcode", "S1"), ("value", ">f8")])
_TAIL_WITHOUT_FACES = pickle.APPENDS + pickle.SETITEM + pickle.SETITEM
_TAIL_OF_A_FACE = pickle.SETITEMS + pickle.APPEND + pickle.POP
_TAIL_SIZE = 3


class Damaged(Exception):
    """The file is not the one its recorded length speaks of: rewrite it from the store."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled face: `box` is (top, right, bottom, left) in pixels, `encoding` holds 128 numbers."""

    image_path: str
    box: tuple[int, int, int, int]
    encoding: Sequence[float] | NDArray[np.float32]
    name: str


class Artifact:
    """The published file at `path`. Callers hold the store's write lock around every method that writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rewrite(self, entries: Sequence[Entry]) -> int:
        """Publish exactly `entries`; return the new length in bytes.

        Readers see the old file or the new one, never a part. Raises ValueError for an entry that cannot be
        written and OSError when the disk refuses; the old file then stays as it was.
        """
        classes = sorted({entry.name for entry in entries})
        labels = {name: label for label, name in enumerate(classes)}
        return self._replace([_head(classes)], (_piece(entry, labels[entry.name]) for entry in entries))

    def extend(self, entries: Sequence[Entry], classes: Sequence[str], length: int) -> int:
        """Add faces, of people too who are not in the file of `length` bytes yet; return the new length.

        `classes` are the names the file was written with, sorted. What is there is copied as it is but for the labels,
        which takes a tenth of the time of a rewrite. Raises what rewrite raises, and Damaged when the file is not the
        one of that length.
        """
        with self._opened() as descriptor:
            if not _is_whole(descriptor, length):
                raise Damaged("the file does not end where the last change left it")
            old = bytearray(os.pread(descriptor, length - len(pickle.STOP), 0))
        names = sorted({*classes, *(entry.name for entry in entries)})
        labels = {name: label for label, name in enumerate(names)}
        begin = _renumber(old, classes, np.array([labels[name] for name in classes], "<i4"))
        pieces = (_piece(entry, labels[entry.name]) for entry in entries)
        return self._replace([_head(names), memoryview(old)[begin:]], pieces)

    def _replace(self, beginning: Sequence[bytes | memoryview], pieces: Iterable[bytes]) -> int:
        self.remove_leftovers()
        descriptor, temporary = tempfile.mkstemp(prefix=f".{self._path.name}.", suffix=".tmp", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
                file.writelines(beginning)
                file.writelines(pieces)
                file.write(pickle.STOP)
                length = file.tell()
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except BaseException:
            discard(Path(temporary))
            raise
        # Without it a power cut may bring back the old file after the store has recorded the new one.
        sync_folder(self._path.parent)
        return length

    def append(self, entries: Sequence[Entry], classes: Sequence[str], length: int) -> int:
        """Add faces of known people to the file of `length` bytes; return its new length.

        `classes` are the names the file was written with, sorted. Raises ValueError when someone is not among them or
        an entry cannot be written, Damaged when the file is not the one of that length, and OSError when the disk
        refuses: the file is then cut back first.
        """
        labels = {name: label for label, name in enumerate(classes)}
        if not {entry.name for entry in entries} <= labels.keys():
            raise ValueError("someone is not among the names of the file: extend it")
        addition = b"".join(_piece(entry, labels[entry.name]) for entry in entries) + pickle.STOP
        with self._opened() as descriptor:
            if not _is_whole(descriptor, length):
                raise Damaged("the file does not end where the last change left it")
            try:
                _write_at(descriptor, addition, length - 1)
                os.fsync(descriptor)
            except BaseException:
                with contextlib.suppress(OSError):
                    _end_at(descriptor, length)
                raise
        return length - 1 + len(addition)

    def cut_back(self, length: int) -> None:
        """Make the file end at `length` again, whatever an append left behind that point.

        Raises Damaged when there is no such file, or no file of ours that can end there.
        """
        with self._opened() as descriptor:
            if os.fstat(descriptor).st_size < length or not _can_end_at(descriptor, length):
                raise Damaged("the file cannot be cut back to the length it once had")
            _end_at(descriptor, length)

    def matches(self, length: int) -> bool:
        """Whether the file is there, is ours and has exactly this length. Reads a few bytes."""
        try:
            with self._opened() as descriptor:
                return _is_whole(descriptor, length)
        except Damaged:
            return False

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Damaged("the file is missing") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def remove_leftovers(self) -> None:
        """Remove what killed rewrites left: each holds a copy of every face."""
        for leftover in self._path.parent.glob(f".{glob.escape(self._path.name)}.*.tmp"):
            leftover.unlink(missing_ok=True)


def _text(value: str) -> bytes:
    data = value.encode()  # a lone surrogate is a ValueError here
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    value = index(value)
    if -(1 << 31) <= value < 1 << 31:
        return pickle.BININT + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return pickle.LONG1 + bytes([len(data)]) + data


def _floats(values: Sequence[float] | NDArray[np.float32]) -> bytes:
    numbers = np.asarray(values, dtype=np.float64)
    # Written so that NaN fails it too.
    if numbers.shape != (ENCODING_SIZE,) or not (np.abs(numbers) <= LARGEST_VALUE).all():
        raise ValueError(f"an encoding is {ENCODING_SIZE} finite numbers")
    packed = np.empty(ENCODING_SIZE, dtype=_PACKED_FLOATS)
    packed["opcode"] = pickle.BINFLOAT
    packed["value"] = numbers
    return packed.tobytes()


_FIXED_HEAD = b"".join(
    [
        pickle.PROTO + bytes([2]),
        *(_text(key) + pickle.BINPUT + place + pickle.POP for key, place in _MEMO_KEYS.items()),
        pickle.EMPTY_DICT + pickle.BINPUT + bytes([0]),
        _text("encodings") + pickle.EMPTY_LIST + pickle.BINPUT + _MEMO_FACES + pickle.SETITEM,
        _text("label_encoder") + pickle.EMPTY_DICT + _text("classes_") + pickle.EMPTY_LIST + pickle.MARK,
    ]
)


def _head(classes: Sequence[str]) -> bytes:
    return b"".join([_FIXED_HEAD, *map(_text, classes), _TAIL_WITHOUT_FACES])


def _piece(entry: Entry, label: int) -> bytes:
    """The instructions that add one face; they leave the stack as they found it."""
    top, right, bottom, left = entry.box
    key = {name: pickle.BINGET + place for name, place in _MEMO_KEYS.items()}
    return b"".join(
        [
            pickle.BINGET + _MEMO_FACES + pickle.EMPTY_DICT + pickle.MARK,
            key["imagePath"] + _text(entry.image_path),
            key["loc"] + pickle.MARK,
            *map(_integer, (top, right, bottom, left)),
            pickle.TUPLE,
            key["encoding"] + pickle.EMPTY_LIST + pickle.MARK + _floats(entry.encoding) + pickle.APPENDS,
            key["label"] + _integer(label),
            _TAIL_OF_A_FACE,
        ]
    )


# A piece is so long, but for the path in it, and ends in its label; the length of the path is at this place.
_PIECE_SIZE = len(_piece(Entry("", (0, 0, 0, 0), [0.0] * ENCODING_SIZE, ""), 0))
_PATH_SIZE_AT = len(pickle.BINGET + _MEMO_FACES + pickle.EMPTY_DICT + pickle.MARK + pickle.BINGET + b"k" + b"X")
_LABEL_FROM_END = len(_TAIL_OF_A_FACE) + 4


def _renumber(data: bytearray, classes: Sequence[str], labels: NDArray[np.signedinteger]) -> int:
    """Give every piece the new label of its person: labels (len(classes),), by the old one; where the pieces begin.

    data: the file but for its STOP. Raises Damaged where it is not made of such pieces.
    """
    head = _head(classes)
    if not data.startswith(head):
        raise Damaged("the file does not begin with the names it was written with")
    at, ends = len(head), []
    while at < len(data):
        if len(data) < at + _PIECE_SIZE:
            raise Damaged("the file ends within a face")
        at += _PIECE_SIZE + int(struct.unpack_from("<I", data, at + _PATH_SIZE_AT)[0])
        ends.append(at)
    if at != len(data):
        raise Damaged("the file ends within a face")
    places = np.array(ends, np.intp).reshape(-1, 1) - _LABEL_FROM_END
    if len(places):
        numbers = np.frombuffer(data, np.uint8)
        old = numbers[places + np.arange(4)].view("<i4").ravel()
        whole = (numbers[places - 1] == ord(pickle.BININT)).all() and (old >= 0).all() and (old < len(classes)).all()
        if not whole:
            raise Damaged("a face does not end in a label")
        numbers[places + np.arange(4)] = labels[old].astype("<i4").reshape(-1, 1).view(np.uint8)
    return len(head)


def _can_end_at(descriptor: int, length: int) -> bool:
    """Whether STOP may stand as byte `length`: our head in front, and the end of a piece before it."""
    before_stop = length - 1
    return (
        before_stop >= len(_FIXED_HEAD) + _TAIL_SIZE
        and os.pread(descriptor, len(_FIXED_HEAD), 0) == _FIXED_HEAD
        and os.pread(descriptor, _TAIL_SIZE, before_stop - _TAIL_SIZE) in (_TAIL_OF_A_FACE, _TAIL_WITHOUT_FACES)
    )


def _is_whole(descriptor: int, length: int) -> bool:
    return (
        os.fstat(descriptor).st_size == length
        and _can_end_at(descriptor, length)
        and os.pread(descriptor, 1, length - 1) == pickle.STOP
    )


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    """One call in practice: a nearly full disk takes a part, and only the next call says why."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)


def _end_at(descriptor: int, length: int) -> None:
    """STOP first: killed between the two steps, the file is still one that `pickle.load` reads."""
    _write_at(descriptor, pickle.STOP, length - 1)
    os.ftruncate(descriptor, length)
    os.fsync(descriptor)
