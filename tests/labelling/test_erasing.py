"""What is deleted for good is nowhere: no file of the installation holds a name, a file's name or an encoding of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import (
    archives,
    backups,
    decisions,
    erasing,
    insights,
    people,
    photos,
    pictures,
    reading,
    restoring,
    reviewing,
    sidecar_files,
    telling,
    undoing,
)
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, files_in, names_in, rows, snapshot
from tests.labelling.saying import face_of, faces_of, name
from tests.labelling.squares import colour_of as colour
from tests.labelling.squares import encoding_of, installed, upload
from tests.labelling.test_backups import person, silent, tables
from tests.labelling.test_resetting import fill_reserve, reset
from tests.labelling.workers import die

ZANETA = "Żaneta Quux"
# As JSON in the store spells it, the first letter differs.
NEEDLE = b"aneta Quux"


def holding(home: Path, *needles: bytes) -> list[str]:
    """Every file of an installation that holds one of these, whatever kind of file it is, or has it in its name."""
    found = []
    for path in home.rglob("*"):
        if "models" in path.parts:
            continue
        if any(needle in os.fsencode(path.relative_to(home)) for needle in needles):
            found.append(f"{path.relative_to(home)} (its name)")
        elif path.is_file() and any(needle in path.read_bytes() for needle in needles):
            found.append(str(path.relative_to(home)))
    return found


def assert_agrees(workspace: Workspace) -> None:
    """As assert_consistent, with sidecars beside the photos."""
    assert_consistent(workspace, foreign=[path for path in files_in(workspace.settings.home) if path.endswith(".xmp")])


def traces(person: str, *takes: int) -> list[bytes]:
    """Parts of encodings, as the store and as train.pickle spell them."""
    encodings = [encoding_of(colour(person), take) for take in takes]
    return [part for each in encodings for part in (each[:6].tobytes(), struct.pack(">d", float(each[0])))]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with somebody who has been named, renamed, merged, moved, written into sidecars and
    looked at."""
    home = tmp_path_factory.mktemp("lived-in")
    with installed(home) as workspace:
        fill_reserve(home)
        first = upload(workspace, "zaneta", take=1, name=f"{ZANETA} first.png")
        name(workspace, first, "Zaneta")
        people.rename(workspace, person(workspace, "Zaneta"), ZANETA)
        name(workspace, upload(workspace, "zaneta", take=2, name="2.png"), "A second aneta Quux")
        people.merge(workspace, person(workspace, "A second aneta Quux"), ZANETA)
        shared = upload(workspace, "zaneta", "bob", take=3, name=f"3 {ZANETA}.png")
        name(workspace, shared, ZANETA, faces_of(workspace, shared)[0]["id"])
        name(workspace, shared, "bob", faces_of(workspace, shared)[1]["id"])
        name(workspace, upload(workspace, "bob", take=4, name="4.png"), "bob")
        moved = upload(workspace, "bob", take=5, name="5.png")
        name(workspace, moved, ZANETA)
        decisions.move(workspace, face_of(workspace, moved), "bob")
        decisions.reject(workspace, face_of(workspace, upload(workspace, "carol", take=6)), ZANETA)
        sidecar_files.write_sidecars(workspace)
        (home / "instance/evaluation.encodings").write_bytes(b"".join(traces("zaneta", 1, 2, 3)))
        for photo in rows(home, "SELECT id FROM photos"):
            pictures.display(workspace, photo["id"])
        for face in rows(home, "SELECT id FROM faces"):
            pictures.thumb(workspace, face["id"])
    return home


