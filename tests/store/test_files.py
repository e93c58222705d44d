"""Safe names, image paths, and moves that a crash cannot leave half done."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.errors import DiskFull, InvalidInput, Unavailable
from app.store import files
from app.store.files import Folders, Journal, free_name, numbered_name, safe_stem


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("alice", "alice"),
        ("Sam Altman", "Sam Altman"),
        ("Jose\u0301 García", "José García"),
        ("李小龙", "李小龙"),
        ("محمد", "محمد"),
        ("O'Brien, Jr.", "O'Brien, Jr"),
        ("a/b\\c", "a_b_c"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('<b>"x"|y?*:', "_b__x__y___"),
        ("line\nbreak\0", "line_break_"),
        (".hidden", "hidden"),
        ("trailing. ", "trailing"),
        ("", "photo"),
        ("...", "photo"),
        ("🙂", "photo"),
        ("CON", "photo_CON"),
        ("nul.txt", "photo_nul.txt"),
        ("COM1", "photo_COM1"),
        ("console", "console"),
    ],
)
def test_a_stem_keeps_every_script_and_nothing_harmful(text: str, stem: str) -> None:
    assert safe_stem(text) == stem


@pytest.mark.parametrize("text", ["x" * 10_000, "é" * 200, "李" * 200, "a\u0301" * 300])
def test_a_stem_fits_any_file_system_with_a_number_and_an_extension(tmp_path: Path, text: str) -> None:
    name = numbered_name(tmp_path, safe_stem(text), "jpeg")
    (tmp_path / name).touch()
    assert len(name.encode()) <= 255


def test_a_free_name_counts_from_2_and_avoids_what_differs_in_case_only(tmp_path: Path) -> None:
    assert free_name(tmp_path, "photo", "jpg") == "photo.jpg"
    (tmp_path / "photo.jpg").touch()
    assert free_name(tmp_path, "photo", "jpg") == "photo_2.jpg"
    assert free_name(tmp_path, "photo", "jpg", taken=["Photo_2.JPG"]) == "photo_3.jpg"


def test_a_numbered_name_avoids_every_file_and_every_name_that_is_taken(tmp_path: Path) -> None:
    assert numbered_name(tmp_path, "alice", "jpg") == "alice_01.jpg"
    (tmp_path / "alice_01.jpg").touch()
    assert numbered_name(tmp_path, "alice", "jpg") == "alice_02.jpg"
    assert numbered_name(tmp_path, "alice", "jpg", ["ALICE_02.png", "alice_03.jpg"]) == "alice_04.jpg"
    assert numbered_name(tmp_path, "alice", "jpg", [f"alice_{n:02d}.jpg" for n in range(1, 100)]) == "alice_100.jpg"


class TestImagePaths:
    @pytest.fixture
    def folders(self, tmp_path: Path) -> Folders:
        return Folders.below(
            tmp_path, uploads="datasets/uploads", training="datasets/training", reserve="datasets/reserve"
        )

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("datasets/uploads/a.jpg", ("uploads", "a.jpg")),
            ("./datasets/training/a b.jpg", ("training", "a b.jpg")),
            ("datasets\\training\\a.jpg", ("training", "a.jpg")),
            ("datasets/training/sub/a.jpg", ("elsewhere", "datasets/training/sub/a.jpg")),
            ("datasets/uploads/../training/a.jpg", ("elsewhere", "datasets/uploads/../training/a.jpg")),
            ("datasets/reserve/a.jpg", ("elsewhere", "datasets/reserve/a.jpg")),
            ("C:\\photos\\a.jpg", ("elsewhere", "C:/photos/a.jpg")),
            ("a.jpg", ("elsewhere", "a.jpg")),
            ("", ("elsewhere", ".")),
        ],
    )
    def test_are_understood_however_they_are_spelt(self, folders: Folders, path: str, found: tuple[str, str]) -> None:
        assert folders.parse(path) == found

    def test_may_be_absolute(self, folders: Folders, tmp_path: Path) -> None:
        assert folders.parse(str(tmp_path / "datasets/uploads/a.jpg")) == ("uploads", "a.jpg")

    def test_are_told_as_the_settings_spell_the_folder(self, folders: Folders) -> None:
        assert folders.image_path("training", "a.jpg") == "datasets/training/a.jpg"
        assert folders.image_path("elsewhere", "C:/photos/a.jpg") == "C:/photos/a.jpg"


class TestJournal:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "from").mkdir()
        for name in ("a", "b"):
            (tmp_path / "from" / name).write_text(name)
        return tmp_path

    def moves(self, root: Path) -> list[tuple[Path, Path]]:
        return [(root / "from" / name, root / "to" / "deep" / name) for name in ("a", "b")]

    def there(self, root: Path) -> list[str]:
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())

    def test_moves_and_makes_folders(self, root: Path) -> None:
        journal = Journal(root, 1)
        journal.move(self.moves(root))
        journal.close()
        assert self.there(root) == ["to/deep/a", "to/deep/b"]

    def test_undo_puts_back(self, root: Path) -> None:
        journal = Journal(root, 1)
        journal.move(self.moves(root))
        journal.undo()
        journal.close()
        assert self.there(root) == ["from/a", "from/b"]

    def test_a_move_never_overwrites(self, root: Path) -> None:
        (root / "to/deep").mkdir(parents=True)
        (root / "to/deep/b").write_text("someone else's")
        journal = Journal(root, 1)
        with pytest.raises(FileExistsError):
            journal.move(self.moves(root))
        journal.undo()
        journal.close()
        assert self.there(root) == ["from/a", "from/b", "to/deep/b"]
        assert (root / "to/deep/b").read_text() == "someone else's"

    @pytest.mark.parametrize(("committed", "there"), [(6, "from"), (7, "to/deep"), (8, "to/deep")])
    def test_what_it_finds_after_a_crash_depends_on_the_commit(self, root: Path, committed: int, there: str) -> None:
        Journal(root, 7).move(self.moves(root))
        assert Journal.settle(root, committed) is (committed < 7)
        assert self.there(root) == [f"{there}/a", f"{there}/b"]
        assert Journal.settle(root, committed) is False

    def test_a_crash_between_two_moves_puts_the_first_back(self, root: Path) -> None:
        moves = self.moves(root)
        Journal(root, 7).move(moves)
        moves[1][1].rename(moves[1][0])
        Journal.settle(root, 6)
        assert self.there(root) == ["from/a", "from/b"]

    def test_a_crash_before_the_first_move_leaves_a_stranger_in_the_way_alone(self, root: Path) -> None:
        source, target = self.moves(root)[0]
        Journal(root, 7).move([(source, target)])
        target.rename(source)
        target.write_text("someone else's")
        Journal.settle(root, 6)
        assert source.read_text() == "a"
        assert target.read_text() == "someone else's"

    def test_a_line_cut_off_by_the_crash_is_passed_over(self, root: Path) -> None:
        Journal(root, 7).move(self.moves(root)[:1])
        with (root / "journal-7.jsonl").open("a") as file:
            file.write('{"from": "/somewh')
        assert Journal.settle(root, 6) is True
        assert self.there(root) == ["from/a", "from/b"]

    @pytest.mark.parametrize("moved", [0, 1, 2])
    def test_a_swap_of_equal_files_is_put_back_wherever_it_was_cut_off(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, moved: int
    ) -> None:
        """A second reset from the same reserve: the new photo takes the place of the old one, byte for byte."""
        old, new, backup = root / "training" / "a", root / "staging" / "a", root / "backup" / "a"
        for path in (old, new):
            path.parent.mkdir()
            path.write_text("the same photo")
        real, calls = os.rename, iter(range(10))

        def rename(*paths: Any, **options: Any) -> None:
            if next(calls) == moved:
                raise KeyboardInterrupt
            real(*paths, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", rename)
            with suppress(KeyboardInterrupt):
                Journal(root, 7).move([(old, backup), (new, old)])
        Journal.settle(root, 6)
        assert (old.exists(), new.exists(), backup.exists()) == (True, True, False)

    def test_a_home_that_was_copied_in_the_middle_of_a_change_is_put_right_by_itself(self, tmp_path: Path) -> None:
        home, copied = tmp_path / "home", tmp_path / "copied"
        was, now = home / "datasets" / "uploads" / "a", home / "datasets" / "training" / "a"
        was.parent.mkdir(parents=True)
        was.write_text("the photo")
        (home / "instance").mkdir()
        Journal(home / "instance", 7).move([(was, now)])
        shutil.copytree(home, copied)
        Journal.settle(copied / "instance", 6)
        assert self.there(copied) == ["datasets/uploads/a"]
        assert now.exists(), "the home it was copied from is no business of its copy"

    def test_a_photo_outside_of_the_home_is_put_back_from_where_it_is(self, tmp_path: Path) -> None:
        home, elsewhere = tmp_path / "home", tmp_path / "another disk" / "a"
        was = home / "datasets" / "uploads" / "a"
        was.parent.mkdir(parents=True)
        was.write_text("the photo")
        (home / "instance").mkdir()
        Journal(home / "instance", 7).move([(was, elsewhere)])
        home.rename(tmp_path / "moved")
        Journal.settle(tmp_path / "moved" / "instance", 6)
        assert self.there(tmp_path) == ["moved/datasets/uploads/a"]

    def test_names_of_any_kind_survive_it(self, root: Path) -> None:
        name = "li\nne \u2028 \x85 李 \udcff"
        source = root / "from" / name
        source.write_text("x")
        Journal(root, 7).move([(source, root / "to" / name)])
        Journal.settle(root, 6)
        assert source.exists()


def across_file_systems(patch: pytest.MonkeyPatch) -> None:
    """Renaming from one folder to another fails as it does between two disks."""
    real = os.rename

    def rename(source: Any, target: Any, **options: Any) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target, **options)

    patch.setattr(os, "rename", rename)


def test_a_move_to_another_disk_copies_and_can_be_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "a", tmp_path / "disk" / "a"
    source.write_bytes(b"photo")
    across_file_systems(monkeypatch)
    journal = Journal(tmp_path, 1)
    journal.move([(source, target)])
    assert (source.exists(), target.read_bytes()) == (False, b"photo")
    journal.undo()
    assert (target.exists(), source.read_bytes()) == (False, b"photo")


def test_a_crash_between_copy_and_removal_leaves_one_photo_in_its_old_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "from" / "a", tmp_path / "disk" / "a"
    source.parent.mkdir()
    source.write_bytes(b"photo")
    across_file_systems(monkeypatch)

    def die(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            Journal(tmp_path, 7).move([(source, target)])
    Journal.settle(tmp_path, 6)
    assert source.read_bytes() == b"photo"
    assert not target.exists()


class TestWritingAPhoto:
    def test_is_all_or_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").write_bytes(b"old")
        with pytest.raises(FileExistsError):
            files.write_new(tmp_path, b"new", "a.jpg")
        assert (tmp_path / "a.jpg").read_bytes() == b"old"

    def test_leaves_nothing_on_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DiskFull):
            files.write_new(tmp_path, b"new")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, Unavailable),
        (errno.EACCES, Unavailable),
        (errno.EIO, OSError),
    ],
)
def test_what_the_disk_will_not_do_is_told_without_saying_where(number: int, error: type[Exception]) -> None:
    with pytest.raises(error) as raised, files.translate_os_errors():
        raise OSError(number, os.strerror(number), "/home/ops/secret/place")
    if error is not OSError:
        assert "secret" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        files.read_bytes(tmp_path / "nowhere")


def test_the_sha256_is_the_one_that_everyone_computes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
