"""Layers over HTTP, of a collection and of a search: one server, two scenes beside each other and a hidden one."""

import io
import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from gateway.catalogue.collections import Collection
from gateway.colour.model import PixelSelection
from gateway.handlers.layerpoints import selected
from gateway.model import Dataset, Scale
from tests.handlers.conftest import UNKNOWN_ID, act, cog_file
from tests.handlers.layerscenes import ALL, ALONE, BESIDE, OVER, VALUES, WHOLE, make_scenes, served
from tests.patience import until
from tests.rasters import write_cog_of
from tests.stac.conftest import START, dated

__all__ = ["cog_file", "served"]
SCENES = "/collections/scenes"
RIGHTS = "Origin, Authorization"
AT = "{},{}".format
# Of pictures that are no maps.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def scenes(served) -> dict[str, Dataset]:
    return make_scenes(served)


@pytest.fixture(scope="module")
def ana(served):
    return served.bearer("ana")


@pytest.fixture(scope="module")
def search(served, scenes, ana):
    """The layer of the two scenes whose search shows them, made by ana."""
    body = {"collections": ["scenes"], "datetime": "2026-01-01T00:00:00Z/2026-01-03T00:00:00Z", "title": "Three days"}
    return "/searches/" + served.ask("/searches", body, token=ana).document["id"]


def seen(answer):
    assert answer.code == 200, answer.body
    return answer.headers["X-Assets"]


def pixels(answer):
    """Return the values of a picture, (bands, rows, cols)."""
    assert answer.code == 200, answer.body
    with MemoryFile(answer.body) as file, file.open() as raster:
        return raster.read()


def shown(answer):
    """Return which scenes a gray picture shows."""
    values = set(np.unique(pixels(answer)[0]).tolist())
    return {name for name, value in VALUES.items() if value in values}


def both_rows(served, request_id):
    """Return the rows of a grant and of its end, which is noted behind the answer."""

    def found():
        return [row for row in served.audit() if row.request_id == request_id]

    until(lambda: len(found()) == 2)
    return found()


def problem(answer, status):
    assert answer.code == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.document.get("detail", "")


# Each route, with how many of the datasets that the reader sees are there and used: the open ones, and all.
ROUTES = {
    f"tiles/{WHOLE}.png": ("2/2", "3/3"),
    f"tiles/WebMercatorQuad/{WHOLE}@2x.webp": ("2/2", "3/3"),
    "tiles/WorldCRS84Quad/5/33/7": ("2/2", "3/3"),
    f"tiles/{WHOLE}/assets": ("2/2", "3/3"),
    f"tiles/WebMercatorQuad/{WHOLE}/assets": ("2/2", "3/3"),
    "point/" + AT(*OVER): ("1/1", "2/2"),
    "point/" + AT(*ALONE): ("1/1", "1/1"),
    f"point/{AT(*OVER)}/assets": ("1/1", "2/2"),
    "point/1157000,6073000?coord_crs=EPSG:3857": ("1/1", "2/2"),
    "preview": ("2/2", "3/3"),
    "preview/64x32.png": ("2/2", "3/3"),
    "bbox/10,47.5,11,48/64x32.png": ("2/2", "3/3"),
    "bbox/1113195,6024000,1224514,6106000.png?coord_crs=EPSG:3857&max_size=64": ("2/2", "3/3"),
    "statistics?max_size=64": ("2/2", "3/3"),
    "tilejson.json": (None, None),
    "WorldCRS84Quad/tilejson.json": (None, None),
    "WMTSCapabilities.xml": (None, None),
    "WMTSCapabilities.xml?REQUEST=GetTile&TILEMATRIX=7&TILECOL=67&TILEROW=44": ("2/2", "3/3"),
    "WMTSCapabilities.xml?REQUEST=GetFeatureInfo&TILEMATRIX=7&TILECOL=67&TILEROW=44&I=170&J=128": ("1/1", "2/2"),
}  # fmt: skip


