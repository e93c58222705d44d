"""The training set leaves and comes back without loss: into nothing, and into what is there."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import config
from app.labelling import adopting, bringing, decisions, doubts, exporting, photos, recognising, sidecars, undoing
from app.labelling.joining import Taken
from app.labelling.reconciling import reconcile
from app.labelling.workspace import Workspace
from app.store import label_table, queries, travelling
from tests.labelling.consistency import assert_consistent, files_in, names_in, published, rows, snapshot
from tests.labelling.names import NAMES
from tests.labelling.saying import face_of, faces_of, name, named_photo, path_of
from tests.labelling.squares import SquaresEngine, encoding_of, upload
from tests.labelling.test_crashing import REWRITING
from tests.labelling.test_undoing import everything, undone_leaves_no_trace
from tests.labelling.turning import turned_picture
from tests.labelling.workers import die


@pytest.fixture
def full(workspace: Workspace, home: Path) -> Workspace:
    """Everything that a training set can hold."""
    for take, person in enumerate(NAMES):
        name(workspace, upload(workspace, person, take=take), person)
    party = photos.add_photo(workspace, turned_picture(6, "ana", "bob", "carol", "dave", "erin"), "Fête.webp")
    _ana, bob, carol, dave, erin = (face["id"] for face in faces_of(workspace, party))
    name(workspace, party, "Bob", bob)
    name(workspace, party, "Carol", carol)
    decisions.dismiss(workspace, dave, "ignore")
    decisions.reject(workspace, erin, "Bob")
    decisions.move(workspace, carol, "Carola")
    recognising.set_use(workspace, carol, "no")
    doubts.vouch(workspace, bob)
    twin = photos.add_photo(workspace, turned_picture(1, NAMES[0]), "twin.webp")
    name(workspace, twin, NAMES[0])
    lost = {
        "imagePath": "C:\\old\\lost_01.jpg",
        "loc": (1, 9, 9, 1),
        "encoding": [float(value) for value in encoding_of(7, 7)],
        "label": 0,
    }
    adopting.import_pickle(
        workspace, io.BytesIO(pickle.dumps({"encodings": [lost], "label_encoder": {"classes_": ["Lost"]}}))
    )
    upload(workspace, "waiting", name="waiting.png")
    return workspace


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Another installation, with nothing in it."""
    workspace = Workspace(config.load(tmp_path_factory.mktemp("elsewhere")))
    workspace.engine = SquaresEngine()
    yield workspace
    workspace.close()


def packed(workspace: Workspace) -> bytes:
    """The archive, with nothing missing from it."""
    missing: list[str] = []
    export = exporting.read_export(workspace)
    data = b"".join(exporting.stream_archive(workspace, export, missing))
    assert missing == []
    return data


def bring(workspace: Workspace, data: bytes) -> Taken:
    return bringing.bring_back(workspace, io.BytesIO(data))


FACTS = (
    "SELECT photos.folder, photos.name, upload_name, sha256, size, width, height, top, right, bottom, left, encoding,"
    " low_quality, flaws, recognise, status, people.name AS person FROM faces JOIN photos ON photos.id = photo_id"
    " LEFT JOIN people ON people.id = person_id WHERE photos.state = 'live' AND status != 'removed'"
    " AND EXISTS(SELECT 1 FROM faces f WHERE f.photo_id = photos.id AND f.status = 'labelled')"
    " ORDER BY photos.name, top, left"
)


