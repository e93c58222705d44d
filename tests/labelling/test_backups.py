"""A backup holds everything of one moment, and a restore brings exactly that back."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.errors import Conflict, DiskFull, InvalidInput, NamesakeError
from app.labelling import (
    archives,
    backups,
    decisions,
    people,
    photos,
    reading,
    restoring,
    reviewing,
    undoing,
)
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, files_in, names_in, rows, snapshot
from tests.labelling.saying import face_of, named_photo
from tests.labelling.squares import SquaresEngine, installed, upload
from tests.labelling.test_resetting import fill_reserve, reset
from tests.labelling.workers import die


def silent(_done: int, _total: int, _message: str) -> None:
    return None


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation where somebody has worked: names, a face put aside, one that waits."""
    home = tmp_path_factory.mktemp("lived-in")
    with installed(home) as workspace:
        for take, person in enumerate(("alice", "bob", "alice", "carol")):
            named_photo(workspace, person, take=take)
        waiting = upload(workspace, "dave", "alice", take=9, name="waiting.png")
        decisions.dismiss(workspace, face_of(workspace, waiting), "ignore")
    return home


def person(workspace: Workspace, label: str) -> int:
    return next(each["id"] for each in reading.read_people(workspace) if each["name"] == label)


def write(workspace: Workspace, target: Path) -> Path:
    backups.write_backup(workspace, target, silent)
    return target


def tables(home: Path) -> dict[str, Any]:
    """Every row that a backup brings back."""
    names = ("people", "photos", "faces", "decisions", "changes", "rejections", "vouches", "calibrations")
    return {table: rows(home, f"SELECT * FROM {table} ORDER BY 1") for table in names}


def without_the_restore(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"decisions": [row for row in found["decisions"] if row["kind"] != "restore"]}


class TestABackup:
    def test_comes_back_as_it_was(self, used: Workspace, home: Path, tmp_path: Path) -> None:
        file = write(used, home / "mine.zip")
        before, lay, names = tables(home), files_in(home), names_in(home)
        named_photo(used, "mallory", take=20)
        people.merge(used, person(used, "carol"), "alice")
        result = restoring.restore(used, file, silent)
        assert (result["photos"], result["faces"], result["people"], result["missing"]) == (5, 6, 3, 0)
        assert without_the_restore(tables(home)) == before
        assert (files_in(home), names_in(home)) == (lay, names)
        assert_consistent(used)

    def test_brings_back_what_undoes_a_reset(self, used: Workspace, home: Path) -> None:
        before = files_in(home)
        fill_reserve(home)
        reset(used)
        file = write(used, home / "mine.zip")
        (retired,) = rows(home, "SELECT count(*) AS n FROM photos WHERE state = 'retired'")
        assert retired["n"] == 5
        shutil.rmtree(home / "datasets/backups")
        restoring.restore(used, file, silent)
        undoing.undo(used)
        assert files_in(home) == before
        assert_consistent(used)

    def test_has_a_photo_once_that_is_there_twice(self, used: Workspace, home: Path) -> None:
        fill_reserve(home)
        reset(used)
        reset(used)
        assert rows(home, "SELECT sha256 FROM photos GROUP BY sha256 HAVING count(*) = 2") != []
        before, lay = tables(home), files_in(home)
        file = write(used, home / "mine.zip")
        restoring.restore(used, file, silent)
        assert without_the_restore(tables(home)) == before
        assert files_in(home) == lay
        assert list((home / "datasets/backups").glob("strays-*")) == []
        assert_consistent(used)

    def test_comes_back_into_an_empty_installation(self, used: Workspace, home: Path, tmp_path_factory: Any) -> None:
        file = write(used, home / "mine.zip")
        other = tmp_path_factory.mktemp("other")
        app = create_app(other)
        try:
            restoring.restore(app.extensions["namesake"], file, silent)
            assert without_the_restore(tables(other)) == tables(home)
            assert files_in(other) == files_in(home)
            assert_consistent(other)
        finally:
            app.extensions["namesake"].close()

    def test_is_of_one_moment_while_labelling_goes_on(self, workspace: Workspace, home: Path) -> None:
        ids = [upload(workspace, f"person {take % 9}", take=take, name=f"{take}.png") for take in range(30)]
        faces = [face_of(workspace, photo) for photo in ids]
        named, stop = [0], threading.Event()

        def label() -> None:
            for number, face in enumerate(faces):
                if stop.is_set():
                    return
                reviewing.answer(workspace, "confirm", f"person {number % 9}", [face])
                named[0] += 1

        labelling = threading.Thread(target=label)
        labelling.start()
        made = []
        try:
            while labelling.is_alive():
                made.append(write(workspace, home / f"{len(made)}.zip"))
        finally:
            stop.set()
            labelling.join()
        assert named[0] == 30
        assert len({_manifest(file)["revision"] for file in made}) > 2
        for file in made[1:4]:  # those that were made in the middle
            restoring.restore(workspace, file, silent)
            assert_consistent(workspace)
            assert len(files_in(home)) == 30

    def test_may_be_read_by_its_owner_only_and_replaces_nothing(self, used: Workspace, home: Path) -> None:
        file = write(used, home / "mine.zip")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        before = file.read_bytes()
        with pytest.raises(Conflict, match="already"):
            write(used, file)
        assert file.read_bytes() == before
        named_photo(used, "mallory", take=20)
        backups.write_backup(used, file, silent, force=True)
        assert file.read_bytes() != before
        assert [path.name for path in home.iterdir() if "partial" in path.name] == []
        assert os.listdir(home / "datasets/archives") == []

    def test_has_no_secret_no_job_and_no_name_of_a_folder(self, used: Workspace, home: Path, tmp_path: Path) -> None:
        fill_reserve(home)
        reset(used)
        with zipfile.ZipFile(write(used, home / "mine.zip")) as packed:
            secret = (home / "instance/secret").read_bytes()
            assert not any(
                secret in packed.read(name) or str(home).encode() in packed.read(name) for name in packed.namelist()
            )
            (home / "store").write_bytes(packed.read("store.sqlite"))
        with closing(sqlite3.connect(home / "store")) as copy:
            assert copy.execute("SELECT count(*) FROM jobs").fetchone() == (0,)

    def test_leaves_out_a_photo_that_is_not_what_it_was(self, used: Workspace, home: Path) -> None:
        changed, gone = sorted((home / "datasets/training").glob("alice*"))
        changed.write_bytes(b"something else")
        gone.unlink()
        file = home / "mine.zip"
        made = backups.write_backup(used, file, silent)
        assert (made.photos, made.missing) == (3, 2)
        assert restoring.restore(used, file, silent)["missing"] == 2


