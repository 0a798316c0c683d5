"""Errors of libraries: each row of the table, blame for a parameter, and what nobody expects passes as it is."""

import importlib

import cv2
import numpy as np
import pytest

from gateway.errors import BadParameter, CannotBeDrawn, NoPlace, NotFound, VersionChanged
from gateway.reading.foreign import ROWS, UNFIT, Blamed, Translated, meaning


def named(name):
    """Return an error of that class as its library raises it."""
    module, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(module), kind)
    return found(1, 2, "message") if "CPLE" in kind else found("message")


@pytest.mark.parametrize("name", sorted({name for names, _ in ROWS for name in names} | UNFIT))
def test_every_name_in_the_table_is_an_error_of_its_library(name):
    assert isinstance(named(name), Exception)


EXPECTED = {
    "builtins.MemoryError": CannotBeDrawn, "rasterio._err.CPLE_OutOfMemoryError": CannotBeDrawn,
    "pyproj.exceptions.CRSError": NoPlace, "rasterio.errors.CRSError": NoPlace,
    "rasterio.errors.WarpOperationError": NoPlace, "rasterio._err.CPLE_NotSupportedError": NoPlace,
    "rasterio.errors.RasterioIOError": CannotBeDrawn, "rasterio._err.CPLE_AppDefinedError": CannotBeDrawn,
    "rasterio.errors.WindowError": CannotBeDrawn, "rio_tiler.errors.InvalidExpression": BadParameter,
    "rio_tiler.errors.MaxArraySizeError": CannotBeDrawn, "morecantile.errors.InvalidZoomError": NotFound,
    "builtins.OverflowError": CannotBeDrawn, "cv2.error": CannotBeDrawn,
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_an_error_of_a_library_comes_out_as_what_it_means(name):
    error = named(name)
    with pytest.raises(EXPECTED[name]) as told, Translated():
        raise error
    assert told.value.__cause__ is error
    assert "message" not in told.value.detail


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), SystemExit(3), VersionChanged("x")])
def test_what_nobody_expects_and_what_is_ours_passes_as_it_is(error):
    with pytest.raises(type(error)) as passed, Translated():
        raise error
    assert passed.value is error


BLAME = BadParameter("expression: no")


@pytest.mark.parametrize("name", [*sorted(UNFIT), "builtins.ZeroDivisionError", "builtins.NotImplementedError",
                                  "numpy.exceptions.AxisError", "pyproj.exceptions.ProjError"])  # fmt: skip
def test_a_parameter_is_to_blame_for_what_cannot_be_worked_out(name):
    error = named(name) if "AxisError" not in name else np.exceptions.AxisError("x")
    with pytest.raises(BadParameter) as told, Blamed(BLAME):
        raise error
    assert told.value is BLAME


def test_memory_that_is_not_there_is_not_the_parameters_fault():
    full = cv2.error("Insufficient memory")
    full.code = -4
    for error in (MemoryError(), full):
        with pytest.raises(type(error)), Blamed(BLAME):
            raise error
        assert "memory" in meaning(error).detail
    with pytest.raises(NoPlace), Blamed(BLAME):
        raise NoPlace
