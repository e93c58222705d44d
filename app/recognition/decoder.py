"""Decoding foreign bytes in processes of their own: what a broken or hostile file does to a decoder, it does there.

`decode` and `read_header` are those of app.recognition.images, with one more way to refuse: a file that crashes its
decoder, or keeps it busy for ever, could not be read. That process is ended, and another takes its place.

Only on Linux. Elsewhere decoding happens here: there is no memory that can be shared and sealed.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np

from app.errors import InvalidInput, NamesakeError, Unavailable
from app.recognition import allocator, images, wire
from app.recognition.images import Header, Photo
from app.recognition.processors import processors
from app.recognition.wire import Answer, Request, Wish

T = TypeVar("T")
Understand = Callable[[Answer, bytes | None], T]

log = logging.getLogger("namesake")

SECONDS = 60.0
"""The most that one file may take. The slowest that is taken, a HEIC of 48 megapixels, takes 1.5 s on two cores: a
machine twenty times as slow still opens it, and gunicorn would give up on its worker after 180."""

# Without `app` itself, which would import the whole web application.
_START = """
import importlib, sys, types
app = sys.modules["app"] = types.ModuleType("app")
app.__path__ = [sys.argv[1]]
importlib.import_module(sys.argv[2]).main(*map(int, sys.argv[3:]))
"""
_ISOLATED = sys.platform == "linux"
# How long a process that has hung up may take to be gone. What ended it says more than that it was killed.
_LAST_WORDS_S = 5
# Bytes of pixels from which on looking at a photo leaves much behind.
_MUCH = 10 * 2**20


class Unreadable(InvalidInput):
    """The file took its decoder down. cause: how, for the log."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(f"The image could not be read: {message} Saving it anew, as a JPEG or PNG, may help.")
        self.cause = cause


class Decoders:
    """As many processes as decode at the same time, kept for the next files.

    module: what they run, the name of a module with a `main` like that of app.recognition.decoding. seconds: the most
    that one file may take.
    """

    def __init__(self, module: str = "app.recognition.decoding", seconds: float = SECONDS) -> None:
        self._module, self._seconds = module, seconds
        self._idle: list[_Decoder] = []
        self._lock = threading.Lock()
        # What looking at a large photo takes, the C library keeps; and what starting took. Two such photos at once
        # would be too much, and there is time to give it back while the next is decoded.
        self._littered = True
        # A fork has the same sockets: two processes would talk to one decoder.
        os.register_at_fork(after_in_child=self._idle.clear)

    def decode(self, data: bytes, *, max_pixels: int, enough: int | None = None) -> Photo:
        """What images.decode returns and raises; and Unreadable, or Unavailable when no process can be started."""
        if not _ISOLATED:
            return images.decode(data, max_pixels=max_pixels, enough=enough)
        request = Request(Wish.PHOTO, len(data), max_pixels, enough or 0)
        with _memory(images.LARGEST) as memory:
            photo = self._ask(request, data, memory, lambda answer, _rest: _photo(answer, memory, max_pixels))
        self._littered = photo.pixels.nbytes > _MUCH
        return photo

    def read_header(self, data: bytes) -> Header:
        """What images.read_header returns and raises; and Unreadable, or Unavailable when no process can be started."""
        if not _ISOLATED:
            return images.read_header(data)
        return self._ask(Request(Wish.HEADER, len(data), 0, 0), data, None, _header)

    def start(self) -> None:
        """Have one ready, so that the first file need not wait for it."""
        if _ISOLATED:
            self._keep(self._take())

    def close(self) -> None:
        """End those that are idle. (They would end with this process.)"""
        while self._idle:
            self._idle.pop().end()

    def _ask(self, request: Request, data: bytes, memory: int | None, understand: Understand[T]) -> T:
        decoder = self._take()
        try:
            deadline = time.monotonic() + self._seconds
            decoder.ask(request, data, memory, deadline)
            if self._littered:
                allocator.make_room()
            answer, rest = decoder.listen(len(data), deadline)
            result = _refusal(answer, rest) if answer.refusal else understand(answer, rest)
        except TimeoutError:
            decoder.end()
            _give_up(f"opening it took more than {self._seconds:g} seconds.", "took too long")
        except (wire.HungUp, ConnectionError):
            _give_up("it broke what opens images.", decoder.last_words())
        except (OSError, ValueError) as error:
            decoder.end()
            _give_up("it broke what opens images.", str(error))
        except BaseException:
            decoder.end()
            raise
        self._keep(decoder)
        if isinstance(result, NamesakeError):
            raise result
        return result

    def _take(self) -> _Decoder:
        while True:
            with self._lock:
                if not self._idle:
                    return _Decoder(self._module)
                decoder = self._idle.pop()
            if decoder.is_alive():
                return decoder
            decoder.end()

    def _keep(self, decoder: _Decoder) -> None:
        with self._lock:
            if len(self._idle) < processors():
                self._idle.append(decoder)
                return
        decoder.end()


