"""Photos are decoded in a process of their own: whatever they do to it, they are refused in words, and the rest lives
on."""

from __future__ import annotations

import ast
import io
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.config import PROJECT
from app.errors import InvalidInput, NamesakeError, Unavailable
from app.recognition import decoder, images
from app.recognition.decoder import Decoders, Unreadable
from tests.recognition import poison
from tests.recognition.test_big_photos import BEYOND, COLOURED, HOLLOW
from tests.recognition.test_headers import XMP
from tests.recognition.test_headers import saved as with_xmp
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere photos are decoded in the same process")

GOOD = COLOURED["JPEG"]


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    made = Decoders()
    yield made
    made.close()


@pytest.fixture
def poisoned() -> Iterator[Decoders]:
    made = Decoders("tests.recognition.poison")
    yield made
    made.close()


def pids(decoders: Decoders) -> list[int]:
    return [each._process.pid for each in decoders._idle]


def ill(name: str, then: bytes = b"") -> bytes:
    return poison.POISON + name.encode() + b"\n" + then


def outcome(decoders: Decoders, data: bytes) -> NamesakeError | None:
    """The refusal of a file, if it is refused."""
    try:
        decoders.decode(data, max_pixels=10**9)
    except NamesakeError as refusal:
        return refusal
    return None


# --- the same as in this process


@pytest.mark.parametrize("enough", [None, 300])
@pytest.mark.parametrize("kind", COLOURED)
def test_photos_come_out_as_they_do_in_this_process(kind: str, enough: int | None) -> None:
    here = images.decode(COLOURED[kind], max_pixels=10**6, enough=enough)
    there = decoder.decode(COLOURED[kind], max_pixels=10**6, enough=enough)
    assert (there.width, there.height, there.format) == (here.width, here.height, here.format)
    assert np.array_equal(there.pixels, here.pixels)
    assert there.pixels.flags.writeable
    assert there.pixels.flags.c_contiguous


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "HEIF"])
@pytest.mark.parametrize("xmp", [None, XMP])
def test_headers_do_too(format_: str, xmp: bytes | None) -> None:
    data = with_xmp(format_, xmp=xmp, orientation=6)
    assert decoder.read_header(data) == images.read_header(data)


