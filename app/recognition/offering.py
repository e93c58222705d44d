"""What to ask a human next: groups of waiting faces, each to be answered at once, the most rewarding first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from app.recognition.openset import CERTAIN_ENOUGH, Suggestion

KNOWN, PERHAPS, NEW, STRAYS = "known", "perhaps", "new", "strays"

MOST = 100
"""faces in one group: more cannot be looked over"""

# A small group that is someone known with this chance is asked about on its own. The chance that it is not costs one
# answer; left among the strays it would cost two, to take it out and to name it.
_PERHAPS = 0.2
# Average linkage has kept a large group apart from a known person's faces for a reason: only this near is it the same.
_AS_NEAR = 0.54
_SMALL = 2
# As many faces in the background must look alike before they are more than passers-by.
_REGULAR = 5
# Up to here everyone who stands in front of a photo and is seen once or twice is asked about; beyond, most are
# strangers.
_FEW = 10


@dataclass(frozen=True)
class Waiting:
    """A face to decide about. suggestion: without whom it is said not to be. taken: who else is in its photo, and so
    cannot be this face. skipped: when a human last put it off (any number that grows), None for never."""

    face_id: int
    photo_id: int
    suggestion: Suggestion
    background: bool = False
    taken: frozenset[int] = field(default_factory=frozenset)
    skipped: int | None = None


@dataclass(frozen=True)
class Offer:
    """Faces to be answered at once.

    kind: of one known person (KNOWN), possibly of one (PERHAPS), of someone new (NEW), or faces of different people
    that are seen once or twice, most likely of nobody who is to be named (STRAYS). person, confidence: the known
    person and how likely it is them, on average; else None, and that of the likeliest.
    face_ids: the doubtful ones first.
    """

    kind: str
    person: int | None
    confidence: float
    face_ids: tuple[int, ...]


def offers(groups: Iterable[Sequence[Waiting]], distance: Callable[[Sequence[int], int], float]) -> list[Offer]:
    """Everything to ask, in the order to ask it: large groups first, then doubtful ones, then strays; what was put off
    comes last.

    distance: of faces, by id, to a known person, on average over all pairs.
    """
    known: dict[int, list[_Part]] = {}
    perhaps: dict[int, list[_Part]] = {}
    new: list[Sequence[Waiting]] = []
    small: list[Sequence[Waiting]] = []
    for group in groups:
        person, confidence = _likeliest(group, distance)
        if person is not None and confidence >= CERTAIN_ENOUGH:
            known.setdefault(person, []).append(_Part(confidence, group))
        elif len(group) > _SMALL and not _passing(group):
            new.append(group)
        elif person is not None and confidence >= _PERHAPS and not all(face.background for face in group):
            perhaps.setdefault(person, []).append(_Part(confidence, group))
        else:
            small.append(group)
    found = [_offer(KNOWN, person, parts) for person, parts in known.items()] + [_new(group) for group in new]
    found.sort(key=lambda ranked: -len(ranked.offer.face_ids))
    later = [_offer(PERHAPS, person, parts) for person, parts in perhaps.items()]
    later.sort(key=lambda ranked: -len(ranked.offer.face_ids))
    everything = found + later + _small(small)
    everything.sort(key=lambda ranked: ranked.skipped)  # stable: 0 for what was not put off
    return [ranked.offer for ranked in everything]


def likely_people(suggestions: Sequence[Suggestion]) -> list[tuple[int, float]]:
    """Who all of these may be, and how likely on average, the likeliest first."""
    sums: dict[int, float] = {}
    for suggestion in suggestions:
        for candidate in suggestion.candidates:
            sums[candidate.person] = sums.get(candidate.person, 0.0) + candidate.confidence
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return [(person, total / len(suggestions)) for person, total in ranked]


@dataclass(frozen=True)
class _Part:
    confidence: float
    group: Sequence[Waiting]


@dataclass(frozen=True)
class _Ranked:
    offer: Offer
    skipped: int


def _likeliest(group: Sequence[Waiting], distance: Callable[[Sequence[int], int], float]) -> tuple[int | None, float]:
    """Who the group as a whole is, and how likely on average. Nobody whom one of its faces cannot be."""
    impossible = {person for face in group for person in face.taken}
    for person, confidence in likely_people([face.suggestion for face in group]):
        if confidence < _PERHAPS:
            break
        if person in impossible or any(person in face.suggestion.ruled_out for face in group):
            continue
        if len(group) > _SMALL and distance([face.face_id for face in group], person) > _AS_NEAR:
            continue
        return person, confidence
    return None, 0.0


def _passing(group: Sequence[Waiting]) -> bool:
    """Whether these are people in the background who came by a few times."""
    return len(group) < _REGULAR and all(face.background for face in group)


def _offer(kind: str, person: int, parts: list[_Part]) -> _Ranked:
    """The groups that look like one known person, as one: but nobody is in a photo twice."""
    parts.sort(key=lambda part: -part.confidence)
    photos: set[int] = set()
    chosen: list[Waiting] = []
    for part in parts:
        if photos.isdisjoint(face.photo_id for face in part.group) and len(chosen) < MOST:
            photos |= {face.photo_id for face in part.group}
            chosen += part.group
    sure = {face.face_id: _confidence(face, person) for face in chosen}
    ordered = sorted(chosen[:MOST], key=lambda face: (sure[face.face_id], face.face_id))
    confidence = sum(sure[face.face_id] for face in ordered) / len(ordered)
    return _ranked(Offer(kind, person, confidence, tuple(face.face_id for face in ordered)), ordered)


def _new(group: Sequence[Waiting]) -> _Ranked:
    chosen = group[:MOST]
    confidence = max((_best(face) for face in chosen), default=0.0)
    return _ranked(Offer(NEW, None, confidence, tuple(face.face_id for face in chosen)), chosen)


def _small(groups: list[Sequence[Waiting]]) -> list[_Ranked]:
    """Whoever was put off before is asked about alone; so are people in front of a photo, where they are few."""
    alone: list[Sequence[Waiting]] = []
    front: list[Sequence[Waiting]] = []
    behind: list[Sequence[Waiting]] = []
    for group in groups:
        if any(face.skipped is not None for face in group):
            alone.append(group)
        elif all(face.background for face in group):
            behind.append(group)
        else:
            front.append(group)
    rest = behind if len(front) <= _FEW else front + behind
    alone += front if len(front) <= _FEW else []
    if len(rest) == 1:
        alone, rest = alone + rest, []
    ranked = sorted((_new(group) for group in alone), key=lambda each: -len(each.offer.face_ids))
    strays = [face for group in rest for face in group]
    for start in range(0, len(strays), MOST):
        some = strays[start : start + MOST]
        ranked.append(_ranked(Offer(STRAYS, None, 0.0, tuple(face.face_id for face in some)), some))
    return ranked


def _ranked(offer: Offer, faces: Sequence[Waiting]) -> _Ranked:
    skipped = [face.skipped for face in faces]
    return _Ranked(offer, 0 if None in skipped else max(number or 0 for number in skipped))


def _confidence(face: Waiting, person: int) -> float:
    return next((c.confidence for c in face.suggestion.candidates if c.person == person), 0.0)


def _best(face: Waiting) -> float:
    return face.suggestion.candidates[0].confidence if face.suggestion.candidates else 0.0
