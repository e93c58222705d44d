"""Who is known and who asks, the same each time; and what the systems say to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.semi_supervised import LabelPropagation

from app.recognition import evaluation
from app.recognition.evaluation import DRAWS, ENOUGH_STRANGERS, SHOTS, Faces, draw_galleries, evaluate
from app.recognition.gallery import Change, Gallery
from app.recognition.openset import Recogniser
from app.recognition.propagation import Floats, Projection
from app.recognition.systems import LinearSVM, Namesake, NearestNeighbours, Original, Prediction, System


def drawn(photos: Sequence[int], seed: int = 0, apart: float = 0.05) -> tuple[Floats, list[str]]:
    """Made-up people, about as far apart as real ones, with so many faces each."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, apart, (len(photos), 128))
    names = [f"person {number:03}" for number, count in enumerate(photos) for _ in range(count)]
    encodings = np.repeat(middles, photos, axis=0) + rng.normal(0, 0.02, (len(names), 128))
    return encodings.astype(np.float32).astype(np.float64), names


def faces(*photos: int, strangers: int = 0) -> Faces:
    encodings, names = drawn([*photos, *[1] * strangers])
    return Faces.of(encodings, names)


def systems() -> list[System]:
    return [Namesake(), Original(), NearestNeighbours(), LinearSVM()]


class Oracle:
    """Knows who everyone is by the encoding itself, and how many it was asked."""

    name = "oracle"

    def __init__(self) -> None:
        self.galleries: list[tuple[Floats, list[int]]] = []

    def fit(self, encodings: Floats, codes: evaluation.Rows) -> None:
        self.galleries.append((encodings, codes.tolist()))

    def predict(self, queries: Floats) -> Prediction:
        encodings, codes = self.galleries[-1]
        distances = np.linalg.norm(queries[:, np.newaxis] - encodings, axis=2)
        return Prediction(np.array(codes)[distances.argmin(axis=1)], -distances.min(axis=1), is_probability=False)


class TestFaces:
    def test_whoever_has_one_face_is_a_stranger(self) -> None:
        encodings, names = drawn([2, 1, 3])
        assert Faces.of(encodings, names).strange.tolist() == [False, False, True, False, False, False]

    def test_strangers_are_nobody_else_even_under_the_same_name(self) -> None:
        encodings, _ = drawn([4])
        found = Faces.of(encodings, ["ana"] * 4, [False, False, True, True])
        assert found.strange.tolist() == [False, False, True, True]
        assert len(set(found.people.tolist())) == 2

    def test_the_same_face_of_the_same_person_counts_once(self) -> None:
        encodings, names = drawn([2, 2])
        found = Faces.of(np.vstack([encodings, encodings[:1], encodings[:1]]), [*names, names[0], names[3]])
        assert len(found.encodings) == 5
        assert Counter(found.people.tolist()) == {0: 2, 1: 3}

    def test_a_person_whose_photos_are_all_one_is_a_stranger(self) -> None:
        encodings, names = drawn([1, 2])
        found = Faces.of(np.vstack([encodings, encodings[:1]]), [*names, names[0]])
        assert found.strange.tolist() == [True, False, False]

    def test_may_be_none(self) -> None:
        assert draw_galleries(Faces.of(np.empty((0, 128)), []), 1) == []


