"""The C library's memory, which it would rather keep: 100 to 200 MB of earlier photos, more for each thread.

Does nothing on other systems than Linux with glibc.
"""

from __future__ import annotations

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def share_memory() -> None:
    """Have all threads take their memory from one place: what is free in a thread's own cannot be given back.

    To be called early. Measured to cost two threads that look at photos no time.
    """
    if _libc is not None:
        _libc.mallopt(_ARENA_MAX, 1)


def make_room() -> None:
    """Give the system back what has been freed. Takes 3 ms, and as long again until it is in use once more."""
    if _libc is not None:
        _libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        return library if library.malloc_trim and library.mallopt else None
    except (AttributeError, OSError, TypeError):
        return None


_libc = _glibc()
