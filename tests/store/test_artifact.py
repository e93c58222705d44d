"""The published train.pickle: what it looks like, how it grows, and what a crash cannot do to it."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.store import unpickling
from app.store.artifact import Artifact, Damaged, Entry

NAMES = ["Zoë", "alice", "Åsa", "李小龙", "محمد", "🙂 smiley"]


def entry(number: int, name: str = "alice", **changes: Any) -> Entry:
    encoding = np.random.default_rng(number).normal(0, 0.1, 128).astype(np.float32)
    fields = {
        "image_path": f"datasets/training/{name}_{number:02}.jpg",
        "box": (10 + number, 200, 150, 20),
        "encoding": encoding,
        "name": name,
    }
    return Entry(**{**fields, **changes})


def loaded(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def expected(entries: Sequence[Entry]) -> dict[str, Any]:
    classes = sorted({item.name for item in entries})
    return {
        "encodings": [
            {
                "imagePath": item.image_path,
                "loc": tuple(item.box),
                "encoding": [float(value) for value in item.encoding],
                "label": classes.index(item.name),
            }
            for item in entries
        ],
        "label_encoder": {"classes_": classes},
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train.pickle"


@contextlib.contextmanager
def disk_that_ends_at(size: int) -> Iterator[None]:
    """No file may grow beyond `size`, and a write that would is cut short first: as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# ---- What it looks like


def test_any_pickle_load_reads_it(path: Path) -> None:
    entries = [entry(number, NAMES[number % len(NAMES)]) for number in range(20)]

    Artifact(path).rewrite(entries)

    assert loaded(path) == expected(entries)


def test_the_keys_come_in_the_order_the_old_system_wrote_them(path: Path) -> None:
    Artifact(path).rewrite([entry(1)])

    tree = loaded(path)
    assert list(tree) == ["encodings", "label_encoder"]
    assert list(tree["encodings"][0]) == ["imagePath", "loc", "encoding", "label"]


def test_it_holds_built_in_types_only(path: Path) -> None:
    box = tuple(np.int64(side) for side in (1, 2, 3, 4))
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1, box=box)])
    artifact.append([entry(2, box=box)], ["alice"], length)

    for face in loaded(path)["encodings"]:
        assert [type(value) for value in face.values()] == [str, tuple, list, int]
        assert {type(side) for side in face["loc"]} == {int}
        assert {type(value) for value in face["encoding"]} == {float}
    assert not {op.name for op, _, _ in pickletools.genops(path.read_bytes())} & {"GLOBAL", "STACK_GLOBAL"}


def test_its_program_leaves_nothing_on_the_stack(path: Path) -> None:
    artifact = Artifact(path)
    artifact.append([entry(3)], ["alice"], artifact.rewrite([entry(1), entry(2)]))

    pickletools.dis(path.read_bytes(), out=io.StringIO())  # raises on a stack or memo that does not add up