@pytest.mark.parametrize("layer", ["collection", "search"])
def test_every_route_shows_each_reader_what_they_may_see(served, scenes, search, ana, layer):
    base = SCENES if layer == "collection" else search
    for path, counts in ROUTES.items():
        for token, count in zip((None, ana), counts, strict=True):
            answer = served.ask(f"{base}/{path}", token=token)
            assert (answer.code, answer.headers.get("X-Assets")) == (200, count), (path, answer.body)
            assert answer.headers["Vary"] == RIGHTS, path
            kept = answer.headers["Cache-Control"].partition(",")[0]
            assert kept == ("public" if token is None else "private"), path
            head = served.ask(f"{base}/{path}", token=token, method="HEAD")
            assert (head.code, head.body) == (200, b""), path
            assert head.headers.get("Etag") == answer.headers.get("Etag"), path
            if "Etag" in answer.headers:
                again = served.ask(f"{base}/{path}", token=token, headers={"If-None-Match": answer.headers["Etag"]})
                assert (again.code, again.headers["Vary"]) == (304, RIGHTS), path
                # What somebody else has is not what this reader is to have.
                other = served.ask(
                    f"{base}/{path}", token=None if token else ana, headers={"If-None-Match": answer.headers["Etag"]}
                )
                assert (other.code == 304) == (path == "point/" + AT(*ALONE)), path


