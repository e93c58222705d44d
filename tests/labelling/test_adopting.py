"""Taking over a train.pickle: of the system that this one replaces, of another installation, of an enemy."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from app import create_app
from app.config import PROJECT
from app.errors import InvalidInput, UnsafePickle
from app.labelling import adopting, decisions, reading
from app.labelling.workspace import Workspace
from app.store import queries
from tests.labelling.consistency import assert_consistent, names_in, published, rows, snapshot
from tests.labelling.saying import face_of, faces_of, name, named_photo, path_of
from tests.labelling.squares import SquaresEngine, colour_of, encoding_of, picture, upload
from tests.labelling.workers import confirm_all, start


def old_face(path: str, label: int, person: str = "alice", take: int = 0, box: Any = (8, 56, 56, 8)) -> dict[str, Any]:
    """A face as the old system wrote it: numpy scalars, and a box that is a tuple or a list."""
    encoding = encoding_of(colour_of(person), take).astype(np.float64)
    return {"imagePath": path, "loc": box, "encoding": list(encoding), "label": np.int64(label)}


OLD = {
    "encodings": [
        old_face("datasets\\training\\alice_01.png", 1, "alice", 1),
        old_face("C:\\Users\\ops\\project\\datasets\\training\\bob_01.png", 0, "bob", 2, box=[8, 56, 56, 8]),
        old_face("datasets/training/lost_01.png", 2, "lost", 3),
        old_face("/srv/old/alice_02.png", 1, "alice", 4),
    ],
    "label_encoder": {"classes_": ["bob", "alice", np.str_("Lost Soul")]},
}


def write_old(home: Path, content: Any = OLD) -> Path:
    """An installation of the old system: its pickle, and two of its photos."""
    path = home / "instance" / "train.pickle"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))
    training = home / "datasets/training"
    training.mkdir(parents=True, exist_ok=True)
    (training / "alice_01.png").write_bytes(picture("alice", take=1))
    (training / "bob_01.png").write_bytes(picture("bob", take=2))
    return path


@pytest.fixture
def adopted(home: Path, open_workspace: Callable[[], Workspace]) -> Workspace:
    write_old(home)
    return open_workspace()


class TestAPickleThatIsThereAtTheFirstStart:
    def test_is_taken_over_with_names_boxes_and_encodings(self, adopted: Workspace, home: Path) -> None:
        content = published(home)
        assert content["label_encoder"]["classes_"] == ["Lost Soul", "alice", "bob"]
        assert names_in(home) == ["alice", "bob", "Lost Soul", "alice"]
        for old, new in zip(OLD["encodings"], content["encodings"], strict=True):
            assert new["loc"] == tuple(old["loc"])
            assert new["encoding"] == [float(np.float32(value)) for value in old["encoding"]]
        assert_consistent(adopted)

    def test_is_tied_to_the_photos_that_lie_in_training(self, adopted: Workspace, home: Path) -> None:
        assert [face["imagePath"] for face in published(home)["encodings"]] == [
            "datasets/training/alice_01.png",
            "datasets/training/bob_01.png",
            "datasets/training/lost_01.png",
            "/srv/old/alice_02.png",
        ]
        known = rows(home, "SELECT name FROM photos WHERE sha256 IS NOT NULL ORDER BY name")
        assert [row["name"] for row in known] == ["alice_01.png", "bob_01.png"]

    def test_is_what_the_next_upload_is_compared_with(self, adopted: Workspace) -> None:
        for person, label in (("alice", "alice"), ("bob", "bob"), ("lost", "Lost Soul"), ("stranger", None)):
            photo = upload(adopted, person, take=99)
            assert reading.read_photo(adopted, photo)["predicted_label"] == label

    def test_is_gone_on_with(self, adopted: Workspace, home: Path) -> None:
        named_photo(adopted, "alice", take=50)
        named_photo(adopted, "carol", take=51)
        (lost,) = rows(home, "SELECT faces.id FROM faces JOIN people ON people.id = person_id WHERE name = 'Lost Soul'")
        decisions.move(adopted, lost["id"], "bob")
        assert names_in(home) == ["alice", "bob", "bob", "alice", "alice", "carol"]
        assert_consistent(adopted)

    def test_is_not_taken_over_again(
        self, adopted: Workspace, home: Path, open_workspace: Callable[[], Workspace]
    ) -> None:
        before = snapshot(home)
        open_workspace()
        assert snapshot(home) == before

    def test_is_taken_over_once_by_processes_that_start_together(self, home: Path) -> None:
        write_old(home)
        processes = [start(confirm_all, home, [], None) for _ in range(4)]
        for process, _answer in processes:
            process.join()
        assert [process.exitcode for process, _answer in processes] == [0] * 4
        assert names_in(home) == ["alice", "bob", "Lost Soul", "alice"]
        assert len(rows(home, "SELECT * FROM decisions")) == 1

    def test_may_be_empty(self, home: Path, open_workspace: Callable[[], Workspace]) -> None:
        write_old(home, {"encodings": [], "label_encoder": {"classes_": []}})
        workspace = open_workspace()
        assert names_in(home) == []
        named_photo(workspace, "carol", take=9)
        assert names_in(home) == ["carol"]

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ({"faces": []}, "encodings"),
            ({"encodings": [old_face("a.png", 7)], "label_encoder": {"classes_": ["alice"]}}, "label"),
            ({"encodings": [old_face("a.png", 0)], "label_encoder": {"classes_": ["a\nb"]}}, "Entry 0"),
        ],
    )
    def test_stops_the_start_when_it_makes_no_sense_and_stays_as_it_is(
        self, home: Path, make_app: Callable[..., Flask], content: Any, told: str
    ) -> None:
        path = write_old(home, content)
        before = path.read_bytes()
        with pytest.raises(InvalidInput, match=told):
            make_app()
        assert path.read_bytes() == before
        assert not rows(home, "SELECT * FROM faces")


class Attack:
    """Unpickling it makes a file: what a real one would do is up to its author."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._mark),)