class TestAPerson:
    def test_is_nowhere_afterwards(self, used: Workspace, home: Path) -> None:
        needles = [NEEDLE, b"Zaneta", *traces("zaneta", 1, 2, 3)]
        assert {"instance/train.pickle"} <= set(holding(home, *needles))
        erased = erasing.erase_person(used, person(used, ZANETA), ZANETA, backups=True)
        assert (erased.faces, erased.backups, erased.reserve, erased.scrubbed) == (3, [], 0, True)
        assert holding(home, *needles) == []
        assert set(names_in(home)) == {"bob"}
        assert_agrees(used)

    def test_is_nowhere_after_a_reset_has_put_them_aside_either(self, used: Workspace, home: Path) -> None:
        number = person(used, ZANETA)
        reset(used)
        fill_reserve(home, {"Żaneta Quux/again.png": (home / "datasets/reserve/Sam Altman.png").read_bytes()})
        (home / "datasets/reserve/Sam Altman.png").unlink()
        reset(used)
        assert person(used, ZANETA) == number
        erased = erasing.erase_person(used, number, ZANETA, with_photos=True, backups=True)
        assert erased.reserve == 1, "it would come back with the next reset, and that is said"
        (home / "datasets/reserve/Żaneta Quux/again.png").unlink()
        (home / "datasets/reserve/Żaneta Quux").rmdir()
        assert holding(home, NEEDLE, *traces("zaneta", 1, 2, 3)) == []
        assert_agrees(used)

    def test_is_not_in_the_free_space_of_the_store_even_when_no_file_goes(self, used: Workspace, home: Path) -> None:
        shutil.rmtree(home / "instance/pictures")
        (home / "instance/evaluation.encodings").unlink()
        for path in (home / "datasets/training").glob("*.xmp"):
            path.unlink()
        with closing(sqlite3.connect(home / "instance/namesake.sqlite")) as store:
            store.execute("PRAGMA secure_delete=OFF")  # as programs before this one, or other builds of SQLite, had it
            store.execute("INSERT INTO people (name) VALUES ('Left over')")
            store.commit()
            store.execute("DELETE FROM people WHERE name = 'Left over'")
            store.commit()
        assert holding(home, b"Left over") != []
        erasing.erase_person(used, person(used, ZANETA), ZANETA)
        assert holding(home, b"Left over") == []

    def test_can_be_somebody_whom_a_reset_has_put_aside(self, used: Workspace, home: Path) -> None:
        number = person(used, ZANETA)
        reset(used)
        with pytest.raises(StopIteration):
            person(used, ZANETA)
        erasing.erase_person(used, erasing.find_person(used, ZANETA), ZANETA, backups=True)
        assert erasing.describe_photo(used, rows(home, "SELECT id FROM photos WHERE state = 'live'")[0]["id"])
        assert holding(home, NEEDLE, *traces("zaneta", 1, 2, 3)) == []
        with pytest.raises(NotFound):
            erasing.describe_person(used, number)
        assert_agrees(used)

    def test_leaves_the_photos_unless_they_are_to_go(self, used: Workspace, home: Path) -> None:
        before = rows(home, "SELECT id FROM photos ORDER BY id")
        erasing.erase_person(used, person(used, ZANETA), ZANETA)
        assert rows(home, "SELECT id FROM photos ORDER BY id") == before
        assert reading.read_photo(used, before[0]["id"])["faces"] == []
        assert_agrees(used)

    def test_takes_the_photos_along_in_which_nobody_else_is(self, used: Workspace, home: Path) -> None:
        told = erasing.describe_person(used, person(used, ZANETA))
        assert {key: told[key] for key in ("faces", "alone", "shared")} == {"faces": 3, "alone": 2, "shared": 1}
        erased = erasing.erase_person(used, person(used, ZANETA), ZANETA, with_photos=True)
        assert erased.photos == 2
        assert [len(faces_of(used, row["id"])) for row in rows(home, "SELECT id FROM photos ORDER BY id")] == [
            1,
            1,
            1,
            1,
        ]
        assert_agrees(used)

    def test_does_not_take_a_name_along_that_only_contains_theirs(self, workspace: Workspace, home: Path) -> None:
        for take, label in enumerate(("Ana", "Ana Maria", "Banana")):
            name(workspace, upload(workspace, label, take=take, name=f"{label}.png"), label)
        erasing.erase_person(workspace, person(workspace, "Ana"), "Ana", with_photos=True)
        assert sorted(names_in(home)) == ["Ana Maria", "Banana"]
        assert sorted(path.name for path in (home / "datasets/training").iterdir()) == [
            "Ana Maria_01.png",
            "Banana_01.png",
        ]
        undoing.undo(workspace)  # the naming of Banana
        assert_agrees(workspace)

    def test_is_no_suggestion_to_any_worker(
        self, used: Workspace, open_workspace: Callable[[], Workspace], home: Path
    ) -> None:
        worker = open_workspace()
        waiting = upload(worker, "zaneta", take=30, name="waiting.png")
        assert reading.read_photo(worker, waiting)["predicted_label"] == ZANETA
        reviewing.read_review(worker)
        erasing.erase_person(used, person(used, ZANETA), ZANETA)
        assert reading.read_photo(worker, waiting)["predicted_label"] is None
        group = reviewing.read_review(worker)["group"]
        assert ZANETA not in str(group)
        assert ZANETA not in str(insights.read_insights(worker))
        assert ZANETA not in str(telling.recent_decisions(worker, limit=100))


