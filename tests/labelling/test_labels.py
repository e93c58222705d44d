"""What a name may be, and how files carry one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from app.errors import InvalidInput
from app.labelling.labels import clean_label
from app.store.files import label_of, labelled_files, photo_count


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("alice/anything.jpg", "alice"),
        ("alice/2024/holiday 7.jpg", "alice"),
        ("Sam Altman/1.jpg", "Sam Altman"),
        ("Blink 182/1.jpg", "Blink 182"),
        ("alice_01.jpg", "alice"),
        ("alice-2.jpg", "alice"),
        ("alice (3).jpg", "alice"),
        ("alice 4.jpg", "alice"),
        ("alice5.jpg", "alice"),
        ("alice.6.jpg", "alice"),
        ("alice.jpg", "alice"),
        ("Sam Altman.jpg", "Sam Altman"),
        ("Sam Altman_12.jpeg", "Sam Altman"),
        ("José García_01.png", "José García"),
        ("李小龙_03.jpg", "李小龙"),
        ("2024.jpg", "2024"),
        ("(3).jpg", "(3)"),
        ("mary-jane_01.jpg", "mary-jane"),
    ],
)
def test_the_folder_is_the_person_else_the_stem_without_its_number(path: str, label: str) -> None:
    assert label_of(PurePosixPath(path)) == label


@pytest.mark.parametrize(
    ("path", "label"),
    [("alice_01.jpg", "alice_01"), ("people/alice (3).jpg", "alice (3)"), ("2024.jpg", "2024")],
)
def test_the_whole_stem_when_asked_for(path: str, label: str) -> None:
    assert label_of(PurePosixPath(path), "stem") == label


def test_a_labelled_folder_is_read_in_a_fixed_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("bob/b.jpg", "bob/a.jpg", "alice_01.JPG", ".git/x.jpg", "bob/.DS_Store", "bob/.thumbs/x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    found = [(path.relative_to(tmp_path).as_posix(), label) for path, label in labelled_files(tmp_path)]
    assert found == [("alice_01.JPG", "alice"), ("bob/a.jpg", "bob"), ("bob/b.jpg", "bob")]
    assert photo_count(tmp_path) == (3, 2)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("alice", "alice"),
        ("  Sam   Altman ", "Sam Altman"),
        ("Jose\u0301", "José"),
        ("李小龙", "李小龙"),
        ("محمد علي", "محمد علي"),
        ("O'Brien, Jr.", "O'Brien, Jr."),
        ('<script>alert("x")</script>', '<script>alert("x")</script>'),
        ("a/b\\c", "a/b\\c"),
        ("🙂", "🙂"),
        ("👩\u200d🚀 Ana", "👩\u200d🚀 Ana"),
        ("2024", "2024"),
        ("é" * 80, "é" * 80),
    ],
)
def test_a_name_keeps_every_script(text: str, label: str) -> None:
    assert clean_label(text) == label


@pytest.mark.parametrize(
    "text",
    [None, "", "   ", "\u200b", "\u200d\u200d", "a\tb", "a\nb", "a\0b", "a\u2028b", "a\u202eb", "a\ud800", "x" * 81],
)
def test_what_is_no_name_is_refused(text: str | None) -> None:
    with pytest.raises(InvalidInput):
        clean_label(text)


def test_an_overlong_name_is_told_its_length() -> None:
    with pytest.raises(InvalidInput, match="10,000"):
        clean_label("x" * 10_000)
