"""Reads a train.pickle that someone else wrote, without ever running anything it asks for.

`pickle.Unpickler` with a narrow `find_class` would import nothing either, but is no match for a hostile file:
six bytes make its memo fill gigabytes, and a dictionary key of nested tuples overflows the C stack and takes
the process down. So this is the standard library's unpickler in Python, whose memo is a dictionary, left with
only the instructions that plain data needs, and with keys that are text.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NoReturn

from app.errors import InvalidInput, TooLarge, UnsafePickle
from app.store.artifact import ENCODING_SIZE, LARGEST_VALUE, Entry

_CHUNK = 1 << 20
_LONGEST_NAME = 60


def load(source: Path | BinaryIO, *, max_bytes: int = 2 << 30) -> list[Entry]:
    """The faces in a pickle of this product or of the system it replaces, in the order of the file.

    Takes built-in types and numpy scalars, of any pickle protocol. Paths and names come back as they were
    written, encodings as lists of 128 numbers. Raises UnsafePickle for a file that asks for anything but
    data, TooLarge beyond `max_bytes`, and InvalidInput, naming the face, for whatever else is wrong with it.
    """
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                data = _read(file, max_bytes)
        except OSError as error:
            raise InvalidInput(f"The pickle cannot be read: {error.strerror}.") from error
    else:
        data = _read(source, max_bytes)
    size = data.getbuffer().nbytes
    try:
        tree = _PlainUnpickler(data).load()
    except InvalidInput:
        raise
    except Exception as error:  # there is no end to the ways a hostile program can make the machine trip
        raise InvalidInput("The pickle is damaged, or is no pickle at all.") from error
    return _entries(tree, size)


def _read(file: BinaryIO, max_bytes: int) -> io.BytesIO:
    data = io.BytesIO()
    while chunk := file.read(min(_CHUNK, max_bytes + 1 - data.tell())):
        data.write(chunk)
    if data.tell() > max_bytes:
        raise TooLarge(f"The pickle is larger than {max_bytes:,} bytes.")
    data.seek(0)
    return data


def _refuse(what: str) -> NoReturn:
    raise UnsafePickle(f"The pickle {what}, which a list of faces never needs. Nothing in it was run.")


def _printable(text: str) -> str:
    shown = text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown)


# ---- Numpy scalars, rebuilt without numpy

_STRUCT_CODES = {"b1": "?", "f2": "e", "f4": "f", "f8": "d"} | dict(
    zip(("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"), "bhiqBHIQ", strict=True)
)
_TEXT_TYPE = re.compile(r"U\d+")


@dataclass(slots=True)
class _DType:
    code: str
    order: str = "<"


def _dtype(name: object, *_flags: object) -> _DType:
    if type(name) is not str:
        raise pickle.UnpicklingError("a numpy type without a name")
    if _TEXT_TYPE.fullmatch(name):
        return _DType("U")
    if name not in _STRUCT_CODES:
        raise InvalidInput(f"The pickle holds a numpy value of type {_printable(name)}, not a number or text.")
    return _DType(_STRUCT_CODES[name])


def _byte_order(order: object) -> str:
    # Compared, never looked up: to hash a hostile value, as tuples nested a million deep, could end the process.
    if order not in ("<", ">", "|"):
        raise pickle.UnpicklingError("a numpy type with an unknown byte order")
    return ">" if order == ">" else "<"


def _scalar(dtype: object, data: object) -> int | float | bool | str:
    if type(dtype) is not _DType or type(data) is not bytes:
        raise pickle.UnpicklingError("a numpy value without a type or bytes")
    if dtype.code == "U":  # a name out of LabelEncoder.classes_: UTF-32, filled up with zeros
        return data.decode("utf-32-be" if dtype.order == ">" else "utf-32-le").rstrip("\0")
    value: int | float | bool = struct.unpack(dtype.order + dtype.code, data)[0]
    return value


def _encode(text: object, codec: object) -> bytes:
    """How protocols 0 to 2 spell bytes."""
    if type(text) is not str or codec != "latin1":
        raise pickle.UnpicklingError("bytes spelt in an unknown way")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
}


# ---- The stack machine

_PLAIN = b"".join(
    [
        *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK, pickle.DUP),
        *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.FLOAT, pickle.BINFLOAT),
        *(pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG, pickle.LONG1, pickle.LONG4),
        *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
        *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
        *(pickle.LIST, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT),
        *(pickle.TUPLE, pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
        *(pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
        *(pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
        # REDUCE calls whatever lies on the stack: nothing that `find_class` did not hand out can be called.
        *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE),
    ]
)


def _refusal(instruction: str) -> Callable[[Any], NoReturn]:
    return lambda _machine: _refuse(f"uses the instruction {instruction}")


class _PlainUnpickler(pickle._Unpickler):
    """Refuses every instruction that is neither in `_PLAIN` nor guarded by a method here."""

    stack: list[Any]
    readline: Callable[[], bytes]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            _refuse(f"asks for {_printable(f'{module}.{name}')}")
        return stand_in

    def load_inst(self) -> NoReturn:
        """Names what the instruction was to run, which says more than its own name."""
        module, name = (self.readline()[:-1].decode("ascii", "replace") for _ in range(2))
        self.find_class(module, name)
        _refuse("uses the instruction INST")

    def load_build(self) -> None:
        state = self.stack.pop()
        dtype = self.stack[-1]
        if type(dtype) is not _DType:
            _refuse("changes the inside of an object")
        _version, order, *_rest = state
        dtype.order = _byte_order(order)

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set(items)

    def load_setitem(self) -> None:
        value = self.stack.pop()
        self._set([self.stack.pop(), value])

    def load_setitems(self) -> None:
        self._set(self.pop_mark())

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise pickle.UnpicklingError("an item set outside a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str:
                _reject("a dictionary in it has keys that are not text")
            target[key] = value

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **{ord(opcode.code): _refusal(opcode.name) for opcode in pickletools.opcodes},
        **{code: pickle._Unpickler.dispatch[code] for code in _PLAIN},
        pickle.INST[0]: load_inst,
        pickle.BUILD[0]: load_build,
        pickle.DICT[0]: load_dict,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }


# ---- From plain data to faces


def _entries(tree: object, size: int) -> list[Entry]:
    faces = _sequence(_member(tree, "encodings", "it"), '"encodings"')
    encoder = _member(tree, "label_encoder", "it")
    classes = _sequence(_member(encoder, "classes_", '"label_encoder"'), '"classes_"')
    names = [_text(name, f"classes_[{place}]") for place, name in enumerate(classes)]
    # References cost two bytes each: without this, a small file could list one face a million times.
    if len(faces) * ENCODING_SIZE > size:
        _reject("it lists more faces than it has room for")
    return [_entry(face, names, f"encodings[{place}]") for place, face in enumerate(faces)]


def _entry(face: object, names: list[str], where: str) -> Entry:
    path = _text(_member(face, "imagePath", where), f"the imagePath of {where}")
    box = _member(face, "loc", where)
    encoding = _member(face, "encoding", where)
    label = _member(face, "label", where)
    if not (isinstance(box, list | tuple) and len(box) == 4 and all(_is_coordinate(side) for side in box)):
        _reject(f"the loc of {where} is not four whole numbers")
    if not (
        isinstance(encoding, list | tuple)
        and len(encoding) == ENCODING_SIZE
        and all(type(value) in (float, int) and abs(value) <= LARGEST_VALUE for value in encoding)
    ):
        _reject(f"the encoding of {where} is not {ENCODING_SIZE} finite numbers")
    if type(label) is not int or not 0 <= label < len(names):
        _reject(f"the label of {where} is not the number of one of the {len(names)} names")
    top, right, bottom, left = box
    return Entry(
        image_path=path,
        box=(top, right, bottom, left),
        encoding=encoding if isinstance(encoding, list) else list(encoding),
        name=names[label],
    )


def _is_coordinate(value: object) -> bool:
    """Within what a database column holds; True and False are no coordinates."""
    return type(value) is int and -(1 << 63) <= value < 1 << 63


def _member(holder: object, key: str, where: str) -> object:
    if not isinstance(holder, dict):
        _reject(f"{where} is not a dictionary")
    if key not in holder:
        _reject(f'{where} has no "{key}"')
    return holder[key]


def _sequence(value: object, where: str) -> list[object] | tuple[object, ...]:
    if not isinstance(value, list | tuple):
        _reject(f"{where} is not a list")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        _reject(f"{where} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        _reject(f"{where} is not text that can be stored")
    return value


def _reject(what: str) -> NoReturn:
    raise InvalidInput(f"The pickle is not a list of faces: {what}.")
