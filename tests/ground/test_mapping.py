"""The approximated transform: its error is measured where it counts, and bounded."""

import numpy as np
import pytest

from gateway.ground.mapping import MAX_ERROR, ControlGrid, Part, control_grid

WHOLE = Part(0, 0, 256, 256)
FAR = 10_000


def centres(part):
    return np.meshgrid(np.arange(part.left, part.right) + 0.5, np.arange(part.top, part.bottom) + 0.5)


@pytest.mark.parametrize("part", [WHOLE, Part(3, 7, 256, 100), Part(250, 0, 256, 1), Part(0, 0, 333, 97)])
@pytest.mark.parametrize("bend", [0.0, 1e-4, 2e-3])
def test_each_pixel_lies_where_the_transform_says(part, bend):
    def to_source(x, y):
        return 2 * x + bend * x * y + 11, 3 * y - bend * x * x + 205

    grid = control_grid(to_source, part, (FAR, FAR))
    found, expected = grid.dense(100, 200), to_source(*centres(grid.part))
    assert np.abs(found[0] + 100 - expected[0]).max() <= MAX_ERROR
    assert np.abs(found[1] + 200 - expected[1]).max() <= MAX_ERROR


def test_a_saddle_is_seen_though_its_middle_is_right():
    # As of every conformal projection: what bends one way across bends the other way down.
    grid = control_grid(lambda x, y: ((x**2 - y**2) / 1000, y), WHOLE, (FAR, FAR))
    assert grid.x.shape[0] > 5


def test_cells_are_halved_until_the_error_is_small_enough():
    grids = [control_grid(lambda x, y, b=bend: (x + b * x * x, y), WHOLE, (FAR, FAR)) for bend in (1e-6, 1e-3, 5e-3)]
    sides = [grid.x.shape[0] for grid in grids]
    assert sides == sorted(sides)
    assert sides[0] < sides[2]


def test_what_bends_too_much_for_cells_is_worked_out_pixel_by_pixel():
    def to_source(x, y):
        return 1000 + 100 * np.sin(x), y

    grid = control_grid(to_source, WHOLE, (FAR, FAR))
    assert np.abs(grid.dense(0, 0)[0] - to_source(*centres(WHOLE))[0]).max() < 1e-3


def test_a_break_in_a_map_costs_the_pixels_along_it_alone():
    def to_source(x, y):
        return np.where(x + y / 7 < 100.3, x, x + 3000), y

    grid = control_grid(to_source, WHOLE, (FAR, FAR))
    assert np.abs(grid.dense(0, 0)[0] - to_source(*centres(WHOLE))[0]).max() <= MAX_ERROR
    assert grid.patches.chosen.mean() < 0.2


def test_what_bends_outside_of_the_raster_does_not_count():
    def to_source(x, y):
        return np.where(x < 128, x, x + (x - 128) ** 2), y

    size = 100, 256
    grid = control_grid(to_source, WHOLE, size)
    assert np.abs(grid.dense(0, 0)[0][:, :100] - centres(WHOLE)[0][:, :100]).max() <= MAX_ERROR


def test_a_place_that_has_none_in_the_source_lies_far_away():
    def to_source(x, y):
        return np.where(x <= 128, x, np.inf), np.where(x <= 128, y, np.inf)

    grid = control_grid(to_source, WHOLE, (100, 256))
    assert grid.dense(0, 0)[0][:, 129 - grid.part.left :].max(initial=-1e6) < -1000


def test_ground_that_reaches_no_pixel_has_no_grid():
    assert control_grid(lambda x, y: (x + 500, y), WHOLE, (100, 256)) is None
    nowhere = np.full_like
    assert control_grid(lambda x, y: (nowhere(x, np.inf), y), WHOLE, (100, 256)) is None


def test_a_small_source_between_the_points_of_a_bent_grid_is_found():
    # Of a few pixels between corners and middles of the first cells, in a transform that bends there.
    def to_source(x, y):
        return (x - 77) * 40 + (x - 77) ** 2 / 40, (y - 45) * 40

    grid = control_grid(to_source, WHOLE, (60, 60))
    inside = [(values >= 0) & (values < 60) for values in to_source(*centres(WHOLE))]
    rows, columns = np.nonzero(inside[0] & inside[1])
    assert len(rows)
    assert grid.part.left <= columns.min() <= columns.max() < grid.part.right
    assert grid.part.top <= rows.min() <= rows.max() < grid.part.bottom
    assert grid.part.width < 64


def test_a_straight_transform_is_two_points_a_side():
    grid = control_grid(lambda x, y: (2 * x, 3 * y), WHOLE, (FAR, FAR), straight=True)
    assert isinstance(grid, ControlGrid)
    assert grid.x.shape == (2, 2)
    assert np.array_equal(grid.dense(0, 0)[0], 2 * centres(WHOLE)[0])