class TestDraws:
    @pytest.mark.parametrize("shots", SHOTS)
    def test_everyone_who_can_gives_so_many_photos_and_is_asked_for_with_the_others(self, shots: int) -> None:
        given = faces(2, 4, 6, 8, strangers=ENOUGH_STRANGERS)
        able = {person for person, photos in enumerate((2, 4, 6, 8)) if photos > shots}
        draws = draw_galleries(given, shots)
        assert len(draws) == DRAWS
        for draw in draws:
            labelled = Counter(given.people[draw.labelled].tolist())
            assert labelled == dict.fromkeys(able, shots)
            asking = Counter(given.people[draw.asking].tolist())
            assert {person: asking[person] + labelled[person] for person in able} == {
                person: (2, 4, 6, 8)[person] for person in able
            }
            assert set(draw.labelled.tolist()).isdisjoint(draw.asking.tolist())
            assert set(asking) - able == set(range(4, 4 + ENOUGH_STRANGERS))

    def test_are_the_same_every_time_and_differ_from_one_another(self) -> None:
        given = faces(5, 5, 5, 5, strangers=ENOUGH_STRANGERS)
        once, again = ([draw.labelled.tolist() for draw in draw_galleries(given, 2)] for _ in range(2))
        assert once == again
        assert len({tuple(labelled) for labelled in once}) > DRAWS / 2

    def test_keep_a_third_out_where_there_are_few_strangers(self) -> None:
        given = faces(*[4] * 9, strangers=ENOUGH_STRANGERS - 1)
        kept_out = set()
        for draw in draw_galleries(given, 1):
            known = set(given.people[draw.labelled].tolist())
            assert (len(known), draw.withheld) == (6, 3)
            out = set(range(9)) - known
            kept_out |= out
            assert all(np.sum(given.people[draw.asking] == person) == 4 for person in out)
        assert kept_out == set(range(9))

    def test_have_no_strangers_where_that_would_leave_one_person(self) -> None:
        given = faces(3, 3)
        draws = draw_galleries(given, 1)
        assert {len(set(given.people[draw.labelled].tolist())) for draw in draws} == {2}
        assert {len(draw.asking) for draw in draws} == {4}

    @pytest.mark.parametrize("photos", [(), (9,), (9, 1, 1), (2, 2)])
    def test_are_none_for_less_than_two_people(self, photos: tuple[int, ...]) -> None:
        assert draw_galleries(faces(*photos), 2) == []

    def test_are_fewer_where_each_asks_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given = faces(5, 5, strangers=ENOUGH_STRANGERS)
        monkeypatch.setattr(evaluation, "_QUESTIONS", 3 * (8 + ENOUGH_STRANGERS))
        assert len(draw_galleries(given, 1)) == 3
        monkeypatch.setattr(evaluation, "_QUESTIONS", 1)
        assert len(draw_galleries(given, 1)) == 1


class TestEvaluate:
    def test_counts_who_was_there(self) -> None:
        rows = evaluate(faces(2, 4, 6, strangers=ENOUGH_STRANGERS), [Oracle()])
        assert [(row.labelled_photos, row.people, row.questions) for row in rows] == [
            (1, 3, DRAWS * 9),
            (2, 2, DRAWS * 6),
            (3, 2, DRAWS * 4),
        ]
        for row in rows:
            assert (row.draws, row.withheld) == (DRAWS, 0)
            assert (row.strangers, row.strange_questions) == (ENOUGH_STRANGERS, DRAWS * ENOUGH_STRANGERS)

    def test_without_strangers_measures_what_can_be(self) -> None:
        (row,) = evaluate(faces(2, 2), [Oracle()])
        figures = row.figures["oracle"]
        assert (row.strangers, row.strange_questions, row.withheld) == (0, 0, 0)
        assert figures["rank_1"]
        assert figures["rank_1"].value == 1.0
        assert [figures[name] for name in ("dir_at_fpir_1", "dir_at_fpir_10", "ece")] == [None] * 3

    def test_has_no_row_for_one_person(self) -> None:
        assert evaluate(faces(9, strangers=ENOUGH_STRANGERS), systems()) == []

    def test_every_system_answers_the_same_draws(self) -> None:
        one, other = Oracle(), Oracle()
        other.name = "other"
        evaluate(faces(3, 3, 3, strangers=ENOUGH_STRANGERS), [one, other], shots=[2])
        assert len(one.galleries) == DRAWS
        for mine, others in zip(one.galleries, other.galleries, strict=True):
            assert np.array_equal(mine[0], others[0])
            assert mine[1] == others[1] == [0, 0, 1, 1, 2, 2]

    def test_gives_the_same_figures_every_time(self) -> None:
        given = faces(*[4] * 8, strangers=ENOUGH_STRANGERS)
        assert evaluate(given, systems(), shots=[2]) == evaluate(given, systems(), shots=[2])

    def test_tells_how_far_it_is(self) -> None:
        told: list[tuple[int, int]] = []
        evaluate(faces(3, 3), [Oracle(), Oracle()], watch=lambda *progress: told.append(progress))
        total = 2 * 2 * DRAWS
        assert told == [(done, total) for done in range(1, total + 1)]


