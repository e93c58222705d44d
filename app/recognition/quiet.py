"""Libraries that talk: their warnings stay inside."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Run the block without warnings.

    Python keeps its warning filters for the whole process: two threads that each save and restore them can
    leave them switched off for ever. So one block runs at a time.
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