class TestRoundTrip:
    def test_into_nothing_and_out_again(self, full: Workspace, elsewhere: Workspace, home: Path) -> None:
        data = packed(full)
        taken = bring(elsewhere, data)
        there = elsewhere.settings.home
        assert (taken.known, taken.conflicts) == (0, [])
        assert packed(elsewhere) == data
        assert published(there) == published(home)
        assert rows(there, FACTS) == rows(home, FACTS)
        assert files_in(there) == {path: sha for path, sha in files_in(home).items() if path.startswith("training/")}
        assert elsewhere.engine.looked == 0  # type: ignore[attr-defined]
        assert_consistent(elsewhere)
        assert not list((there / "datasets/.staging").iterdir())

    def test_what_was_said_of_faces_comes_along(self, full: Workspace, elsewhere: Workspace, home: Path) -> None:
        bring(elsewhere, packed(full))
        for query in (
            "SELECT people.name FROM rejections JOIN people ON people.id = person_id ORDER BY 1",
            "SELECT people.name FROM vouches JOIN people ON people.id = person_id ORDER BY 1",
            "SELECT COUNT(*) FROM faces WHERE twin_of IS NOT NULL",
        ):
            found = rows(elsewhere.settings.home, query)
            assert found
            assert found == rows(home, query)

    def test_suggestions_are_the_same(self, full: Workspace, elsewhere: Workspace) -> None:
        bring(elsewhere, packed(full))
        encodings = [encoding_of(person, 900).tobytes() for person in range(1, 60, 7)]
        here, there = full.suggest(encodings), elsewhere.suggest(encodings)
        assert [s.confidence for s in there] == pytest.approx([s.confidence for s in here])

    def test_a_second_time_nothing_changes(self, full: Workspace, elsewhere: Workspace) -> None:
        data = packed(full)
        first = bring(elsewhere, data)
        before = everything(elsewhere.settings.home)
        assert bring(elsewhere, data) == Taken(known=first.named)
        assert everything(elsewhere.settings.home) == before
        assert packed(elsewhere) == data

    def test_where_it_came_from_nothing_changes(self, full: Workspace, home: Path) -> None:
        before = everything(home)
        taken = bring(full, packed(full))
        assert (taken.photos, taken.named, taken.conflicts) == (0, 0, [])
        assert everything(home) == before

    def test_into_a_file(self, full: Workspace, tmp_path: Path) -> None:
        export, missing = exporting.write_archive(full, tmp_path / "out.zip")
        assert (tmp_path / "out.zip").read_bytes() == packed(full)
        assert (len(export.entries), missing) == (len(published(full.settings.home)["encodings"]), [])
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


class TestTheArchive:
    def test_is_one_that_others_can_open(self, full: Workspace, home: Path, tmp_path: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(packed(full))) as archive:
            assert archive.testzip() is None
            archive.extractall(tmp_path / "out")
            stored = [info for info in archive.infolist() if info.compress_type == zipfile.ZIP_STORED]
        out = tmp_path / "out"
        pictures = {path.name for path in (home / "datasets/training").iterdir()}
        assert {path.name for path in (out / "training").iterdir()} == pictures | {f"{n}.xmp" for n in pictures}
        assert {info.filename for info in stored} == {f"training/{name}" for name in pictures}
        assert pickle.loads((out / "train.pickle").read_bytes()) == published(home)
        for row in rows(home, "SELECT id, name FROM photos WHERE folder = 'training'"):
            assert (out / f"training/{row['name']}.xmp").read_bytes() == sidecars.read_sidecar(full, row["id"])

    def test_has_a_manifest_with_exact_encodings(self, full: Workspace) -> None:
        with zipfile.ZipFile(io.BytesIO(packed(full))) as archive:
            manifest = json.loads(archive.read("manifest.json"))
        assert (manifest["format"], manifest["version"]) == ("namesake-training", 1)
        assert {face["status"] for face in manifest["faces"]} == {"labelled", "ignored", "inbox"}

    def test_is_made_piece_by_piece(self, workspace: Workspace) -> None:
        for take in range(12):
            noise = np.random.default_rng(take).integers(0, 255, (200, 200, 3), np.uint8)
            noise[:64, :64] = 0
            named_photo(workspace, "alice", take=take)
        sizes = [len(piece) for piece in exporting.stream_archive(workspace, exporting.read_export(workspace), [])]
        assert len(sizes) > 24
        assert max(sizes) < 40_000

    def test_a_photo_that_moves_meanwhile_is_found(self, workspace: Workspace, elsewhere: Workspace) -> None:
        photo = named_photo(workspace, "alice")
        named_photo(workspace, "bob")
        missing: list[str] = []
        export = exporting.read_export(workspace)
        decisions.move(workspace, face_of(workspace, photo), "zoe")
        data = b"".join(exporting.stream_archive(workspace, export, missing))
        assert missing == []
        bring(elsewhere, data)
        assert names_in(elsewhere.settings.home) == ["alice", "bob"]

    def test_a_photo_whose_file_is_gone_travels_without_it(
        self, workspace: Workspace, elsewhere: Workspace, home: Path
    ) -> None:
        photo = named_photo(workspace, "alice")
        named_photo(workspace, "bob")
        (home / path_of(workspace, photo)).write_bytes(b"something else")
        missing: list[str] = []
        export = exporting.read_export(workspace)
        data = b"".join(exporting.stream_archive(workspace, export, missing))
        assert missing == ["datasets/training/alice_01.png"]
        assert bring(elsewhere, data).named == 2
        assert published(elsewhere.settings.home) == published(home)
        assert_consistent(elsewhere)

    def test_an_empty_training_set_travels_too(self, workspace: Workspace, elsewhere: Workspace) -> None:
        assert bring(elsewhere, packed(workspace)) == Taken()


