"""Sidecars: given out for photos with names, and names taken from those of other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, photos, sidecar_files, sidecars, undoing
from app.labelling.naming import Refused, Wanted
from app.labelling.reconciling import reconcile
from app.labelling.workspace import Workspace
from app.store import files, regions, sidecar
from app.store.regions import Region
from tests.labelling.consistency import assert_consistent, names_in, rows, snapshot
from tests.labelling.names import NAMES
from tests.labelling.saying import face_of, faces_of, name, named_photo, path_of
from tests.labelling.squares import CELL, colour_of, picture, upload
from tests.labelling.test_resetting import fill_reserve, reset
from tests.labelling.test_undoing import everything, undone_leaves_no_trace
from tests.labelling.turning import stored_colour, turned_picture
from tests.store.test_sidecar import DIGIKAM


def xmp_of(*named: tuple[str, int], width: int, orientation: int = 1, upright: bool = False) -> bytes:
    """As another program would describe people in a row of squares: each by name and place."""
    size = (CELL * width, CELL)
    meant = 1 if upright else orientation
    found = [
        regions.region_of(person, (4, (at + 1) * CELL - 4, CELL - 4, at * CELL + 4), *size, meant)
        for person, at in named
    ]
    return sidecar.write(found, *(size if upright else regions.stored_size(*size, orientation)))


def labels(workspace: Workspace, photo_id: int) -> list[str | None]:
    return [face["label"] for face in faces_of(workspace, photo_id)]


class TestReading:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_regions_lie_on_the_stored_picture(self, workspace: Workspace, orientation: int) -> None:
        data = turned_picture(orientation, "alice", None, "bob")
        photo = photos.add_photo(workspace, data, "party.webp")
        for face, person in zip(faces_of(workspace, photo), ("alice", "bob"), strict=True):
            name(workspace, photo, person, face["id"])
        read = sidecar.read(sidecars.read_sidecar(workspace, photo))
        assert [region.name for region in read.regions] == ["alice", "bob"]
        for region in read.regions:
            assert stored_colour(data, region.x, region.y)[0] == colour_of(region.name)
        assert read.applied == ((3 * CELL, CELL) if orientation < 5 else (CELL, 3 * CELL))

    def test_only_named_faces_are_told(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice", "bob", "carol", name="party.png")
        first, second, _third = faces_of(workspace, photo)
        name(workspace, photo, "alice", first["id"])
        decisions.dismiss(workspace, second["id"], "ignore")
        assert [region.name for region in sidecar.read(sidecars.read_sidecar(workspace, photo)).regions] == ["alice"]

    def test_without_a_name_there_is_none(self, workspace: Workspace) -> None:
        with pytest.raises(NotFound, match="Nobody"):
            sidecars.read_sidecar(workspace, upload(workspace, "alice"))
        with pytest.raises(NotFound, match="no such photo"):
            sidecars.read_sidecar(workspace, 99)

    def test_without_its_file_there_is_none(self, workspace: Workspace, home: Path) -> None:
        photo = named_photo(workspace, "alice")
        (home / path_of(workspace, photo)).unlink()
        with pytest.raises(NotFound, match="not here"):
            sidecars.read_sidecar(workspace, photo)


class TestApplying:
    def test_a_region_names_the_face_it_lies_on(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice", "bob", "carol", name="party.png")
        applied = sidecars.apply_sidecar(workspace, photo, xmp_of(("Carol", 2), ("Alice", 0), width=3))
        assert labels(workspace, photo) == ["Alice", None, "Carol"]
        assert len(applied.named) == 2
        assert path_of(workspace, photo) == "datasets/training/Carol_01.png"
        assert names_in(home) == ["Alice", "Carol"]
        assert_consistent(workspace)

    def test_what_digikam_writes_is_understood(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice", None, "bob", name="party.png")
        assert len(sidecars.apply_sidecar(workspace, photo, DIGIKAM.encode()).named) == 1
        assert labels(workspace, photo) == ["Ana", None]

    @pytest.mark.parametrize(
        ("orientation", "upright"),
        # That a region was drawn on the upright picture is told by the size, which is the same for 2, 3 and 4.
        [
            *((orientation, False) for orientation in range(1, 9)),
            *((orientation, True) for orientation in (1, 5, 6, 7, 8)),
        ],
    )
    def test_however_the_camera_was_held(self, workspace: Workspace, orientation: int, upright: bool) -> None:
        photo = photos.add_photo(workspace, turned_picture(orientation, "alice", None, "bob"), "party.webp")
        xmp = xmp_of(("Bob", 2), width=3, orientation=orientation, upright=upright)
        sidecars.apply_sidecar(workspace, photo, xmp)
        assert labels(workspace, photo) == [None, "Bob"]

    @pytest.mark.parametrize("person", NAMES)
    def test_any_name_comes_through(self, workspace: Workspace, person: str) -> None:
        photo = upload(workspace, "alice")
        sidecars.apply_sidecar(workspace, photo, xmp_of((f"  {person} ", 0), width=1))
        assert labels(workspace, photo) == [person]
        assert [r.name for r in sidecar.read(sidecars.read_sidecar(workspace, photo)).regions] == [person]

    def test_it_is_one_action_that_can_be_undone(self, workspace: Workspace) -> None:
        named_photo(workspace, "alice")
        photo = upload(workspace, "alice", "zoe", name="party.png")
        xmp = xmp_of(("alice", 0), ("Zoë", 1), width=2)
        undone_leaves_no_trace(workspace, lambda: sidecars.apply_sidecar(workspace, photo, xmp))

    def test_it_is_no_answer_to_a_suggestion(self, workspace: Workspace, home: Path) -> None:
        named_photo(workspace, "alice")
        sidecars.apply_sidecar(workspace, upload(workspace, "alice", take=1), xmp_of(("alice", 0), width=1))
        (decided,) = rows(home, "SELECT * FROM decisions WHERE kind = 'import'")
        assert decided["suggestion"] in (None, "null")

    def test_twins_are_noticed(self, workspace: Workspace, home: Path) -> None:
        first = face_of(workspace, named_photo(workspace, "alice"))
        picture_again = photos.add_photo(workspace, turned_picture(1, "alice"), "again.webp")
        sidecars.apply_sidecar(workspace, picture_again, xmp_of(("alice", 0), width=1))
        found = rows(home, "SELECT twin_of FROM faces WHERE photo_id = ?", picture_again)
        assert found == [{"twin_of": first}]

    def test_twins_are_noticed_within_one_photo(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice", "alice", "bob", name="mirror.png")
        sidecars.apply_sidecar(workspace, photo, xmp_of(("alice", 0), ("alice", 1), ("bob", 2), width=3))
        found = rows(home, "SELECT twin_of FROM faces ORDER BY id")
        assert found == [{"twin_of": None}, {"twin_of": 1}, {"twin_of": None}]

    def test_the_second_time_changes_nothing(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice", "bob", name="party.png")
        xmp = xmp_of(("Alice", 0), ("Bob", 1), width=2)
        sidecars.apply_sidecar(workspace, photo, xmp)
        before = everything(home)
        applied = sidecars.apply_sidecar(workspace, photo, xmp)
        assert (applied.named, applied.known, everything(home)) == ([], 2, before)

    @pytest.mark.parametrize(
        ("say", "why"),
        [
            (lambda w, face: decisions.confirm(w, None or path_of(w, 1), "Bob", face), "it is named Bob"),
            (lambda w, face: decisions.dismiss(w, face, "ignore"), "it was put aside"),
            (lambda w, face: decisions.dismiss(w, face, "not_a_face"), "it was said not to be a face"),
            (lambda w, face: decisions.reject(w, face, "Alice"), "it was said not to be Alice"),
        ],
    )
    def test_what_was_decided_stays(
        self, workspace: Workspace, home: Path, say: Callable[[Workspace, int], object], why: str
    ) -> None:
        photo = upload(workspace, "alice")
        name(workspace, upload(workspace, "alice", take=1), "Alice")
        say(workspace, face_of(workspace, photo))
        before = everything(home)
        applied = sidecars.apply_sidecar(workspace, photo, xmp_of(("Alice", 0), width=1))
        assert applied.conflicts == [Refused("Alice", (4, CELL - 4, CELL - 4, 4), why)]
        assert everything(home) == before

    def test_where_no_face_was_found_a_box_is_left_to_draw(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice", None, name="party.png")
        applied = sidecars.apply_sidecar(workspace, photo, xmp_of(("Bob", 1), width=2))
        assert applied.unplaced == [Wanted("Bob", (4, 2 * CELL - 4, CELL - 4, CELL + 4))]
        assert labels(workspace, photo) == [None]

    def test_a_face_is_named_once(self, workspace: Workspace) -> None:
        photo = upload(workspace, "alice")
        close = xmp_of(("Alice", 0), width=1)
        both = sidecar.write([*sidecar.read(close).regions, Region("Bob", 0.5, 0.5, 0.6, 0.6)], CELL, CELL)
        applied = sidecars.apply_sidecar(workspace, photo, both)
        assert labels(workspace, photo) == ["Alice"]
        assert [wanted.name for wanted in applied.unplaced] == ["Bob"]

    @pytest.mark.parametrize("person", ["a\nb", "\u202eevil", "x" * 81, "   ", "\u200b"])
    def test_names_that_cannot_be_used_are_told(self, workspace: Workspace, person: str) -> None:
        photo = upload(workspace, "alice", "bob", name="party.png")
        applied = sidecars.apply_sidecar(workspace, photo, xmp_of((person, 0), ("Bob", 1), width=2))
        assert labels(workspace, photo) == [None, "Bob"]
        assert len(applied.conflicts) == 1

    def test_what_cannot_be_read_changes_nothing(self, workspace: Workspace, home: Path) -> None:
        photo = upload(workspace, "alice")
        before = snapshot(home)
        for xmp, error in ((b"<x/>", InvalidInput), (DIGIKAM.replace("Face", "Pet").encode(), None)):
            if error:
                with pytest.raises(error):
                    sidecars.apply_sidecar(workspace, photo, xmp)
            else:
                assert sidecars.apply_sidecar(workspace, photo, xmp).named == []
        with pytest.raises(NotFound):
            sidecars.apply_sidecar(workspace, 99, DIGIKAM.encode())
        assert snapshot(home) == before

    def test_faces_must_have_been_looked_for(self, workspace: Workspace) -> None:
        (photo,), _refusals = photos.store_photos(workspace, [("a.png", lambda: picture("alice"))])
        with pytest.raises(Conflict):
            sidecars.apply_sidecar(workspace, photo, xmp_of(("Alice", 0), width=1))


class TestFinding:
    @pytest.fixture
    def photo(self, tmp_path: Path) -> Path:
        path = tmp_path / "holiday.2024.webp"
        path.write_bytes(turned_picture(6, "alice", xmp=xmp_of(("inside", 0), width=1)))
        return path

    def test_what_lies_beside_comes_before_what_lies_inside(self, photo: Path) -> None:
        def found() -> str | None:
            xmp = sidecars.find_xmp(photo)
            return None if xmp is None else sidecar.read(xmp).regions[0].name

        assert found() == "inside"
        photo.with_name("holiday.2024.xmp").write_bytes(xmp_of(("Lightroom", 0), width=1))
        assert found() == "Lightroom"
        photo.with_name("holiday.2024.webp.xmp").write_bytes(xmp_of(("digiKam", 0), width=1))
        assert found() == "digiKam"
        photo.with_name("holiday.2024.webp.xmp").write_bytes(b"<not-xmp/>")
        assert found() == "Lightroom"
        photo.with_name("holiday.2024.xmp").write_bytes(b" " * (sidecar.MAX_BYTES + 1))
        assert found() == "inside"

    def test_what_is_found_names_the_photos_of_an_import(self, workspace: Workspace, tmp_path: Path) -> None:
        found = {}
        for take, sidecar_beside in enumerate(
            [xmp_of(("Alice", 0), width=1), None, b"<x/>", xmp_of(("Al", 0), width=1)]
        ):
            path = tmp_path / "from" / f"{take}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture("alice", take=take))
            if sidecar_beside is not None:
                path.with_name(f"{path.name}.xmp").write_bytes(sidecar_beside)
            found[photos.add_photo(workspace, path.read_bytes(), path.name)] = path
        name(workspace, 4, "Ally")
        before = everything(workspace.settings.home)
        applied = sidecars.apply_found(workspace, found)
        assert [labels(workspace, photo) for photo in found] == [["Alice"], [None], [None], ["Ally"]]
        assert (len(applied[1].named), len(applied[4].conflicts), set(applied)) == (1, 1, {1, 4})
        undoing.undo(workspace)
        assert everything(workspace.settings.home) == before
        assert sidecars.apply_found(workspace, {2: found[2]}) == {}

    @pytest.mark.parametrize("data", [b"", b"no photo", picture("alice")])
    def test_there_may_be_none(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(data)
        assert sidecars.find_xmp(path) is None


class TestWriting:
    def written(self, home: Path) -> list[str]:
        return sorted(path.name for path in (home / "datasets/training").glob("*.xmp"))

    def test_every_photo_with_a_name_gets_one(self, workspace: Workspace, home: Path) -> None:
        photo = named_photo(workspace, "alice")
        named_photo(workspace, "bob")
        upload(workspace, "carol")
        result = sidecar_files.write_sidecars(workspace)
        assert (result.written, result.unchanged, result.removed, result.left) == (2, 0, 0, [])
        assert self.written(home) == ["alice_01.png.xmp", "bob_01.png.xmp"]
        path = home / "datasets/training/alice_01.png.xmp"
        assert path.read_bytes() == sidecars.read_sidecar(workspace, photo)
        assert not list((home / "datasets/training").glob(".*"))

    def test_the_second_time_nothing_is_written(self, workspace: Workspace, home: Path) -> None:
        named_photo(workspace, "alice")
        sidecar_files.write_sidecars(workspace)
        path = home / "datasets/training/alice_01.png.xmp"
        before = path.stat()
        result = sidecar_files.write_sidecars(workspace)
        assert (result.written, result.unchanged) == (0, 1)
        assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)

    def test_a_photo_that_moves_leaves_it_behind_until_the_next_time(self, workspace: Workspace, home: Path) -> None:
        photo = named_photo(workspace, "alice")
        sidecar_files.write_sidecars(workspace)
        decisions.move(workspace, face_of(workspace, photo), "bob")
        assert self.written(home) == ["alice_01.png.xmp"]
        assert_consistent(workspace, foreign=["training/alice_01.png.xmp"])
        result = sidecar_files.write_sidecars(workspace)
        assert (result.written, result.removed) == (1, 1)
        assert self.written(home) == ["bob_01.png.xmp"]
        decisions.unlabel(workspace, face_of(workspace, photo))
        sidecar_files.write_sidecars(workspace)
        assert self.written(home) == []
        assert_consistent(workspace)

    def test_what_another_program_wrote_is_left_alone(self, workspace: Workspace, home: Path) -> None:
        named_photo(workspace, "alice")
        training = home / "datasets/training"
        for own in ("alice_01.png.xmp", "gone_01.png.xmp"):
            (training / own).write_text(DIGIKAM)
        result = sidecar_files.write_sidecars(workspace)
        assert sorted(own for own, _why in result.left) == ["alice_01.png.xmp", "gone_01.png.xmp"]
        assert (training / "alice_01.png.xmp").read_text() == DIGIKAM
        assert (result.written, result.removed) == (0, 0)

    def test_nothing_stumbles_over_them(self, workspace: Workspace, home: Path) -> None:
        photo = named_photo(workspace, "alice")
        sidecar_files.write_sidecars(workspace)
        (home / path_of(workspace, photo)).rename(home / "datasets/uploads/stray.png")
        assert reconcile(workspace).moved == 1
        assert reconcile(workspace) == reconcile(workspace)
        fill_reserve(home, {"zoe/1.png": picture("zoe"), "zoe/1.png.xmp": DIGIKAM.encode()})
        assert reset(workspace)["result"] == {"faces": 1, "people": 1, "skipped": []}
        assert self.written(home) == []
        assert_consistent(workspace)
        undoing.undo(workspace)
        assert_consistent(workspace, foreign=["training/alice_01.png.xmp"] if self.written(home) else [])
        assert sidecar_files.write_sidecars(workspace).left == []
        assert self.written(home) == ["alice_01.png.xmp"]

    def test_a_labelled_folder_may_have_them(self, tmp_path: Path) -> None:
        for own in ("ana_01.jpg", "ana_01.jpg.xmp", "ana_02.XMP"):
            (tmp_path / own).write_bytes(b"")
        assert [path.name for path, _label in files.labelled_files(tmp_path)] == ["ana_01.jpg"]