class TestARestore:
    @pytest.mark.parametrize(
        ("where", "done"),
        [
            ("backup kept", False),
            ("file put away", False),
            ("photo arrived", False),
            ("before the rewrite", False),
            ("rewritten", False),
            ("committed", True),
        ],
    )
    def test_killed_anywhere_leaves_the_old_or_the_new(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace], where: str, done: bool
    ) -> None:
        file, old = write(used, home / "mine.zip"), tables(home)
        named_photo(used, "mallory", take=20)
        new, lay = tables(home), files_in(home)
        die(home, where, "restore", file)
        restarted = open_workspace()
        assert_consistent(restarted)
        assert without_the_restore(tables(home)) == (old if done else new)
        if not done:
            assert files_in(home) == lay
        assert [path.name for path in (home / "datasets/.staging").glob("gone-*")] == []
        restoring.restore(restarted, file, silent)
        assert without_the_restore(tables(home)) == old
        assert os.listdir(home / "datasets/.staging") == []
        assert [path for path in os.listdir(home / "datasets/archives") if path.startswith(".")] == []
        assert_consistent(restarted)

    def test_is_seen_by_a_worker_that_knew_later_revisions(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace]
    ) -> None:
        file = write(used, home / "mine.zip")
        named_photo(used, "mallory", take=20)
        worker = open_workspace()
        late = upload(worker, "mallory", take=21, name="late.png")
        assert reading.read_photo(worker, late)["predicted_label"] == "mallory"
        assert face_of(worker, late) in _waiting(worker)
        restoring.restore(used, file, silent)
        named = {row["id"] for row in rows(home, "SELECT id FROM faces WHERE status = 'labelled'")}
        assert set(worker.view_gallery().face_ids.tolist()) == named
        assert _waiting(worker) == {row["id"] for row in rows(home, "SELECT id FROM faces WHERE status = 'inbox'")}
        again = upload(worker, "mallory", take=22, name="new.png")
        assert reading.read_photo(worker, again)["predicted_label"] is None

    def test_never_gives_a_number_a_new_meaning(self, used: Workspace, home: Path) -> None:
        file = write(used, home / "mine.zip")
        later = [upload(used, "mallory", take=take, name="later.png") for take in (20, 21)]
        restoring.restore(used, file, silent)
        assert upload(used, "mallory", take=22) > max(later)

    def test_keeps_what_was_there_as_a_backup(self, used: Workspace, home: Path) -> None:
        file = write(used, home / "mine.zip")
        named_photo(used, "mallory", take=20)
        before = tables(home)
        result = restoring.restore(used, file, silent)
        restoring.restore(used, archives.find(used, result["before"]).path, silent)
        assert without_the_restore(tables(home)) == before
        assert_consistent(used)

    def test_leaves_a_file_of_ones_own_where_it_is_or_beside(self, used: Workspace, home: Path) -> None:
        file = write(used, home / "mine.zip")
        own = home / "datasets/training/alice_02.png"
        people.merge(used, person(used, "alice"), "bob")
        own.write_bytes(b"mine")
        (home / "datasets/uploads/notes.txt").write_bytes(b"mine, too")
        restoring.restore(used, file, silent)
        assert (home / "datasets/uploads/notes.txt").read_bytes() == b"mine, too"
        (moved,) = (home / "datasets/backups").glob("strays-*/training/alice_02.png")
        assert moved.read_bytes() == b"mine"
        assert_consistent(used, foreign=["uploads/notes.txt"])

    def test_drops_work_that_was_about_what_was_there_before(self, used: Workspace, home: Path) -> None:
        file = write(used, home / "mine.zip")
        job = photos.request_encoding(used, [upload(used, "mallory", take=20)])
        restoring.restore(used, file, silent)
        (found,) = rows(home, "SELECT state, message FROM jobs WHERE id = ?", job)
        assert found["state"] == "failed"
        assert "restored" in found["message"]


