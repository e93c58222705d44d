"""Hostile pickles for the reader of train.pickle: every instruction, broken good ones, and programs made at random."""

from __future__ import annotations

import io
import pickle
import pickletools
import random
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import NamesakeError
from app.store import unpickling
from tests.fuzz.mutations import mutate
from tests.fuzz.tally import INSIDE, Tally, status

SECONDS = 5.0
GREW_MB = 200
_NAMES = ("os\nsystem", "builtins\neval", "builtins\nexec", "subprocess\nPopen", "numpy\ndtype", "numpy\nload",
          "numpy.core.multiarray\nscalar", "_codecs\nencode", "app.store.db\nDatabase", "posix\nsystem")  # fmt: skip
_TEXTS = ("", "encodings", "label_encoder", "classes_", "imagePath", "loc", "encoding", "label", "touch x", "os",
          "system", "f8", "U3", "latin1", "<", "\ud800", "x" * 300)  # fmt: skip
# What a program must not do, by the names of Python's audit events.
_FORBIDDEN = ("exec", "compile", "import", "open", "os.", "subprocess.", "socket.", "shutil.", "ctypes.",
              "pickle.find_class", "marshal.", "code.__new__", "winreg.", "builtins.input")  # fmt: skip


def good() -> list[bytes]:
    face: dict[str, Any] = {"imagePath": "training/ann_01.jpg", "loc": (1, 20, 30, 4), "label": 0}
    plain = face | {"encoding": [0.25] * 128}
    strange = face | {
        "loc": [np.int64(1), 20, 30, 4],
        "encoding": list(np.linspace(0, 1, 128)),
        "label": np.int64(1),
    }
    trees = [
        {"encodings": [each] * 2, "label_encoder": {"classes_": names}}
        for each, names in ((plain, ["ann", "bob"]), (strange, [np.str_("ann"), np.str_("bob")]))
    ]
    return [pickle.dumps(tree, protocol) for tree in trees for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def each_instruction() -> Iterator[tuple[str, bytes]]:
    """Every one, with arguments that fit, are too large or cut off; on an empty stack and on full ones."""
    stacks = (b"", b"(", b"K\x01" * 5, b"}(" + b"K\x01K\x02" * 3, b"](K\x01K\x02", b"cos\nsystem\n(V1\nt", b")}N")
    choose = random.Random(1)
    for opcode in pickletools.opcodes:
        for number, stack in enumerate(stacks):
            for argument in (*_arguments(opcode, choose), b"", b"\xff" * 12):
                for end in (b".", b"", b"0."):
                    code = opcode.code.encode("latin1")
                    yield f"{opcode.name} {number}", b"\x80\x04" + stack + code + argument + end


def _arguments(opcode: Any, choose: random.Random) -> list[bytes]:
    """Some that this instruction takes."""
    kind = opcode.arg.name if opcode.arg else ""
    if not kind:
        return [b""]
    fixed = {"uint1": "<B", "uint2": "<H", "int4": "<i", "uint4": "<I", "uint8": "<Q", "float8": ">d"}
    if kind in fixed:
        sized = struct.calcsize(fixed[kind])
        return [bytes(sized), b"\x01" + bytes(sized - 1), b"\xff" * sized, b"\x7f" * sized]
    if kind in ("decimalnl_short", "decimalnl_long"):
        return [b"0\n", b"-1\n", b"01\n", b"9" * 5000 + b"\n", b"1e9\n", b"99L\n"]
    if kind == "floatnl":
        return [b"1.5\n", b"nan\n", b"1e999\n", b"x\n"]
    if kind == "stringnl_noescape_pair":
        return [name.encode() + b"\n" for name in _NAMES]
    if kind.endswith("nl") or "stringnl" in kind or "unicodestringnl" in kind:
        return [choose.choice(_TEXTS).encode("utf-8", "surrogatepass") + b"\n", b"'quoted'\n", b"\\ud800\n"]
    width = {"1": "<B", "2": "<H", "4": "<I", "8": "<Q"}[kind.removesuffix("s")[-1]] if kind[-1].isdigit() else "<I"
    most = (1 << 8 * struct.calcsize(width)) - 1
    text = choose.choice(_TEXTS).encode("utf-8", "replace")[:200]
    return [struct.pack(width, length) + text for length in (len(text), 0, most, most // 2)]


def program(choose: random.Random) -> bytes:
    """Instructions at random, most of which find what they need on the stack."""
    made = [b"\x80" + bytes([choose.randrange(7)])] if choose.random() < 0.7 else []
    for _ in range(choose.choice((3, 10, 30, 100, 400))):
        opcode = choose.choice(pickletools.opcodes)
        if opcode.name in ("STOP", "PROTO", "FRAME") and choose.random() < 0.9:
            continue
        made.append(opcode.code.encode("latin1") + choose.choice(_arguments(opcode, choose)))
        if choose.random() < 0.3:
            made.append(choose.choice((b"(", b"}", b"]", b"2", b"K\x00", b"N", b"q\x00", b"h\x00")))
    return b"".join(made) + b"."


def fuzz_pickles(tally: Tally, count: int, seed: int) -> None:
    """`count` programs, of which half are broken good ones; and every instruction besides."""
    valid = good()
    inputs = list(each_instruction())
    for number in range(count):
        name = f"{seed}-pickle-{number}"
        choose = random.Random(name)
        if number % 2:
            inputs.append((name, program(choose)))
        else:
            inputs.append((name, mutate(choose.choice(valid), choose.choice(valid), choose)))
    for codec in ("utf-32-le", "utf-32-be", "raw-unicode-escape"):
        "".encode(codec)  # imported on first use
    for name, data in inputs:
        _run(name, data, tally)


def _run(name: str, data: bytes, tally: Tally) -> None:
    kind = "pickle, every instruction" if "pickle" not in name else "pickle"
    # Forgets the peak so far.
    Path("/proc/self/clear_refs").write_text("5")
    before, began = status("self", "VmRSS"), time.monotonic()
    outcome = "read"
    with _audited() as seen:
        try:
            unpickling.load(io.BytesIO(data))
        except NamesakeError as refusal:
            outcome = str(refusal.status)
            if INSIDE.search(refusal.message.replace("os.system", "")) and "asks for" not in refusal.message:
                tally.violated(f"words {refusal.message!r}", name, data)
        except Exception as error:  # noqa: BLE001 - which is what is looked for
            tally.violated(f"raised {error!r}", name, data)
    seconds, grown = time.monotonic() - began, status("self", "VmHWM") - before
    tally.add(kind, outcome, seconds, name)
    tally.peak["growth by a pickle"] = max(tally.peak["growth by a pickle"], grown)
    for holds, wrong in (
        (not seen, f"did {seen}"),
        (seconds < SECONDS, f"took {seconds:.1f} s"),
        (grown < GREW_MB, f"took {grown} MB"),
    ):
        if not holds:
            tally.violated(wrong, name, data)


_seen: list[str] | None = None
_hooked = False


@contextmanager
def _audited() -> Iterator[list[str]]:
    """What the interpreter is asked to do meanwhile that reading data needs not."""
    global _seen, _hooked
    if not _hooked:
        sys.addaudithook(_hook)  # for ever: there is no way to take one away
        _hooked = True
    _seen = seen = []
    try:
        yield seen
    finally:
        _seen = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event.startswith(_FORBIDDEN):
        _seen.append(f"{event} {arguments}"[:200])
