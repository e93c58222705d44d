"""Foreign pickles: what the old system wrote is read, everything else is refused, and nothing is ever run."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import InvalidInput, TooLarge, UnsafePickle
from app.store.artifact import Artifact, Entry
from app.store.unpickling import load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
NUMBERS = np.random.default_rng(7).normal(0, 0.1, 128)


def face(**changes: Any) -> dict[str, Any]:
    plain = {
        "imagePath": "training\\ann_01.jpg",
        "loc": (1, 20, 30, 4),
        "encoding": NUMBERS.tolist(),
        "label": 0,
    }
    return {**plain, **changes}


def tree(*faces: dict[str, Any], classes: Any = ("ann", "bob")) -> dict[str, Any]:
    return {"encodings": list(faces), "label_encoder": {"classes_": list(classes)}}


def load_bytes(data: bytes) -> list[Entry]:
    return load(io.BytesIO(data))


def load_tree(value: object, protocol: int = 4) -> list[Entry]:
    return load_bytes(pickle.dumps(value, protocol))


def numpy_face() -> dict[str, Any]:
    """As the old system wrote them on Windows."""
    return face(
        imagePath="dataset\\training\\Zoë Müller_01.jpg",
        loc=[np.int64(1), np.int32(20), 30, 4],
        encoding=list(NUMBERS),
        label=np.int64(1),
    )


def with_module(data: bytes, module: bytes) -> bytes:
    """The same pickle as numpy 1 or numpy 2 would have written it."""
    written = np.float64(0).__reduce__()[0].__module__.encode()
    if data[1] < 4 or data[:1] != pickle.PROTO:
        return data.replace(b"c" + written + b"\nscalar", b"c" + module + b"\nscalar")
    changed = data.replace(bytes([len(written)]) + written, bytes([len(module)]) + module)
    frame = struct.unpack("<Q", data[3:11])[0] + len(module) - len(written)
    return changed[:3] + struct.pack("<Q", frame) + changed[11:]


# ---- What the old system wrote


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_with_numpy_scalars_of_either_generation_is_read(protocol: int, module: bytes) -> None:
    # One face fits the first frame of protocols 4 and 5, whose length with_module corrects.
    data = with_module(pickle.dumps(tree(numpy_face()), protocol), module)
    assert module in data

    (entry,) = load_bytes(data)

    assert entry == Entry("dataset\\training\\Zoë Müller_01.jpg", (1, 20, 30, 4), NUMBERS.tolist(), "bob")
    assert {type(value) for value in (*entry.box, *entry.encoding)} == {int, float}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_of_every_width_come_back_exactly(protocol: int, kind: type) -> None:
    values = NUMBERS.astype(kind)

    (entry,) = load_tree(tree(face(encoding=tuple(values))), protocol)

    assert entry.encoding == values.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_whole_numbers_of_every_width_come_back_exactly(protocol: int) -> None:
    for kind in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32):
        limits = np.iinfo(kind)
        (entry,) = load_tree(tree(face(loc=(kind(limits.min), kind(limits.max), kind(1), kind(0)))), protocol)
        assert entry.box == (limits.min, limits.max, 1, 0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_of_a_machine_with_the_other_byte_order_are_read(protocol: int) -> None:
    kind = np.dtype(">f8")
    scalar, (_, data) = np.float64(0.25).__reduce__()

    class Swapped:
        def __reduce__(self) -> tuple[Any, ...]:
            return scalar, (kind, data[::-1])

    (entry,) = load_tree(tree(face(encoding=[Swapped()] * 128)), protocol)

    assert entry.encoding == [0.25] * 128


def test_labels_index_the_names_as_they_stand_even_when_unsorted() -> None:
    entries = load_tree(tree(face(label=0), face(label=2), face(label=1), classes=["zoe", "ann", "李小龙"]))

    assert [entry.name for entry in entries] == ["zoe", "李小龙", "ann"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_names_straight_out_of_a_label_encoder_are_read(protocol: int) -> None:
    classes = list(np.array(["Bob", "José", "王芳"]))
    name = load_tree(tree(face(label=1), classes=classes), protocol)[0].name
    assert (type(name), name) == (str, "José")


def test_tuples_serve_where_the_file_should_hold_lists() -> None:
    value = {"encodings": (face(loc=[1, 20, 30, 4]),), "label_encoder": {"classes_": ("ann",)}}

    assert load_tree(value) == [Entry("training\\ann_01.jpg", (1, 20, 30, 4), NUMBERS.tolist(), "ann")]


def test_a_file_is_read_from_its_path_too(tmp_path: Path) -> None:
    path = tmp_path / "train.pickle"
    path.write_bytes(pickle.dumps(tree(face())))

    assert load(path) == load_tree(tree(face()))


def test_a_list_of_nobody_is_empty() -> None:
    assert load_tree(tree(classes=[])) == []


# ---- Files that are refused before they are looked into


def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_not(tmp_path: Path) -> None:
    path = tmp_path / "train.pickle"
    path.write_bytes(pickle.dumps(tree(face())))
    size = path.stat().st_size

    assert len(load(path, max_bytes=size)) == 1
    for source in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(TooLarge, match="bytes"):
            load(source, max_bytes=size - 1)


def test_a_path_that_cannot_be_read_is_refused_without_showing_it(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pickle", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be read") as refusal:
            load(path)
        assert str(tmp_path) not in refusal.value.message


@pytest.mark.parametrize("data", [b"", b".", b"\0", b"not a pickle", b"\xff\xd8\xff\xe0 JFIF", b"\x80\xff.", b"\x80"])
def test_what_is_no_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        load_bytes(data)


def test_every_truncation_of_a_good_file_is_refused() -> None:
    for protocol in PROTOCOLS:
        data = pickle.dumps(tree(numpy_face()), protocol)
        for end in range(0, len(data), 7):
            with pytest.raises(InvalidInput):
                load_bytes(data[:end])


# ---- Shapes and values


WRONG = {
    "a list": ([], "not a dictionary"),
    "nothing": (None, "not a dictionary"),
    "no encodings": ({"label_encoder": {"classes_": []}}, '"encodings"'),
    "no label_encoder": ({"encodings": []}, '"label_encoder"'),
    "no classes_": ({"encodings": [], "label_encoder": {}}, '"classes_"'),
    "a name that is a number": (tree(classes=["ann", 5]), r"classes_\[1\]"),
    "a name with a surrogate": (tree(classes=["ann\ud800"]), r"classes_\[0\]"),
    "faces in a dictionary": (
        {"encodings": {}, "label_encoder": {"classes_": []}},
        '"encodings" is not a list',
    ),
    "names in one text": (
        {"encodings": [], "label_encoder": {"classes_": "ann"}},
        '"classes_" is not a list',
    ),
    "keys that are not text": (tree(face(loc={1: 2})), "keys"),
}
WRONG_FACES = {
    "no path": ("imagePath", None, "imagePath"),
    "path of bytes": ("imagePath", b"ann.jpg", "not text"),
    "path with a surrogate": ("imagePath", "\udc80.jpg", "stored"),
    "127 numbers": ("encoding", [0.0] * 127, "128"),
    "129 numbers": ("encoding", [0.0] * 129, "128"),
    "not a number": ("encoding", [float("nan")] + [0.0] * 127, "finite"),
    "infinite": ("encoding", [float("inf")] + [0.0] * 127, "finite"),
    "infinite as float32": ("encoding", [1e39] + [0.0] * 127, "finite"),
    "a whole number beyond any float": ("encoding", [10**400] + [0.0] * 127, "finite"),
    "text for numbers": ("encoding", ["0.1"] * 128, "finite"),
    "numbers in one text": ("encoding", "0" * 128, "128"),
    "yes and no for numbers": ("encoding", [True] * 128, "finite"),
    "numpy infinity": ("encoding", [np.float32("inf")] * 128, "finite"),
    "box of three": ("loc", (1, 2, 3), "four"),
    "box of fractions": ("loc", (1.0, 2.0, 3.0, 4.0), "four"),
    "box of yes and no": ("loc", (np.bool_(True), True, 3, 4), "four"),
    "box beyond the database": ("loc", (1, 2, 3, 2**63), "four"),
    "box in a dictionary": ("loc", {"a": 1, "b": 2, "c": 3, "d": 4}, "four"),
    "label below": ("label", -1, "2 names"),
    "label beyond": ("label", 2, "2 names"),
    "label far beyond": ("label", 10**5_000, "2 names"),
    "label as text": ("label", "ann", "2 names"),
    "label as a fraction": ("label", 0.0, "2 names"),
    "label as yes": ("label", True, "2 names"),
}


@pytest.mark.parametrize(("value", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_shape_is_refused_in_words_that_help(value: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        load_tree(value)


@pytest.mark.parametrize(("key", "value", "words"), WRONG_FACES.values(), ids=WRONG_FACES)
def test_a_wrong_face_is_refused_with_its_place_in_the_list(key: str, value: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refusal:
        load_tree(tree(face(), face(), face(**{key: value})))
    assert "encodings[2]" in refusal.value.message


@pytest.mark.parametrize("key", ["imagePath", "loc", "encoding", "label"])
def test_a_face_that_lacks_something_is_refused_with_what_it_lacks(key: str) -> None:
    lacking = face()
    del lacking[key]
    with pytest.raises(InvalidInput, match=rf'encodings\[1\] has no "{key}"'):
        load_tree(tree(face(), lacking))


@pytest.mark.parametrize("value", [None, [], "face", 7])
def test_a_face_that_is_no_dictionary_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"encodings\[1\] is not a dictionary"):
        load_tree(tree(face(), value))


@pytest.mark.parametrize("value", [np.longdouble(1), np.complex64(1), np.datetime64("2020-01-01")])
def test_numpy_values_that_are_not_plain_numbers_are_refused_by_type(value: Any) -> None:
    with pytest.raises(InvalidInput, match="numpy value of type"):
        load_tree(tree(face(label=value)))


# ---- Files that ask for more than data


def text(value: str) -> bytes:
    data = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def named(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def stacked(module: str, name: str) -> bytes:
    return text(module) + text(name) + pickle.STACK_GLOBAL


# Each takes a shell command and gives a pickle that runs it when a careless program loads it.
ATTACKS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "GLOBAL and REDUCE": (
        lambda command: named("os", "system") + text(command) + pickle.TUPLE1 + pickle.REDUCE,
        "os.system",
    ),
    "STACK_GLOBAL": (
        lambda command: b"\x80\x04" + stacked("os", "system") + text(command) + b"\x85R",
        "os.system",
    ),
    "INST": (
        lambda command: b"(" + text(command) + pickle.INST + b"os\nsystem\n",
        "os.system",
    ),
    "OBJ": (
        lambda command: b"(" + named("subprocess", "getoutput") + text(command) + pickle.OBJ,
        "subprocess.getoutput",
    ),
    "NEWOBJ": (
        lambda command: (
            named("builtins", "tuple")
            + (named("builtins", "map") + named("os", "system") + text(command) + b"\x85\x86" + pickle.NEWOBJ)
            + (pickle.TUPLE1 + pickle.NEWOBJ)
        ),
        "builtins.tuple",
    ),
    "NEWOBJ_EX": (
        lambda command: (
            b"\x80\x04"
            + named("builtins", "tuple")
            + (named("builtins", "map") + named("os", "system") + text(command) + b"\x85\x86}" + pickle.NEWOBJ_EX)
            + (pickle.TUPLE1 + pickle.EMPTY_DICT + pickle.NEWOBJ_EX)
        ),
        "builtins.tuple",
    ),
    "BUILD": (
        lambda command: (
            named("functools", "partial")
            + (named("os", "getcwd") + pickle.TUPLE1 + pickle.REDUCE)
            + (b"(" + named("os", "system") + text(command) + b"\x85}}t" + pickle.BUILD)
            + (pickle.EMPTY_TUPLE + pickle.REDUCE)
        ),
        "functools.partial",
    ),
    "eval": (
        lambda command: (
            named("builtins", "eval") + text(f"__import__('os').system({command!r})") + pickle.TUPLE1 + pickle.REDUCE
        ),
        "builtins.eval",
    ),
    "a nested name": (
        lambda command: b"\x80\x04" + stacked("pathlib", "os.system") + text(command) + b"\x85R",
        "pathlib.os.system",
    ),
    "within a face": (
        lambda command: (
            b"}" + text("encodings") + b"](}" + text("label") + named("os", "system") + text(command) + b"\x85Rses"
        ),
        "os.system",
    ),
}


@pytest.mark.parametrize(("attack", "asked"), ATTACKS.values(), ids=ATTACKS)
def test_an_attack_that_works_elsewhere_is_refused_by_name_and_never_runs(
    tmp_path: Path, attack: Callable[[str], bytes], asked: str
) -> None:
    sentinel = tmp_path / "it ran"
    data = attack(f'touch "{sentinel}"') + pickle.STOP
    pickle.loads(data)
    assert sentinel.exists(), "the attack itself is broken, and would prove nothing"
    sentinel.unlink()

    with pytest.raises(UnsafePickle, match="Nothing in it was run") as refusal:
        load_bytes(data)

    assert asked in refusal.value.message
    assert not sentinel.exists()


def test_what_an_object_would_run_when_read_never_runs(tmp_path: Path) -> None:
    sentinel = tmp_path / "it ran"

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f'touch "{sentinel}"',)

    for protocol in PROTOCOLS:
        with pytest.raises(UnsafePickle, match=r"\.system"):
            load_tree(tree(face(label=Attack())), protocol)
    assert not sentinel.exists()


@pytest.mark.parametrize(
    "name",
    [
        ("numpy", "load"),
        ("numpy", "dtype.__class__"),
        ("numpy", "dtype.__init__.__globals__"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar.__call__"),
        ("numpy.core.multiarray.scalar", ""),
        ("_codecs", "decode"),
        ("_codecs", "encode.__self__"),
        ("sklearn.preprocessing._label", "LabelEncoder"),
        ("app.store.unpickling", "_scalar"),
        ("builtins", "dict"),
        ("__builtin__", "eval"),
        ("copyreg", "_reconstructor"),
        ("", ""),
    ],
)
def test_only_the_exact_names_of_numpy_numbers_are_known(name: tuple[str, str]) -> None:
    for data in (
        named(*name),
        b"\x80\x04" + stacked(*name),
        b"(" + pickle.INST + "{}\n{}\n".format(*name).encode(),
    ):
        with pytest.raises(UnsafePickle) as refusal:
            load_bytes(data + pickle.STOP)
        assert ".".join(name) in refusal.value.message


def test_a_label_encoder_object_is_refused_by_name() -> None:
    from sklearn.preprocessing import LabelEncoder

    with pytest.raises(UnsafePickle, match="LabelEncoder"):
        load_tree({"encodings": [], "label_encoder": LabelEncoder().fit(["ann"])})


def test_names_in_a_refusal_are_short_and_printable() -> None:
    for name in ("x" * 100_000, "\x1b[2J\r\n\u202e\0<script>", "\ud800"):
        data = b"\x80\x04" + text("os") + pickle.BINUNICODE
        raw = name.encode("utf-8", "surrogatepass")
        with pytest.raises(UnsafePickle) as refusal:
            load_bytes(data + struct.pack("<I", len(raw)) + raw + pickle.STACK_GLOBAL + pickle.STOP)
        assert refusal.value.message.isprintable()
        assert len(refusal.value.message) < 200


SCALAR, DTYPE, ENCODE = (
    named("numpy.core.multiarray", "scalar"),
    named("numpy", "dtype"),
    named("_codecs", "encode"),
)
F8 = DTYPE + text("f8") + b"\x89\x88\x87R"
EIGHT = pickle.SHORT_BINBYTES + b"\x08" + bytes(8)
TRICKS = {
    "persistent id": pickle.NONE + pickle.BINPERSID,
    "persistent id in text": pickle.PERSID + b"os.system\n",
    "extension 1": pickle.EXT1 + b"\x01",
    "extension 2": pickle.EXT2 + b"\x01\x00",
    "extension 4": pickle.EXT4 + b"\x01\x00\x00\x00",
    "INST of a stand-in": b"(" + text("f8") + pickle.INST + b"numpy\ndtype\n",
    "OBJ of a stand-in": b"(" + DTYPE + text("f8") + pickle.OBJ,
    "NEWOBJ of a stand-in": DTYPE + text("f8") + pickle.TUPLE1 + pickle.NEWOBJ,
    "NEWOBJ_EX of a stand-in": DTYPE + text("f8") + pickle.TUPLE1 + pickle.EMPTY_DICT + pickle.NEWOBJ_EX,
    "BUILD of a function's attributes": DTYPE + b"}" + text("__doc__") + text("changed") + b"s" + pickle.BUILD,
    "BUILD of a function's slots": DTYPE + b"N}" + text("__defaults__") + b")s\x86" + pickle.BUILD,
    "BUILD of a type's slots": F8 + b"N}" + text("code") + text("B") + b"s\x86" + pickle.BUILD,
    "BUILD of a type by dictionary": F8 + b"}" + text("code") + text("B") + b"s" + pickle.BUILD,
    "BUILD of a list": b"]}" + text("append") + b"Ns" + pickle.BUILD,
    "BUILD with a hostile byte order": F8 + b"(K\x03" + b"N" + b"\x85" * 1_000_000 + b"t" + pickle.BUILD,
    "a scalar without arguments": SCALAR + b")R",
    "a scalar of a scalar": SCALAR + SCALAR + EIGHT + b"\x86R",
    "a scalar of too few bytes": SCALAR + F8 + pickle.SHORT_BINBYTES + b"\x01x\x86R",
    "a scalar called with a dictionary": SCALAR + b"}R",
    "a type without a name": DTYPE + b"]\x85R",
    "a type that calls itself": DTYPE + DTYPE + b"\x85R",
    "a call of a type": F8 + b")R",
    "a call of data": text("os.system") + b")R",
    "bytes of another codec": ENCODE + text("import os") + text("rot13") + b"\x86R",
    "bytes of a codec by number": ENCODE + text("a") + b"K\x01\x86R",
    "an item set on a function": DTYPE + text("__code__") + b"Ns",
    "an item added to a function": DTYPE + b"Na",
    "a set": pickle.EMPTY_SET + b"(K\x01" + pickle.ADDITEMS,
    "a byte array": pickle.BYTEARRAY8 + struct.pack("<Q", 2**40) + b"x",
    "a buffer from elsewhere": pickle.NEXT_BUFFER,
    "a name that is no text": b"NN" + pickle.STACK_GLOBAL,
    "an empty stack": pickle.REDUCE,
    "marks without an end": b"(" * 1_000 + b"t" * 1_001,
    "a memo that is empty": pickle.BINGET + b"\x05",
    "a memo place below nothing": b"N" + pickle.PUT + b"-1\n",
    "a memo place far beyond": b"N" + pickle.LONG_BINPUT + b"\xff\xff\xff\xff",
    "a memo place in digits": b"N" + pickle.PUT + b"9" * 5_000 + b"\n",
    "a number in too many digits": pickle.INT + b"9" * 5_000 + b"\n",
    "text of exabytes": pickle.BINUNICODE8 + struct.pack("<Q", 2**60) + b"x",
    "bytes of exabytes": pickle.BINBYTES8 + struct.pack("<Q", 2**60) + b"x",
    "text beyond any size": pickle.BINUNICODE8 + b"\xff" * 8,
    "a number of gigabytes": pickle.LONG4 + struct.pack("<i", 2**31 - 1) + b"x",
    "a number of fewer than no bytes": pickle.LONG4 + struct.pack("<i", -1),
    "a frame of exabytes": b"\x80\x04" + pickle.FRAME + struct.pack("<Q", 2**60) + b"N",
    "a frame beyond any size": b"\x80\x04" + pickle.FRAME + b"\xff" * 8,
    "a frame within a frame": b"\x80\x04" + 2 * (pickle.FRAME + struct.pack("<Q", 20)) + b"N" * 40,
    "text that is not UTF-8": pickle.SHORT_BINUNICODE + b"\x01\xff",
    "a list that holds itself": b"]" + pickle.BINPUT + b"\x00h\x00a",
    "a dictionary that holds itself": b"}" + pickle.BINPUT + b"\x00" + text("encodings") + b"h\x00s",
    "a key without a value": b"}(" + text("encodings") + b"u",
}


@pytest.mark.parametrize("data", TRICKS.values(), ids=TRICKS)
def test_a_trick_ends_in_a_refusal(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        load_bytes(data + pickle.STOP)


@pytest.mark.parametrize("target", [DTYPE, SCALAR, ENCODE, b"]", b"}", b"N"])
def test_nothing_but_a_numpy_type_is_given_an_inside(target: bytes) -> None:
    with pytest.raises(UnsafePickle, match="inside of an object"):
        load_bytes(target + b"(K\x03" + text("<") + b"t" + pickle.BUILD + pickle.STOP)


def test_no_trick_outlives_its_file() -> None:
    good = pickle.dumps(tree(numpy_face()), 2)
    before = load_bytes(good)

    for data in TRICKS.values():
        with pytest.raises(InvalidInput):
            load_bytes(data + pickle.STOP)

    assert load_bytes(good) == before


def test_nesting_a_million_deep_ends_neither_the_process_nor_in_a_traceback() -> None:
    # In a process of its own: where this fails, Python itself crashes.
    script = """