def _waiting(workspace: Workspace) -> set[int]:
    """The faces that a worker would ask about."""
    _offers, suggestions = reviewing.inbox_of(workspace).read()
    return set(suggestions)


def _manifest(file: Path) -> dict[str, Any]:
    with zipfile.ZipFile(file) as packed:
        found: dict[str, Any] = json.loads(packed.read("manifest.json"))
        return found


def _rewritten(file: Path, change: Callable[[dict[str, bytes]], None], *, rehash: bool = True) -> Path:
    """The same backup with other files in it. rehash: the manifest agrees with them."""
    with zipfile.ZipFile(file) as packed:
        content = {name: packed.read(name) for name in packed.namelist()}
    change(content)
    if rehash and "manifest.json" in content:
        manifest = json.loads(content["manifest.json"])
        if isinstance(manifest, dict):
            for name in manifest["sha256"].keys() & content.keys():
                manifest["sha256"][name] = hashlib.sha256(content[name]).hexdigest()
            content["manifest.json"] = json.dumps(manifest).encode()
    target = file.with_name("changed.zip")
    with zipfile.ZipFile(target, "w") as packed:
        for name, data in content.items():
            packed.writestr(name, data)
    return target


def _in_store(*statements: str) -> Callable[[dict[str, bytes]], None]:
    def change(content: dict[str, bytes]) -> None:
        with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
            file.write(content["store.sqlite"])
            file.flush()
            with closing(sqlite3.connect(file.name)) as store:
                for statement in statements:
                    store.execute(statement)
                store.commit()
            content["store.sqlite"] = Path(file.name).read_bytes()

    return change


