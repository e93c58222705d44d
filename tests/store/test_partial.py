"""What was found before an interruption is found again: all of it that is as it was written, and nothing else."""

from __future__ import annotations

import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.store.partial import Finding, Partial

BASIS = {"engine": "squares", "method": "cnn", "detect_max_side": 1600}
GENERATOR = np.random.default_rng(5)


def digest(number: int) -> str:
    return f"{number:064x}"


def finding(number: int) -> Finding:
    return Finding(digest(number), 1 + number % 3, (1, 2, 3, number), GENERATOR.normal(size=128).astype(np.float32))


def same(one: Finding | None, other: Finding | None) -> bool:
    if one is None or other is None or one.encoding is None or other.encoding is None:
        return one == other
    return (one.sha256, one.faces, one.box) == (other.sha256, other.faces, other.box) and (
        one.encoding.tobytes() == other.encoding.tobytes()
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.pickle.partial"


@pytest.fixture
def written(path: Path) -> list[Finding]:
    """Five findings, in the file."""
    findings = [finding(number) for number in range(5)]
    partial = Partial(path, BASIS)
    partial.add(findings[:2])
    partial.add(findings[2:])
    return findings


def found_again(path: Path) -> list[int]:
    partial = Partial(path, BASIS)
    return [number for number in range(10) if partial.get(digest(number)) is not None]


class TestAPartialFile:
    def test_gives_back_every_bit(self, path: Path, written: list[Finding]) -> None:
        partial = Partial(path, BASIS)
        assert len(partial) == 5
        assert all(same(partial.get(one.sha256), one) for one in written)
        assert partial.get(digest(7)) is None

    def test_knows_photos_without_a_face(self, path: Path) -> None:
        Partial(path, BASIS).add([Finding(digest(1), 0)])
        found = Partial(path, BASIS).get(digest(1))
        assert found is not None
        assert (found.faces, found.box, found.encoding) == (0, None, None)

    def test_goes_on_where_it_was(self, path: Path, written: list[Finding]) -> None:
        partial = Partial(path, BASIS)
        partial.add([*written, finding(5)])
        partial.add([finding(6)])
        assert found_again(path) == list(range(7))
        assert len(path.read_bytes().splitlines()) == 1 + 7

    def test_is_not_made_before_there_is_something_to_keep(self, path: Path) -> None:
        partial = Partial(path, BASIS)
        partial.add([])
        assert not path.exists()
        partial.remove()

    def test_goes_when_it_is_not_needed_any_more(self, path: Path, written: list[Finding]) -> None:
        Partial(path, BASIS).remove()
        assert not path.exists()

    @pytest.mark.parametrize("change", [{"engine": "onnx"}, {"method": "hog"}, {"detect_max_side": 800}, {"new": 1}])
    def test_of_other_settings_is_begun_anew(self, path: Path, written: list[Finding], change: dict[str, Any]) -> None:
        partial = Partial(path, BASIS | change)
        assert len(partial) == 0
        partial.add([finding(6)])
        assert len(Partial(path, BASIS | change)) == 1
        assert found_again(path) == []


class TestADamagedFile:
    @pytest.mark.parametrize("cut", [1, 2, 100, 1000])
    def test_cut_off_gives_the_lines_that_are_whole(self, path: Path, written: list[Finding], cut: int) -> None:
        path.write_bytes(path.read_bytes()[:-cut])
        assert found_again(path) == [0, 1, 2, 3]

    def test_goes_on_behind_the_last_whole_line(self, path: Path, written: list[Finding]) -> None:
        path.write_bytes(path.read_bytes()[:-10])
        Partial(path, BASIS).add([finding(6)])
        assert found_again(path) == [0, 1, 2, 3, 6]

    @pytest.mark.parametrize("line", [0, 1, 3, 5])
    def test_of_which_one_bit_has_turned_gives_only_what_is_before_it(
        self, path: Path, written: list[Finding], line: int
    ) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        middle = len(lines[line]) // 2
        lines[line] = lines[line][:middle] + bytes([lines[line][middle] ^ 1]) + lines[line][middle + 1 :]
        path.write_bytes(b"".join(lines))
        assert found_again(path) == list(range(line - 1))

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"\0" * 5000,
            b"junk\n" * 20,
            b"{}\n",
            b"[" * 100_000,
            pickle.dumps({"a": 1}),
            "é\n".encode("latin-1"),
        ],
        ids=["empty", "blank", "zeros", "junk", "json", "deep", "pickle", "latin"],
    )
    @pytest.mark.parametrize("headed", [False, True])
    def test_that_is_not_ours_is_begun_anew(
        self, path: Path, written: list[Finding], content: bytes, headed: bool
    ) -> None:
        head = path.read_bytes().splitlines(keepends=True)[0] if headed else b""
        path.write_bytes(head + content)
        assert found_again(path) == []
        Partial(path, BASIS).add([finding(2)])
        assert found_again(path) == [2]

    @pytest.mark.parametrize(
        "change",
        [
            {"box": [1, 2, 3]},
            {"box": None},
            {"box": [1, 2, 3, float("inf")]},
            {"box": "abcd"},
            {"faces": "many"},
            {"faces": None},
            {"encoding": "00"},
            {"encoding": "xy" * 512},
            {"encoding": 12},
            {"encoding": np.full(128, np.nan, "<f4").tobytes().hex()},
        ],
        ids=str,
    )
    def test_whose_line_makes_no_sense_ends_before_it(
        self, path: Path, written: list[Finding], change: dict[str, Any]
    ) -> None:
        """Even one with a checksum: somebody else's program may have made it."""
        lines = path.read_bytes().splitlines(keepends=True)
        text = json.dumps(json.loads(lines[3][9:]) | change, sort_keys=True).encode()
        lines[3] = b"%08x %s\n" % (zlib.crc32(text), text)
        path.write_bytes(b"".join(lines))
        assert found_again(path) == [0, 1]
