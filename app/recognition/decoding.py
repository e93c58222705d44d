"""The process that decodes: `main` does what app.recognition.decoder asks, one file after the other, until it is gone.

Decoders of foreign bytes are where a crash, an endless loop or a greedy allocation would come from. In here they take
nothing with them: no file can be written, no core is dumped, memory is bounded, and whoever asks ends this process
when it takes too long. This is no jail for code that an attacker gets to run: that would have the rights of the user.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import resource
import select
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from PIL import AvifImagePlugin

from app.errors import NamesakeError
from app.recognition import allocator, images, wire
from app.recognition.images import Header, Photo, Pixels
from app.recognition.wire import Answer, Request, Wish

# What is added to what decoding may take by images: stacks of the decoders' threads, and what lies between blocks.
_SLACK = 150 * 2**20
_DESCRIPTORS = 16
_PAUSE_S = 1
# Each has a stack of 8 MB.
_THREADS = 4


def main(
    descriptor: int,
    leash: int,
    decode: Callable[..., Photo] = images.decode,
    read_header: Callable[[bytes], Header] = images.read_header,
) -> None:
    """Serve the socket of that descriptor until the other side ends. leash: that of one that nothing is said over."""
    with socket.socket(fileno=descriptor) as connection, socket.socket(fileno=leash) as held:
        _confine()
        try:
            _end_with_the_other_side(held)
            connection.sendall(wire.READY)
            while True:
                _serve(connection, decode, read_header)
                # Not at once: whoever asked is looking at the photo now, with all processors.
                if not select.select([connection], [], [], _PAUSE_S)[0]:
                    allocator.make_room()
        except (wire.HungUp, OSError):
            return


def _confine() -> None:
    """Everything that is needed has been loaded; from here on there is no need to open, write or grow."""
    # Whoever asks decides when this ends: a Ctrl-C or the stop of a service is for them, and they finish their work.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    AvifImagePlugin.DEFAULT_MAX_THREADS = pillow_heif.options.DECODE_THREADS = _THREADS
    cv2.setNumThreads(_THREADS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
        resource.RLIMIT_AS: pages * mmap.PAGESIZE + images.MEMORY + _SLACK,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def _serve(connection: socket.socket, decode: Callable[..., Photo], read_header: Callable[[bytes], Header]) -> None:
    first, descriptors, _flags, _address = socket.recv_fds(connection, wire.REQUEST.size, 1)
    if not first:
        raise wire.HungUp
    first += wire.receive(connection, wire.REQUEST.size - len(first))
    request = Request(*wire.REQUEST.unpack(first))
    # Of two ways to have bytes this is the one without a second copy.
    with connection.makefile("rb") as file:
        data = file.read(request.size)
    rest: bytes | None = None
    try:
        if request.wish == Wish.HEADER:
            header = read_header(data)
            rest = header.xmp
            answer = Answer(0, header.orientation, header.width, header.height)
        else:
            answer = _decode_into(descriptors[0], partial(decode, data), request)
    except NamesakeError as error:
        answer = Answer(1 + wire.REFUSALS.index(type(error)))
        rest = error.message.encode()[: wire.LONGEST_REFUSAL]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    connection.sendall(wire.ANSWER.pack(*answer._replace(has_rest=rest is not None, rest=len(rest or b""))))
    connection.sendall(rest or b"")


def _decode_into(descriptor: int, decode: Callable[..., Photo], request: Request) -> Answer:
    """Decode a photo into the memory that the other side reads. At the end nothing here uses it: it will be sealed."""
    made: list[Pixels] = []

    def empty(shape: tuple[int, int, int]) -> Pixels:
        # All pages at once: one by one they take twice as long as a picture takes to copy.
        memory = mmap.mmap(descriptor, math.prod(shape), mmap.MAP_SHARED | mmap.MAP_POPULATE)
        made.append(np.frombuffer(memory, np.uint8).reshape(shape))
        return made[-1]

    photo = decode(max_pixels=request.max_pixels, enough=request.enough or None, empty=empty)
    if photo.pixels is not made[0]:  # it had to be turned or resized
        np.copyto(empty(photo.pixels.shape), photo.pixels)
    rows, columns = photo.pixels.shape[:2]
    return Answer(0, images.FORMATS.index(photo.format), photo.width, photo.height, rows, columns)


def _end_with_the_other_side(leash: socket.socket) -> None:
    """Have the system end this process, whatever it is busy with, as soon as the other side is gone.

    By SIGIO, which ends who does not handle it. It comes whenever something happens to a socket, and the sender's part
    of sending may end after the receiver has everything: so it is asked for on one where nothing else ever happens.
    (PR_SET_PDEATHSIG would come at the end of the thread that happened to start this process.)
    """
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(leash, select.POLLHUP)
    if poll.poll(0):
        raise wire.HungUp