class TestJoining:
    def test_photos_are_known_by_their_hash(self, workspace: Workspace, elsewhere: Workspace) -> None:
        photo = upload(workspace, "alice", "bob", name="party.png")
        for person, face in zip(("Alice", "Bob"), faces_of(workspace, photo), strict=True):
            name(workspace, photo, person, face["id"])
        there = upload(elsewhere, "alice", "bob", name="other.png")
        name(elsewhere, there, "Alice", face_of(elsewhere, there))
        taken = bring(elsewhere, packed(workspace))
        assert (taken.photos, taken.named, taken.known, taken.conflicts) == (0, 1, 1, [])
        assert len(rows(elsewhere.settings.home, "SELECT id FROM photos")) == 1
        assert_consistent(elsewhere)

    def test_a_face_decided_otherwise_stays_and_is_told(self, workspace: Workspace, elsewhere: Workspace) -> None:
        for take, person in enumerate(("alice", "bob", "carol", "dave")):
            named_photo(workspace, person, take=take)
        for take, person in enumerate(("alice", "bob", "carol")):
            upload(elsewhere, person, take=take, name=f"{person}.png")
        name(elsewhere, 1, "Alicia")
        decisions.dismiss(elsewhere, face_of(elsewhere, 2), "not_a_face")
        name(elsewhere, upload(elsewhere, "carol", take=9), "carol")
        decisions.reject(elsewhere, face_of(elsewhere, 3), "carol")
        taken = bring(elsewhere, packed(workspace))
        assert (taken.photos, taken.named) == (1, 1)
        assert [(told["label"], told["message"]) for told in taken.conflicts] == [
            ("alice", "it is named Alicia"),
            ("bob", "it was said not to be a face"),
            ("carol", "it was said not to be carol"),
        ]
        assert taken.conflicts[0]["image_path"] == "datasets/training/Alicia_01.png"
        assert taken.conflicts[0]["box"] == [8, 56, 56, 8]
        assert sorted(names_in(elsewhere.settings.home)) == ["Alicia", "carol", "dave"]
        assert_consistent(elsewhere)

    def test_a_face_found_in_a_slightly_other_box_is_the_same(self, workspace: Workspace, elsewhere: Workspace) -> None:
        photo = upload(workspace, "alice", "bob", name="party.png")
        for person, face in zip(("Alice", "Bob"), faces_of(workspace, photo), strict=True):
            name(workspace, photo, person, face["id"])
        upload(elsewhere, "alice", "bob", name="other.png")
        with elsewhere.changing() as work:  # as another way to find faces has it
            for row in queries.faces_of_photo(work.connection, 1):
                travelling.set_facts(work.connection, row.id, top=row.top - 5, left=row.left + 4, right=row.right + 3)
        taken = bring(elsewhere, packed(workspace))
        assert (taken.photos, taken.named, taken.conflicts) == (0, 2, [])
        found = [(face["label"], face["box"][0]) for face in faces_of(elsewhere, 1)]
        assert found == [("Alice", 3), ("Bob", 3)]
        assert_consistent(elsewhere)

    def test_names_of_files_make_room(self, workspace: Workspace, elsewhere: Workspace) -> None:
        named_photo(workspace, "alice", take=1)
        named_photo(elsewhere, "alice", take=2)
        (elsewhere.settings.home / "datasets/training/alice_01_2.png").write_bytes(b"foreign")
        bring(elsewhere, packed(workspace))
        found = rows(elsewhere.settings.home, "SELECT name FROM photos ORDER BY id")
        assert [row["name"] for row in found] == ["alice_01.png", "alice_01_3.png"]
        assert_consistent(elsewhere, foreign=["training/alice_01_2.png"])

    def test_a_file_that_had_gone_comes_back(self, workspace: Workspace, home: Path) -> None:
        photo = named_photo(workspace, "alice")
        data = packed(workspace)
        (home / path_of(workspace, photo)).unlink()
        assert bring(workspace, data) == Taken(known=1)
        assert_consistent(workspace)

    def test_undone_the_photos_wait_in_the_inbox(self, full: Workspace, elsewhere: Workspace) -> None:
        named_photo(elsewhere, "someone", take=77)
        home = elsewhere.settings.home
        before = everything(home)
        taken = bring(elsewhere, packed(full))
        told = undoing.undo(elsewhere)
        assert told["what"].startswith("Imported")
        assert_consistent(elsewhere)
        after = everything(home)
        assert after["pickle"] == before["pickle"]
        assert after["people"] == before["people"]
        assert after["rejections"] == after["vouches"] == []
        assert len(after["photos"]) == len(before["photos"]) + taken.photos
        new = after["faces"][len(before["faces"]) :]
        assert {face["status"] for face in new} == {"inbox"}
        assert bring(elsewhere, packed(full)).named == taken.named
        assert_consistent(elsewhere)

    def test_undone_in_known_photos_leaves_no_trace(self, workspace: Workspace, elsewhere: Workspace) -> None:
        photo = upload(workspace, "alice", "bob", name="party.png")
        name(workspace, photo, "Alice", faces_of(workspace, photo)[0]["id"])
        decisions.dismiss(workspace, faces_of(workspace, photo)[1]["id"], "ignore")
        named_photo(elsewhere, "zoe", take=3)
        upload(elsewhere, "alice", "bob", name="other.png")
        undone_leaves_no_trace(elsewhere, lambda: bring(elsewhere, packed(workspace)))

    @pytest.mark.parametrize("where", REWRITING)
    def test_killed_in_it_all_or_nothing_came_in(
        self, full: Workspace, elsewhere: Workspace, tmp_path: Path, where: str
    ) -> None:
        named_photo(elsewhere, "zoe", take=90)
        home = elsewhere.settings.home
        before = snapshot(home)
        exporting.write_archive(full, tmp_path / "out.zip")
        die(home, where, "bring back", tmp_path / "out.zip")
        reconcile(elsewhere)
        assert_consistent(elsewhere)
        if where != "committed":
            assert snapshot(home) == before
        taken = bring(elsewhere, (tmp_path / "out.zip").read_bytes())
        assert (taken.photos == 0, taken.conflicts) == (where == "committed", [])
        assert len(names_in(home)) == 1 + len(names_in(full.settings.home))
        assert_consistent(elsewhere)


