"""Covered parts of cells: the areas that GEOS has, and what exactextract has."""

import math

import numpy as np
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from shapely.geometry import mapping

from gateway.errors import BadParameter
from gateway.ground import coverage
from gateway.ground.coverage import Window, coverage_of, held_in
from gateway.ground.polygons import polygon_edges
from gateway.ground.systems import known

UTM = known("EPSG:32633").to_wkt()


def edges(polygon):
    return polygon_edges(mapping(polygon), UTM)


def star(random, middle, size):
    corners = int(random.integers(3, 14))
    angles, radii = np.sort(random.uniform(0, 2 * math.pi, corners)), random.uniform(0.2, 1, corners) * size
    return shapely.Polygon(np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None] + middle).buffer(0)


def polygons():
    """Yield polygons of every kind round about a grid of 30 by 20 cells."""
    random = np.random.default_rng(7)
    for index, size in enumerate((0.2, 0.7, 4, 12, 40, 400) * 4):
        found = star(random, random.uniform(-5, 35, 2), size)
        if index % 3 == 0:
            found = found.difference(found.centroid.buffer(size / 5))
        if index % 4 == 0:
            found = found.union(star(random, random.uniform(0, 20, 2), size))
        if index % 5 == 0:
            found = shapely.transform(found, lambda places: (places - 10) * [1e-3, 1] + 10)
        yield found
    # On the lines of the grid: exactextract 0.3.0 crashes where a hole lies beyond its last column.
    yield shapely.box(3, 2, 9, 9).difference(shapely.box(4, 3, 6, 6))
    yield shapely.box(-5, -5, 60, 60).difference(shapely.box(30, 3, 35, 9))


def covered(polygon, window):
    found = coverage_of(edges(polygon), window).of(window)
    return np.ones((window.height, window.width)) if found is None else found


def test_each_cell_has_the_area_that_geos_finds_in_it():
    window = Window(2, 1, 28, 19)
    cells = shapely.box(
        *np.broadcast_arrays(x := np.arange(2, 30)[None], y := np.arange(1, 20)[:, None], x + 1, y + 1)
    )
    for polygon in polygons():
        expected = shapely.area(shapely.intersection(cells, polygon))
        assert np.abs(covered(polygon, window) - expected).max() < 2e-9, polygon.wkt


def test_exactextract_has_the_same():
    window = Window(0, 0, 30, 20)
    source = NumPyRasterSource(np.zeros((20, 30), np.uint8))
    for polygon in list(polygons())[:-1]:
        if not polygon.intersects(shapely.box(0, 0, 30, 20)):
            continue
        # Its rows go downwards from the greatest y.
        turned = shapely.transform(polygon, lambda places: [0, 20] + places * [1, -1])
        feature = {"type": "Feature", "properties": {}, "geometry": mapping(turned)}
        told = exact_extract(source, [feature], ["cell_id", "coverage"])[0]["properties"]
        expected = np.zeros(600)
        expected[told["cell_id"]] = told["coverage"]
        assert np.abs(covered(polygon, window).ravel() - expected).max() < 1e-6, polygon.wkt


def test_parts_of_a_window_have_what_the_whole_has():
    window = Window(0, 0, 30, 20)
    for polygon in polygons():
        found, whole = coverage_of(edges(polygon), window), covered(polygon, window)
        for top in range(0, 20, 7):
            for left in range(0, 30, 11):
                part = Window(left, top, min(11, 30 - left), min(7, 20 - top))
                expected = whole[top : top + 7, left : left + 11]
                here = found.of(part)
                assert np.abs((1 if here is None else here) - expected).max() < 1e-12


def test_whole_windows_and_empty_ones_cost_no_cell():
    found = coverage_of(edges(shapely.box(-9, -9, 50, 10)), Window(0, 0, 30, 20))
    assert found.of(Window(0, 0, 30, 10)) is None
    assert not found.of(Window(5, 10, 9, 10)).any()
    assert found.columns.size == 10


def test_what_lies_outside_of_a_box_does_not_matter():
    window, box = Window(4, 3, 9, 7), (3.0, 2.0, 14.0, 11.0)
    for polygon in polygons():
        inner = held_in(edges(polygon), box)
        here = coverage_of(inner, window).of(window)
        assert np.abs((1 if here is None else here) - covered(polygon, window)).max() < 1e-9
        if inner.size:
            assert inner[0::2].min() >= 3
            assert inner[1::2].max() <= 11


def test_edges_through_too_many_cells_are_refused(monkeypatch):
    monkeypatch.setattr(coverage, "MOST_CROSSED", 100)
    window = Window(0, 0, 30, 20)
    coverage_of(edges(shapely.box(1, 1, 25, 18)), window)
    comb = shapely.Polygon([(1, 1), (29, 2), (1, 3), (29, 4), (1, 5), (0, 5), (0, 1)])
    with pytest.raises(BadParameter, match="run through 130 pixels"):
        coverage_of(edges(comb), window)
