"""A backup that comes in as a file is kept if all of it is right, and leaves nothing behind if not."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, NamesakeError
from app.labelling import archives, backups, erasing, inventory, people, receiving, restoring
from app.labelling.archives import Kept
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, snapshot
from tests.labelling.saying import named_photo
from tests.labelling.squares import SquaresEngine, installed
from tests.labelling.test_backups import HOSTILE, _rewritten, _with, person, silent, tables, without_the_restore, write


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation where somebody has worked."""
    home = tmp_path_factory.mktemp("lived-in")
    with installed(home) as workspace:
        for take, label in enumerate(("alice", "bob", "alice", "carol")):
            named_photo(workspace, label, take=take)
    return home


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backup of another installation, where the first two are other people."""
    home = tmp_path_factory.mktemp("elsewhere")
    with installed(home) as workspace:
        for take, label in enumerate(("xavier", "yolanda")):
            named_photo(workspace, label, take=take + 50)
        return write(workspace, home / "theirs.zip")


def bring(workspace: Workspace, file: Path) -> Kept:
    with receiving.arriving(workspace) as coming, file.open("rb") as source:
        while chunk := source.read(5000):
            coming.write(chunk)
        coming.seek(0)  # as a form leaves it
        return receiving.keep(workspace, coming)


def left(home: Path) -> list[str]:
    """Everything among the backups, hidden or not."""
    folder = home / "datasets/archives"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class TestOneThatIsRight:
    def test_is_kept_as_it_came_and_brings_all_of_it_here(self, used: Workspace, home: Path, elsewhere: Path) -> None:
        kept = bring(used, elsewhere)
        assert left(home) == [f"{kept.name}.zip"]
        assert kept.path.read_bytes() == elsewhere.read_bytes()
        assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
        assert sorted(set(names_in(home))) == ["alice", "bob", "carol"], "nothing changes before it is restored"
        restoring.restore(used, archives.find(used, kept.name).path, silent)
        assert sorted(names_in(home)) == ["xavier", "yolanda"]
        assert without_the_restore(tables(home)) == tables(elsewhere.parent)
        assert_consistent(used)

    def test_is_marked_and_heads_the_list_whatever_its_revision(self, used: Workspace, elsewhere: Path) -> None:
        made = backups.make_backup(used, silent)
        kept = bring(used, elsewhere)
        assert kept.manifest.revision < made.manifest.revision
        listed = [archives.describe(each) for each in archives.kept(used)]
        assert [(each["name"], each["brought_in"], each["automatic"], each["why"]) for each in listed] == [
            (kept.name, True, False, "by hand"),
            (made.name, False, False, "by hand"),
        ]

    def test_neither_goes_nor_pushes_out_any_other(
        self, used: Workspace, make_app: Callable[..., Any], elsewhere: Path
    ) -> None:
        workspace: Workspace = make_app(BACKUPS_KEPT=2).extensions["namesake"]
        workspace.engine = SquaresEngine()
        merged = []
        for label in ("bob", "carol"):
            people.merge(workspace, person(workspace, label), "alice")
            merged.append(archives.kept(workspace)[0])
        kept = {bring(workspace, elsewhere).name, bring(workspace, _downloaded(merged[0])).name}
        assert {each.name for each in archives.kept(workspace)} == {*kept, *(each.name for each in merged)}
        for take, label in enumerate(("dave", "eve"), 70):
            named_photo(workspace, label, take=take)
            people.merge(workspace, person(workspace, label), "alice")
        names = {each.name for each in archives.kept(workspace)}
        assert len(names) == 4
        assert names > kept
        assert not names & {each.name for each in merged}

    def test_is_not_kept_twice(self, used: Workspace, home: Path, elsewhere: Path) -> None:
        kept = bring(used, elsewhere)
        made = backups.make_backup(used, silent)
        before = left(home)
        for name, file in ((kept.name, elsewhere), (made.name, made.path)):
            with pytest.raises(Conflict, match="here already") as refused:
                bring(used, file)
            assert refused.value.details == {"url": f"/backups/{name}.zip"}
        assert left(home) == before

    def test_may_be_one_of_two_of_the_same_moment(self, used: Workspace, home: Path) -> None:
        one = write(used, home / "mine.zip")
        other = _rewritten(one, _with("config.toml", b"gamma = 41\n"))
        kept = [bring(used, one), bring(used, other)]
        assert [each.name for each in archives.kept(used)] == sorted((each.name for each in kept), reverse=True)
        assert [each.path.read_bytes() for each in kept] == [one.read_bytes(), other.read_bytes()]

    def test_is_counted_among_what_is_stored(self, used: Workspace, elsewhere: Path) -> None:
        bring(used, elsewhere)
        counts = {line["what"]: line["count"] for line in inventory.read_inventory(used)}
        assert counts["Backups brought in from a file"] == 1
        assert counts["Backups made by hand"] == 0


@pytest.mark.parametrize("what", HOSTILE)
def test_one_that_is_not_right_leaves_nothing(used: Workspace, home: Path, what: str) -> None:
    change, words = HOSTILE[what]
    file = _rewritten(write(used, home / "mine.zip"), change)
    before = snapshot(home)
    with pytest.raises(NamesakeError, match=words) as refused:
        bring(used, file)
    assert 400 <= refused.value.status < 500
    assert str(home) not in refused.value.message
    assert snapshot(home) == before
    assert left(home) == []


def test_what_a_killed_process_has_left_goes_at_the_next_start_and_what_is_coming_in_stays(
    used: Workspace, home: Path, elsewhere: Path, open_workspace: Callable[[], Workspace]
) -> None:
    with receiving.arriving(used) as coming:
        coming.write(b"PK")
        killed = home / "datasets/archives/.partial-0123456789abcdef"
        killed.mkdir()
        (killed / "arriving.zip").write_bytes(b"PK")
        open_workspace()
        assert not killed.exists()
        assert left(home) == [coming.path.parent.name, f"{coming.path.parent.name}/{coming.path.name}"]
    assert left(home) == []


class TestWhatIsDeletedForGood:
    def test_is_not_looked_for_by_numbers_of_elsewhere(self, used: Workspace, elsewhere: Path) -> None:
        kept = bring(used, elsewhere)
        number = person(used, "alice")
        assert erasing.describe_person(used, number)["backups"] == []
        assert erasing.erase_person(used, number, "alice", backups=True).backups == []
        assert [each.name for each in archives.kept(used)] == [kept.name], "there, the number is somebody else's"

    def test_is_found_under_every_name_that_it_had(self, used: Workspace, home: Path) -> None:
        file = write(used, home / "mine.zip")
        number = person(used, "alice")
        people.rename(used, number, "Alice Adams")
        kept = bring(used, file)
        told = erasing.describe_person(used, number)
        assert [each["name"] for each in told["backups"]] == [kept.name]
        erasing.erase_person(used, number, "Alice Adams", backups=True)
        assert archives.kept(used) == []


def _downloaded(kept: Kept) -> Path:
    file = kept.path.parent.parent / f"{kept.name}.zip"
    file.write_bytes(b"".join(archives.download(kept)))
    return file