class TestAPhoto:
    def test_is_nowhere_afterwards(self, used: Workspace, home: Path) -> None:
        (photo,) = rows(home, "SELECT id, name FROM photos WHERE upload_name LIKE '3 %'")
        number, content = photo["id"], (home / "datasets/training" / photo["name"]).read_bytes()
        needles = [
            content[-200:-100],
            f"3 {ZANETA}".encode(),
            rb"3 \u017baneta",
            *traces("zaneta", 3),
            *traces("bob", 3),
        ]
        assert len(holding(home, *needles)) > 2
        (home / "instance/evaluation.encodings").unlink()
        erased = erasing.erase_photo(used, number, "DELETE", backups=True)
        assert (erased.faces, erased.photos, erased.backups) == (2, 1, [])
        assert holding(home, *needles) == []
        assert set(names_in(home)) == {ZANETA, "bob"}
        assert_agrees(used)

    def test_goes_with_its_twin_of_the_past(self, used: Workspace, home: Path) -> None:
        reset(used)
        fill_reserve(home)
        reset(used)
        (first, *_rest) = rows(home, "SELECT id, sha256 FROM photos WHERE state = 'live'")
        twins = rows(home, "SELECT id FROM photos WHERE sha256 = ?", first["sha256"])
        assert len(twins) == 2
        erased = erasing.erase_photo(used, first["id"], "DELETE")
        assert (erased.photos, erased.reserve) == (2, 1)
        assert_agrees(used)


class TestTheReserve:
    """Of which is said what a reset would bring back."""

    @pytest.fixture
    def filled(self, used: Workspace, home: Path) -> dict[str, Path]:
        """Beside files of other sizes: two with the bytes of photo 1, and one that is only as large."""
        (photo,) = rows(home, "SELECT folder, name FROM photos WHERE id = 1")
        same = (home / "datasets" / photo["folder"] / photo["name"]).read_bytes()
        other = same[:-1] + bytes([same[-1] ^ 1])
        larger = {f"larger_{number}.png": same + bytes(number) for number in range(1, 4)}
        shutil.rmtree(home / "datasets/reserve")
        fill_reserve(home, {"one.png": same, "deep/two.png": same, "other.png": other, **larger, "less.png": b""})
        return {path.name: path for path in (home / "datasets/reserve").rglob("*.png")}

    @pytest.mark.usefixtures("filled")
    def test_is_searched_for_the_bytes_of_a_photo_by_whatever_name(self, used: Workspace) -> None:
        assert erasing.describe_photo(used, 1)["reserve"] == 2
        assert erasing.erase_photo(used, 1, "DELETE").reserve == 2

    @pytest.mark.usefixtures("filled")
    def test_is_searched_for_a_name_and_for_what_went_with_it_each_file_once(self, used: Workspace, home: Path) -> None:
        (home / "datasets/reserve/one.png").rename(home / f"datasets/reserve/{ZANETA}.png")
        number = person(used, ZANETA)
        assert erasing.describe_person(used, number)["reserve"] == 1
        assert erasing.erase_person(used, number, ZANETA, with_photos=True).reserve == 2

    def test_is_read_no_further_than_the_files_as_large_as_the_photo(
        self, used: Workspace, filled: dict[str, Path]
    ) -> None:
        with opened() as during:
            erasing.describe_photo(used, 1)
        as_large = {filled[name] for name in ("one.png", "two.png", "other.png")}
        assert during & set(filled.values()) == as_large


@contextmanager
def opened() -> Iterator[set[Path]]:
    """Every file that this process opens meanwhile, by whatever function of Python's."""
    found: set[Path] = set()
    listening = True

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str | os.PathLike):
            found.add(Path(arguments[0]))

    sys.addaudithook(listen)  # for ever: there is no way to take one away
    try:
        yield found
    finally:
        listening = False