REFUSED = {
    "nothing": b"",
    "text": b"Dear diary",
    "a kind that is not taken": b"\x00\x00\x01\x00\x01\x00",
    "half a photo": GOOD[: len(GOOD) // 2],
    "too many pixels": COLOURED["PNG"],
    **BEYOND,
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_have_the_same_words(what: str) -> None:
    limit = 1000 if what == "too many pixels" else 10**9
    with pytest.raises(NamesakeError) as here:
        images.decode(REFUSED[what], max_pixels=limit)
    with pytest.raises(type(here.value)) as there:
        decoder.decode(REFUSED[what], max_pixels=limit)
    assert there.value.message == here.value.message
    assert type(there.value) is type(here.value)


def test_no_refusal_costs_a_process(decoders: Decoders) -> None:
    decoders.start()
    before = pids(decoders)
    for data in (*REFUSED.values(), *HOLLOW.values(), GOOD):
        outcome(decoders, data)
    assert pids(decoders) == before


def test_a_photo_stays_what_it_is_when_others_follow(decoders: Decoders) -> None:
    first = decoders.decode(GOOD, max_pixels=10**6)
    kept = first.pixels.copy()
    for _ in range(3):
        decoders.decode(COLOURED["PNG"], max_pixels=10**6)
    assert np.array_equal(first.pixels, kept)
    first.pixels[:] = 0


# --- whatever goes wrong in there

ENDS = {
    "crash": "SIGSEGV",
    "abort": "SIGABRT",
    "end": "ended with 0",
    "be killed": "SIGKILL",
    "refuse strangely": "ended with 1",
    "spin": "took too long",
    "hang in C": "took too long",
    "keep": "Device or resource busy",
}


@pytest.mark.parametrize("what", ENDS)
def test_what_breaks_its_decoder_could_not_be_read(
    poisoned: Decoders, what: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert poisoned.decode(GOOD, max_pixels=10**6).pixels.any()
    (broken,) = pids(poisoned)
    monkeypatch.setattr(poisoned, "_seconds", 0.5 if ENDS[what] == "took too long" else 60)
    with caplog.at_level(logging.WARNING, "namesake"), pytest.raises(Unreadable) as refusal:
        poisoned.decode(ill(what, GOOD), max_pixels=10**6)
    monkeypatch.undo()
    assert refusal.value.status == 400
    assert refusal.value.message.startswith("The image could not be read: ")
    assert ENDS[what] in caplog.text
    assert not Path(f"/proc/{broken}").exists(), "it is gone, and reaped"
    assert poisoned.decode(GOOD, max_pixels=10**6).pixels.any(), "another has taken its place"


@pytest.mark.parametrize("what", poison.LIES)
def test_an_answer_no_decoder_gives_is_not_believed(poisoned: Decoders, what: str) -> None:
    poisoned.start()
    (lying,) = pids(poisoned)
    with pytest.raises(Unreadable):
        poisoned.decode(ill(what), max_pixels=10**9)
    assert not Path(f"/proc/{lying}").exists()
    assert poisoned.decode(GOOD, max_pixels=10**6).pixels.any()


LIMITS = {
    "write": r"Stopped: (File too large|Read-only)",
    "open": "Stopped: Too many open files",
    "shrink": "Stopped: Operation not permitted",
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_decoder_can_do_nothing_but_decode(poisoned: Decoders, what: str) -> None:
    with pytest.raises(InvalidInput, match=LIMITS[what]):
        poisoned.decode(ill(what), max_pixels=10**6)
    Path("/tmp/namesake-decoder").unlink(missing_ok=True)


def test_a_memory_bomb_ends_at_the_limit(poisoned: Decoders) -> None:
    with pytest.raises(InvalidInput, match="Stopped: memory") as refusal:
        poisoned.decode(ill("eat"), max_pixels=10**6)
    reached = int(refusal.value.message.split(", ")[1])
    assert images.MEMORY / poison.MEBIBYTE <= reached < 450


def test_a_decoder_knows_nothing(poisoned: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESAKE_PASSWORD", "secret")
    xmp = poisoned.read_header(bytes(100_000)).xmp
    assert xmp is not None
    found = ast.literal_eval(xmp.decode())
    assert found["folder"] == "/"
    own = {"LC_CTYPE", "LD_LIBRARY_PATH", "ORT_DISABLE_TELEMETRY"}  # of Python, of OpenCV, and set on import
    assert set(found["environment"]) <= {"PYTHONPATH", "OPENBLAS_NUM_THREADS"} | own
    assert found["files"] == ["/dev/null", "/dev/null", "/dev/null", "socket", "socket"]
    assert found["core"] == (0, 0)
    assert not {"flask", "sqlalchemy", "onnxruntime", "app.config", "app.store"} & set(found["modules"])


def test_where_no_process_can_be_started_that_is_not_the_fault_of_the_photo(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable, match="try again"):
        Decoders("tests.recognition.no_such_module").decode(GOOD, max_pixels=10**6)
    assert "could be started" in caplog.text


# --- many, and their ends


def test_one_that_was_killed_while_idle_is_replaced(decoders: Decoders) -> None:
    decoders.start()
    (pid,) = pids(decoders)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z", "it to end")
    assert decoders.decode(GOOD, max_pixels=10**6).pixels.any()
    assert pids(decoders) != [pid]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_service_leaves_the_photo_in_flight_alone(decoders: Decoders, number: int) -> None:
    decoders.decode(GOOD, max_pixels=10**6)
    (pid,) = pids(decoders)
    os.kill(pid, number)
    assert decoders.decode(GOOD, max_pixels=10**6).pixels.any()
    assert pids(decoders) == [pid]


def test_a_stuck_photo_holds_up_nobody_else(poisoned: Decoders) -> None:
    poisoned.start()
    (stuck_pid,) = pids(poisoned)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(poisoned.decode, ill("spin"), max_pixels=10**6)
        wait_for(lambda: not pids(poisoned), "the photo to be with its decoder")
        for _ in range(5):
            assert poisoned.decode(GOOD, max_pixels=10**6).pixels.any()
        assert not stuck.done()
        os.kill(stuck_pid, signal.SIGKILL)
        assert isinstance(stuck.exception(), Unreadable)


def test_what_still_happens_to_the_connection_does_not_end_it(poisoned: Decoders) -> None:
    """The sender of a file may be told to wait before it has told the receiver, who has everything already."""
    poisoned.start()
    (one,) = poisoned._idle
    with ThreadPoolExecutor(1) as pool:
        photo = pool.submit(poisoned.decode, ill("read on", GOOD), max_pixels=10**6)
        wait_for(lambda: _has_drawn(one._process.pid), "it to be busy")
        one._socket.send(b"!")
        assert photo.result().pixels.any()


def _has_drawn(pid: int) -> bool:
    """Whether there is anything in the memory for the photo."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        if "memfd" in os.readlink(path):
            with path.open("rb") as memory:
                return memory.read(1) != b"\0"
    return False


def test_as_many_are_kept_as_there_are_processors(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "processors", lambda: 2)
    together = threading.Barrier(5)

    def decode(_number: int) -> int:
        together.wait()
        return decoders.decode(GOOD, max_pixels=10**6).pixels.size

    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(decode, range(5)))) == 1
    assert 1 <= len(pids(decoders)) <= 2


PARENT = """
    import sys
    from app.recognition.decoder import Decoders
    decoders = Decoders("tests.recognition.poison")
    decoders.start()
    print(decoders._idle[0]._process.pid, flush=True)
    if sys.argv[1] == "idle":
        sys.stdin.read()
    elif sys.argv[1] != "over":
        decoders.decode(b"poison: " + sys.argv[1].encode(), max_pixels=10**6)
"""


@pytest.mark.parametrize("busy", ["idle", "spin", "hang in C", "over"])
def test_none_is_left_behind_when_the_process_it_works_for_is_gone(busy: str) -> None:
    command = [sys.executable, "-c", "\n".join(line[4:] for line in PARENT.splitlines()), busy]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        (pid,) = map(int, parent.stdout.readline().split())
        if busy in ("spin", "hang in C"):
            wait_for(lambda: _has_begun(pid), "it to be busy")
        if busy != "over":
            parent.kill()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the decoder to end")


def _has_begun(pid: int) -> bool:
    """Whether it holds the memory for a photo."""
    try:
        return any("memfd" in os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_a_fork_starts_decoders_of_its_own(decoders: Decoders) -> None:
    decoders.decode(GOOD, max_pixels=10**6)
    before = pids(decoders)
    child = os.fork()
    if not child:
        try:
            fine = not decoders._idle and decoders.decode(GOOD, max_pixels=10**6).pixels.any()
        finally:
            os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert decoders.decode(GOOD, max_pixels=10**6).pixels.any()
    assert pids(decoders) == before


# --- what real decoders are sent


def noise(mode: str = "RGB") -> Image.Image:
    return Image.effect_noise((300, 200), 80).convert(mode)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF"])
def test_a_photo_cut_short_anywhere_is_refused_or_read(decoders: Decoders, format_: str) -> None:
    file = io.BytesIO()
    noise().save(file, format_)
    data = file.getvalue()
    decoders.start()
    before = pids(decoders)
    found = [outcome(decoders, data[: len(data) * share // 40]) for share in range(1, 41)]
    assert found[-1] is None
    assert sum(refusal is not None for refusal in found) > 20
    assert pids(decoders) == before
