"""Looking at a store from outside, without opening it for use: nothing is made, brought up to date or mended."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

# Whoever holds the write lock writes: that is answer enough.
_PATIENCE_S = 0.2


def why_not_writable(path: Path) -> str | None:
    """Why nothing can be written to the store at `path`, in words; None when it can."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_PATIENCE_S)) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            return None
        return f"The store cannot be written to: {error}."
    except sqlite3.DatabaseError as error:
        return f"The store is damaged: {error}."
    return None