def test_a_file_without_faces_can_be_published(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([])

    assert loaded(path) == {"encodings": [], "label_encoder": {"classes_": []}}
    assert artifact.matches(length)
    assert unpickling.load(path) == []


def test_names_are_sorted_as_scikit_learn_sorts_them(path: Path) -> None:
    Artifact(path).rewrite([entry(number, name) for number, name in enumerate(reversed(NAMES))])

    assert loaded(path)["label_encoder"]["classes_"] == np.unique(np.array(NAMES)).tolist()


@pytest.mark.parametrize(
    "box",
    [(-5, 0, 255, 256), (65_535, 65_536, 2**31 - 1, -(2**31)), (2**31, -(2**31) - 1, 2**63 - 1, -(2**63))],
)
def test_box_sides_may_be_negative_or_large(path: Path, box: tuple[int, int, int, int]) -> None:
    Artifact(path).rewrite([entry(1, box=box)])

    assert loaded(path)["encodings"][0]["loc"] == box
    assert unpickling.load(path)[0].box == box


def test_labels_beyond_a_byte_are_kept(path: Path) -> None:
    entries = [entry(1, f"{number:03}") for number in range(300)]

    Artifact(path).rewrite(entries)

    labels = [face["label"] for face in loaded(path)["encodings"]]
    assert labels == list(range(300))


@pytest.mark.parametrize(
    "text", ["José Ñandú", "李小龙", "محمد علي", "🙂🏽 smiley", "a\\b\nc'\"\0", "e\u0301", "", "x" * 70_000]
)
def test_names_and_paths_keep_every_script(path: Path, text: str) -> None:
    artifact = Artifact(path)
    first, second = (entry(number, text, image_path=f"{text}_{number}.jpg") for number in (1, 2))

    artifact.append([second], [text], artifact.rewrite([first]))

    assert loaded(path) == expected([first, second])
    assert [item.image_path for item in unpickling.load(path)] == [first.image_path, second.image_path]


def test_the_product_reads_back_what_it_wrote(path: Path) -> None:
    entries = [
        entry(number, name, encoding=np.random.default_rng(number).normal(0, 0.1, 128).tolist())
        for number, name in enumerate(NAMES)
    ]

    Artifact(path).rewrite(entries)

    assert unpickling.load(path) == entries


# ---- Rewriting


def test_rewrite_returns_the_length_of_the_file_and_leaves_nothing_beside_it(path: Path) -> None:
    artifact = Artifact(path)
    artifact.rewrite([entry(1)])
    length = artifact.rewrite([entry(1), entry(2, "bob")])

    assert length == path.stat().st_size
    assert artifact.matches(length)
    assert list(path.parent.iterdir()) == [path]


def test_a_published_file_is_readable_by_its_owner_only(path: Path) -> None:
    Artifact(path).rewrite([entry(1)])

    assert path.stat().st_mode & 0o077 == 0


def test_a_rewrite_that_does_not_fit_leaves_the_old_file(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    before = path.read_bytes()

    with disk_that_ends_at(40_000), pytest.raises(OSError, match="File too large"):
        artifact.rewrite([entry(number) for number in range(2_000)])

    assert path.read_bytes() == before
    assert artifact.matches(length)
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_rewrite_left_is_removed_by_the_next(path: Path) -> None:
    leftover = path.parent / ".train.pickle.k1ll3d.tmp"
    leftover.write_bytes(b"half a file")
    stranger = path.parent / "other.tmp"
    stranger.write_bytes(b"not ours to remove")

    Artifact(path).rewrite([entry(1)])

    assert sorted(path.parent.iterdir()) == sorted([stranger, path])


UNWRITABLE = {
    "127 numbers": {"encoding": [0.0] * 127},
    "one number": {"encoding": [0.0]},
    "a table of numbers": {"encoding": np.zeros((1, 128), dtype=np.float32)},
    "not a number": {"encoding": [float("nan")] + [0.0] * 127},
    "infinite": {"encoding": [float("-inf")] + [0.0] * 127},
    "infinite as float32": {"encoding": [1e39] + [0.0] * 127},
    "surrogate in the path": {"image_path": "a\ud800.jpg"},
    "box of three": {"box": (1, 2, 3)},
}


@pytest.mark.parametrize("changes", UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_could_not_be_read_back_is_never_written(path: Path, changes: dict[str, Any]) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    before = path.read_bytes()

    with pytest.raises(ValueError):  # noqa: PT011
        artifact.append([entry(2, **changes)], ["alice"], length)
    with pytest.raises(ValueError):  # noqa: PT011
        artifact.rewrite([entry(2, **changes)])

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_name_with_a_lone_surrogate_is_never_written(path: Path) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        Artifact(path).rewrite([entry(1, "bad\udcff")])

    assert list(path.parent.iterdir()) == []


# ---- Appending


def test_appending_gives_the_very_bytes_of_a_rewrite(tmp_path: Path) -> None:
    entries = [entry(number, NAMES[number % len(NAMES)]) for number in range(12)]
    appended, rewritten = Artifact(tmp_path / "appended"), Artifact(tmp_path / "rewritten")

    length = appended.rewrite(entries[: len(NAMES)])
    for item in entries[len(NAMES) :]:
        length = appended.append([item], sorted(NAMES), length)

    assert rewritten.rewrite(entries) == length
    assert (tmp_path / "appended").read_bytes() == (tmp_path / "rewritten").read_bytes()
    assert loaded(tmp_path / "appended") == expected(entries)


def test_a_thousand_appends_read_back(path: Path) -> None:
    entries = [entry(number, NAMES[number % len(NAMES)]) for number in range(1_000 + len(NAMES))]
    artifact = Artifact(path)

    length = artifact.rewrite(entries[: len(NAMES)])
    for item in entries[len(NAMES) :]:
        length = artifact.append([item], sorted(NAMES), length)

    assert artifact.matches(length)
    assert loaded(path) == expected(entries)


@pytest.mark.parametrize("faces", [1, 3_000])
def test_an_append_costs_the_same_however_many_faces_there_are(
    path: Path, faces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)] * faces)
    before = path.read_bytes()
    written: list[tuple[int, int]] = []
    read: list[int] = []
    pwrite, pread = os.pwrite, os.pread

    def watched_write(descriptor: int, data: bytes, offset: int) -> int:
        written.append((len(data), offset))
        return pwrite(descriptor, data, offset)

    def watched_read(descriptor: int, size: int, offset: int) -> bytes:
        read.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pwrite", watched_write)
    monkeypatch.setattr(os, "pread", watched_read)
    grown = artifact.append([entry(2)], ["alice"], length)

    assert written == [(grown - length + 1, length - 1)]
    assert grown - length < 1_400
    assert sum(read) < 300
    assert path.read_bytes()[: length - 1] == before[:-1]


@pytest.mark.parametrize("name", ["", "alicf", "zoe", "Alice", "aaron"])
def test_a_person_the_file_does_not_know_is_not_appended(path: Path, name: str) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1), entry(2, "bob")])

    with pytest.raises(ValueError, match="extend"):
        artifact.append([entry(3, name)], ["alice", "bob"], length)

    assert artifact.matches(length)


