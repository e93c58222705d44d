from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition.gallery import Change, Gallery, View


def encoding(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=128).astype(np.float32)


def contents(view: View) -> dict[int, tuple[int, bytes]]:
    rows = zip(view.face_ids, view.persons, view.encodings, strict=True)
    return {int(face): (int(person), row.tobytes()) for face, person, row in rows}


def assert_people_are_those_of_the_faces(view: View) -> None:
    assert np.array_equal(view.people[view.codes], view.persons)
    present = view.people[view.counts > 0]
    assert sorted(present.tolist()) == sorted(set(view.persons.tolist()))
    assert (view.people[view.counts == 0] == -1).all()
    for person, count, total in zip(view.people, view.counts, view.sums, strict=True):
        own = view.encodings[view.persons == person]
        assert count == len(own)
        assert total == pytest.approx(own.sum(axis=0, dtype=np.float64), abs=1e-9)


def test_places_of_people_who_are_gone_are_given_to_others() -> None:
    gallery = Gallery()
    for revision in range(1, 500):
        gallery.apply([Change(1, revision, encoding(revision))], revision)
        assert_people_are_those_of_the_faces(gallery.snapshot())
    assert len(gallery.snapshot().people) <= 2


def test_a_new_gallery_is_empty_at_revision_0() -> None:
    gallery = Gallery()
    view = gallery.snapshot()
    assert (gallery.revision, len(gallery), len(view)) == (0, 0, 0)
    assert view.encodings.shape == (0, 128)


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_changes_leaves_what_a_dictionary_would_hold_and_old_snapshots_as_they_were(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gallery = Gallery()
    naive: dict[int, tuple[int, bytes]] = {}
    taken: list[tuple[View, dict[int, tuple[int, bytes]]]] = []
    for revision in range(1, 120):
        changes = []
        for _ in range(rng.integers(1, 12)):
            face = int(rng.integers(0, 150))
            if rng.random() < 0.3:
                changes.append(Change(face, None, None))
                naive.pop(face, None)
            elif face in naive and rng.random() < 0.5:
                person = int(rng.integers(1, 9))
                changes.append(Change(face, person, None))
                naive[face] = (person, naive[face][1])
            else:
                person, own = int(rng.integers(1, 9)), encoding(int(rng.integers(0, 10**6)))
                changes.append(Change(face, person, own))
                naive[face] = (person, own.tobytes())
        gallery.apply(changes, revision)
        assert len(gallery) == len(naive)
        if rng.random() < 0.4:
            taken.append((gallery.snapshot(), dict(naive)))
    taken.append((gallery.snapshot(), naive))
    for view, expected in taken:
        assert contents(view) == expected
        assert_people_are_those_of_the_faces(view)


@pytest.mark.parametrize("seed", range(6))
def test_views_of_one_generation_hold_the_same_faces_in_the_same_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gallery = Gallery()
    views = []
    for revision in range(1, 200):
        face = int(rng.integers(0, 200))
        person = int(rng.integers(1, 5)) if rng.random() < 0.85 else None
        gallery.apply([Change(face, person, encoding(face))], revision)
        if rng.random() < 0.7:
            views.append(gallery.snapshot())
    for older, newer in itertools.pairwise(views):
        if older.generation == newer.generation:
            assert len(older) <= len(newer)
            assert np.array_equal(older.face_ids, newer.face_ids[: len(older)])
            assert np.array_equal(older.encodings, newer.encodings[: len(older)])


def test_new_faces_and_new_names_do_not_begin_a_generation() -> None:
    gallery = Gallery()
    gallery.apply([Change(1, 1, encoding(1))], 1)
    before = gallery.snapshot()
    gallery.apply([Change(face, 1, encoding(face)) for face in range(2, 500)] + [Change(1, 2, None)], 2)
    after = gallery.snapshot()
    assert after.generation == before.generation
    assert (before.persons[0], after.persons[0]) == (1, 2)


def test_churn_counts_what_comes_and_what_goes_but_not_names() -> None:
    gallery = Gallery()
    gallery.apply([Change(1, 1, encoding(1)), Change(2, 1, encoding(2))], 1)
    gallery.apply([Change(1, 2, None), Change(1, 3, encoding(1))], 2)
    assert gallery.snapshot().churn == 2
    gallery.apply([Change(1, None, None)], 3)
    assert gallery.snapshot().churn == 3


@pytest.mark.parametrize("revision", [1, 5])
def test_an_old_revision_changes_nothing(revision: int) -> None:
    gallery = Gallery()
    gallery.apply([Change(1, 1, encoding(1))], 5)
    gallery.apply([Change(1, None, None), Change(2, 2, encoding(2))], revision)
    assert (gallery.revision, len(gallery)) == (5, 1)


def test_removing_a_face_that_is_not_there_is_nothing() -> None:
    gallery = Gallery()
    gallery.apply([Change(9, None, None)], 1)
    assert (gallery.revision, len(gallery)) == (1, 0)


def test_a_new_face_needs_an_encoding() -> None:
    gallery = Gallery()
    with pytest.raises(ValueError, match="face 1"):
        gallery.apply([Change(1, 1, None)], 1)
    assert (gallery.revision, len(gallery)) == (0, 0)


def test_nothing_is_copied_while_nothing_changes() -> None:
    gallery = Gallery()
    gallery.apply([Change(1, 1, encoding(1))], 1)
    assert gallery.snapshot() is gallery.snapshot()


def test_a_snapshot_cannot_be_written_to() -> None:
    gallery = Gallery()
    gallery.apply([Change(1, 1, encoding(1))], 1)
    with pytest.raises(ValueError, match="read-only"):
        gallery.snapshot().persons[0] = 2


def test_snapshots_are_whole_while_another_thread_writes() -> None:
    gallery = Gallery()
    done = threading.Event()

    def write() -> None:
        for revision in range(1, 2000):
            pair = [(revision % 97) * 2, (revision % 97) * 2 + 1]
            person = revision if revision % 3 else None
            gallery.apply([Change(face, person, encoding(face)) for face in pair], revision)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        held = contents(gallery.snapshot())
        for face, (person, own) in held.items():
            assert held[face ^ 1][0] == person
            assert own == encoding(face).tobytes()
    writer.join()