def _without(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda content: [content.pop(key) for key in list(content) if key.startswith(name)] and None  # type: ignore[func-returns-value]


def _with(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda content: content.update({name: data})


def _saying(**fields: Any) -> Callable[[dict[str, bytes]], None]:
    """Other fields in the manifest."""

    def change(content: dict[str, bytes]) -> None:
        content["manifest.json"] = json.dumps(json.loads(content["manifest.json"]) | fields).encode()

    return change


def _with_a_photo_among_the_lists(content: dict[str, bytes]) -> None:
    photo = next(name for name in content if name.startswith("photos/"))
    listed = json.loads(content["manifest.json"])["sha256"]
    _saying(sha256=listed | {photo: hashlib.sha256(content[photo]).hexdigest()})(content)


def _damaged_photo(content: dict[str, bytes]) -> None:
    photo = next(name for name in content if name.startswith("photos/"))
    content[photo] = content[photo][:-1] + bytes([content[photo][-1] ^ 1])


HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "no manifest": (_without("manifest"), "no manifest"),
    "a manifest that is none": (_with("manifest.json", b"[1]"), "damaged"),
    "a later form": (_saying(format=2), "later"),
    "a reason that is a path": (_saying(why="../../x"), "damaged"),
    "a count below nothing": (_saying(bytes=-1), "damaged"),
    "a number beyond all": (_saying(faces=10**30), "damaged"),
    "a moment of another clock": (_saying(created="2026-03-05T14:05:11+02:00"), "damaged"),
    "a list that is a photo": (_with_a_photo_among_the_lists, "damaged"),
    "another moment": (_saying(revision=7), "do not say the same"),
    "no store": (_without("store"), "missing or damaged|no store"),
    "no photos": (_without("photos/"), "lacks photos"),
    "a damaged photo": (_damaged_photo, "photo in the backup is damaged"),
    "a name that climbs": (_with("../evil", b"x"), "does not belong"),
    "an absolute name": (_with("/etc/evil", b"x"), "does not belong"),
    "a store that is none": (_with("store.sqlite", b"x" * 5000), "damaged, or is none of ours"),
    "a later store": (_in_store("UPDATE state SET version = 99"), "version 99"),
    "a store of a version that is none": (_in_store("UPDATE state SET version = 'x'"), "damaged"),
    "a store at a revision that is none": (_in_store("UPDATE state SET revision = 'x'"), "damaged"),
    "a store of no version": (_in_store("DROP TABLE state"), "none of ours"),
    "a store without a column": (_in_store("ALTER TABLE photos DROP COLUMN encoded"), "cannot be read"),
    "an older store that never was": (_in_store("UPDATE state SET version = 1"), "none of ours"),
    "a trigger": (_in_store("CREATE TRIGGER t AFTER DELETE ON faces BEGIN SELECT 1; END"), "more than tables"),
    "a view": (_in_store("CREATE VIEW v AS SELECT 1"), "more than tables"),
    "a face of nobody": (_in_store("UPDATE faces SET person_id = 999 WHERE person_id IS NOT NULL"), "agree"),
    "a decision of no action": (_in_store("UPDATE decisions SET action = 999 WHERE id = 1"), "agree"),
    "a photo that climbs": (_in_store("UPDATE photos SET name = '../../x.png' WHERE id = 1"), "place"),
    "a photo elsewhere": (_in_store("UPDATE photos SET folder = 'reserve' WHERE id = 1"), "place"),
    "a journal that climbs": (
        _in_store("""UPDATE changes SET before = '{"folder": "uploads", "name": "../x", "upload_name": null}'"""
                  " WHERE kind = 'photo'"),
        "place",
    ),
    "a row that is no row": (_in_store("UPDATE decisions SET before = 'x'"), "cannot be read"),
    "a row that is a list": (_in_store("UPDATE decisions SET before = '[]'"), "cannot be read"),
    "a photo of no size": (_in_store("UPDATE photos SET size = NULL"), "cannot be read"),
    "a photo of less than nothing": (_in_store("UPDATE photos SET size = -1"), "cannot be read"),
    "a number beyond all in a row": (_in_store("UPDATE faces SET revision = 4611686018427387904"), "cannot be read"),
    "a name that is none": (_in_store("UPDATE people SET name = x'ff' WHERE id = 1"), "cannot be read"),
    "half an encoding": (_in_store("UPDATE faces SET encoding = substr(encoding, 1, 100)"), "without an encoding"),
    "another pickle": (_in_store("UPDATE people SET name = 'eve' WHERE name = 'alice'"), "do not say the same"),
    "a pickle that would fill the memory": (_with("train.pickle", bytes(3 << 20)), "larger than"),
    "a pickle that runs": (_with("train.pickle", b"cos\nsystem\n(S'true'\ntR."), "never needs"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_backup_that_is_not_right_changes_nothing(used: Workspace, home: Path, what: str) -> None:
    change, words = HOSTILE[what]
    file = _rewritten(write(used, home / "mine.zip"), change)
    named_photo(used, "mallory", take=20)
    before = snapshot(home)
    with pytest.raises(NamesakeError, match=words) as refused:
        restoring.restore(used, file, silent)
    assert refused.value.status in (400, 413)
    assert str(home) not in refused.value.message
    assert snapshot(home) == before
    assert os.listdir(home / "datasets/.staging") == []
    assert not (home / "datasets/archives").exists() or os.listdir(home / "datasets/archives") == []


def test_a_file_that_is_not_what_the_manifest_says_is_refused(used: Workspace, home: Path) -> None:
    file = _rewritten(write(used, home / "mine.zip"), _with("config.toml", b"GAMMA = 1\n"), rehash=False)
    with pytest.raises(InvalidInput, match=r"config\.toml"):
        restoring.restore(used, file, silent)


class TestAnAutomaticBackup:
    def test_is_made_before_a_merge_and_brings_back_what_was(self, used: Workspace, home: Path) -> None:
        before, lay = tables(home), files_in(home)
        people.merge(used, person(used, "alice"), "bob")
        (kept,) = archives.kept(used)
        assert (kept.manifest.why, kept.manifest.photos, kept.is_automatic) == ("merge", 5, True)
        restoring.restore(used, kept.path, silent)
        assert without_the_restore(tables(home)) == before
        assert files_in(home) == lay
        assert_consistent(used)

    def test_is_made_before_a_reset(self, used: Workspace, home: Path) -> None:
        fill_reserve(home)
        before = tables(home)
        reset(used)
        (kept,) = archives.kept(used)
        assert kept.manifest.why == "reset"
        restoring.restore(used, kept.path, silent)
        after = without_the_restore(tables(home))
        del before["people"], after["people"]  # the reset had read who is in the reserve
        assert after == before
        assert_consistent(used)

    def test_shares_the_photos_with_those_that_are_there(self, used: Workspace, home: Path) -> None:
        people.merge(used, person(used, "alice"), "bob")
        (kept,) = archives.kept(used)
        assert {path.stat().st_nlink for path in (kept.path / "photos").iterdir()} == {2}

    def test_is_not_made_for_a_merge_that_is_refused(self, used: Workspace) -> None:
        with pytest.raises(NamesakeError):
            people.merge(used, person(used, "alice"), "nobody")
        assert archives.kept(used) == []

    def test_makes_room_for_newer_ones_and_never_at_the_cost_of_one_made_by_hand(
        self, make_app: Callable[..., Any], home: Path
    ) -> None:
        workspace: Workspace = make_app(BACKUPS_KEPT=2).extensions["namesake"]
        workspace.engine = SquaresEngine()
        by_hand = [backups.make_backup(workspace, silent).name for _ in range(3)]
        for take, label in enumerate(("alice", "bob", "carol", "dave", "eve")):
            named_photo(workspace, label, take=take)
        merged = []
        for label in ("bob", "carol", "dave", "eve"):
            people.merge(workspace, person(workspace, label), "alice")
            merged.append(archives.kept(workspace)[0].name)
        names = {kept.name for kept in archives.kept(workspace)}
        assert names == {*by_hand, *merged[-2:]}

    @pytest.mark.parametrize("what", ["merge", "reset"])
    def test_that_has_no_room_stops_the_change(
        self, used: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        fill_reserve(home)
        used_up = full_disk(monkeypatch)
        before = snapshot(home)
        if what == "merge":
            with pytest.raises(DiskFull, match="Nothing was changed"):
                people.merge(used, person(used, "alice"), "bob")
        else:
            assert reset(used)["message"] == "The disk is full. Nothing was changed."
        assert used_up
        after = snapshot(home)
        del before["rows"]["people"], after["rows"]["people"]  # a reset has read who is in the reserve
        assert after == before
        assert archives.kept(used) == []
        assert_consistent(used)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos lie on another file system than backups: nothing can be linked."""

    def link(_source: Any, _target: Any, **_options: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("apart")
class TestWithoutLinks:
    def test_a_backup_by_hand_has_copies(self, used: Workspace, home: Path) -> None:
        before, lay = tables(home), files_in(home)
        made = backups.write_backup(used, home / "mine.zip", silent)
        assert (made.photos, made.missing) == (5, 0)
        for path in (home / "datasets/training").iterdir():
            path.unlink()
        restoring.restore(used, home / "mine.zip", silent)
        assert without_the_restore(tables(home)) == before
        assert files_in(home) == lay

    def test_an_automatic_one_has_no_photos_and_finds_them_where_they_are(self, used: Workspace, home: Path) -> None:
        before, lay = tables(home), files_in(home)
        people.merge(used, person(used, "alice"), "bob")
        (kept,) = archives.kept(used)
        assert (kept.manifest.photos, kept.manifest.missing) == (0, 5)
        assert restoring.restore(used, kept.path, silent)["missing"] == 0
        assert without_the_restore(tables(home)) == before
        assert files_in(home) == lay
        assert_consistent(used)


def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folder of backups takes no photo: what was refused."""
    real, refused = os.link, list[str]()

    def link(source: Any, target: Any, **options: Any) -> None:
        if "archives" in Path(target).parts:
            refused.append(str(target))
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target, **options)

    monkeypatch.setattr(os, "link", link)
    return refused