class TestSystems:
    @pytest.mark.parametrize("shots", SHOTS)
    def test_know_people_who_are_easily_told_apart(self, shots: int) -> None:
        (row,) = evaluate(faces(*[8] * 12, strangers=40), systems(), shots=[shots])
        assert set(row.figures) == {"Namesake", "original", "k-NN", "linear SVM"}
        for name, figures in row.figures.items():
            assert figures["rank_1"], name
            assert figures["rank_1"].value == 1.0, name
            assert figures["dir_at_fpir_10"], name
        for name in ("Namesake", "k-NN"):
            found = row.figures[name]["dir_at_fpir_1"]
            assert found
            assert found.value == 1.0
        has_ece = {name for name, figures in row.figures.items() if figures["ece"]}
        assert has_ece == {"Namesake", "original"} | ({"linear SVM"} if shots > 1 else set())

    @pytest.mark.parametrize("shots", [1, 2])
    def test_know_two_people(self, shots: int) -> None:
        (row,) = evaluate(faces(6, 6, strangers=ENOUGH_STRANGERS), systems(), shots=[shots])
        assert {figures["rank_1"].value for figures in row.figures.values() if figures["rank_1"]} == {1.0}

    @pytest.mark.parametrize("system", systems(), ids=lambda system: system.name)
    @pytest.mark.parametrize("photos", [1, 3])
    def test_guess_who_a_stranger_could_be_and_say_how_sure(self, system: System, photos: int) -> None:
        encodings, names = drawn([photos] * 15)
        codes = np.unique(names, return_inverse=True)[1]
        system.fit(encodings, codes)
        queries = np.vstack([encodings[:3], drawn([1] * 4, seed=9)[0]])
        predicted = system.predict(queries)
        assert predicted.best[:3].tolist() == codes[:3].tolist()
        assert predicted.best.shape == predicted.score.shape == (7,)
        assert np.all(np.isfinite(predicted.score))
        assert predicted.score[:3].min() > predicted.score[3:].max()
        if predicted.is_probability:
            assert np.all((predicted.score >= 0) & (predicted.score <= 1))

    def test_namesake_says_what_a_page_would(self) -> None:
        encodings, names = drawn([3] * 10, apart=0.03)
        codes = np.unique(names, return_inverse=True)[1]
        queries = drawn([2] * 10, seed=0, apart=0.03)[0] + 0.03
        gallery = Gallery()
        rows = enumerate(zip(codes.tolist(), encodings.astype(np.float32), strict=True))
        gallery.apply([Change(row, code, encoding) for row, (code, encoding) in rows], 1)
        suggestions = Recogniser(gallery).suggest_many(queries)
        ours = Namesake()
        ours.fit(encodings, codes)
        predicted = ours.predict(queries)
        assert predicted.score.tolist() == [suggestion.confidence for suggestion in suggestions]
        assert predicted.best.tolist() == [suggestion.candidates[0].person for suggestion in suggestions]

    def test_the_original_is_label_propagation_over_pca(self) -> None:
        """As scikit-learn has it, of one face at a time."""
        encodings, names = drawn([3] * 6, apart=0.03)
        codes = np.unique(names, return_inverse=True)[1]
        queries = drawn([1] * 6, seed=3, apart=0.03)[0]
        original = Original()
        original.fit(encodings, codes)
        predicted = original.predict(queries)
        projection = Projection.fit(encodings, 0.90)
        for query, best, score in zip(queries, predicted.best, predicted.score, strict=True):
            rows = projection.transform(np.vstack([encodings, query]))
            theirs = LabelPropagation(gamma=20, tol=1e-12, max_iter=10_000).fit(rows, [*codes, -1])
            assert theirs.label_distributions_[-1].argmax() == best
            assert theirs.label_distributions_[-1].max() == pytest.approx(score, abs=1e-6)

    def test_nearest_neighbours_take_the_vote_of_as_many_as_the_square_root(self) -> None:
        """Nine faces, three neighbours: the nearest one is outvoted by two that are together nearer than they look."""
        line = np.zeros((9, 128))
        line[:, 0] = [1.0, -1.1, -1.2, 9, 9.1, 9.2, 9.3, 9.4, 9.5]
        neighbours = NearestNeighbours()
        neighbours.fit(line, np.array([0, 1, 1, 0, 0, 2, 2, 2, 1]))
        predicted = neighbours.predict(np.zeros((1, 128)))
        assert predicted.best.tolist() == [1]
        assert predicted.score.tolist() == [-1.0]
        assert not predicted.is_probability
