"""Labels that the rest contradicts, on made-up people who are as near and as far as real ones."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition import contradictions as module
from app.recognition.contradictions import Contradiction, contradictions

ANA, BEN, CARL = 1, 2, 3


def gallery(people: int, faces: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """face ids, persons and encodings of so many people with so many faces each: faces of one person are about 0.35
    apart, people 0.9."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 128))
    centres *= 0.64 / np.linalg.norm(centres, axis=1, keepdims=True)
    persons = np.repeat(np.arange(1, people + 1), faces)
    encodings = centres[persons - 1] + rng.normal(scale=0.25 / np.sqrt(128), size=(len(persons), 128))
    return np.arange(100, 100 + len(persons)), persons, encodings.astype(np.float32)


def flipped(persons: NDArray[np.int64], share: float, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    wrong = np.zeros(len(persons), np.bool_)
    wrong[rng.choice(len(persons), round(share * len(persons)), replace=False)] = True
    labels = persons.copy()
    labels[wrong] = (persons[wrong] + rng.integers(1, persons.max(), wrong.sum()) - 1) % persons.max() + 1
    return labels, wrong


def accused(found: list[Contradiction]) -> set[int]:
    return {each.face_id for each in found}


@pytest.mark.parametrize("faces", [3, 6, 12])
def test_flipped_labels_are_found_and_clean_ones_left_alone(faces: int) -> None:
    face_ids, persons, encodings = gallery(100, faces)
    labels, wrong = flipped(persons, 0.02)
    found = contradictions(face_ids, labels, encodings)
    right = accused(found) & set(face_ids[wrong])
    assert len(right) >= 0.9 * wrong.sum()
    assert len(right) >= 0.95 * len(found)
    truth = dict(zip(face_ids.tolist(), persons.tolist(), strict=True))
    assert [each.other for each in found if each.face_id in right] == [
        truth[each.face_id] for each in found if each.face_id in right
    ]


@pytest.mark.parametrize("faces", [1, 2, 8])
def test_nobody_is_accused_when_every_label_is_right(faces: int) -> None:
    assert contradictions(*gallery(60, faces)) == []


@pytest.fixture
def one_wrong() -> dict[str, Any]:
    """Ana with four faces, one of them named Ben; Ben and Carl with three of their own."""
    face_ids, persons, encodings = gallery(3, 4)
    labels = persons.copy()
    labels[0] = BEN
    keep = np.ones(12, np.bool_)
    keep[[7, 11]] = False
    return {"face_ids": face_ids[keep], "persons": labels[keep], "encodings": encodings[keep]}


def test_the_evidence_is_the_nearest_of_either_name_nearest_first(one_wrong: dict[str, Any]) -> None:
    (found,) = contradictions(**one_wrong)
    assert (found.face_id, found.person, found.other) == (100, BEN, ANA)
    assert {near.face_id for near in found.others} == {101, 102, 103}
    assert {near.face_id for near in found.own} == {104, 105, 106}
    for side in (found.own, found.others):
        distances = [near.distance for near in side]
        assert distances == sorted(distances)
        for near in side:
            row, own = (one_wrong["face_ids"].tolist().index(id_) for id_ in (near.face_id, 100))
            apart = np.linalg.norm(one_wrong["encodings"][row].astype(float) - one_wrong["encodings"][own])
            assert near.distance == pytest.approx(apart, abs=1e-6)
    assert 0.5 < found.score <= 1


def test_a_wrong_face_does_not_make_its_neighbours_look_wrong() -> None:
    """Ana has two faces, one of them named Ben: the other is then the only Ana, and nearest to a Ben."""
    face_ids, persons, encodings = gallery(2, 4)
    labels = persons.copy()
    labels[0] = BEN
    keep = [0, 1, 4, 5, 6, 7]
    assert accused(contradictions(face_ids[keep], labels[keep], encodings[keep])) == {100}


def test_a_lone_face_is_accused_only_when_it_is_very_near_to_somebody_else() -> None:
    face_ids, persons, encodings = gallery(2, 3)
    for apart, expected in ((0.3, {103}), (0.45, set())):
        moved = encodings.copy()
        direction = encodings[3] - encodings[0]
        moved[3] = encodings[0] + direction / np.linalg.norm(direction) * apart
        assert accused(contradictions(face_ids[:4], persons[:4], moved[:4])) == expected


def test_a_face_that_is_vouched_for_is_left_out_and_a_vouch_for_another_name_is_not_for_this_one(
    one_wrong: dict[str, Any],
) -> None:
    assert contradictions(**one_wrong, vouched={(100, BEN)}) == []
    assert len(contradictions(**one_wrong, vouched={(100, ANA), (104, BEN)})) == 1


def test_a_face_that_is_vouched_for_accuses_nobody_and_speaks_for_its_own(one_wrong: dict[str, Any]) -> None:
    only_ana = {name: np.delete(array, [2, 3], axis=0) for name, array in one_wrong.items()}
    assert accused(contradictions(**only_ana)) == {100}
    assert contradictions(**only_ana, vouched={(100, BEN)}) == [], "101 is now the only Ana, and near to a Ben"
    (found,) = contradictions(**one_wrong, vouched={(104, BEN)})
    assert 104 in {near.face_id for near in found.own}


def test_a_name_that_was_ruled_out_is_not_brought_up_again(one_wrong: dict[str, Any]) -> None:
    assert contradictions(**one_wrong, ruled_out={(100, ANA)}) == []
    assert len(contradictions(**one_wrong, ruled_out={(100, CARL), (101, ANA)})) == 1


def test_the_clearest_case_comes_first_and_the_list_can_be_cut_short() -> None:
    face_ids, persons, encodings = gallery(50, 6)
    labels, _wrong = flipped(persons, 0.05)
    found = contradictions(face_ids, labels, encodings)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) > 5
    assert len(contradictions(face_ids, labels, encodings, limit=5)) == 5


