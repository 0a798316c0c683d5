"""The description has what the gateway has: every route, verb, parameter and status, and no more."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from openapi_spec_validator import validate

from gateway.apidocs import document
from gateway.apidocs.document import forms
from gateway.apidocs.operations import OPERATIONS
from gateway.apidocs.parameters import HEADERS, PATH, QUERY, STAC, STAC_QUERY
from gateway.catalogue.layers import StoredSearch
from gateway.cog.parts import Part, PlannedPart
from gateway.handlers import base
from gateway.handlers.access import implemented
from gateway.handlers.layerdocs import LayerWmtsHandler
from gateway.handlers.signin import IssuerHandler
from gateway.handlers.wmts import CatalogueWmtsHandler, WmtsHandler
from gateway.jobs import WantedPart, job_of
from gateway.model import Principal
from gateway.records import JobStatus
from gateway.routes import API_ROUTES, ROOT_ROUTES, pattern
from gateway.settings import Settings
from gateway.stac.queries import READ
from tests.handlers.conftest import *  # noqa: F403 - the gateway and how to ask it
from tests.handlers.conftest import act

ROUTES = [(f"/api{template}", handler) for template, handler in API_ROUTES] + list(ROOT_ROUTES)
# Names that WMTS takes in any case.
KVP = {
    "service", "request", "tilematrixset", "tilematrix", "tilecol", "tilerow", "format", "layer", "style", "i", "j",
    "infoformat",
}  # fmt: skip


@pytest.fixture(scope="module")
def described():
    return document(Settings(_env_file=None))


def operations(described):
    return [
        (path, verb, told)
        for path, item in described["paths"].items()
        for verb, told in item.items()
        if verb not in ("parameters", "x-spelling-of")
    ]


def test_it_is_a_valid_document(described):
    validate(described)
    assert described["openapi"].startswith("3.1")
    json.dumps(described, allow_nan=False)


def test_it_has_every_route_and_verb_and_no_other(described):
    expected = {
        (path, verb) for template, handler in ROUTES for path in forms(template) for verb in implemented(handler)
    }
    assert {(path, verb) for path, verb, _ in operations(described)} == expected


def test_every_form_of_a_path_is_one_that_its_route_answers():
    values = {
        "format": "png",
        "listformat": "urls",
        "scale": "2",
        "z": "1",
        "x": "2",
        "y": "3",
        "width": "4",
        "height": "5",
    }
    numbers = dict.fromkeys(("lon", "lat", "minx", "miny", "maxx", "maxy"), "1.5")
    for template, _ in ROUTES:
        for path in forms(template):
            filled = re.sub(r"\{(\w+)\}", lambda name: {**values, **numbers}.get(name[1], "name"), path)
            assert re.fullmatch(pattern(template), filled), path


def test_operations_have_names_of_their_own(described):
    names = [told["operationId"] for _, _, told in operations(described)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"\w+", name) for name in names)


def test_no_definition_is_idle(described):
    used = {name for operation in OPERATIONS.values() for name in operation.query}
    assert used == set(QUERY) | set(STAC_QUERY)
    assert {name for operation in OPERATIONS.values() for name in operation.headers} == set(HEADERS)
    named = set(re.findall(r"\{(\w+)\}", " ".join(described["paths"])))
    assert named == set(PATH)
    text = json.dumps(described)
    for name in described["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text, name
    assert {handler for _, handler in ROUTES} == set(OPERATIONS)


def test_what_needs_a_credential_says_so(described):
    told = {(path, verb): operation for path, verb, operation in operations(described)}
    download = told["/api/datasets/{id}/download/cog", "get"]
    assert download["security"] == [{name: []} for name in ("bearer", "ownToken", "link", "list", "downloadToken")]
    assert "401" in download["responses"]
    assert {} in told["/api/datasets/{id}/info", "get"]["security"]
    preview = told["/api/datasets/{id}/preview.{format}", "get"]
    assert preview["security"] == [{"bearer": []}, {"ownToken": []}, {"downloadToken": []}, {"tilesToken": []}, {}]
    tokens = told["/api/auth/tokens", "post"]
    assert tokens["security"] == [{"bearer": []}]
    assert {"201", "409"} <= set(tokens["responses"])
    assert "200" not in tokens["responses"]
    assert "201" not in told["/api/auth/tokens", "get"]["responses"]
    assert {"401", "403"} <= set(preview["responses"])
    assert told["/livez", "get"]["security"] == []
    opened = document(Settings(open_downloads=True, _env_file=None))
    assert {} in opened["paths"]["/api/datasets/{id}/download/cog"]["get"]["security"]


def test_the_body_of_a_stac_search_has_what_its_query_has(described):
    members = described["components"]["schemas"]["StacSearch"]["properties"]
    # Refused with a word on what takes its place.
    assert set(members) == set(READ) - {"query"}


class Recording(dict):
    """Query arguments that remember which of them were looked for."""

    def __init__(self, arguments, seen):
        super().__init__(arguments)
        self.seen = seen

    def get(self, name, default=None):
        self.seen.add(name)
        return super().get(name, default)


FILLED = {
    "z": "0", "x": "0", "y": "0", "scale": "1", "format": "png", "width": "20", "height": "20", "map": "viridis",
    "tms": "WebMercatorQuad", "name": "any", "asset": "icon.svg", "example": "leaflet.html",
    "collection": "data", "stored": "name", "search": "0" * 32, "listformat": "urls",
}  # fmt: skip


@pytest.mark.gen_test
async def test_what_handlers_look_for_in_a_query_is_what_is_described(fetch, world, monkeypatch):
    dataset = world.add()
    stored = StoredSearch({}, None, {}, None, datetime.now(UTC))
    world.services.records.searches.store(stored, 9, act())
    body = json.dumps({"ids": [dataset.id]})
    listed = json.loads((await fetch("/api/downloads", "POST", token=world.bearer(), body=body)).body)["id"]
    wanted = WantedPart(dataset, PlannedPart(Part(0, 0, 9, 9, (1,)), 162), {})
    job = job_of(wanted, Principal("ana"), "::1", "worker", datetime.now(UTC))
    world.services.records.jobs.store(job, 1, act())
    world.services.records.jobs.end(replace(job, status=JobStatus.DONE), datetime.now(UTC))
    west, south, east, north = dataset.raster.bounds
    place = {
        "lon": (west + east) / 2,
        "lat": (south + north) / 2,
        "minx": west,
        "miny": south,
        "maxx": east,
        "maxy": north,
    }
    seen: dict[str, set[str]] = {}
    real = base._take_credential

    def take(request, **options):
        credential = real(request, **options)
        request.query_arguments = Recording(request.query_arguments, seen["now"])
        return credential

    monkeypatch.setattr(base, "_take_credential", take)
    looked: dict[type, set[str]] = {}
    for template, handler in ROUTES:
        for path in forms(template):
            filled = re.sub(
                r"\{(\w+)\}",
                lambda name: str(
                    {
                        **{**FILLED, **place, "id": dataset.id, "item": dataset.id},
                        **{"search": stored.id, "list": listed, "job": job.id},
                    }[name[1]]
                ),
                path,
            )
            # There is no issuer here.
            if handler in (base.BaseHandler, IssuerHandler) or "get" not in implemented(handler):
                continue
            for query in ("", "?f=png", "?service=WMTS&request=GetTile&tilematrix=0&tilecol=0&tilerow=0"):
                if handler is CatalogueWmtsHandler and "GetTile" in query:
                    continue
                seen["now"] = set()
                assert (await fetch(filled + query, token=world.bearer())).code < 400, filled + query
                looked.setdefault(handler, set()).update(seen["now"])
    for handler, names in looked.items():
        described = {name.removeprefix(STAC) for name in OPERATIONS[handler].query}
        assert names == (
            described - KVP if handler in (WmtsHandler, CatalogueWmtsHandler, LayerWmtsHandler) else described
        ), handler.__name__


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{}, {"prefix": "/maps/api"}, {"prefix": ""}], indirect=True)
async def test_document_and_page_are_served_under_the_prefix(fetch, world):
    prefix = world.services.settings.prefix
    found = json.loads((await fetch(f"{prefix}/openapi.json")).body)
    assert f"{prefix}/datasets" in found["paths"]
    page = await fetch(f"{prefix}/docs")
    assert page.code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()):
        parts = f"{prefix}/{name}".split("/")
        while ".." in parts:
            at = parts.index("..")
            del parts[at - 1 : at + 1]
        assert (await fetch("/".join(part for part in parts if part != "."))).code == 200, name