def test_the_newest_is_painted_first_unless_asked_otherwise(served, scenes, ana):
    tile = f"{SCENES}/tiles/{WHOLE}.png"
    assert shown(served.ask(tile)) == {"west", "east"}
    assert shown(served.ask(tile, token=ana)) == {"west", "east", "over"}
    asked = {
        "limit_assets=1": ("1/3", {"over"}),
        "sortby=datetime&limit_assets=1": ("1/3", {"west"}),
        "sortby=-title&limit_assets=1": ("1/3", {"west"}),
        "datetime=2026-01-04T00:00:00Z": ("1/1", {"over"}),
        "datetime=../2026-01-01T12:00:00Z": ("1/1", {"west"}),
        "time=2026-01-02": ("1/1", {"east"}),
        "time=all": ("3/3", set(VALUES)),
        "time=2026-01-01T00:00:00Z/2026-01-02T00:00:00Z": ("2/2", {"west", "east"}),
        "pixel_selection=lowest": ("3/3", {"west", "east"}),
    }
    for query, (count, names) in asked.items():
        answer = served.ask(f"{tile}?{query}", token=ana)
        # Where a scene that lies there is seen nowhere, it is for the painter to say whether it was used.
        assert seen(answer).split("/")[1] == count.split("/")[1], query
        assert shown(answer) == names, query
    # What is made of the same scenes in the same way has the same tag.
    tags = {served.ask(f"{tile}?{query}", token=ana).headers["Etag"] for query in asked}
    assert len(tags) == len({frozenset(names) for _, names in asked.values()}) + 1


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("datetime=2026-01-01", "datetime"), ("time=yesterday", "time"), ("sortby=colour", "sorted by 'colour'"),
        ("limit_assets=0", "limit_assets"), ("limit_assets=1001", "limit_assets"),
        ("pixel_selection=best", "pixel_selection"), ("rescale=1", "rescale"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(served, scenes, query, told):
    for path in (f"tiles/{WHOLE}", "tilejson.json"):
        assert told in problem(served.ask(f"{SCENES}/{path}?{query}"), 400)


def test_what_is_not_there_is_not_found_and_a_hidden_collection_is_like_none(served, scenes, ana):
    served.services.records.create_collection(Collection("hers", "Hers", START, START), act())
    served.register("over.tif", key="hers/over.tif", collection="hers", visibility=Scale.PRIVATE, owner="ana")
    for path in (f"tiles/{WHOLE}", "tilejson.json", "WMTSCapabilities.xml", "preview", "point/10,47",
                 f"tiles/{WHOLE}/assets", "statistics", "bbox/10,47,11,48.png"):  # fmt: skip
        told = {
            problem(served.ask(f"{layer}/{path}"), 404)
            for layer in ("/collections/hers", "/collections/none", "/collections/-", "/searches/" + "0" * 32,
                          "/searches/none", "/searches/" + UNKNOWN_ID)
        }  # fmt: skip
        assert told == {"There is no such layer."}, path
    # Its file is gone: what is on record says where it would be drawn.
    assert served.ask("/collections/hers/tilejson.json", token=ana).document["maxzoom"] == 6
    for path in ("tiles/99/0/0.png", "tiles/0/1/0.png", "tiles/none/0/0/0.png", "tiles/WorldCRS84Quad/0/9/9.png"):
        problem(served.ask(f"{SCENES}/{path}"), 404)
    beside = served.ask(f"{SCENES}/tiles/{BESIDE}.png")
    assert (seen(beside), pixels(beside)[-1].max()) == ("0/0", 0)
    assert served.ask(f"{SCENES}/tiles/{BESIDE}.png?empty=204").code == 204
    problem(served.ask(f"{SCENES}/tiles/{BESIDE}.png?empty=404"), 404)
    for path in ("point/50,0", "bbox/50,0,51,1.png"):
        assert problem(served.ask(f"{SCENES}/{path}"), 404) == "That lies outside of the data."
    assert served.ask(f"{SCENES}/point/50,0/assets").document == {"assets": [], "found": 0}


def test_values_are_made_of_what_the_reader_may_download_and_leave_one_row(served, scenes, ana):
    paths = (f"tiles/{WHOLE}.tif", "preview/64x32.tif", "bbox/10,47.5,11,48/64x32.tif",
             "WMTSCapabilities.xml?REQUEST=GetTile&TILEMATRIX=7&TILECOL=67&TILEROW=44&FORMAT=image/tif")  # fmt: skip
    minted = served.ask("/auth/tile-token/collections/scenes", b"", token=ana).document["token"]
    before = len(served.audit())
    for path in paths:
        assert problem(served.ask(f"{SCENES}/{path}"), 401)
        assert "tile token" in problem(served.ask(f"{SCENES}/{path}{'&' if '?' in path else '?'}token={minted}"), 403)
        assert served.ask(f"{SCENES}/{path}", token=ana, method="HEAD").code == 200
    assert [row.action for row in served.audit()[before:]] == []
    beside, whole = (
        pixels(served.ask(f"{SCENES}/tiles/{at}.tif?expression=b1/2", token=ana)) for at in (BESIDE, WHOLE)
    )
    assert (beside.shape, beside.dtype) == (whole.shape, whole.dtype)
    readers = {"ana": {"west", "over"}, "vera": {"west", "over"}, "eve": {"west"}}
    for reader, names in readers.items():
        for path in paths:
            answer = served.ask(f"{SCENES}/{path}", token=served.bearer(reader))
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert {name for name in VALUES if VALUES[name] in pixels(answer)[0]} == names, (reader, path)
            row, end = both_rows(served, answer.headers["X-Request-Id"])
            assert (row.action, end.action) == ("download.part", "download.finished")
            assert (row.user_id, row.dataset_id, row.detail["layer"]) == (reader, None, "collection:scenes")
            told = {scenes[name].id: scenes[name].version for name in names}
            assert {each["id"]: each["version"] for each in row.detail["members"]} == told
    # Of what may be seen there none may be had.
    assert problem(served.ask(f"{SCENES}/tiles/{WHOLE}.npy?time=2026-01-02", token=ana), 403)


def test_a_tile_token_of_a_layer_opens_that_layer_alone(served, scenes, search, ana):
    paths = {"/collections/scenes": SCENES, search: search}
    for auth, layer in paths.items():
        minted = served.ask(f"/auth/tile-token{auth}", b"", token=ana)
        assert (minted.code, minted.headers["Cache-Control"]) == (200, "no-store")
        told, query = minted.document, f"?token={minted.document['token']}"
        assert told["expires_in"] == 3600
        assert told["tiles"] == [f"{served.base}{layer}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}{query}"]
        for name in ("url", "tilejson", "wmts"):
            assert served.ask(told[name]).code == 200
        answer = served.ask(f"{layer}/tiles/{WHOLE}.png{query}")
        assert (seen(answer), answer.headers["Vary"]) == ("3/3", RIGHTS)
        assert re.fullmatch(r"private, max-age=\d+", answer.headers["Cache-Control"])
        others = {*paths.values(), f"/datasets/{scenes['over'].id}"} - {layer}
        for other in others:
            problem(served.ask(f"{other}/tiles/{WHOLE}.png{query}"), 401)
        problem(served.ask(f"/datasets/{scenes['over'].id}/download/cog{query}"), 401)
    row = served.audit("token.minted")[-1]
    assert (row.user_id, row.detail["scope"], row.dataset_id) == ("ana", "search:" + search.split("/")[-1], None)
    anonymous = served.ask("/auth/tile-token/collections/scenes", b"").document
    assert seen(served.ask(f"{SCENES}/tiles/{WHOLE}.png?token={anonymous['token']}")) == "2/2"
    problem(served.ask("/auth/tile-token/collections/hers", b""), 404)
    # A role that gives the right is in the token, one that gives none is not.
    surveyor = served.ask("/auth/tile-token/collections/scenes", b"", token=served.bearer("cy", ("survey", "x")))
    claims = served.services.keys.verify(surveyor.document["token"])
    assert (claims["roles"], claims["scope"]) == (["survey"], "collection:scenes")
    assert seen(served.ask(f"{SCENES}/tiles/{WHOLE}.png?token={surveyor.document['token']}")) == "3/3"


def test_a_token_of_ones_own_sees_as_much_of_a_layer_as_it_is_for(served, scenes, search, ana):
    def own(scope, target):
        made = served.ask("/auth/tokens", {"name": "n", "scope": scope, "for": target}, token=ana)
        assert made.code == 201, made.body
        return made.document["token"]

    tile, values = f"tiles/{WHOLE}.png", f"tiles/{WHOLE}.tif"
    viewer = own(["view"], "collection:scenes")
    assert seen(served.ask(f"{SCENES}/{tile}", token=viewer)) == "3/3"
    problem(served.ask(f"{SCENES}/{values}", token=viewer), 403)
    assert seen(served.ask(f"{SCENES}/{values}", token=own(["view", "download"], "all"))) == "2/3"
    one = own(["view"], f"dataset:{scenes['over'].id}")
    for layer in (SCENES, search):
        assert seen(served.ask(f"{layer}/{tile}", token=one)) == "1/1"
        assert served.ask(f"{layer}/tilejson.json", token=one).document["days"] == ["2026-01-03"]
    served.register("west.tif", key="elsewhere.tif", collection="elsewhere")
    elsewhere = own(["view"], "collection:elsewhere")
    problem(served.ask(f"{SCENES}/{tile}", token=elsewhere), 404)
    assert seen(served.ask(f"{search}/{tile}", token=elsewhere)) == "0/0"
    # What comes about through it reaches no further, and ends with it.
    minted = served.ask("/auth/tile-token/collections/scenes", b"", token=one).document["token"]
    assert seen(served.ask(f"{SCENES}/{tile}?token={minted}")) == "1/1"
    listed = served.ask("/auth/tokens", token=ana).document["tokens"]
    for each in listed:
        assert served.ask(f"/auth/tokens/{each['id']}", method="DELETE", token=ana).code == 204
    problem(served.ask(f"{SCENES}/{tile}?token={minted}"), 401)


def test_documents_carry_parameters_and_a_token_where_something_is_not_public(served, scenes, search, ana):
    plain = served.ask(f"{SCENES}/tilejson.json?bidx=1&datetime=../2026-01-02T00:00:00Z&tilesize=512").document
    assert plain["tiles"] == [
        f"{served.base}{SCENES}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}@1x"
        "?bidx=1&datetime=..%2F2026-01-02T00%3A00%3A00Z&tilesize=512"
    ]
    assert (plain["bounds"], plain["days"], plain["tileSize"]) == (list(ALL), ["2026-01-02", "2026-01-01"], 512)
    assert (plain["name"], plain["stretch"]) == ("Scenes", None)
    assert 0 <= plain["minzoom"] <= plain["maxzoom"]
    hers = served.ask(f"{search}/tilejson.json", token=ana)
    assert hers.headers["Cache-Control"] == "private, no-store"
    assert (hers.document["name"], hers.document["days"][0]) == ("Three days", "2026-01-03")
    (template,) = hers.document["tiles"]
    z, x, y = WHOLE.split("/")
    assert seen(served.ask(template.format(z=z, x=x, y=y))) == "3/3"
    # Whoever sees nothing but what everybody sees gets no token.
    assert "token=" not in served.ask(f"{SCENES}/tilejson.json", token=served.bearer("eve")).document["tiles"][0]


def test_capabilities_have_the_days_and_what_they_name_answers(served, scenes, ana):
    spaces = {"w": "http://www.opengis.net/wmts/1.0", "o": "http://www.opengis.net/ows/1.1"}
    document = ElementTree.fromstring(served.ask(f"{SCENES}/WMTSCapabilities.xml?bidx=1", token=ana).body)
    layer = document.find("w:Contents/w:Layer", spaces)
    assert (layer.findtext("o:Identifier", None, spaces), layer.findtext("o:Title", None, spaces)) == (
        "scenes", "Scenes",
    )  # fmt: skip
    dimension = layer.find("w:Dimension", spaces)
    assert dimension.findtext("o:Identifier", None, spaces) == "Time"
    assert dimension.findtext("w:Default", None, spaces) == "all"
    assert [each.text for each in dimension.findall("w:Value", spaces)] == ["2026-01-03", "2026-01-02", "2026-01-01"]
    # As the schema has it: the dimension between the formats and the link to the grid.
    names = [child.tag.rpartition("}")[2] for child in layer]
    order = ["Style", "Format", "InfoFormat", "Dimension", "TileMatrixSetLink", "ResourceURL"]
    assert [name for name, after in pairwise([*names, ""]) if name != after and name in order] == order
    tile, values = (
        [each.get("template") for each in layer.findall("w:ResourceURL", spaces) if each.get("resourceType") == kind]
        for kind in ("tile", "FeatureInfo")
    )
    z, x, y = WHOLE.split("/")
    place = {"TileMatrixSet": "WebMercatorQuad", "TileMatrix": z, "TileCol": x, "TileRow": y, "Style": "default"}
    assert seen(served.ask(tile[0].format(Time="2026-01-02", **place))) == "1/1"
    assert seen(served.ask(tile[0].format(Time="all", **place))) == "3/3"
    found = served.ask(values[0].format(Time="all", I=170, J=128, **place))
    assert (seen(found), found.document["values"]) == ("2/2", [200])
    by_name = f"{SCENES}/WMTSCapabilities.xml?SERVICE=WMTS&TILEMATRIX={z}&TILECOL={x}&TILEROW={y}&TIME=2026-01-01"
    assert shown(served.ask(f"{by_name}&REQUEST=GetTile", token=ana)) == {"west"}
    told = served.ask(f"{by_name}&REQUEST=GetFeatureInfo&I=170&J=128&INFOFORMAT=text/plain")
    assert (told.headers["Content-Type"], told.body) == ("text/plain", b"b1: 50\n")


def test_what_lies_somewhere_is_named_in_the_order_of_painting(served, scenes, ana):
    found = served.ask(f"{SCENES}/point/{AT(*OVER)}/assets", token=ana).document
    assert [each["title"] for each in found["assets"]] == ["over", "west"]
    first = found["assets"][0]
    assert (first["id"], first["start_at"]) == (scenes["over"].id, "2026-01-03T00:00:00.000Z")
    links = {link["rel"]: link["href"] for link in first["links"]}
    assert links["download"] == f"{served.base}/datasets/{first['id']}/download/cog"
    assert str(served.folder) not in json.dumps(found)
    limited = served.ask(f"{SCENES}/tiles/{WHOLE}/assets?limit_assets=1", token=ana).document
    assert (len(limited["assets"]), limited["found"]) == (1, 3)


def test_a_point_tells_what_a_picture_shows_there_and_each_dataset(served, scenes, ana):
    path = f"{SCENES}/point/{AT(*OVER)}"
    told = {"first": [200], "lowest": [50], "mean": [125], "count": [2], "stdev": [75]}
    for selection, values in told.items():
        found = served.ask(f"{path}?pixel_selection={selection}", token=ana).document
        assert found["values"] == values, selection
        assert {each["name"]: each["values"] for each in found["assets"]} == {
            scenes["over"].id: [200], scenes["west"].id: [50],
        }  # fmt: skip


def test_selections_leave_out_what_has_no_value():
    rows, compared = [[None, 1], [5, 2], [3, 9]], [[0, 1], [5, 2], [3, 9]]
    # Of each band, as in a picture.
    told = {"first": [5, 1], "count": [2], "highest": [5, 9], "lastbandlow": [5], "lastbandhigh": [3]}
    for selection, values in told.items():
        assert selected(rows, compared, PixelSelection(selection)) == values, selection
    for selection, values in {"first": [None, None], "median": [None, None], "lastbandlow": [None]}.items():
        assert selected([[None, None]], [[0, 0]], PixelSelection(selection)) == values, selection


def test_a_point_by_the_last_band_is_what_a_picture_shows_where_a_band_is_nodata(served, scenes, ana):
    served.services.records.create_collection(Collection("pairs", "Pairs", START, START), act())
    for number, (first, last) in enumerate([(7, 10), (5, 0), (0, 5)]):
        pixels = np.stack([np.full((40, 40), value, "uint8") for value in (first, last)])
        place = from_origin(10, 48, 1 / 80, 1 / 80)
        write_cog_of(served.folder / f"pair{number}.tif", pixels, crs="EPSG:4326", transform=place, nodata=0)
        served.register(f"pair{number}.tif", collection="pairs", owner="ana", dates=dated(number))
    shown = {}
    for selection in ("lastbandlow", "lastbandhigh"):
        for order in ("datetime", "-datetime"):
            query = f"pixel_selection={selection}&sortby={order}"
            point = served.ask(f"/collections/pairs/point/10.2,47.8?{query}", token=ana).document
            values = served.ask(f"/collections/pairs/bbox/10.1,47.7,10.3,47.9/2x2.npy?{query}", token=ana)
            shown[selection, order] = np.load(io.BytesIO(values.body))[0, 0, 0]
            assert point["values"] == [shown[selection, order]], query
            assert "compared" not in point["assets"][0]
    assert len(set(shown.values())) > 1


def test_statistics_are_those_of_what_is_seen(served, scenes, ana):
    path = f"{SCENES}/statistics?max_size=80"
    assert served.ask(path).document["b1"]["percentile_98"] == 100
    assert served.ask(path, token=ana).document["b1"]["percentile_98"] == 200
