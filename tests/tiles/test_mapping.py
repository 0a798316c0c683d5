"""The approximated transform: its error is measured where it counts, and bounded."""

import math

import numpy as np
import pytest

from gateway.tiles.mapping import MAX_ERROR, ControlGrid, NotApplicable, Part, control_grid, grid_error

WHOLE = Part(0, 0, 256, 256)
FAR = 10_000


def centres(part):
    return np.meshgrid(np.arange(part.left, part.right) + 0.5, np.arange(part.top, part.bottom) + 0.5)


@pytest.mark.parametrize("part", [WHOLE, Part(3, 7, 256, 100), Part(250, 0, 256, 1), Part(0, 0, 333, 97)])
@pytest.mark.parametrize("bend", [0.0, 1e-4, 2e-3])
def test_each_pixel_lies_where_the_transform_says(part, bend):
    def to_source(x, y):
        return 2 * x + bend * x * y + 11, 3 * y - bend * x * x + 5

    grid = control_grid(to_source, part, (FAR, FAR))
    found, expected = grid.dense(100, 200), to_source(*centres(part))
    assert np.abs(found[0] + 100 - expected[0]).max() <= MAX_ERROR
    assert np.abs(found[1] + 200 - expected[1]).max() <= MAX_ERROR


def test_a_saddle_is_seen_though_its_middle_is_right():
    # As of every conformal projection: what bends one way across bends the other way down.
    x, y = np.meshgrid(np.arange(5.0), np.arange(5.0))
    assert grid_error(x**2 - y**2, y, (FAR, FAR)) == 1


def test_cells_are_halved_until_the_error_is_small_enough():
    grids = [control_grid(lambda x, y, b=bend: (x + b * x * x, y), WHOLE, (FAR, FAR)) for bend in (1e-6, 1e-3, 5e-3)]
    sides = [grid.x.shape[0] for grid in grids]
    assert sides == sorted(sides)
    assert sides[0] < sides[2]


def test_what_bends_too_much_is_not_drawn_so():
    with pytest.raises(NotApplicable, match="bends too much"):
        control_grid(lambda x, y: (1000 + 100 * np.sin(x), y), WHOLE, (FAR, FAR))


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
    assert grid.dense(0, 0)[0][:, 200:].max() < -1000


def test_a_cell_that_half_lies_nowhere_makes_the_error_infinite():
    x, y = np.meshgrid(np.arange(5.0), np.arange(5.0))
    x[0, 0] = np.nan
    assert grid_error(x, y, (FAR, FAR)) == math.inf
    assert grid_error(x + 100, y, (50, 50)) == 0


def test_a_straight_transform_is_two_points_a_side():
    grid = control_grid(lambda x, y: (2 * x, 3 * y), WHOLE, (FAR, FAR), straight=True)
    assert isinstance(grid, ControlGrid)
    assert grid.x.shape == (2, 2)
    assert np.array_equal(grid.dense(0, 0)[0], 2 * centres(WHOLE)[0])
