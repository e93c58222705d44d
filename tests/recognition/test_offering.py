"""What is asked next: the most rewarding group first, strays together, and what was put off last."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.recognition.offering import KNOWN, MOST, NEW, PERHAPS, STRAYS, Offer, Waiting, offers
from app.recognition.openset import Candidate, Suggestion

ANA, BOB = 1, 2


def face(face_id: int, *likely: tuple[int, float], photo: int | None = None, **more: object) -> Waiting:
    candidates = tuple(Candidate(person, confidence, confidence) for person, confidence in likely)
    first = candidates[0] if candidates and candidates[0].confidence >= 0.5 else None
    suggestion = Suggestion(first and first.person, candidates[0].confidence if candidates else 0.0, candidates, ())
    return Waiting(face_id, face_id if photo is None else photo, suggestion, **more)  # type: ignore[arg-type]


def near(_face_ids: Sequence[int], _person: int) -> float:
    return 0.4


def far(_face_ids: Sequence[int], _person: int) -> float:
    return 0.7


def kinds(found: list[Offer]) -> list[tuple[str, int]]:
    return [(offer.kind, len(offer.face_ids)) for offer in found]


def test_nothing_waits() -> None:
    assert offers([], near) == []


def test_groups_that_look_like_one_known_person_are_one_offer_with_the_doubtful_first() -> None:
    (offer,) = offers([[face(1, (ANA, 0.9)), face(2, (ANA, 0.7))], [face(3, (ANA, 0.8))]], near)
    assert (offer.kind, offer.person, offer.face_ids) == (KNOWN, ANA, (2, 3, 1))
    assert offer.confidence == pytest.approx(0.8)


def test_the_larger_group_comes_first_whoever_it_is_of() -> None:
    found = offers([[face(1, (ANA, 0.9))], [face(n) for n in range(2, 6)]], near)
    assert kinds(found) == [(NEW, 4), (KNOWN, 1)]


def test_a_group_is_of_whom_it_is_as_a_whole() -> None:
    group = [face(1, (ANA, 0.6)), *(face(n, (ANA, 0.1)) for n in range(2, 6))]
    (offer,) = offers([group], near)
    assert (offer.kind, offer.person) == (NEW, None)


def test_a_large_group_is_a_known_person_only_if_it_is_as_near_as_that() -> None:
    group = [face(n, (ANA, 0.9)) for n in range(1, 5)]
    assert kinds(offers([group], near)) == [(KNOWN, 4)]
    assert kinds(offers([group], far)) == [(NEW, 4)]


def test_somebody_who_is_less_than_half_likely_is_asked_about_after_the_others() -> None:
    found = offers([[face(1, (ANA, 0.3))], [face(2, (ANA, 0.4))], [face(n) for n in range(3, 6)]], near)
    assert kinds(found) == [(NEW, 3), (PERHAPS, 2)]
    assert found[1].person == ANA


def test_nobody_is_in_a_photo_twice() -> None:
    found = offers([[face(1, (ANA, 0.9), photo=7)], [face(2, (ANA, 0.8), photo=7)]], near)
    assert found[0].face_ids == (1,)


def test_who_is_named_in_the_photo_already_is_not_suggested_for_another_face() -> None:
    (offer,) = offers([[face(1, (ANA, 0.9), (BOB, 0.6), taken=frozenset([ANA]))]], near)
    assert (offer.kind, offer.person) == (KNOWN, BOB)


def test_whom_a_human_has_ruled_out_for_one_face_is_not_suggested_for_its_group() -> None:
    no = face(1)
    no = Waiting(1, 1, no.suggestion.without(frozenset([ANA])))
    (offer,) = offers([[no, face(2, (ANA, 0.9)), face(3, (ANA, 0.9))]], near)
    assert (offer.kind, offer.person) == (NEW, None)


def test_passers_by_are_offered_together_to_be_ignored() -> None:
    groups = [[face(n, background=True)] for n in range(1, 40)] + [
        [face(n, background=True) for n in range(m, m + 4)] for m in (40, 50)
    ]
    assert kinds(offers(groups, near)) == [(STRAYS, 47)]


def test_a_person_in_the_background_of_many_photos_is_somebody() -> None:
    group = [face(n, background=True) for n in range(1, 6)]
    assert kinds(offers([group], near)) == [(NEW, 5)]


def test_few_people_who_are_seen_once_in_front_are_asked_about_one_by_one() -> None:
    assert kinds(offers([[face(n)] for n in range(1, 6)], near)) == [(NEW, 1)] * 5


def test_many_people_who_are_seen_once_are_offered_together() -> None:
    assert kinds(offers([[face(n)] for n in range(1, 151)], near)) == [(STRAYS, MOST), (STRAYS, 50)]


def test_whoever_is_unticked_among_strays_is_asked_about_alone_and_last() -> None:
    groups = [[face(n, skipped=n if n < 3 else None)] for n in range(1, 31)]
    found = offers(groups, near)
    assert kinds(found) == [(STRAYS, 28), (NEW, 1), (NEW, 1)]
    assert [offer.face_ids for offer in found[1:]] == [(1,), (2,)]


def test_what_was_put_off_comes_last_the_longest_ago_first() -> None:
    groups = [[face(n, skipped=9 - m) for n in range(10 * m, 10 * m + 3)] for m in (1, 2)]
    found = offers([*groups, [face(n) for n in range(3)]], near)
    assert [min(offer.face_ids) for offer in found] == [0, 20, 10]


def test_no_group_is_larger_than_can_be_looked_over() -> None:
    assert kinds(offers([[face(n) for n in range(250)]], near)) == [(NEW, MOST)]
    assert kinds(offers([[face(n, (ANA, 0.9)) for n in range(250)]], near)) == [(KNOWN, MOST)]
