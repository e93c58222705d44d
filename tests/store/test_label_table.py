"""Labels as a table that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import random

import pytest

from app.errors import InvalidInput
from app.store import label_table
from app.store.label_table import LabelRow, guard, unguard
from tests.labelling.names import NAMES


def row(name: str, path: str = "datasets/training/x_01.jpg") -> LabelRow:
    return LabelRow(path, name, (1, 20, 30, 4), "ab" * 32, "2026-01-02T03:04:05Z")


@pytest.mark.parametrize("name", [*NAMES, "'", "''=", " =1", "a\t=b", "\uff1d1"])
def test_rows_come_back_as_they_went(name: str) -> None:
    rows = [row(name), row("Ana", path=f"elsewhere/{name}.jpg")]
    assert label_table.load(b"".join(label_table.dump(rows))) == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "  =1", "x;=1+1", "x,=1+1", 'x";=1', "x\t@y", "＝1"])
def test_no_cell_begins_as_a_formula_whatever_the_spreadsheet_takes_for_a_separator(name: str, delimiter: str) -> None:
    text = b"".join(label_table.dump([row(name)])).decode("utf-8-sig")
    cells = [cell for line in csv.reader(io.StringIO(text), delimiter=delimiter) for cell in line]
    # Where it splits elsewhere, quotation marks are left in the cells.
    beginnings = {cell.strip().strip('"').strip()[:1] for cell in cells}
    assert beginnings & set("=+-@＝") == set()


def test_guarding_is_undone_whatever_there_is() -> None:
    draw = random.Random(5)
    for _ in range(20_000):
        text = "".join(draw.choice("'=+-@;, a\t|＝\"\n") for _ in range(draw.randint(0, 8)))
        assert unguard(guard(text)) == text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "first line"),
        (b"name,face\n", "first line"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"".join(label_table.dump([])) + b"a,b\n", "Line 2"),
        (b"".join(label_table.dump([row("Ana")])).replace(b'"20"', b'"wide"'), "Line 2"),
        (b"".join(label_table.dump([row("Ana")])).replace(b'"20"', b'"9999999999"'), "Line 2"),
        (b"".join(label_table.dump([row("Ana")])).replace(b"abab", b"zzzz"), "Line 2"),
        (b"".join(label_table.dump([row("Ana")])).replace(b"2026-01-02", b"=1+1"), "Line 2"),
        (b"".join(label_table.dump([])) + b'"open', "damaged"),
        (b"".join(label_table.dump([])) + b"x" * 200_000, "damaged"),
    ],
)
def test_what_is_no_table_of_labels_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        label_table.load(data)
