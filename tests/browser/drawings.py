"""Drawn people in drawn places, for pictures of the pages that may be published.

All lengths of a person are in hundredths of the face's box, whose top left corner is (0, 0): brows near the top
of it, chin near the bottom, as dlib sees a face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Box = Sequence[int]

_INK = "#2b2430"


@dataclass(frozen=True)
class Person:
    skin: str
    shade: str
    hair: str
    style: str
    top: str
    glasses: bool = False
    beard: bool = False
    earrings: str = ""


PEOPLE = {
    "Ana Sousa": Person("#e8b48c", "#d0936b", "#4a2c22", "long", "#c8553d", earrings="#f3e3c3"),
    "Tomás Lind": Person("#f3cdb0", "#dba787", "#b5622e", "short", "#2f5d73", beard=True),
    "Mei Tanaka": Person("#f2cfa9", "#d9a981", "#26222b", "bob", "#7a5c99"),
    "Amara Okafor": Person("#8a5638", "#6d4029", "#231b1d", "curls", "#d98a2b", earrings="#f0c25a"),
    "Yusuf Demir": Person("#cf9a6e", "#b27c52", "#2a2226", "short", "#3f7a5f", glasses=True),
    "Ingrid Holm": Person("#f4d3bd", "#dcae94", "#b6bdc9", "bun", "#4b6aa5", glasses=True),
    "Leïla Haddad": Person("#dba67c", "#bd855c", "#3d7f8c", "scarf", "#2b4a5c"),
}


def scene(size: tuple[int, int], people: Sequence[tuple[Person, Box]], place: str) -> str:
    """A photo, so to say: everyone with the face in their box. place: garden, kitchen or beach."""
    width, height = size
    figures = "".join(
        f'<g transform="translate({left} {top}) scale({(right - left) / 100})">{_figure(person, number)}</g>'
        for number, (person, (top, right, _bottom, left)) in enumerate(people)
    )
    return _svg(f"0 0 {width} {height}", width, height, _PLACES[place](width, height) + figures)


def portrait(person: Person, number: int) -> str:
    """The crop of a face; another number, another occasion."""
    back = ("#bcd8d4", "#d9cfe4", "#c9d8ea", "#e6d2c6", "#cfdcc0")[number % 5]
    turn = (-3, 0, 3, 5)[number % 4]
    body = f'<g transform="rotate({turn} 50 110)">{_figure(person, number)}</g>'
    return _svg("-37 -55 174 174", 192, 192, f'<rect x="-37" y="-55" width="174" height="174" fill="{back}"/>{body}')


def _svg(view: str, width: int, height: int, content: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{width}" height="{height}">{content}</svg>'


def _path(d: str, fill: str, more: str = "") -> str:
    return f'<path d="{d}" fill="{fill}" {more}/>'


def _line(d: str, colour: str, width: float) -> str:
    return _path(d, "none", f'stroke="{colour}" stroke-width="{width}" stroke-linecap="round" stroke-linejoin="round"')


def _dots(points: Sequence[tuple[float, float]], radius: float, fill: str, more: str = "") -> str:
    return "".join(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}" {more}/>' for x, y in points)


# ---- People


def _figure(person: Person, number: int) -> str:
    return (
        _behind(person)
        + _body(person)
        + _head(person)
        + _features(person, laughing=number % 2 == 0)
        + _in_front(person)
        + (_glasses() if person.glasses else "")
    )


def _body(person: Person) -> str:
    shoulders = (
        "M-66 420C-66 210-52 158 0 143C22 137 32 132 34 122L66 122C68 132 78 137 100 143C152 158 166 210 166 420Z"
    )
    neck = "M33 84L33 128C38 150 62 150 67 128L67 84Z"
    collar = "M30 127C34 156 66 156 70 127L76 133C72 168 28 168 24 133Z"
    return (
        _path(shoulders, person.top)
        + _path(
            "M-22 420C-20 300-18 250-24 206C-8 250-4 320-6 420Z M122 420"
            "C120 300 118 250 124 206C108 250 104 320 106 420Z",
            _INK,
            'opacity=".13"',
        )
        + _path(neck, person.skin)
        + _path("M33 96C40 112 60 112 67 96L67 118C58 126 42 126 33 118Z", person.shade)
        + _path(collar, _INK, 'opacity=".18"')
    )


def _head(person: Person) -> str:
    face = "M5 22C4-34 96-34 95 22C97 62 90 84 74 98C60 110 40 110 26 98C10 84 3 62 5 22Z"
    ears = ""
    if person.style != "scarf":
        ears = "".join(
            f'<ellipse cx="{x}" cy="44" rx="8" ry="12" fill="{person.skin}"/>'
            + f'<ellipse cx="{x}" cy="44" rx="4" ry="7" fill="{person.shade}" opacity=".7"/>'
            for x in (4, 96)
        )
    hoops = _dots([(3, 60), (97, 60)], 4, person.earrings) if person.earrings else ""
    side = "M95 22C97 62 90 84 74 98C66 105 58 107 50 107C76 96 84 62 82 10Z"
    return ears + hoops + _path(face, person.skin) + _path(side, person.shade, 'opacity=".28"')


def _features(person: Person, *, laughing: bool) -> str:
    brow = person.hair if person.style != "scarf" else "#3a2a26"
    brow = "#8d8f96" if brow == "#b6bdc9" else brow
    beard = ""
    if person.beard:
        beard = _path(
            "M5 40C4 80 18 116 50 117C82 116 96 80 95 40C91 58 86 66 76 66"
            "C66 58 58 60 50 62C42 60 34 58 24 66C14 66 9 58 5 40Z",
            person.hair,
        )
    lips = "#8c2f2f" if person.beard else "#b9564c"
    if laughing:
        mouth = _path("M32 75C40 78 60 78 68 75C66 93 34 93 32 75Z", "#7c2f33") + _path(
            "M34 76C42 79 58 79 66 76C65 83 35 83 34 76Z", "#fff"
        )
    else:
        mouth = _line("M34 78Q50 89 66 78", lips, 3.6)
    return (
        beard
        + _dots([(22, 62), (78, 62)], 9, "#e0604c", 'opacity=".2"' if not person.beard else 'opacity="0"')
        + _line("M21 27Q31 20 41 26 M59 26Q69 20 79 27", brow, 4)
        + "".join(f'<ellipse cx="{x}" cy="41" rx="7.6" ry="6" fill="#fff"/>' for x in (31, 69))
        + _dots([(31.5, 41), (69.5, 41)], 5, _INK)
        + _dots([(33.3, 39), (71.3, 39)], 1.5, "#fff")
        + _line("M51 44C50 54 45 60 46 64Q50 68 56 65", person.shade, 3)
        + mouth
    )


def _glasses() -> str:
    lens = 'fill="#fff" fill-opacity=".22" stroke="#2b2430" stroke-width="3"'
    return (
        f'<rect x="15" y="28" width="31" height="26" rx="10" {lens}/>'
        f'<rect x="54" y="28" width="31" height="26" rx="10" {lens}/>'
        + _line("M46 38Q50 34 54 38 M15 36L4 34 M85 36L96 34", _INK, 3)
    )


# ---- Hair: what is behind the head, and what falls in front of it


def _behind(person: Person) -> str:
    if person.style == "long":
        return _path(
            "M-10 40C-20-66 120-66 110 40C112 80 126 104 116 150C104 172 84 166 78 150"
            "L22 150C16 166-4 172-16 150C-26 104-12 80-10 40Z",
            person.hair,
        )
    if person.style == "bob":
        return _path(
            "M-9 34C-16-62 116-62 109 34C112 62 112 84 106 100C94 110 82 104 80 92"
            "L20 92C18 104 6 110-6 100C-12 84-12 62-9 34Z",
            person.hair,
        )
    if person.style == "bun":
        return _dots([(50, -46)], 23, person.hair) + _dots([(50, -46)], 23, _INK, 'opacity=".08"')
    if person.style == "curls":
        ring = [
            (-8, 34),
            (-14, 8),
            (-8, -18),
            (10, -38),
            (34, -50),
            (60, -52),
            (86, -42),
            (106, -20),
            (113, 6),
            (108, 34),
        ]
        return _dots(ring, 20, person.hair) + _path("M-14 26C-24-58 124-58 114 26Z", person.hair)
    if person.style == "scarf":
        return _path(
            "M-13 44C-20-62 120-62 113 44C116 84 110 118 124 160L-24 160C-10 118-16 84-13 44Z", person.hair
        ) + _path("M100 0C118 60 104 110 118 160L96 160C90 110 104 60 100 0Z", _INK, 'opacity=".12"')
    return ""


def _in_front(person: Person) -> str:
    shine = 'opacity=".14"'
    if person.style == "long":
        return _path(
            "M3 42C-4-12 26-44 58-34C52-12 24-2 3 42Z M97 42C104-8 82-40 52-34C58-10 82 0 97 42Z", person.hair
        ) + _path("M20-14C30-30 44-34 54-32C40-26 30-18 24-6Z", "#fff", shine)
    if person.style == "bob":
        return _path(
            "M2 40C-12-62 112-62 98 40C94 26 92 18 88 12C64 18 36 18 12 12C8 18 6 26 3 40Z", person.hair
        ) + _path("M22-12C36-24 62-24 76-14C62-16 38-16 24-4Z", "#fff", shine)
    if person.style == "bun":
        return _path("M2 38C-6-48 106-48 98 38C95 16 82-4 50-8C18-4 5 16 2 38Z", person.hair) + _path(
            "M50-8C30-6 14 4 6 24C10 2 24-18 50-20C76-18 90 2 94 24C86 4 70-6 50-8Z", _INK, 'opacity=".07"'
        )
    if person.style == "curls":
        return _dots([(10, 2), (26, -14), (46, -20), (66, -18), (84, -8), (94, 8)], 14, person.hair)
    if person.style == "scarf":
        return _path(
            "M-13 44C-20-62 120-62 113 44C116 96 98 140 50 158C2 140-16 96-13 44Z"
            "M8 38C8 74 24 104 50 107C76 104 92 74 92 38C92-18 8-18 8 38Z",
            person.hair,
            'fill-rule="evenodd"',
        ) + _line("M-2 90C16 124 40 134 62 132", "#2f6570", 2.5)
    return _path(
        "M2 38C-10-30 14-50 46-50C88-52 110-26 98 38C95 22 92 10 84 2C70 0 62-6 58-12C44 0 28 2 16 4C8 12 5 22 2 38Z",
        person.hair,
    ) + _path("M22-24C36-38 60-38 74-28C58-30 40-26 28-14Z", "#fff", shine)


# ---- Places


def _rect(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" fill="{fill}" {more}/>'


def _garden(w: int, h: int) -> str:
    bunting = "".join(
        _path(f"M{x * w:.0f} {y * h:.0f}l{w * 0.05:.0f} 0l{-w * 0.025:.0f} {h * 0.085:.0f}z", fill)
        for x, y, fill in [
            (0.03, 0.075, "#d9654f"),
            (0.12, 0.115, "#f2efe6"),
            (0.21, 0.14, "#3f7f8c"),
            (0.30, 0.153, "#8a6aa8"),
            (0.39, 0.162, "#d9654f"),
            (0.48, 0.165, "#f2efe6"),
            (0.57, 0.16, "#3f7f8c"),
            (0.66, 0.15, "#8a6aa8"),
            (0.75, 0.135, "#d9654f"),
            (0.84, 0.11, "#f2efe6"),
            (0.93, 0.07, "#3f7f8c"),
        ]
    )
    trees = "".join(
        _dots([(x * w, y * h)], r * h, fill)
        for x, y, r, fill in [
            (0.02, 0.48, 0.22, "#5f9c86"),
            (0.16, 0.55, 0.16, "#6aa88f"),
            (0.52, 0.53, 0.17, "#6aa88f"),
            (0.84, 0.53, 0.17, "#6aa88f"),
            (0.99, 0.46, 0.24, "#5f9c86"),
        ]
    )
    return (
        _rect(0, 0, w, h, "#cfe5ea")
        + _dots([(w * 0.78, h * 0.3)], h * 0.09, "#fbf3df")
        + _path(
            f"M0 {h * 0.5:.0f}Q{w * 0.25:.0f} {h * 0.34:.0f} {w * 0.5:.0f} {h * 0.48:.0f}T{w} {h * 0.42:.0f}V{h}H0Z",
            "#a5cfc0",
        )
        + trees
        + _path(f"M0 {h * 0.66:.0f}Q{w * 0.5:.0f} {h * 0.58:.0f} {w} {h * 0.66:.0f}V{h}H0Z", "#4d8a73")
        + _line(f"M0 {h * 0.06:.0f}Q{w * 0.5:.0f} {h * 0.27:.0f} {w} {h * 0.05:.0f}", "#46606a", max(w / 400, 2))
        + bunting
    )


def _kitchen(w: int, h: int) -> str:
    pane = w * 0.19
    window = _rect(w * 0.06, h * 0.08, 2 * pane, h * 0.46, "#f7f3ec", 'rx="8"') + "".join(
        _rect(w * 0.06 + 10 + x * pane, h * 0.08 + 10 + y * h * 0.23, pane - 16, h * 0.23 - 16, "#bfdde6")
        for x in (0, 1)
        for y in (0, 1)
    )
    shelf = _rect(w * 0.6, h * 0.36, w * 0.36, h * 0.022, "#8a6248") + "".join(
        _rect(w * x, h * (0.36 - tall), w * 0.045, h * tall, fill, 'rx="5"')
        for x, tall, fill in [
            (0.63, 0.13, "#c8553d"),
            (0.7, 0.18, "#f2efe6"),
            (0.77, 0.1, "#3f7f8c"),
            (0.88, 0.15, "#8a6aa8"),
        ]
    )
    return _rect(0, 0, w, h, "#e4cfc0") + window + shelf + _rect(0, h * 0.76, w, h * 0.24, "#b98f74")


def _beach(w: int, h: int) -> str:
    waves = "".join(
        _line(
            f"M{w * x:.0f} {h * y:.0f}q{w * 0.03:.0f} {-h * 0.015:.0f} {w * 0.06:.0f} 0t{w * 0.06:.0f} 0",
            "#d7eef0",
            max(w / 300, 2),
        )
        for x, y in [(0.08, 0.55), (0.75, 0.52), (0.4, 0.6), (0.84, 0.64), (0.02, 0.66)]
    )
    return (
        _rect(0, 0, w, h, "#dceaf2")
        + _dots([(w * 0.2, h * 0.2)], h * 0.08, "#fdf0d5")
        + _path(
            f"M{w * 0.55:.0f} {h * 0.45:.0f}Q{w * 0.75:.0f} {h * 0.3:.0f} {w} {h * 0.36:.0f}"
            f"V{h * 0.5:.0f}H{w * 0.5:.0f}Z",
            "#93b7ad",
        )
        + _rect(0, h * 0.45, w, h * 0.4, "#6fb1bd")
        + waves
        + _path(f"M0 {h * 0.76:.0f}Q{w * 0.5:.0f} {h * 0.7:.0f} {w} {h * 0.78:.0f}V{h}H0Z", "#ecd9b8")
    )


_PLACES = {"garden": _garden, "kitchen": _kitchen, "beach": _beach}
