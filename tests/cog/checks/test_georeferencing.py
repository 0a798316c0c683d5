import math

import pytest

from tests.cog.tiffs import GEO, GEO_KEYS, pyramid, write

SCALE, POINT, KEYS = 33550, 33922, 34735
MATRIX = {34264: (12, (10.0, 0, 0, 5e5, 0, -10.0, 0, 5e6, 0, 0, 0, 0, 0, 0, 0, 1.0))}
SINGULAR = {34264: (12, (10.0, 5.0, 0, 5e5, 20.0, 10.0, 0, 5e6, 0, 0, 0, 0, 0, 0, 0, 1.0))}
NO_CRS = {KEYS: (3, (1, 1, 0, 1, 1025, 0, 1, 1))}
GCPS = {POINT: (12, (0.0, 0, 0, 15, 45, 0, 64, 0, 0, 16, 45, 0, 0, 48, 0, 15, 44, 0, 64, 48, 0, 16, 44, 0))}
RPC = {50844: (12, (1.0,) * 92)}


def with_tags(tags):
    return write(pyramid(tags=tags))


def without(*tags):
    return {tag: value for tag, value in GEO.items() if tag not in tags}


ERRORS = {
    "nothing": ("no-georeferencing", {}),
    "keys without a CRS": ("no-georeferencing", NO_CRS),
    "a scale alone": ("no-georeferencing", {SCALE: GEO[SCALE]}),
    "pixel size 0": ("bad-transform", {**GEO, SCALE: (12, (10.0, 0.0, 0.0))}),
    "pixel size NaN": ("bad-transform", {**GEO, SCALE: (12, (math.nan, 10.0, 0.0))}),
    "origin infinite": ("bad-transform", {**GEO, POINT: (12, (0.0, 0.0, 0.0, math.inf, 5e6, 0.0))}),
    "singular matrix": ("bad-transform", {KEYS: GEO_KEYS, **SINGULAR}),
    "more keys than there are": ("bad-geokeys", {**GEO, KEYS: (3, (1, 1, 0, 9, 1024, 0, 1, 1))}),
    "no whole key": ("bad-geokeys", {**GEO, KEYS: (3, (1, 1))}),
    "empty key directory": ("bad-geokeys", {**GEO, KEYS: (3, ())}),
    "another version": ("bad-geokeys", {**GEO, KEYS: (3, (7, 1, 0, 0))}),
    "text of keys too short": ("bad-geokeys", {**GEO, KEYS: (3, (1, 1, 0, 1, 3073, 34737, 9, 0)), 34737: (2, b"WGS|\0")}),
    "text of keys missing": ("bad-geokeys", {**GEO, KEYS: (3, (1, 1, 0, 1, 3073, 34737, 9, 0))}),
    "damaged keys alone": ("bad-geokeys", {KEYS: (3, (7, 1, 0, 0))}),
}  # fmt: skip
WARNINGS = {
    "no CRS": ("transform-without-crs", {**GEO, **NO_CRS}),
    "no keys": ("transform-without-crs", without(KEYS)),
    "a CRS alone": ("crs-without-transform", {KEYS: GEO_KEYS}),
    "GCPs": ("approximate-georeferencing", {KEYS: GEO_KEYS, **GCPS}),
    "RPCs": ("approximate-georeferencing", RPC),
}


@pytest.mark.parametrize("name", ERRORS)
def test_missing_or_impossible_georeferencing_is_an_error(errors_of, name):
    rule, tags = ERRORS[name]
    assert errors_of(with_tags(tags)) == {rule}


@pytest.mark.parametrize("name", WARNINGS)
def test_partial_georeferencing_is_a_warning(warnings_of, name):
    rule, tags = WARNINGS[name]
    assert warnings_of(with_tags(tags)) == {rule}


def test_a_scale_or_a_matrix_with_a_crs_is_no_finding(report_of):
    assert report_of(with_tags(GEO)).findings == ()
    assert report_of(with_tags({KEYS: GEO_KEYS, **MATRIX})).findings == ()
