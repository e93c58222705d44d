"""The reset makes the training data what the reserve says, or leaves everything as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.errors import Conflict, InvalidInput
from app.jobs import Queue
from app.labelling import decisions, progress, reading, resetting
from app.labelling.workspace import Workspace
from app.recognition import bulk
from tests.labelling.consistency import assert_consistent, files_in, names_in, rows, snapshot
from tests.labelling.saying import named_photo, path_of
from tests.labelling.squares import SquaresEngine, picture, upload
from tests.labelling.workers import AHEAD, die

RESERVE: dict[str, bytes] = {
    "alice/holiday.png": picture("alice", take=101),
    "alice/work.png": picture("alice", take=102),
    "bob_01.png": picture("bob", take=103),
    "bob (2).png": picture("bob", take=104),
    "Sam Altman.png": picture("sam", take=105),
}
# So many that, by the time a process is killed, some are stored and some are not.
LARGE: dict[str, bytes] = {f"alice/{take:03}.png": picture("alice", take=take) for take in range(2 * AHEAD)}


def fill_reserve(home: Path, files: Mapping[str, bytes] = RESERVE) -> None:
    for name, data in files.items():
        path = home / "datasets/reserve" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)


def fill_more(home: Path) -> None:
    """Another chunk of photos, so that the reserve is looked at in two."""
    fill_reserve(home, {f"dave/{take}.png": picture("dave", take=take) for take in range(bulk.CHUNK)})


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def run(workspace: Workspace, job_id: int, watch: Any = None) -> dict[str, Any]:
    """Do the job in this process; what the store says of it then."""
    Queue(workspace).run(job_id, watch)
    return progress.read_job(workspace, job_id)


def reset(workspace: Workspace) -> dict[str, Any]:
    return run(workspace, resetting.request_reset(workspace))


@pytest.fixture
def used(workspace: Workspace, home: Path) -> Workspace:
    """An installation with a past, and a reserve."""
    named_photo(workspace, "mallory")
    upload(workspace, "trent", take=1, name="waiting.png")
    fill_reserve(home)
    return workspace


class TestAReset:
    def test_takes_names_from_folders_and_from_file_names(self, used: Workspace, home: Path) -> None:
        job = reset(used)
        assert (job["state"], job["done"], job["total"]) == ("done", 5, 5)
        assert job["result"] == {"faces": 5, "people": 3, "skipped": []}
        assert sorted(names_in(home)) == ["Sam Altman", "alice", "alice", "bob", "bob"]
        assert sorted(files_in(home)) == [
            "training/Sam Altman_01.png",
            "training/alice_01.png",
            "training/alice_02.png",
            "training/bob_01.png",
            "training/bob_02.png",
        ]
        assert_consistent(used)

    def test_leaves_the_reserve_alone(self, used: Workspace, home: Path) -> None:
        before = contents(home / "datasets/reserve")
        reset(used)
        assert contents(home / "datasets/reserve") == before

    def test_puts_what_was_there_into_a_backup_with_its_rows(self, used: Workspace, home: Path) -> None:
        (home / "datasets/training/notes.txt").write_text("not ours")
        before = set(files_in(home).values())
        reset(used)
        (backup,) = (home / "datasets/backups").iterdir()
        kept = contents(backup)
        assert sorted(kept) == ["training/mallory_01.png", "training/notes.txt", "uploads/waiting.png"]
        assert len(before) == len(kept)
        retired = rows(home, "SELECT folder, name FROM photos WHERE state = 'retired' ORDER BY name")
        assert [(row["folder"], row["name"]) for row in retired] == [
            ("backup", f"{backup.name}/training/mallory_01.png"),
            ("backup", f"{backup.name}/uploads/waiting.png"),
        ]

    def test_can_be_done_again(self, used: Workspace, home: Path) -> None:
        reset(used)
        assert reset(used)["result"]["faces"] == 5
        assert len(list((home / "datasets/backups").iterdir())) == 2
        assert_consistent(used)

    def test_is_known_to_the_other_worker_at_once(
        self, used: Workspace, open_workspace: Callable[[], Workspace]
    ) -> None:
        other = open_workspace()
        assert reading.read_photo(other, upload(other, "mallory", take=50))["predicted_label"] == "mallory"
        reset(used)
        assert reading.read_photo(other, upload(other, "mallory", take=51))["predicted_label"] is None
        assert reading.read_photo(other, upload(other, "alice", take=52))["predicted_label"] == "alice"

    def test_names_what_it_skipped_and_why(self, used: Workspace, home: Path) -> None:
        more = {
            "alice/again.png": RESERVE["alice/work.png"],
            "alice/broken.jpg": b"\xff\xd8\xff\xe0 and no more",
            "alice/notes.txt": b"a text",
            "alice/empty.png": b"",
            "alice/nobody.png": picture(None, take=7),
            f"{'x' * 81}/long.png": picture("long", take=8),
        }
        fill_reserve(home, more)
        skipped = dict(reset(used)["result"]["skipped"])
        # Of two with the same bytes the first in the order of names is taken.
        assert set(skipped) == {*more, "alice/work.png"} - {"alice/again.png"}
        assert "twice" in skipped["alice/work.png"]
        assert "empty" in skipped["alice/empty.png"]
        assert "No face" in skipped["alice/nobody.png"]
        assert "81" in skipped[f"{'x' * 81}/long.png"]
        assert len(names_in(home)) == 5
        assert_consistent(used)

    def test_names_the_most_prominent_face_and_leaves_the_others_to_decide(
        self, workspace: Workspace, home: Path
    ) -> None:
        fill_reserve(home, {"alice/party.png": picture("left", "alice", "right")})
        assert reset(workspace)["result"]["faces"] == 1
        assert [row["status"] for row in rows(home, "SELECT status FROM faces ORDER BY left")] == [
            "inbox",
            "labelled",
            "inbox",
        ]
        assert_consistent(workspace)

    def test_survives_a_file_that_goes_away_meanwhile(self, used: Workspace, home: Path) -> None:
        def watch(done: int, _total: int, _message: str) -> None:
            if done == 0:
                (home / "datasets/reserve/bob_01.png").unlink()

        job = run(used, resetting.request_reset(used), watch)
        assert job["state"] == "done"
        assert [name for name, _why in job["result"]["skipped"]] == ["bob_01.png"]
        assert_consistent(used)

    def test_confirming_goes_on_meanwhile(self, used: Workspace, home: Path) -> None:
        waiting = path_of(used, 2)
        fill_more(home)

        def watch(done: int, _total: int, _message: str) -> None:
            if done == bulk.CHUNK:
                decisions.confirm(used, waiting, "trent")

        run(used, resetting.request_reset(used), watch)
        (backup,) = (home / "datasets/backups").iterdir()
        assert (backup / "training/trent_01.png").exists()
        assert_consistent(used)

    def test_may_bring_photos_that_are_here_already(self, workspace: Workspace, home: Path) -> None:
        named_photo(workspace, "alice", take=101)
        fill_reserve(home, {"carol/holiday.png": picture("alice", take=101)})
        reset(workspace)
        assert names_in(home) == ["carol"]
        assert_consistent(workspace)

    def test_reports_each_step_in_the_store(self, used: Workspace, home: Path) -> None:
        fill_more(home)
        job_id = resetting.request_reset(used)
        seen = []

        def watch(*_told: Any) -> None:
            job = progress.read_job(used, job_id)
            seen.append((job["state"], job["done"], job["total"]))

        run(used, job_id, watch)
        photos = 5 + bulk.CHUNK
        looking = [*range(0, photos, bulk.CHUNK), photos]
        switching = photos
        assert seen == [("running", done, photos) for done in [*looking, switching]]

    @pytest.mark.parametrize("processors", [1, 2, 3])
    def test_gives_the_same_whatever_the_number_of_processors(
        self, used: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch, processors: int
    ) -> None:
        fill_reserve(home, {**LARGE, "alice/again.png": LARGE["alice/003.png"], "bob/broken.png": b"no"})
        monkeypatch.setattr(bulk, "processors", lambda: 2)
        skipped = reset(used)["result"]["skipped"]
        before = (home / "instance/train.pickle").read_bytes(), files_in(home)
        monkeypatch.setattr(bulk, "processors", lambda: processors)
        assert reset(used)["result"]["skipped"] == skipped
        assert ((home / "instance/train.pickle").read_bytes(), files_in(home)) == before


class TestThePlan:
    def test_says_in_numbers_what_will_happen(self, used: Workspace) -> None:
        plan = resetting.describe_reset(used)
        assert plan["possible"]
        words = " ".join(plan["sentences"])
        for fact in ("1 named face of 1 person", "1 photo in training", "1 photo in uploads", "5 photos of 3 people"):
            assert fact in words

    @pytest.mark.parametrize("files", [{}, {".hidden.png": picture("alice")}, {"notes.txt": b"no photo"}])
    def test_needs_a_photo_in_the_reserve(self, workspace: Workspace, home: Path, files: dict[str, bytes]) -> None:
        fill_reserve(home, files)
        assert not resetting.describe_reset(workspace)["possible"]
        with pytest.raises(InvalidInput):
            resetting.request_reset(workspace)

    def test_needs_the_reset_before_to_be_over(self, used: Workspace) -> None:
        job_id = resetting.request_reset(used)
        assert "under way" in resetting.describe_reset(used)["why_not"]
        with pytest.raises(Conflict) as refused:
            resetting.request_reset(used)
        assert refused.value.details == {"job_url": f"/jobs/{job_id}/"}
        run(used, job_id)
        assert resetting.describe_reset(used)["possible"]


def staged_photos(home: Path) -> list[dict[str, Any]]:
    return rows(home, "SELECT * FROM photos WHERE state = 'staged'")


def assert_nothing_staged(home: Path) -> None:
    assert not staged_photos(home)
    assert not [path for path in (home / "datasets/.staging").rglob("*") if path.is_file()]


def assert_no_space_was_left(job: dict[str, Any], home: Path, before: dict[str, Any]) -> None:
    """It failed for that, and left everything as it was."""
    assert job["state"] == "failed"
    assert "disk is full" in job["message"]
    after = snapshot(home)
    assert after["files"] == before["files"]
    assert after["pickle"] == before["pickle"]
    assert_nothing_staged(home)


class TestAResetThatFails:
    def test_for_want_of_a_face_leaves_everything(self, workspace: Workspace, home: Path) -> None:
        named_photo(workspace, "mallory")
        fill_reserve(home, {"alice/nobody.png": picture(None), "alice/broken.png": b"no"})
        before = snapshot(home)
        job = reset(workspace)
        assert job["state"] == "failed"
        assert "Nothing was changed" in job["message"]
        assert snapshot(home) == before
        assert_nothing_staged(home)

    def test_for_a_fault_of_ours_leaves_everything_and_says_no_more(self, used: Workspace, home: Path) -> None:
        class Broken(SquaresEngine):
            def look(self, photos: Any) -> Any:
                found = super().look(photos)
                if self.looked > bulk.CHUNK:
                    raise RuntimeError("secret inner detail")
                return found

        fill_more(home)
        before = snapshot(home)
        used.engine = Broken()
        job = reset(used)
        assert job["state"] == "failed"
        assert "secret" not in job["message"]
        after = snapshot(home)
        assert {**after, "rows": {**after["rows"], "people": None}} == {
            **before,
            "rows": {**before["rows"], "people": None},
        }
        assert_nothing_staged(home)
        used.engine = SquaresEngine()
        assert reset(used)["state"] == "done"
        assert_consistent(used)

    def test_in_the_switch_leaves_everything(
        self, used: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = snapshot(home)
        real, calls = os.rename, iter(range(100))

        def rename(source: Any, target: Any, **options: Any) -> None:
            if "training" in Path(target).parts and next(calls) == 3:
                raise OSError(28, "No space left on device")
            real(source, target, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", rename)
            job = reset(used)
        assert_no_space_was_left(job, home, before)
        assert_consistent(used)

    def test_for_want_of_space_does_not_pass_over_the_photos_that_found_none(
        self, used: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = snapshot(home)
        real, room = os.fsync, iter(range(4))

        def fsync(descriptor: Any) -> None:
            if next(room, None) is None:
                raise OSError(28, "No space left on device")
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            job = reset(used)
        assert_no_space_was_left(job, home, before)


SWITCHING = ("journal written", "photo moved", "before the rewrite", "rewritten")


class TestAResetThatIsKilled:
    def test_does_not_look_again_at_what_is_staged(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace]
    ) -> None:
        fill_reserve(home, LARGE)
        everything = len(LARGE) + len(RESERVE)
        job_id = resetting.request_reset(used)
        die(home, "further photos looked at", "run job", job_id)
        assert_consistent(used)
        staged = len(staged_photos(home))
        assert bulk.CHUNK <= staged <= AHEAD
        restarted = open_workspace()
        assert run(restarted, job_id)["state"] == "done"
        assert restarted.engine.looked == everything - staged
        assert len(names_in(home)) == everything
        assert_consistent(restarted)
        assert_nothing_staged(home)

    @pytest.mark.parametrize("where", ["further photos looked at", "photo staged"])
    def test_comes_to_what_it_would_have_come_to(
        self, workspace: Workspace, home: Path, open_workspace: Callable[[], Workspace], where: str
    ) -> None:
        fill_reserve(home, LARGE)
        job_id = resetting.request_reset(workspace)
        die(home, where, "run job", job_id)
        restarted = open_workspace()
        run(restarted, job_id)
        resumed = (home / "instance/train.pickle").read_bytes(), files_in(home)
        assert_consistent(restarted)
        reset(restarted)
        assert ((home / "instance/train.pickle").read_bytes(), files_in(home)) == resumed

    @pytest.mark.parametrize("where", SWITCHING)
    def test_while_it_switches_has_switched_nothing_and_goes_on(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace], where: str
    ) -> None:
        job_id = resetting.request_reset(used)
        before = snapshot(home)
        die(home, where, "run job", job_id)
        restarted = open_workspace()
        assert_consistent(restarted)
        assert snapshot(home)["pickle"] == before["pickle"]
        assert snapshot(home)["files"] == before["files"]
        assert run(restarted, job_id)["state"] == "done"
        assert restarted.engine.looked == 0
        assert_consistent(restarted)
        assert_nothing_staged(home)

    @pytest.mark.parametrize("where", SWITCHING)
    def test_over_the_same_photos_loses_none_of_them(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace], where: str
    ) -> None:
        """What is staged has the names and the bytes of what is there."""
        reset(used)
        before = snapshot(home)
        job_id = resetting.request_reset(used)
        die(home, where, "run job", job_id)
        restarted = open_workspace()
        assert snapshot(home)["files"] == before["files"]
        assert_consistent(restarted)
        assert run(restarted, job_id)["state"] == "done"
        assert_consistent(restarted)

    def test_once_it_has_switched_does_not_take_later_decisions_away(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace]
    ) -> None:
        """The switch is committed and the job not yet called done: going on must not be a second reset."""
        job_id = resetting.request_reset(used)
        die(home, "committed", "run job", job_id)
        restarted = open_workspace()
        assert_consistent(restarted)
        assert len(names_in(home)) == len(RESERVE)
        named_photo(restarted, "carol", take=77)
        job = run(restarted, job_id)
        assert job["state"] == "done"
        assert "carol" in names_in(home)
        assert job["result"]["faces"] == len(RESERVE)
        assert_consistent(restarted)

    def test_again_and_again_at_one_place_is_given_up(
        self, used: Workspace, home: Path, open_workspace: Callable[[], Workspace]
    ) -> None:
        job_id = resetting.request_reset(used)
        for _attempt in range(1 + progress.MAX_ATTEMPTS):
            die(home, "journal written", "run job", job_id)
        restarted = open_workspace()
        before = snapshot(home)
        job = run(restarted, job_id)
        assert job["state"] == "failed"
        assert "too often" in job["message"]
        assert_nothing_staged(home)
        assert snapshot(home)["pickle"] == before["pickle"]
        assert_consistent(restarted)
        assert reset(restarted)["state"] == "done"

    def test_each_time_further_on_gets_there(
        self, workspace: Workspace, home: Path, open_workspace: Callable[[], Workspace]
    ) -> None:
        """A machine that is switched off every evening, say."""
        evenings = 5
        many = evenings * AHEAD + 1
        fill_reserve(home, {f"alice_{take}.png": picture("alice", take=take) for take in range(many)})
        job_id = resetting.request_reset(workspace)
        for _evening in range(evenings):
            die(home, "further photos looked at", "run job", job_id)
        assert run(open_workspace(), job_id)["result"]["faces"] == many
        assert_consistent(workspace)


def test_a_job_that_is_done_is_not_done_again(app: Flask, used: Workspace, home: Path) -> None:
    job_id = resetting.request_reset(used)
    run(used, job_id)
    after = snapshot(home)
    run(used, job_id)
    assert snapshot(home) == after
