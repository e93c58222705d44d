"""The canvas that the detector looks at, and how pictures are enlarged and reduced for it: as dlib does."""

from __future__ import annotations

import itertools

import cv2
import dlib
import numpy as np
import pytest

from app.recognition import pyramid
from app.recognition.dlib_weights import Tiling
from app.recognition.images import Pixels
from app.recognition.pyramid import Layout, Level, boxes, draw, lay_out, nearest, thin_out
from app.recognition.sampling import resample, stretch

TILING = Tiling(window=80, overlap=0.3382761, gap=10, border=11)
SIZES = [(250, 250), (502, 501), (1137, 910), (700, 1600), (1600, 700), (2000, 33), (33, 2000), (32, 32), (81, 80)]
REDUCE = dlib.pyramid_down(6)
"""What dlib itself does from one level to the next."""

Places = dict[str, tuple[int, int, int, int]]


def drawn(height: int, width: int, kind: str = "noise") -> Pixels:
    noise = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    return noise if kind == "noise" else np.ascontiguousarray(cv2.GaussianBlur(noise, (0, 0), 6))


# ---- Where the levels lie


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_each_level_has_the_size_to_which_dlib_reduces_the_one_before(height: int, width: int) -> None:
    layout = lay_out(height, width, TILING)
    assert (layout.levels[0].height, layout.levels[0].width) == (height, width)
    for larger, smaller in itertools.pairwise(layout.levels):
        assert (smaller.height, smaller.width) == (5 * larger.height // 6, 5 * larger.width // 6)
        assert REDUCE(np.zeros((larger.height, larger.width, 3), np.uint8)).shape[:2] == (smaller.height, smaller.width)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_levels_lie_on_the_canvas_apart_from_each_other(height: int, width: int) -> None:
    layout = lay_out(height, width, TILING)
    covered = np.zeros((layout.height, layout.width), np.uint8)
    for level in layout.levels:
        assert level.top >= TILING.border
        assert level.left >= TILING.border
        assert level.bottom <= layout.height - TILING.border
        assert level.right <= layout.width - TILING.border
        covered[level.top : level.bottom, level.left : level.right] += 1
    assert covered.max() == 1
    assert (layout.levels[0].top, layout.levels[0].left) == (TILING.border, TILING.border)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_levels_follow_each_other_down_the_left_edge_and_up_the_right_edge(height: int, width: int) -> None:
    layout = lay_out(height, width, TILING)
    turned = [level.right == layout.width - TILING.border and level.left > TILING.border for level in layout.levels]
    assert turned == sorted(turned)
    for (one, next_one), (_, up) in zip(itertools.pairwise(layout.levels), itertools.pairwise(turned), strict=True):
        if not up:
            assert (next_one.left, next_one.top) == (TILING.border, one.bottom + TILING.gap)
        elif one.left > TILING.border:
            assert next_one.bottom == one.top - TILING.gap
        else:
            assert next_one.bottom == one.bottom == layout.height - TILING.border


def test_levels_get_as_small_as_dlib_has_them() -> None:
    assert [level.height for level in lay_out(250, 250, TILING).levels][-1] == 5
    # dlib asks for five rows, and only for one column.
    assert [level.width for level in lay_out(2000, 33, TILING).levels][-1] == 1
    assert [level.height for level in lay_out(33, 2000, TILING).levels][-1] == 5


def test_a_layout_worked_out_by_hand() -> None:
    # Heights 100, 83, 69, 57, 47, 39, ... Of these the sixth, 35 wide, is the first to fit beside the one before it,
    # 42 wide: 42 + 10 + 35 <= 90. The first five and four gaps are 396 high.
    layout = lay_out(100, 90, TILING)
    assert (layout.height, layout.width) == (396 + 22, 90 + 22)
    assert layout.levels[:7] == (
        Level(11, 11, 100, 90),
        Level(121, 11, 83, 75),
        Level(214, 11, 69, 62),
        Level(293, 11, 57, 51),
        Level(360, 11, 47, 42),
        Level(407 - 39, 101 - 35, 39, 35),
        Level(368 - 10 - 32, 101 - 29, 32, 29),
    )
    assert len(layout.levels) == 15


def test_a_level_that_would_touch_the_photo_is_left_out() -> None:
    # The last of 17 would be 5 rows high and end at row 137, and so begin above 133, where the photo ends.
    layout = lay_out(122, 90, TILING)
    assert [level.height for level in layout.levels] == [122, 101, 84, 70, 58, 48, 40, 33, 27, 22, 18, 15, 12, 10, 8, 6]
    assert layout.levels[-1].top == 147


# ---- What is drawn there


@pytest.mark.parametrize(("height", "width"), [(97, 250), (120, 90)])
@pytest.mark.parametrize("kind", ["noise", "smooth"])
def test_the_canvas_shows_the_photo_and_its_reductions_on_the_mean(height: int, width: int, kind: str) -> None:
    photo = drawn(height, width, kind)
    layout = lay_out(height, width, TILING)
    canvas = draw(photo, layout, (122.782, 117.001, 104.298)) / pyramid.UNITS
    first = layout.levels[0]
    assert np.array_equal(canvas[first.top : first.bottom, first.left : first.right], photo)
    reduced = photo
    for depth, level in enumerate(layout.levels):
        shown = canvas[level.top : level.bottom, level.left : level.right]
        # dlib throws away what is below a whole level of brightness, each time.
        assert np.abs(shown - reduced).max() <= 1.1 * depth
        reduced = REDUCE(reduced)
        canvas[level.top : level.bottom, level.left : level.right] = np.nan
    between = canvas[~np.isnan(canvas).any(axis=2)]
    assert np.abs(between - (122.782, 117.001, 104.298)).max() <= 0.5 / pyramid.UNITS


def test_nothing_is_rounded_to_whole_levels_of_brightness_on_the_way_down() -> None:
    photo = drawn(120, 90, "smooth")
    layout = lay_out(120, 90, TILING)
    canvas = draw(photo, layout, (0.0, 0.0, 0.0)) / pyramid.UNITS
    exact = photo.astype(np.float32)
    for level in layout.levels:
        shown = canvas[level.top : level.bottom, level.left : level.right]
        assert np.abs(shown - exact).max() < 0.1
        larger, exact = exact, np.empty((5 * level.height // 6, 5 * level.width // 6, 3), np.float32)
        if exact.size:
            stretch(larger, into=exact)


def test_a_photo_of_one_colour_keeps_it_at_every_size() -> None:
    layout = lay_out(90, 130, TILING)
    canvas = draw(np.full((90, 130, 3), (0, 100, 255), np.uint8), layout, (1.0, 2.0, 3.0))
    for level in layout.levels:
        place = canvas[level.top : level.bottom, level.left : level.right]
        assert np.array_equal(place, np.full_like(place, np.multiply((0, 100, 255), pyramid.UNITS)))


# ---- From cells of the score map back to the photo


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_cell_stands_for_the_window_around_it_at_the_size_it_is_seen(height: int, width: int) -> None:
    layout = lay_out(height, width, TILING)
    rows, columns = np.indices(((layout.height - 28) // 8, (layout.width - 28) // 8)).reshape(2, -1)
    # One in seven is enough.
    rows, columns = rows[::7], columns[::7]
    found = boxes(rows, columns, layout, TILING.window)
    levels = set()
    for box, row, column in zip(found, rows, columns, strict=True):
        y, x = 8 * int(row) + 14, 8 * int(column) + 14
        inside = [
            depth
            for depth, level in enumerate(layout.levels)
            if level.top <= y < level.bottom and level.left <= x < level.right
        ]
        if inside:
            (depth,) = inside
            levels.add(depth)
            level = layout.levels[depth]
            window = dlib.drectangle(
                x - level.left - 39.5, y - level.top - 39.5, x - level.left + 39.5, y - level.top + 39.5
            )
            in_photo = REDUCE.rect_up(window, depth)
            edges = (in_photo.left(), in_photo.top(), in_photo.right(), in_photo.bottom())
            assert np.abs(box - edges).max() <= 0.5 + 1e-9
    assert {0, 1} <= levels


def test_windows_worked_out_by_hand() -> None:
    layout = lay_out(100, 90, TILING)
    # Row 0 and column 0 are centred on (14, 14), which is (3, 3) of the first level. Halves go away from zero.
    # Row 16 is centred on y = 142, which is 21 of the second level: -18.5 and 60.5 there, 6/5 of it and 0.3 more here.
    found = boxes(np.array([0, 5, 16]), np.array([0, 4, 0]), layout, 80)
    assert found.tolist() == [[-37, -37, 43, 43], [-5, 4, 75, 83], [-44, -22, 51, 73]]


def test_no_cells_are_no_boxes() -> None:
    nothing = np.array([], np.intp)
    assert boxes(nothing, nothing, lay_out(100, 90, TILING), 80).shape == (0, 4)


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [(0, 0, 0), (110, 50, 0), (115, 50, 0), (116, 50, 1), (120, 50, 1), (400, 54, 4), (400, 64, 5), (417, 111, 5)],
)
def test_between_levels_a_point_belongs_to_the_nearest(y: int, x: int, expected: int) -> None:
    # Of the layout worked out above. Row 115 is 5 away from the first level and 6 from the second.
    assert nearest(lay_out(100, 90, TILING).levels, y, x) == expected


def test_a_point_as_near_to_two_levels_belongs_to_the_larger() -> None:
    layout = Layout((Level(0, 0, 10, 10), Level(19, 0, 8, 8)), 30, 10)
    assert nearest(layout.levels, 14, 3) == 0
    assert nearest(layout.levels, 15, 3) == 1


# ---- Thinning out


@pytest.mark.parametrize("scores", list(itertools.permutations([0.1, 0.5, 0.9])))
def test_of_detections_of_one_face_the_surest_is_kept(scores: tuple[float, ...]) -> None:
    found = np.array([(0, 0, 79, 79), (4, 0, 83, 79), (0, 8, 79, 87)])
    assert thin_out(found, np.array(scores, np.float32), 0.34) == [int(np.argmax(scores))]


def test_detections_apart_from_each_other_are_all_kept_the_surest_first() -> None:
    found = np.array([(0, 0, 79, 79), (100, 0, 179, 79), (0, 100, 79, 179), (500, 500, 599, 599)])
    assert thin_out(found, np.array([0.2, 0.9, 0.1, 0.5], np.float32), 0.34) == [1, 3, 0, 2]


def test_one_that_was_thinned_out_does_not_thin_out_another() -> None:
    # Each overlaps the next, and the middle one goes.
    found = np.array([(0, 0, 99, 99), (40, 0, 139, 99), (80, 0, 179, 99)])
    assert thin_out(found, np.array([0.9, 0.8, 0.7], np.float32), 0.34) == [0, 2]


@pytest.mark.parametrize(
    ("other", "share"),
    [
        # The box around both is what counts, not what both cover: for boxes askew that is less.
        ((50, 0, 149, 99), 50 * 100 / (150 * 100)),
        ((50, 50, 149, 149), 50 * 50 / (150 * 150)),
        ((25, 25, 74, 74), 50 * 50 / (100 * 100)),
        ((0, 0, 99, 99), 1.0),
        ((-50, 20, 49, 119), 50 * 80 / (150 * 120)),
        ((99, 99, 198, 198), 1 / (199 * 199)),
    ],
)
def test_two_overlap_by_what_they_share_of_the_box_around_both(other: tuple[int, int, int, int], share: float) -> None:
    found = np.array([(0, 0, 99, 99), other])
    scores = np.array([0.9, 0.8], np.float32)
    assert thin_out(found, scores, share + 1e-6) == [0, 1]
    assert thin_out(found, scores, share - 1e-6) == [0]


def test_boxes_that_only_touch_share_nothing() -> None:
    found = np.array([(0, 0, 99, 99), (100, 0, 199, 99), (100, 100, 199, 199)])
    assert thin_out(found, np.array([3, 2, 1], np.float32), 0.0) == [0, 1, 2]


def test_nothing_thins_out_to_nothing() -> None:
    assert thin_out(np.empty((0, 4), np.int64), np.empty(0, np.float32), 0.34) == []


# ---- Enlarging and reducing


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [
        ((250, 250), 2, (501, 502)),
        ((33, 40), 2, (67, 82)),
        ((1, 1), 2, (3, 4)),
        ((300, 480), 4 / 3, (401, 641)),
    ],
)
def test_pictures_are_enlarged_to_the_size_that_dlib_enlarges_them_to(
    size: tuple[int, int], factor: float, expected: tuple[int, int]
) -> None:
    assert resample(np.zeros((*size, 3), np.uint8), factor).shape == (*expected, 3)


@pytest.mark.parametrize("kind", ["noise", "smooth"])
@pytest.mark.parametrize("size", [(250, 250), (33, 40), (91, 57), (2, 2)])
def test_pictures_are_enlarged_as_dlib_enlarges_them(size: tuple[int, int], kind: str) -> None:
    photo = drawn(*size, kind)
    larger = resample(photo, 2)
    expected = dlib.resize_image(photo, *larger.shape[:2])
    # OpenCV counts in 32nds of a pixel, so a value in 40 falls on the other side of a whole level.
    assert np.abs(larger.astype(int) - expected).max() <= 1
    assert (larger != expected).mean() < 0.05


def test_the_same_size_is_the_same_array() -> None:
    photo = drawn(40, 50)
    assert resample(photo, 1) is photo
    assert resample(photo, 0.999) is photo


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [((40, 60), 0.5, (20, 30)), ((3000, 1), 0.01, (30, 1)), ((7, 5), 0.001, (1, 1)), ((101, 50), 0.5, (50, 25))],
)
def test_pictures_are_reduced_by_averaging(size: tuple[int, int], factor: float, expected: tuple[int, int]) -> None:
    chequered = np.zeros((*size, 3), np.uint8)
    chequered[::2, ::2] = chequered[1::2, 1::2] = 200
    smaller = resample(chequered, factor)
    assert smaller.shape == (*expected, 3)
    assert smaller.flags.c_contiguous
    if min(size) > 1:
        assert np.abs(smaller.mean() - chequered.mean()) < 10


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_part_of_a_larger_array_can_be_filled(kind: type) -> None:
    photo = drawn(60, 48, "smooth").astype(kind)
    whole = np.full((80, 80, 3), 7, kind)
    stretch(photo, into=whole[10:60, 5:45])
    alone = np.empty((50, 40, 3), kind)
    stretch(photo, into=alone)
    assert np.array_equal(whole[10:60, 5:45], alone)
    whole[10:60, 5:45] = 7
    assert (whole == 7).all()
    corners = np.ix_([0, -1], [0, -1])
    assert np.array_equal(alone[corners], photo[corners])