class _Decoder:
    """One process. It ends by itself when this one is gone, however that came."""

    def __init__(self, module: str) -> None:
        self._socket, theirs = socket.socketpair()
        self._leash, held = socket.socketpair()
        with theirs, held:
            descriptors = theirs.fileno(), held.fileno()
            where = [str(Path(__file__).parents[1]), module, *map(str, descriptors)]
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-c", _START, *where],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                # No secret of this process; and numpy needs no threads for what it does there.
                env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
            )
        self._ready = False

    def ask(self, request: Request, data: bytes, memory: int | None, deadline: float) -> None:
        """Raises Unavailable when nothing has started, and TimeoutError, HungUp and OSError."""
        if not self._ready:
            self._get_ready(deadline)
        wire.set_deadline(self._socket, deadline)
        socket.send_fds(self._socket, [wire.REQUEST.pack(*request)], [] if memory is None else [memory])
        self._socket.sendall(data)

    def listen(self, size: int, deadline: float) -> tuple[Answer, bytes | None]:
        """The answer about a file of that size, and what follows it. Raises as ask, and ValueError."""
        answer = Answer(*wire.ANSWER.unpack(wire.receive(self._socket, wire.ANSWER.size, deadline)))
        _check(answer.rest <= max(wire.LONGEST_REFUSAL, size), "too much to say")
        rest = bytes(wire.receive(self._socket, answer.rest, deadline))
        return answer, rest if answer.has_rest else None

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()
        self._leash.close()

    def last_words(self) -> str:
        """End the process; how it ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_WORDS_S)
        self.end()
        code = self._process.returncode
        return signal.Signals(-code).name if code < 0 else f"ended with {code}"

    def _get_ready(self, deadline: float) -> None:
        try:
            wire.receive(self._socket, len(wire.READY), deadline)
        except (wire.HungUp, ConnectionError):
            log.error("No process that opens images could be started: %s.", self.last_words())
            raise Unavailable("Photos cannot be opened right now. Nothing was changed: try again.") from None
        self._ready = True


@contextmanager
def _memory(size: int) -> Iterator[int]:
    """A descriptor of memory that costs nothing until it is written. What is made of it outlives the descriptor."""
    descriptor = os.memfd_create("photo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        # To read it after someone had made it smaller would end this process.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        yield descriptor
    finally:
        os.close(descriptor)


def _photo(answer: Answer, memory: int, max_pixels: int) -> Photo:
    size = answer.rows * answer.columns * 3
    _check(answer.kind < len(images.FORMATS), "no such format")
    _check(0 < answer.width * answer.height <= max_pixels, "a size that is not allowed")
    _check(answer.rows <= answer.height and answer.columns <= answer.width and 0 < size <= images.LARGEST, "no picture")
    # From here on it stays what it is. Raises OSError when the other side has kept it.
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    pixels = np.frombuffer(mmap.mmap(memory, size, access=mmap.ACCESS_COPY), np.uint8)
    shape = (answer.rows, answer.columns, 3)
    return Photo(pixels.reshape(shape), answer.width, answer.height, images.FORMATS[answer.kind])


def _header(answer: Answer, xmp: bytes | None) -> Header:
    _check(answer.width > 0 and answer.height > 0 and 1 <= answer.kind <= 8, "no header")
    return Header(answer.width, answer.height, answer.kind, xmp)


def _refusal(answer: Answer, words: bytes | None) -> NamesakeError:
    _check(answer.refusal <= len(wire.REFUSALS) and bool(words), "no refusal")
    message = (words or b"").decode()
    _check(message.isprintable(), "no words")
    return wire.REFUSALS[answer.refusal - 1](message)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _give_up(message: str, cause: str) -> NoReturn:
    log.warning("A process that opened an image was replaced: %s.", cause)
    raise Unreadable(message, cause) from None


_shared = Decoders()
decode, read_header, start = _shared.decode, _shared.read_header, _shared.start