import io
from app.errors import InvalidInput
from app.store.unpickling import load

for nest in (b"N" + b"\\x85" * 1_000_000, b"]" * 1_000_000 + b"a" * 999_999):
    for data in (nest, b"}" + nest + b"Ns", b"}X\\x09\\0\\0\\0encodings" + nest + b"s", b"](" + nest + b"Nd"):
        try:
            load(io.BytesIO(data + b"."))
        except InvalidInput:
            continue
        raise SystemExit("accepted")
"""
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_hostile_file_cannot_make_memory_run_out() -> None:
    # The first of them makes the memo of pickle.Unpickler ask for 64 GB.
    script = """
import io, resource, struct
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from app.errors import InvalidInput
from app.store.unpickling import load

huge = struct.pack("<Q", 1 << 33)
memo = (b"Nr\\xff\\xff\\xff\\xff", b"Np4000000000\\n")
for data in (*memo, b"\\x8d" + huge, b"\\x8e" + huge, b"\\x96" + huge):
    try:
        load(io.BytesIO(data + b"."))
    except InvalidInput as refusal:
        assert not isinstance(refusal.__cause__, MemoryError)
        continue
    raise SystemExit("accepted")
"""
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stderr) == (0, "")


def test_one_face_cannot_be_listed_a_million_times() -> None:
    once = pickle.dumps(face(), 2)[2:-1]
    data = (
        (b"}" + text("label_encoder") + b"}" + text("classes_") + b"](" + text("ann") + b"ess")
        + (text("encodings") + b"](" + once + pickle.LONG_BINPUT + struct.pack("<I", 10_000))
        + ((pickle.LONG_BINGET + struct.pack("<I", 10_000)) * 100_000 + b"es.")
    )
    assert len(pickle.loads(data)["encodings"]) == 100_001

    with pytest.raises(InvalidInput, match="room"):
        load_bytes(data)


# ---- Anything at all


@cache
def good_files() -> list[bytes]:
    files = [pickle.dumps(tree(numpy_face(), face()), protocol) for protocol in (0, 2, 4)]
    files.append(pickle.dumps(tree(face(), face(label=1)), 2))
    return files


def mutated(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 5, 20))):
        place = dice.randrange(len(changed))
        match dice.randrange(5):
            case 0:
                changed[place] = dice.randrange(256)
            case 1:
                changed[place] ^= 1 << dice.randrange(8)
            case 2:
                del changed[place : place + dice.choice((1, 2, 9, 100))]
            case 3:
                changed[place:place] = dice.choice(list(TRICKS.values()))[:50]
            case 4:
                start = dice.randrange(len(changed))
                changed[place:place] = changed[start : start + dice.randrange(60)]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("seed", range(8))
def test_a_mutated_file_is_read_or_refused_and_nothing_else(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    artifact = Artifact(tmp_path / "train.pickle")
    artifact.rewrite([Entry("a.jpg", (1, 2, 3, 4), NUMBERS.tolist(), name) for name in ("ann", "bob")])
    files = [*good_files(), (tmp_path / "train.pickle").read_bytes()]
    read: list[Entry] = []
    refusals: list[str] = []

    for _ in range(750):
        try:
            read += load_bytes(mutated(dice.choice(files), dice))
        except InvalidInput as refusal:
            refusals.append(refusal.message)

    assert len(read) > 50
    assert len(refusals) > 50
    assert all(message.isprintable() for message in refusals)
    assert all(np.isfinite(np.asarray(entry.encoding, dtype=np.float32)).all() for entry in read)
    assert {len(entry.encoding) for entry in read} == {128}
