"""What happens, counted and timed, for whoever listens: nobody, unless `listen` says so.

So that what counts needs no library for it, and recognition and labelling none either. No name, label or other
word of a user's is ever a value of a label.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, float, dict[str, str]], None]
"""Told the meter, the amount, and the labels."""

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have `listener` told from now on; once, however often it is said."""
    if listener not in _listeners:
        _listeners.append(listener)


def count(meter: str, amount: float = 1, **labels: str) -> None:
    for listener in _listeners:
        listener(meter, amount, labels)


observe = count
"""The same for a length of time, in seconds: there the amount is one of many, not a sum."""


@contextmanager
def timed(meter: str) -> Iterator[None]:
    """Observe how long the block takes, unless it raises."""
    began = time.perf_counter()
    yield
    observe(meter, time.perf_counter() - began)
