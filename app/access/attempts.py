"""How often a password may be tried, counted in the store: for all workers together, and past a restart.

An attempt is written down before the password is looked at, and marked if it was right: asking in parallel gains
nothing. Who has come in from an address before is not kept out by what others try elsewhere.
"""

from __future__ import annotations

import ipaddress
import math
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.errors import TooManyAttempts
from app.store import attempts
from app.store.db import Database
from app.store.queries import now

WINDOW = timedelta(minutes=15)
FROM_ONE_ADDRESS, FROM_EVERYWHERE = 10, 100
"""wrong passwords within the window"""
_REMEMBERED = timedelta(days=60)
"""how long it counts that somebody has come in from an address"""


def begin(database: Database, address: str) -> int:
    """Count an attempt; its id. Raises TooManyAttempts, without waiting for the write lock."""
    source, moment = source_of(address), now()
    with database.read() as connection:
        _refuse_too_many(connection, source, moment)
    with database.write() as connection:
        _refuse_too_many(connection, source, moment)
        attempts.forget(connection, wrong_before=moment - WINDOW, right_before=moment - _REMEMBERED)
        return attempts.add(connection, source)


def source_of(address: str) -> str:
    """What counts as one address: a network of 64 bits in IPv6, where everyone has as many addresses as they like."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _refuse_too_many(connection: Connection, source: str, moment: datetime) -> None:
    start = moment - WINDOW
    from_here = attempts.wrong_since(connection, start, source)
    if len(from_here) >= FROM_ONE_ADDRESS:
        raise _too_many(from_here[-FROM_ONE_ADDRESS], start)
    everywhere = attempts.wrong_since(connection, start)
    known = attempts.was_right_since(connection, moment - _REMEMBERED, source)
    if len(everywhere) >= FROM_EVERYWHERE and not known:
        raise _too_many(everywhere[-FROM_EVERYWHERE], start)


def _too_many(oldest: datetime, start: datetime) -> TooManyAttempts:
    """oldest: the attempt that has to be over before another may be made."""
    wait_s = max(1, math.ceil((oldest - start).total_seconds()))
    minutes = math.ceil(wait_s / 60)
    return TooManyAttempts(
        f"Too many wrong passwords were tried. Wait {minutes} minute{'' if minutes == 1 else 's'}, then try again.",
        wait_s=wait_s,
    )