class TestTheTable:
    def table(self, workspace: Workspace) -> bytes:
        return b"".join(exporting.stream_labels(workspace))

    def test_has_a_row_for_every_labelled_face(self, full: Workspace, home: Path) -> None:
        found = label_table.load(self.table(full))
        content = published(home)
        assert [(row.image_path, row.person, row.box) for row in found] == [
            (face["imagePath"], content["label_encoder"]["classes_"][face["label"]], face["loc"])
            for face in content["encodings"]
        ]
        digests = files_in(home)
        for row in found:
            assert row.sha256 == digests.get(row.image_path.removeprefix("datasets/"), "")
        assert sum(bool(row.decided_at) for row in found) == len(found) - 1

    def test_names_faces_in_photos_that_are_here(self, full: Workspace, elsewhere: Workspace, home: Path) -> None:
        table = self.table(full)
        for path in sorted((home / "datasets/training").iterdir()):
            photos.add_photo(elsewhere, path.read_bytes(), path.name)
        taken = bring(elsewhere, table)
        assert (taken.photos, taken.named) == (0, len(published(home)["encodings"]) - 1)
        assert [told["message"] for told in taken.conflicts] == ["this photo is not here"]
        assert sorted(names_in(elsewhere.settings.home)) == sorted(set_minus(names_in(home), "Lost"))
        assert_consistent(elsewhere)

    def test_is_one_action(self, workspace: Workspace, elsewhere: Workspace) -> None:
        named_photo(workspace, "alice")
        named_photo(workspace, "bob", take=1)
        named_photo(elsewhere, "zoe", take=3)
        upload(elsewhere, "alice")
        upload(elsewhere, "bob", take=1)
        undone_leaves_no_trace(elsewhere, lambda: bring(elsewhere, self.table(workspace)))

    def test_another_photo_in_the_same_place_is_another(self, workspace: Workspace, elsewhere: Workspace) -> None:
        named_photo(workspace, "alice")
        name(elsewhere, upload(elsewhere, "bob", "carol", name="party.png"), "alice")
        before = everything(elsewhere.settings.home)
        table = self.table(workspace)
        assert [told["message"] for told in bring(elsewhere, table).conflicts] == ["this photo is not here"]
        assert everything(elsewhere.settings.home) == before

    def test_when_a_name_was_given_is_kept(self, workspace: Workspace, elsewhere: Workspace) -> None:
        named_photo(workspace, "alice")
        (row,) = label_table.load(self.table(workspace))
        long_ago = replace(row, sha256="", decided_at="2001-02-03T04:05:06Z", image_path="datasets/uploads/a.png")
        upload(elsewhere, "alice", name="a.png")
        bring(elsewhere, b"".join(label_table.dump([long_ago])))
        (told,) = label_table.load(self.table(elsewhere))
        assert told == replace(row, decided_at="2001-02-03T04:05:06Z")


def set_minus(names: list[str], one: str) -> list[str]:
    return [name for name in names if name != one]