class TestWhatIsDeletedForGood:
    def test_leaves_no_picture_that_was_being_drawn_meanwhile(self, used: Workspace, home: Path) -> None:
        late = home / "instance/pictures" / f"face-{face_of(used, 1)}.jpg"
        with pytest.MonkeyPatch.context() as patch:
            scrub = used.database.scrub
            patch.setattr(used.database, "scrub", lambda: (scrub(), late.write_bytes(b"drawn by another process")))
            erasing.erase_photo(used, 1, "DELETE")
        assert not late.exists()

    def test_cannot_be_undone_and_says_why(self, used: Workspace, home: Path) -> None:
        (merge,) = rows(home, "SELECT id FROM decisions WHERE kind = 'merge'")
        (kept,) = rows(home, "SELECT id FROM decisions WHERE kind = 'confirm' ORDER BY id LIMIT 1 OFFSET 4")
        erasing.erase_person(used, person(used, ZANETA), ZANETA)
        for number in (merge["id"], rows(home, "SELECT max(id) AS id FROM decisions WHERE kind = 'move'")[0]["id"]):
            with pytest.raises(Conflict, match="deleted for good"):
                undoing.undo(used, number)
        undoing.undo(used, kept["id"])  # the naming of bob, of whom nothing is gone
        assert_agrees(used)

    @pytest.mark.parametrize("typed", [None, "", "żaneta quux", "Żaneta", "DELETE"])
    def test_wants_the_name_to_be_typed(self, used: Workspace, home: Path, typed: str | None) -> None:
        before = snapshot(home)
        with pytest.raises(InvalidInput, match="name exactly"):
            erasing.erase_person(used, person(used, ZANETA), typed)
        assert snapshot(home) == before

    def test_is_not_deleted_while_photos_are_looked_at(self, used: Workspace, home: Path) -> None:
        photos.request_encoding(used, [1])
        before = snapshot(home)
        with pytest.raises(Conflict, match="under way"):
            erasing.erase_person(used, person(used, ZANETA), ZANETA)
        with pytest.raises(Conflict, match="under way"):
            erasing.erase_photo(used, 1, "DELETE")
        assert snapshot(home) == before

    def test_must_be_there(self, used: Workspace) -> None:
        with pytest.raises(NotFound):
            erasing.erase_person(used, 999, ZANETA)
        with pytest.raises(NotFound):
            erasing.erase_photo(used, 999, "DELETE")

    def test_is_in_the_backups_that_are_named(self, used: Workspace, home: Path) -> None:
        made = backups.make_backup(used, silent)
        (automatic,) = [kept for kept in archives.kept(used) if kept.is_automatic]
        told = erasing.erase_person(used, person(used, ZANETA), ZANETA)
        assert {each["name"] for each in told.backups} == {made.name, automatic.name}
        assert holding(home, NEEDLE) != []
        for each in told.backups:
            archives.remove(used, each["name"])
        assert holding(home, NEEDLE, *traces("zaneta", 1, 2, 3)) == []

    def test_is_not_in_backups_that_are_made_afterwards(self, used: Workspace, home: Path) -> None:
        erasing.erase_person(used, person(used, ZANETA), ZANETA, with_photos=True, backups=True)
        made = backups.make_backup(used, silent)
        assert holding(home, NEEDLE, *traces("zaneta", 1, 2, 3)) == []
        before = tables(home)
        restoring.restore(used, made.path, silent)
        assert tables(home)["faces"] == before["faces"]
        assert_agrees(used)

    @pytest.mark.parametrize(
        ("where", "gone"),
        [
            ("file put away", False),
            ("before the rewrite", False),
            ("rewritten", False),
            ("committed", True),
            ("scrubbed", True),
        ],
    )
    def test_is_gone_or_all_there_when_the_process_is_killed(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace], where: str, gone: bool
    ) -> None:
        archives.remove(used, archives.kept(used)[0].name)
        before = snapshot(home)
        die(home, where, "erase", person(used, ZANETA), ZANETA)
        restarted = open_workspace()
        assert_agrees(restarted)
        if not gone:
            assert snapshot(home) == before
            erasing.erase_person(restarted, person(restarted, ZANETA), ZANETA)
        assert holding(home, NEEDLE, *traces("zaneta", 1, 2, 3)) == []
        assert_agrees(restarted)
