from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.semi_supervised import LabelPropagation

from app.recognition.calibration import Calibration
from app.recognition.gallery import Change, Gallery
from app.recognition.openset import (
    CANDIDATES,
    ORIGINAL,
    SAME_PERSON_DISTANCE,
    Method,
    Recogniser,
    Suggestion,
)

OBAMA, BIDEN = 11, 22

Encodings = dict[str, NDArray[np.float32]]


def recogniser(*labelled: tuple[int, NDArray[np.float32]]) -> Recogniser:
    gallery = Gallery()
    gallery.apply([Change(100 + i, person, face) for i, (person, face) in enumerate(labelled)], 1)
    return Recogniser(gallery)


def people(count: int, faces: int, seed: int = 0) -> list[tuple[int, NDArray[np.float32]]]:
    """Made-up people about as far apart as real ones (0.8) with faces about as close as real ones (0.35)."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 0.05, (count, 128))
    return [
        (person + 1, (middles[person] + rng.normal(0, 0.02, 128)).astype(np.float32))
        for person in range(count)
        for _ in range(faces)
    ]


def assert_sound(suggestion: Suggestion) -> None:
    confidences = [candidate.confidence for candidate in suggestion.candidates]
    assert all(np.isfinite(confidences))
    assert all(0 <= confidence <= 1 for confidence in confidences)
    assert sum(confidences) <= 1
    assert confidences == sorted(confidences, reverse=True)
    assert len({candidate.person for candidate in suggestion.candidates}) == len(confidences) <= CANDIDATES
    assert suggestion.confidence == max(confidences)
    distances = [neighbour.distance for neighbour in suggestion.nearest]
    assert distances == sorted(distances)
    if suggestion.person is not None:
        assert suggestion.person == suggestion.candidates[0].person
        assert suggestion.confidence >= 0.5
        assert distances[0] <= SAME_PERSON_DISTANCE


def test_an_empty_gallery_knows_nobody() -> None:
    nobody = Suggestion(None, 0.0, (), ())
    assert recogniser().suggest(np.zeros(128)) == nobody
    assert recogniser().suggest_many(np.zeros((2, 128))) == [nobody, nobody]


def test_no_faces_are_no_suggestions(encodings: Encodings) -> None:
    assert recogniser((OBAMA, encodings["obama"])).suggest_many(np.zeros((0, 128))) == []


@pytest.mark.parametrize("photo", ["obama2", "obama3"])
def test_another_photo_of_someone_known_is_named(encodings: Encodings, photo: str) -> None:
    known = recogniser((OBAMA, encodings["obama"]), (BIDEN, encodings["biden"]))
    suggestion = known.suggest(encodings[photo])
    assert suggestion.person == OBAMA
    assert suggestion.confidence > 0.9
    assert [candidate.person for candidate in suggestion.candidates] == [OBAMA, BIDEN]
    assert suggestion.nearest[0].face_id == 100
    assert_sound(suggestion)


def test_a_stranger_is_not_named_after_the_only_person_known(encodings: Encodings) -> None:
    suggestion = recogniser((OBAMA, encodings["obama"])).suggest(encodings["biden"])
    assert suggestion.person is None
    assert suggestion.confidence < 0.1
    assert suggestion.candidates[0].person == OBAMA
    assert_sound(suggestion)


def test_a_face_beyond_the_distance_of_one_person_is_someone_new() -> None:
    face = np.zeros(128, np.float32)
    query = face.copy()
    query[0] = SAME_PERSON_DISTANCE + 0.001
    suggestion = recogniser((OBAMA, face)).suggest(query)
    assert suggestion.person is None
    assert suggestion.nearest[0].distance == pytest.approx(0.601, abs=1e-6)


def test_a_face_half_one_and_half_another_is_neither(encodings: Encodings) -> None:
    face = encodings["obama"]
    suggestion = recogniser((OBAMA, face), (BIDEN, face)).suggest(face)
    assert suggestion.person is None
    assert suggestion.confidence == pytest.approx(0.5, abs=0.01)
    assert_sound(suggestion)


def test_the_same_photo_again_is_at_distance_zero(encodings: Encodings) -> None:
    suggestion = recogniser(*people(10, 2), (OBAMA, encodings["obama"])).suggest(encodings["obama"])
    assert suggestion.nearest[0].distance == 0
    assert suggestion.person == OBAMA


@pytest.mark.parametrize("count", [1, 2, 7, 200])
@pytest.mark.parametrize("faces", [1, 3])
def test_suggestions_are_sound_for_known_and_unknown_faces(count: int, faces: int) -> None:
    known = recogniser(*people(count, faces))
    rng = np.random.default_rng(9)
    queries = np.concatenate(
        [
            [face for _, face in people(count, 1)][:20],
            rng.normal(0, 0.05, (20, 128)),
            np.zeros((1, 128)),
        ]
    )
    for suggestion in known.suggest_many(queries):
        assert_sound(suggestion)
        assert len(suggestion.candidates) == min(count, CANDIDATES)
        assert len(suggestion.nearest) == min(count * faces, 3)


@pytest.mark.parametrize("distance", [1e3, 1e6])
def test_a_face_from_nowhere_is_someone_new_with_a_finite_confidence(distance: float) -> None:
    query = np.zeros(128)
    query[5] = distance
    suggestion = recogniser(*people(10, 2)).suggest(query)
    assert suggestion.person is None
    assert suggestion.confidence == 0
    assert_sound(suggestion)


def test_many_at_once_are_what_each_is_alone() -> None:
    known = recogniser(*people(30, 2))
    queries = np.array([face for _, face in people(30, 1, seed=1)])
    for together, query in zip(known.suggest_many(queries), queries, strict=True):
        alone = known.suggest(query)
        assert together.person == alone.person
        assert together.confidence == pytest.approx(alone.confidence, abs=1e-6)


def test_what_is_labelled_counts_from_the_next_suggestion_on(encodings: Encodings) -> None:
    gallery = Gallery()
    known = Recogniser(gallery)
    assert known.suggest(encodings["obama2"]).person is None
    gallery.apply([Change(1, OBAMA, encodings["obama"])], 1)
    assert known.suggest(encodings["obama2"]).person == OBAMA
    gallery.apply([Change(1, BIDEN, None)], 2)
    assert known.suggest(encodings["obama2"]).person == BIDEN
    gallery.apply([Change(1, None, None)], 3)
    assert known.suggest(encodings["obama2"]).person is None


@pytest.mark.parametrize("seed", range(3))
def test_a_recogniser_kept_current_measures_what_a_fresh_one_does(seed: int) -> None:
    """At full variance the axes of many faces do not matter: only a row out of place could make a difference."""
    rng = np.random.default_rng(seed)
    gallery = Gallery()
    current = Recogniser(gallery, Method(variance=1.0))
    faces = people(40, 25, seed)
    gallery.apply([Change(row, *faces[row]) for row in range(700)], 1)
    for revision in range(2, 80):
        changes = []
        for row in rng.integers(0, len(faces), rng.integers(1, 8)):
            person, face = faces[row]
            roll = rng.random()
            changes.append(Change(int(row), None if roll < 0.2 else person, face))
        gallery.apply(changes, revision)
        query = faces[rng.integers(0, len(faces))][1] + rng.normal(0, 0.02, 128)
        found = current.suggest(query)
        expected = Recogniser(gallery, Method(variance=1.0)).suggest(query)
        assert found.nearest == expected.nearest
        assert found.person == expected.person
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-9)


def test_suggestions_stay_sound_while_another_thread_labels() -> None:
    gallery = Gallery()
    known = Recogniser(gallery, Method(variance=0.9))
    faces = people(50, 20)
    gallery.apply([Change(0, *faces[0])], 1)
    done = threading.Event()

    def label() -> None:
        for revision, (person, face) in enumerate(faces[1:], start=2):
            gallery.apply([Change(revision, person, face)], revision)
            if revision % 10 == 0:
                gallery.apply([Change(revision - 5, None, None)], revision)
        done.set()

    writer = threading.Thread(target=label)
    writer.start()
    while not done.is_set():
        assert_sound(known.suggest(faces[3][1]))
    writer.join()
    assert known.suggest(faces[3][1]).person == faces[3][0]


def test_nearer_is_surer(encodings: Encodings) -> None:
    known = recogniser((OBAMA, encodings["obama"]), (BIDEN, encodings["biden"]))
    away = np.random.default_rng(0).normal(size=128)
    away /= np.linalg.norm(away)
    steps = [known.suggest(encodings["obama"] + length * away).familiar for length in (0, 0.2, 0.4, 0.5, 0.6, 0.8, 2)]
    assert steps == sorted(steps, reverse=True)
    assert steps[2] > 0.9 > 0.1 > steps[5]


def test_someone_with_two_faces_is_known_by_either(encodings: Encodings) -> None:
    """As a child and as an adult: the mean of all their photos is nobody."""
    rng = np.random.default_rng(0)
    child, adult = encodings["obama"], encodings["biden"]
    faces = [face + rng.normal(0, 0.02, 128).astype(np.float32) for face in (child, adult) for _ in range(8)]
    known = recogniser(*people(10, 2), *[(OBAMA, face) for face in faces])
    for face in (child, adult):
        suggestion = known.suggest(face + rng.normal(0, 0.02, 128))
        assert suggestion.person == OBAMA
        assert suggestion.confidence > 0.9


def test_someone_with_hundreds_of_faces_is_known_as_surely_as_with_five(encodings: Encodings) -> None:
    rng = np.random.default_rng(0)
    faces = [encodings["obama"] + rng.normal(0, 0.02, 128).astype(np.float32) for _ in range(300)]
    few, many = (recogniser(*people(10, 2), *[(OBAMA, face) for face in faces[:count]]) for count in (5, 300))
    assert many.suggest(encodings["obama2"]).familiar > 0.9 * few.suggest(encodings["obama2"]).familiar > 0.8


def test_two_people_with_the_same_face_share_the_chances(encodings: Encodings) -> None:
    face = encodings["obama"]
    suggestion = recogniser((OBAMA, face), (BIDEN, face)).suggest(encodings["obama2"])
    assert [candidate.chance for candidate in suggestion.candidates] == pytest.approx([0.5, 0.5], abs=1e-4)
    assert suggestion.person is None
    assert_sound(suggestion)


def test_among_thousands_of_people_each_is_named_and_strangers_are_not() -> None:
    """Faces 0.3 from their own middle, people 0.8 apart, as real ones are."""
    rng = np.random.default_rng(5)
    middles = rng.normal(0, 0.05, (5000, 128)).astype(np.float32)
    gallery = Gallery()
    labelled = middles[np.repeat(np.arange(5000), 2)] + rng.normal(0, 0.02, (10_000, 128)).astype(np.float32)
    gallery.apply([Change(row, row // 2 + 1, face) for row, face in enumerate(labelled)], 1)
    known = Recogniser(gallery)
    asked = middles[:300] + rng.normal(0, 0.02, (300, 128))
    found = known.suggest_many(asked)
    assert [suggestion.person for suggestion in found] == list(range(1, 301))
    strangers = known.suggest_many(rng.normal(0, 0.05, (300, 128)))
    assert [suggestion.person for suggestion in strangers] == [None] * 300
    for suggestion in (*found, *strangers):
        assert_sound(suggestion)


# ---- Together


def test_together_each_face_is_who_scikit_learn_says(encodings: Encodings) -> None:
    labelled = people(5, 3)
    codes = np.array([person - 1 for person, _ in labelled])
    queries = np.array([face for _, face in people(5, 2, seed=0)])[1::2] * 0.9 + 0.01
    known = recogniser(*labelled)
    projection = PCA(0.99).fit(np.array([face for _, face in labelled], np.float64))
    everything = projection.transform(np.concatenate([np.array([face for _, face in labelled]), queries]))
    theirs = LabelPropagation(kernel="rbf", gamma=40, max_iter=200_000, tol=1e-12)
    theirs.fit(everything, np.concatenate([codes, np.full(len(queries), -1)]))
    for suggestion, expected in zip(known.suggest_together(queries), theirs.label_distributions_[15:], strict=True):
        found = {candidate.person - 1: candidate.chance for candidate in suggestion.candidates}
        assert [found[code] for code in range(5)] == pytest.approx(expected.tolist(), abs=1e-5)
        assert_sound(suggestion)


def test_a_clear_face_speaks_for_one_that_is_hard_to_tell() -> None:
    """Half-way between two people, but as good as the same picture as a face that is clearly one of them."""
    one, other = np.zeros(128), np.zeros(128)
    one[0], other[0] = -0.35, 0.35
    between, clear = np.zeros(128), one.copy()
    between[1] = clear[1] = 0.2
    clear[0] = -0.2
    known = recogniser((OBAMA, one.astype(np.float32)), (BIDEN, other.astype(np.float32)))
    alone = known.suggest(between).candidates
    assert [candidate.chance for candidate in alone] == pytest.approx([0.5, 0.5], abs=1e-3)
    together = known.suggest_together(np.array([between, clear]))[0].candidates
    assert together[0].person == OBAMA
    assert together[0].chance > 0.9


def test_together_one_face_is_what_it_is_alone(encodings: Encodings) -> None:
    known = recogniser(*people(10, 2), (OBAMA, encodings["obama"]))
    (together,) = known.suggest_together(encodings["obama2"][np.newaxis])
    alone = known.suggest(encodings["obama2"])
    assert together.person == alone.person == OBAMA
    assert together.confidence == pytest.approx(alone.confidence, abs=1e-6)
    assert recogniser().suggest_together(np.zeros((1, 128))) == [Suggestion(None, 0.0, (), ())]


# ---- As it was before


def test_the_original_method_is_plain_label_propagation(encodings: Encodings) -> None:
    labelled = people(6, 4)
    gallery = Gallery()
    gallery.apply([Change(row, *face) for row, face in enumerate(labelled)], 1)
    known = Recogniser(gallery, ORIGINAL)
    known.calibration = Calibration(-3.0, 0.5, 60)
    faces = np.array([face for _, face in labelled], np.float64)
    projection = PCA(0.90).fit(faces)
    theirs = LabelPropagation(kernel="rbf", gamma=20).fit(
        projection.transform(faces), [person for person, _ in labelled]
    )
    queries = np.array([face for _, face in people(6, 1, seed=3)])
    expected = theirs.predict_proba(projection.transform(queries))
    for suggestion, chances in zip(known.suggest_many(queries), expected, strict=True):
        assert suggestion.candidates[0].person == int(chances.argmax()) + 1
        assert suggestion.confidence == pytest.approx(float(chances.max()), abs=1e-5)


def test_the_original_method_gives_a_stranger_the_only_name(encodings: Encodings) -> None:
    gallery = Gallery()
    gallery.apply([Change(1, OBAMA, encodings["obama"])], 1)
    suggestion = Recogniser(gallery, ORIGINAL).suggest(encodings["biden"])
    assert (suggestion.person, suggestion.confidence) == (OBAMA, 1.0)


# ---- Calibration


def test_a_calibration_changes_the_confidence_and_not_who_it_is(encodings: Encodings) -> None:
    known = recogniser((OBAMA, encodings["obama"]), (BIDEN, encodings["biden"]))
    before = known.suggest(encodings["obama3"])
    known.calibration = Calibration(-30.0, 1.0, 50)
    after = known.suggest(encodings["obama3"])
    assert after.candidates[0].person == before.candidates[0].person == OBAMA
    assert after.familiar == before.familiar
    assert after.confidence < 0.1 < before.confidence
    assert after.person is None
    assert_sound(after)


def test_suggestions_are_recalibrated_without_another_look() -> None:
    rng = np.random.default_rng(5)
    middles = rng.normal(0, 0.05, (6, 128))
    faces = (middles[np.arange(30) % 6] + rng.normal(0, 0.025, (30, 128))).astype(np.float32)
    gallery = Gallery()
    gallery.apply([Change(row, row % 6, face) for row, face in enumerate(faces)], revision=1)
    asked = (middles[[0, 3, 5]] + rng.normal(0, 0.03, (3, 128))).astype(np.float32)
    recogniser = Recogniser(gallery)
    before = recogniser.suggest_many(asked)
    recogniser.calibration = Calibration(offset=-1.5, slope=0.8, answers=60)
    again = recogniser.recalibrated(before)
    assert again == recogniser.suggest_many(asked)
    assert again != before
    assert Recogniser(Gallery()).recalibrated(Recogniser(Gallery()).suggest_many(asked)) == [
        Suggestion(None, 0.0, (), ()) for _ in asked
    ]