def test_an_append_that_does_not_fit_cuts_the_file_back(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    before = path.read_bytes()

    with disk_that_ends_at(length + 500), pytest.raises(OSError, match="File too large"):
        artifact.append([entry(2)], ["alice"], length)

    assert path.read_bytes() == before
    assert artifact.matches(artifact.append([entry(2)], ["alice"], length))


# ---- Files that are not what the store remembers


def test_a_file_of_another_length_is_damaged(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    before = path.read_bytes()

    for wrong in (-1, 0, 1, 3, length - 1_000, length - 1, length + 1, length + 1_000_000):
        assert not artifact.matches(wrong)
        with pytest.raises(Damaged):
            artifact.append([entry(2)], ["alice"], wrong)
        with pytest.raises(Damaged):
            artifact.cut_back(wrong)

    assert path.read_bytes() == before


def test_a_missing_file_is_damaged_and_not_created(path: Path) -> None:
    artifact = Artifact(path)

    assert not artifact.matches(100)
    with pytest.raises(Damaged):
        artifact.append([entry(2)], ["alice"], 100)
    with pytest.raises(Damaged):
        artifact.cut_back(100)
    assert not path.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_pickle_of_another_program_is_damaged(path: Path, protocol: int) -> None:
    foreign = pickle.dumps(expected([entry(1), entry(2)]), protocol)
    path.write_bytes(foreign)
    artifact = Artifact(path)

    assert not artifact.matches(len(foreign))
    with pytest.raises(Damaged):
        artifact.append([entry(2)], ["alice"], len(foreign))
    with pytest.raises(Damaged):
        artifact.cut_back(len(foreign))
    assert path.read_bytes() == foreign


@pytest.mark.parametrize("ending", [b"", b"\0", b"..", b"0", b"\0" * 2_000])
def test_a_file_that_does_not_end_as_ours_is_damaged(path: Path, ending: bytes) -> None:
    artifact = Artifact(path)
    artifact.rewrite([entry(1)])
    path.write_bytes(path.read_bytes()[:-1] + ending)
    before = path.read_bytes()

    assert not artifact.matches(len(before))
    with pytest.raises(Damaged):
        artifact.append([entry(2)], ["alice"], len(before))
    assert path.read_bytes() == before


def test_a_file_that_does_not_begin_as_ours_is_damaged(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    good = path.read_bytes()

    for place in range(100):
        path.write_bytes(good[:place] + b"?" + good[place + 1 :])
        assert not artifact.matches(length)
        with pytest.raises(Damaged):
            artifact.append([entry(2)], ["alice"], length)
        with pytest.raises(Damaged):
            artifact.cut_back(length)


# ---- Crashes


def bytes_of_an_append(path: Path) -> bytes:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    artifact.append([entry(9)], ["alice"], length)
    return path.read_bytes()[length - 1 :]


@pytest.mark.parametrize("faces", [0, 1, 2])
def test_whatever_part_of_an_append_reached_the_disk_cutting_back_restores_the_file(path: Path, faces: int) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(number) for number in range(faces)])
    good = path.read_bytes()
    addition = bytes_of_an_append(path.with_name("other"))

    for reached in range(len(addition) + 1):
        torn = good[:-1] + addition[:reached] if reached else good
        zeros = good[:-1] + addition[:reached] + bytes(len(addition) - reached)
        late = good + addition[1:reached] if reached else good
        for state in (torn, zeros, late):
            path.write_bytes(state)
            artifact.cut_back(length)
            assert path.read_bytes() == good, reached


def test_cutting_back_undoes_an_append_that_was_rolled_back(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    good = path.read_bytes()
    further = artifact.append([entry(2)], ["alice"], length)
    artifact.append([entry(3)], ["alice"], further)

    artifact.cut_back(length)

    assert path.read_bytes() == good


def test_cutting_back_a_sound_file_changes_nothing(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    good = path.read_bytes()

    artifact.cut_back(length)

    assert path.read_bytes() == good
    assert artifact.matches(length)


def test_killed_between_its_two_steps_cutting_back_leaves_a_readable_file(path: Path) -> None:
    artifact = Artifact(path)
    length = artifact.rewrite([entry(1)])
    good = path.read_bytes()
    artifact.append([entry(2)], ["alice"], length)
    path.write_bytes(good + path.read_bytes()[length:])

    assert loaded(path) == expected([entry(1)])
    assert len(unpickling.load(path)) == 1
    artifact.cut_back(length)
    assert path.read_bytes() == good


# --- more people, without writing everything anew


@pytest.mark.parametrize("newcomer", ["aaron", "bert", "zoe", "李小龙"])
def test_extending_is_the_same_file_as_rewriting(tmp_path: Path, newcomer: str) -> None:
    old = [entry(1, "alice"), entry(2, "bob", image_path="datasets/training/Zoë 😀.jpg"), entry(3, "alice")]
    new = [entry(4, newcomer), entry(5, "bob"), entry(6, newcomer)]
    one, other = Artifact(tmp_path / "one.pickle"), Artifact(tmp_path / "other.pickle")
    length = one.extend(new, ["alice", "bob"], one.rewrite(old))
    assert length == other.rewrite([*old, *new])
    assert (tmp_path / "one.pickle").read_bytes() == (tmp_path / "other.pickle").read_bytes()


def test_extending_a_file_without_faces(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "train.pickle")
    artifact.extend([entry(1)], [], artifact.rewrite([]))
    assert pickle.loads((tmp_path / "train.pickle").read_bytes())["label_encoder"] == {"classes_": ["alice"]}


def test_what_was_appended_is_extended_too(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "train.pickle")
    length = artifact.append([entry(2)], ["alice"], artifact.rewrite([entry(1)]))
    artifact.extend([entry(3, "aaron")], ["alice"], length)
    found = pickle.loads((tmp_path / "train.pickle").read_bytes())
    assert [face["label"] for face in found["encodings"]] == [1, 1, 0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1200] + data[-3:],
        lambda data: data.replace(b"bob", b"bab"),
        lambda data: data[:-8] + b"\xff\xff\xff\x7f" + data[-4:],
        lambda data: b"",
    ],
)
def test_a_file_that_is_not_ours_is_not_extended(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "train.pickle"
    artifact = Artifact(path)
    artifact.rewrite([entry(1), entry(2, "bob")])
    path.write_bytes(spoil(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(Damaged):
        artifact.extend([entry(3, "carol")], ["alice", "bob"], len(before))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
