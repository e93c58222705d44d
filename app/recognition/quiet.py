"""Libraries that talk: their warnings stay inside."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


def silence(modules: str) -> None:
    """Ignore the warnings of modules whose name begins so (a regular expression) from now on.

    Nothing is restored afterwards, so nobody waits for anybody. Costs nothing when it has been done, and does it
    again when someone has set filters of their own since.
    """
    filters = warnings.filters
    if not filters or filters[0] != ("ignore", None, Warning, re.compile(modules), 0):
        warnings.filterwarnings("ignore", module=modules)


@contextmanager
def quiet() -> Iterator[None]:
    """Run the block without warnings, whoever gives them.

    Python keeps its warning filters for the whole process: two threads that each save and restore them can
    leave them switched off for ever. So one block runs at a time.
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