@pytest.mark.parametrize("block", [1, 700, 10**9])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    face_ids, persons, encodings = gallery(30, 5)
    labels, _wrong = flipped(persons, 0.05)
    order = np.random.default_rng(1).permutation(len(labels))
    expected = contradictions(face_ids, labels, encodings)
    monkeypatch.setattr(module, "_BLOCK", block)
    found = contradictions(face_ids[order], labels[order], encodings[order])
    assert [replace(each, own=(), others=()) for each in found] == [
        replace(each, own=(), others=()) for each in expected
    ]


@pytest.mark.parametrize("size", [0, 1])
def test_who_is_alone_contradicts_nobody(size: int) -> None:
    face_ids, persons, encodings = gallery(1, 1)
    assert contradictions(face_ids[:size], persons[:size], encodings[:size]) == []


def test_one_person_is_contradicted_by_nobody() -> None:
    assert contradictions(*gallery(1, 5)) == []


def test_faces_that_are_all_the_same_and_faces_out_of_all_bounds_give_numbers() -> None:
    face_ids, persons, encodings = gallery(3, 3)
    encodings[:] = encodings[0]
    assert contradictions(face_ids, persons, encodings) == []
    encodings[4] = np.finfo(np.float32).max
    encodings[5] = -np.finfo(np.float32).max
    labels = persons.copy()
    labels[0] = CARL
    for found in contradictions(face_ids, labels, encodings):
        assert np.isfinite(found.score)
        assert all(np.isfinite(near.distance) for near in (*found.own, *found.others))


def test_twenty_thousand_faces_take_seconds_and_no_square_of_memory() -> None:
    face_ids, persons, encodings = gallery(2000, 10)
    labels, wrong = flipped(persons, 0.005)
    tracemalloc.start()
    began = time.process_time()
    found = contradictions(face_ids, labels, encodings)
    took, (_now, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert accused(found) == set(face_ids[wrong])
    assert took < 40, "seconds of all processors together"
    assert peak < 200_000_000, "a 20,000 x 20,000 matrix has 1.6 GB"
