"""Features of GeoJSON: what is taken, and what is refused by name before anything is drawn."""

import json

import pytest

from gateway.catalogue import features
from gateway.catalogue.features import box_of, features_of, geometry_of
from gateway.catalogue.jsontext import value_of
from gateway.errors import BadParameter

RING = [[0, 0], [4, 0], [4, 3], [0, 0]]


def feature(coordinates=None, kind="Polygon", **members):
    geometry = {"type": kind, "coordinates": [RING] if coordinates is None else coordinates}
    return {"type": "Feature", "properties": {"name": "a"}, "geometry": geometry, **members}


def crs(name):
    return {"type": "name", "properties": {"name": name}}


def test_a_feature_and_a_collection_are_taken_with_all_that_they_have():
    alone = feature(id=7, bbox=[0, 0, 4, 3])
    assert list(features_of(alone, None)) == [alone]
    assert features_of({"type": "FeatureCollection", "features": [alone, alone]}, None) == [alone, alone]
    assert features_of({"type": "FeatureCollection", "features": []}, None) == []
    assert features_of(feature(properties=None), None)


def test_a_geometry_is_x_and_y_alone_and_has_a_box():
    many = feature([[[[0, 0, 9], [4, 0, 9], [4, 3, 9], [0, 0, 9]]], [RING]], "MultiPolygon")
    (found,) = features_of(many, None)
    assert geometry_of(found)["coordinates"][0] == geometry_of(found)["coordinates"][1]
    assert box_of(geometry_of(found)) == (0, 0, 4, 3)


@pytest.mark.parametrize(
    ("member", "coord_crs"),
    [("urn:ogc:def:crs:OGC:1.3:CRS84", None), ("EPSG:4326", None), ("urn:ogc:def:crs:EPSG::32633", "EPSG:32633")],
)
def test_the_old_crs_member_may_say_what_coord_crs_says(member, coord_crs):
    assert features_of(feature(crs=crs(member)), coord_crs)


REFUSED = [
    ([], "must be a Feature"), (7, "must be a Feature"), (None, "must be a Feature"),
    (feature()["geometry"], "must be a Feature"),
    ({"type": "FeatureCollection"}, "list of Features"), ({"type": "FeatureCollection", "features": [3]}, "list of"),
    (feature(properties=3), "list of Features"), (feature(geometry=None), "none that has an area: its type"),
    (feature([0, 0], "Point"), "Polygon or MultiPolygon"), (feature(RING, "LineString"), "Polygon or MultiPolygon"),
    ({**feature(), "geometry": {"type": "GeometryCollection", "geometries": []}}, "Polygon or MultiPolygon"),
    (feature([]), "no coordinates|has rings"), (feature([[]]), "has rings"), (feature([], "MultiPolygon"), "has rings"),
    (feature([[[0, 0], [1, 1], [0, 0]]]), "has rings"), (feature([[[0, 0], [4, 0], [4, 3], [0, 1]]]), "has rings"),
    (feature([[RING]]), "has rings"), (feature([RING], "MultiPolygon"), "has rings"), (feature({}), "no coordinates"),
    (feature([[["0", 0], [4, 0], [4, 3], ["0", 0]]]), "a position is"), (feature([[[0], [4], [5], [0]]]), "a position is"),
    (feature([[[0, 91], [4, 0], [4, 3], [0, 91]]]), "latitude within 90"),
    (feature([[[361, 0], [4, 0], [4, 3], [361, 0]]]), "longitude within 360"),
    (feature([[[True, 0], [4, 0], [4, 3], [True, 0]]]), "a position is"),
    (feature([[[10**400, 0], [4, 0], [4, 3], [10**400, 0]]]), "a position is"),
    (feature([[[[[[[[[[[0, 0]]]]]]]]]]]), "nested too deep"),
    (feature(crs=crs("EPSG:3857")), "member `crs`"), (feature(crs=3), "member `crs`"), (feature(crs={}), "member `crs`"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "told"), REFUSED)
def test_what_is_no_area_is_refused_with_the_reason(document, told):
    with pytest.raises(BadParameter, match=told):
        features_of(document, None)


def test_positions_of_another_crs_may_be_large_but_no_numbers_without_an_end():
    assert features_of(feature([[[5e5, 5e6], [6e5, 5e6], [6e5, 6e6], [5e5, 5e6]]]), "EPSG:32633")
    with pytest.raises(BadParameter, match="at most 1e12"):
        features_of(feature([[[1e13, 0], [4, 0], [4, 3], [1e13, 0]]]), "EPSG:32633")
    with pytest.raises(ValueError, match="no number"):
        value_of(json.dumps(feature([[[0, float("nan")], [4, 0], [4, 3], [0, 0]]])))


def test_features_and_positions_are_so_many(monkeypatch):
    whole = {"type": "FeatureCollection", "features": [feature()] * 3}
    with pytest.raises(BadParameter, match="must be a Feature of GeoJSON\\."):
        features_of(whole, None, one=True)
    monkeypatch.setattr(features, "MOST_POSITIONS", 11)
    with pytest.raises(BadParameter, match="more than 11 positions"):
        features_of(whole, None)
    monkeypatch.setattr(features, "MOST_FEATURES", 2)
    with pytest.raises(BadParameter, match="3 features; the limit is 2"):
        features_of(whole, None)
