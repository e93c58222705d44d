"""Faces between pixels of the upright photo and shares of the stored picture."""

from __future__ import annotations

import math

import pytest

from app.store.regions import Region, box_of, orientation_meant, overlap, pair, region_of, same_face, stored_size

WIDTH, HEIGHT = 640, 480
BOX = (48, 320, 144, 160)
"""upright: in the left half, near the top"""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_comes_back_from_its_region(orientation: int) -> None:
    region = region_of("Ana", BOX, WIDTH, HEIGHT, orientation)
    assert box_of(region, WIDTH, HEIGHT, orientation) == BOX


@pytest.mark.parametrize(
    ("orientation", "where"),
    [
        (1, (0.375, 0.2, 0.25, 0.2)),
        (2, (0.625, 0.2, 0.25, 0.2)),
        (3, (0.625, 0.8, 0.25, 0.2)),
        (4, (0.375, 0.8, 0.25, 0.2)),
        (5, (0.2, 0.375, 0.2, 0.25)),
        (6, (0.2, 0.625, 0.2, 0.25)),
        (7, (0.8, 0.625, 0.2, 0.25)),
        (8, (0.8, 0.375, 0.2, 0.25)),
    ],
)
def test_a_region_lies_in_the_stored_picture(orientation: int, where: tuple[float, ...]) -> None:
    region = region_of("Ana", BOX, WIDTH, HEIGHT, orientation)
    assert (region.x, region.y, region.w, region.h) == pytest.approx(where)


def test_the_stored_picture_lies_on_its_side() -> None:
    assert stored_size(WIDTH, HEIGHT, 6) == (HEIGHT, WIDTH)
    assert stored_size(WIDTH, HEIGHT, 3) == (WIDTH, HEIGHT)


def test_what_lies_outside_is_cut_off() -> None:
    assert box_of(Region("Ana", 0, 0, 0.5, 0.5), 100, 100) == (0, 25, 25, 0)


@pytest.mark.parametrize(
    "region",
    [
        Region("Ana", 1.9, 0.5, 0.1, 0.1),
        Region("Ana", 0.5, 0.5, 0.001, 0.001),
        Region("Ana", math.nan, 0.5, 0.1, 0.1),
        Region("Ana", 1e300, 0.5, 0.1, 0.1),
        Region("Ana", math.inf, 0.5, 0.1, 0.1),
    ],
)
def test_nothing_is_left_of_what_lies_nowhere(region: Region) -> None:
    assert box_of(region, 100, 100) is None


@pytest.mark.parametrize(
    ("applied", "orientation", "meant"),
    [
        ((HEIGHT, WIDTH), 6, 6),  # drawn on the stored picture, as it should be
        ((WIDTH, HEIGHT), 6, 1),  # drawn on the upright one
        ((HEIGHT // 2, WIDTH // 2), 8, 8),  # on a smaller copy
        ((WIDTH, HEIGHT), 3, 3),  # cannot be told
        (None, 6, 6),
        ((500, 500), 6, 6),
        ((WIDTH, HEIGHT), 1, 1),
    ],
)
def test_the_size_drawn_on_tells_how_it_lay(applied: tuple[int, int] | None, orientation: int, meant: int) -> None:
    assert orientation_meant(applied, WIDTH, HEIGHT, orientation) == meant


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ((0, 100, 100, 0), True),
        ((-30, 130, 130, -30), True),  # as generously as Lightroom draws
        ((20, 80, 80, 20), True),  # as tightly as some do
        ((0, 160, 100, 60), False),
        ((-200, 300, 300, -200), False),  # a group
        ((200, 300, 300, 200), False),
        ((0, 0, 0, 0), False),
    ],
)
def test_boxes_of_one_face_need_not_be_alike(other: tuple[int, int, int, int], same: bool) -> None:
    assert same_face((0, 100, 100, 0), other) is same
    assert same_face(other, (0, 100, 100, 0)) is same


def test_overlap_is_of_what_both_cover() -> None:
    assert overlap((0, 10, 10, 0), (0, 15, 10, 5)) == pytest.approx(1 / 3)
    assert overlap((0, 10, 10, 0), (0, 30, 10, 20)) == 0


def test_each_box_finds_the_one_that_it_overlaps_most() -> None:
    present = [(0, 100, 100, 0), (10, 110, 110, 10), (0, 500, 100, 400)]
    assert pair([(12, 110, 110, 10), (0, 100, 100, 0), (300, 400, 400, 300)], present) == [1, 0, None]
    assert pair([(0, 100, 100, 0), (0, 90, 90, 0)], present[:1]) == [0, None]
    assert pair([], present) == []