class TestAPickleThatTriesToRunCode:
    @pytest.fixture
    def mark(self, tmp_path: Path) -> Path:
        return tmp_path / "it-ran"

    @pytest.fixture
    def trap(self, home: Path, mark: Path) -> Iterator[Path]:
        path = write_old(home, OLD | {"extra": Attack(mark)})
        before = path.read_bytes()
        yield path
        assert not mark.exists()
        assert path.read_bytes() == before

    def test_would_do_so_in_plain_pickle(self, home: Path, mark: Path) -> None:
        pickle.loads(write_old(home, Attack(mark)).read_bytes())
        assert mark.exists()

    def test_stops_the_start_by_name(self, home: Path, trap: Path) -> None:
        with pytest.raises(UnsafePickle, match=r"mkdir.*Nothing in it was run"):
            create_app(home)

    def test_makes_the_server_say_so_in_a_line_and_stop(self, home: Path, trap: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", "import wsgi"],
            cwd=PROJECT,
            env=os.environ | {"NAMESAKE_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3
        assert done.stderr.startswith("Namesake cannot start: ")
        assert "mkdir" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_is_refused_by_import_too(self, workspace: Workspace, tmp_path: Path, mark: Path) -> None:
        path = tmp_path / "gift.pickle"
        path.write_bytes(pickle.dumps([Attack(mark)]))
        with pytest.raises(UnsafePickle):
            adopting.import_pickle(workspace, path)
        assert not mark.exists()
        assert reading.read_counts(workspace)["labelled"] == 0


class TestImport:
    @pytest.fixture
    def old(self, home: Path, tmp_path: Path) -> Path:
        path = tmp_path / "old.pickle"
        path.write_bytes(pickle.dumps(OLD))
        return path

    def test_adds_to_what_is_there(self, workspace: Workspace, home: Path, old: Path) -> None:
        named_photo(workspace, "carol")
        assert adopting.import_pickle(workspace, old) == 4
        assert names_in(home) == ["carol", "alice", "bob", "Lost Soul", "alice"]
        assert_consistent(workspace)

    def test_adds_nothing_the_second_time(self, workspace: Workspace, home: Path, old: Path) -> None:
        adopting.import_pickle(workspace, old)
        faces = rows(home, "SELECT * FROM faces")
        assert adopting.import_pickle(workspace, old) == 0
        assert rows(home, "SELECT * FROM faces") == faces
        assert_consistent(workspace)

    @pytest.mark.parametrize(
        "path",
        [
            "a.png",
            "./a.png",
            "x//a.png",
            "x\\a.png",
            "./datasets/training/a.png",
            "datasets/uploads/a.png",
            "/abs/a.png",
        ],
    )
    def test_knows_a_photo_again_however_its_path_is_spelt(
        self, workspace: Workspace, tmp_path: Path, path: str
    ) -> None:
        source = tmp_path / "one.pickle"
        content = {"encodings": [old_face(path, 0)], "label_encoder": {"classes_": ["alice"]}}
        source.write_bytes(pickle.dumps(content))
        assert [adopting.import_pickle(workspace, source) for _ in range(2)] == [1, 0]
        assert_consistent(workspace)

    def test_of_several_faces_in_one_photo_takes_all(self, workspace: Workspace, home: Path, tmp_path: Path) -> None:
        source = tmp_path / "party.pickle"
        faces = [old_face("p.png", n, box=(8, 64 * n + 56, 56, 64 * n + 8)) for n in range(3)]
        names = {"classes_": ["alice", "bob", "carol"]}
        source.write_bytes(pickle.dumps({"encodings": faces, "label_encoder": names}))
        assert adopting.import_pickle(workspace, source) == 3
        assert len(rows(home, "SELECT * FROM photos")) == 1
        assert_consistent(workspace)

    def test_puts_a_photo_that_waits_in_uploads_where_named_ones_belong(
        self, workspace: Workspace, tmp_path: Path
    ) -> None:
        upload(workspace, None, "alice", name="waiting.png")
        source = tmp_path / "one.pickle"
        face = old_face("datasets/uploads/waiting.png", 0, box=(0, 120, 60, 70))
        source.write_bytes(pickle.dumps({"encodings": [face], "label_encoder": {"classes_": ["alice"]}}))
        adopting.import_pickle(workspace, source)
        assert_consistent(workspace)

    def test_names_a_face_that_had_been_waiting(self, workspace: Workspace, tmp_path: Path) -> None:
        upload(workspace, "alice", name="waiting.png")
        with workspace.database.read() as connection:
            (face,) = queries.faces_of_photo(connection, 1)
        source = tmp_path / "one.pickle"
        box = (face.top, face.right, face.bottom, face.left)
        entry = old_face("datasets/uploads/waiting.png", 0, box=box)
        source.write_bytes(pickle.dumps({"encodings": [entry], "label_encoder": {"classes_": ["alice"]}}))
        assert [adopting.import_pickle(workspace, source) for _ in range(2)] == [1, 0]
        assert names_in(workspace.settings.home) == ["alice"]
        assert_consistent(workspace)

    def test_does_not_guess_which_photo_a_name_means_that_two_have(
        self, workspace: Workspace, home: Path, tmp_path: Path
    ) -> None:
        (home / "datasets/training/1.png").write_bytes(picture("alice"))
        source = tmp_path / "two.pickle"
        faces = [old_face("alice/1.png", 0), old_face("bob\\1.png", 1)]
        source.write_bytes(pickle.dumps({"encodings": faces, "label_encoder": {"classes_": ["alice", "bob"]}}))
        assert adopting.import_pickle(workspace, source) == 2
        assert [entry["imagePath"] for entry in published(home)["encodings"]] == ["alice/1.png", "bob/1.png"]

    def test_a_photo_it_brought_goes_by_its_own_path_when_taken_back(
        self, workspace: Workspace, home: Path, tmp_path: Path
    ) -> None:
        """An upload of that name has been here before and has moved on: that one is not meant."""
        moved_on = upload(workspace, "bob", take=2, name="alice_09.png")
        name(workspace, moved_on, "bob")
        (home / "datasets/training/alice_09.png").write_bytes(picture("alice", take=1))
        source = tmp_path / "one.pickle"
        content = {"encodings": [old_face("alice_09.png", 0)], "label_encoder": {"classes_": ["alice"]}}
        source.write_bytes(pickle.dumps(content))
        adopting.import_pickle(workspace, source)
        (row,) = rows(home, "SELECT id FROM photos WHERE name = 'alice_09.png' AND folder = 'training'")
        decisions.unlabel(workspace, face_of(workspace, row["id"]))
        assert_consistent(workspace)
        assert decisions.confirm(workspace, path_of(workspace, row["id"]), "carol") == face_of(workspace, row["id"])
        assert_consistent(workspace)

    def test_is_all_or_nothing(self, workspace: Workspace, home: Path, tmp_path: Path) -> None:
        source = tmp_path / "bad.pickle"
        bad = {
            "encodings": [*OLD["encodings"], old_face("b.png", 3)],
            "label_encoder": {"classes_": ["b", "a", "l", ""]},
        }
        source.write_bytes(pickle.dumps(bad))
        before = snapshot(home)
        with pytest.raises(InvalidInput, match="Entry 4"):
            adopting.import_pickle(workspace, source)
        assert snapshot(home) == before


class TestExport:
    def test_is_train_pickle_to_the_byte(self, workspace: Workspace, home: Path, tmp_path: Path) -> None:
        for person in ("bob", "alice"):
            named_photo(workspace, person)
        assert adopting.export_pickle(workspace, tmp_path / "out.pickle") == 2
        assert (tmp_path / "out.pickle").read_bytes() == (home / "instance/train.pickle").read_bytes()

    def test_and_import_into_an_empty_installation_loses_nothing(self, workspace: Workspace, tmp_path: Path) -> None:
        party = upload(workspace, "alice", "Ö", take=1)
        first, second = (face["id"] for face in faces_of(workspace, party))
        name(workspace, party, "alice", first)
        name(workspace, party, "Ö", second)
        named_photo(workspace, "bob", take=2)
        decisions.move(workspace, face_of(workspace, party), "李小龙")
        adopting.export_pickle(workspace, tmp_path / "out.pickle")
        other = create_app(tmp_path / "other").extensions["namesake"]
        try:
            other.engine = SquaresEngine()
            adopting.import_pickle(other, tmp_path / "out.pickle")
            assert published(tmp_path / "other") == published(workspace.settings.home)
            assert_consistent(other)
        finally:
            other.close()
