"""Labels as CSV, one face a row, which spreadsheets open and no spreadsheet runs.

A cell that begins with =, +, - or @ is a formula to a spreadsheet, and a name may begin so. An apostrophe in front
keeps it text (OWASP, "CSV injection"). It is put there, and in front of an apostrophe that was there before, at the
start of a cell and after every character at which a spreadsheet of another country may begin a new one; so taking
one away at each of these places gives back exactly what was there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.errors import InvalidInput
from app.store.queries import Box

COLUMNS = ("image_path", "person", "top", "right", "bottom", "left", "sha256", "decided_at")
MAX_BYTES = 64 << 20
_HASH = re.compile(r"([0-9a-f]{64})?")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?")
_STARTS = r"(^|[;,|\t\r\n])"
_DANGER = r"(?=\s*['=+\-@\uff1d\uff0b\uff0d\uff20])"
_TO_GUARD = re.compile(_STARTS + _DANGER)
_GUARDED = re.compile(_STARTS + "'" + _DANGER)


@dataclass(frozen=True)
class LabelRow:
    """sha256, decided_at: empty where nothing is known."""

    image_path: str
    person: str
    box: Box
    sha256: str
    decided_at: str


def dump(rows: Iterable[LabelRow]) -> Iterator[bytes]:
    """The file in pieces, in UTF-8 with the mark by which spreadsheets know it."""
    yield "\ufeff".encode() + _line(COLUMNS)
    for row in rows:
        yield _line([guard(row.image_path), guard(row.person), *map(str, row.box), row.sha256, row.decided_at])


def load(data: bytes) -> list[LabelRow]:
    """Raises InvalidInput, naming the line."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"The table is larger than {MAX_BYTES:,} bytes.")
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        head = next(lines, [])
        if tuple(head) != COLUMNS:
            raise InvalidInput(f"The table is not one of labels: its first line must be {','.join(COLUMNS)}.")
        return [_row(cells, lines.line_num) for cells in lines if cells]
    except UnicodeDecodeError as error:
        raise InvalidInput("The table is not in UTF-8.") from error
    except csv.Error as error:
        raise InvalidInput("The table is damaged, or is no CSV at all.") from error


def guard(text: str) -> str:
    """A cell that nothing runs."""
    return _TO_GUARD.sub(r"\1'", text)


def unguard(text: str) -> str:
    """What `guard` was given."""
    return _GUARDED.sub(r"\1", text)


def _line(cells: Iterable[str]) -> bytes:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow(cells)
    return file.getvalue().encode()


def _row(cells: list[str], line: int) -> LabelRow:
    if len(cells) != len(COLUMNS):
        raise InvalidInput(f"Line {line} of the table has {len(cells)} cells, not {len(COLUMNS)}.")
    path, person, *sides, sha256, decided = cells
    if not all(re.fullmatch(r"-?\d{1,9}", side) for side in sides):
        raise InvalidInput(f"Line {line} of the table has no box of four whole numbers.")
    if not _HASH.fullmatch(sha256) or not _MOMENT.fullmatch(decided):
        raise InvalidInput(f"Line {line} of the table has a hash or a moment that is none.")
    top, right, bottom, left = map(int, sides)
    return LabelRow(unguard(path), unguard(person), (top, right, bottom, left), sha256, decided)
