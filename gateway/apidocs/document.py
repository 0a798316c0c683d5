"""The document: one path for each form of each route, one operation for each verb that its handler has."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from tornado.web import RequestHandler

from gateway import __version__
from gateway.apidocs.operation import Operation, json
from gateway.apidocs.operations import LISTS, OPERATIONS
from gateway.apidocs.parameters import HEADERS, PATH, QUERY, STAC, STAC_QUERY
from gateway.apidocs.schemas import SCHEMAS, ref
from gateway.apidocs.tokenschemas import TOKEN_SCHEMAS
from gateway.handlers.access import AccessRule, Anonymous, implemented
from gateway.model import TokenKind
from gateway.routes import API_ROUTES, ROOT_ROUTES
from gateway.settings import Settings

# What of a template may be left out, and what stands there where it is not.
OPTIONAL: Mapping[str, tuple[str, str]] = {
    "{tms?}": ("", "{tms}/"),
    "{@scale}": ("", "@{scale}x"),
    "{.format}": ("", ".{format}"),
    "{/size}": ("", "/{width}x{height}"),
}
OWN = "A token of one's own (cgw_...) as the password, of any user; it is taken as a bearer token too."
LISTS_TOLD = "The token in the addresses of a list of files (cgd_...)."
LINKS = "The secret of a link to share (cgl_...)."
TAGS = {
    "datasets": "What there is, and what the COG check says of it.",
    "downloads": "The file itself, on record before its first byte.",
    "maps": "Tiles, pictures and facts, with TiTiler's parameters.",
    "tokens": "Tokens for clients that cannot send headers or sign in, and links to share.",
    "stac": "Collections and items, as the STAC API has them.",
    "about": "The gateway itself.",
}
KNOWN = {**QUERY, **STAC_QUERY}
RETRIED = (429, 503)
Paths = dict[str, dict[str, Any]]


def document(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a gateway with these settings."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "COG Gateway",
            "version": __version__,
            "summary": "True Cloud-Optimized GeoTIFFs: the files, their maps, and who may have them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": told} for name, told in TAGS.items()],
        "paths": paths(settings),
        "components": {
            "schemas": {**SCHEMAS, **TOKEN_SCHEMAS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "ownToken": {"type": "http", "scheme": "basic", "description": OWN},
                "link": {"type": "apiKey", "in": "query", "name": "token", "description": LINKS},
                "list": {"type": "apiKey", "in": "query", "name": "token", "description": LISTS_TOLD},
                "downloadToken": {"type": "apiKey", "in": "query", "name": "token"},
                "tilesToken": {"type": "apiKey", "in": "query", "name": "token"},
            },
        },
    }


def paths(settings: Settings) -> Paths:
    """Return every path with its operations."""
    routes = [(settings.prefix, template, handler) for template, handler in API_ROUTES]
    routes += [("", template, handler) for template, handler in ROOT_ROUTES]
    found: Paths = {}
    for prefix, template, handler in routes:
        *shorter, whole = forms(template)
        for path in (*shorter, whole):
            verbs = {verb: operation(path, verb, handler, settings) for verb in implemented(handler)}
            found[prefix + path] = {"parameters": path_parameters(path), **verbs}
            if path != whole:
                # For readers of the docs, who are told of one resource once.
                found[prefix + path]["x-spelling-of"] = prefix + whole
    return found


def forms(template: str) -> Iterator[str]:
    """Yield the paths that a route's template stands for."""
    pieces = re.split(r"(\{[^}]+\})", template)
    for chosen in itertools.product(*(OPTIONAL.get(piece, (piece,)) for piece in pieces)):
        yield "".join(chosen)


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Return the parameters of a path."""
    names = re.findall(r"\{(\w+)\}", path)
    return [_parameter(name, "path", *PATH[name]) | {"required": True} for name in names]


def operation(path: str, verb: str, handler: type[RequestHandler], settings: Settings) -> dict[str, Any]:
    """Return the operation of one verb at one path."""
    known, rule = OPERATIONS[handler], getattr(handler, verb).access_rule
    known = known.post or known if verb == "post" else known
    if known.values:
        rule = replace(rule, tokens=rule.tokens | {TokenKind.DOWNLOAD})
    summary = (inspect.getdoc(handler) or "").splitlines()[0]
    described = inspect.getdoc(getattr(handler, verb)) or summary
    sent = known.body if verb == "post" else None
    return {
        "operationId": _identifier(verb, path),
        "tags": [known.tag],
        "summary": summary,
        "description": described,
        "security": security(rule, settings),
        **({"requestBody": {"content": dict(sent), "required": known.beside_query}} if sent else {}),
        "parameters": [
            _parameter(name.removeprefix(STAC), "query", *KNOWN[name])
            for name in (known.query if known.beside_query or not sent else ())
        ]
        + [_parameter(name, "header", *HEADERS[name]) for name in known.headers],
        "responses": responses(path, verb, _of_verb(known, verb, handler), rule),
    }


def security(rule: AccessRule, settings: Settings) -> list[dict[str, list[str]]]:
    """Return the credentials that a verb takes; the empty one stands for none."""
    if not rule.checked:
        return []
    names = ["downloadToken" if kind is TokenKind.DOWNLOAD else "tilesToken" for kind in sorted(rule.tokens)]
    on_record = (
        *(("ownToken",) if rule.own else ()),
        *(("link",) if rule.links else ()),
        *(("list",) if rule.lists else ()),
    )
    taken: list[dict[str, list[str]]] = [{name: []} for name in ("bearer", *on_record, *names)]
    free = rule.anonymous is Anonymous.YES or (rule.anonymous is Anonymous.IF_OPEN and settings.open_downloads)
    return [*taken, {}] if free else taken


def _of_verb(known: Operation, verb: str, handler: type[RequestHandler]) -> Operation:
    """Return an operation with the answers of one verb: 201 is of POST alone, and 200 then of GET, if any.

    What is deleted is no more.
    """
    if verb == "delete" and 204 not in known.answers:
        return replace(known, answers={204: ("It is deleted.", None)}, errors=(*known.errors, 403))
    left_out = 201 if verb != "post" else 200 if 201 in known.answers and "get" in implemented(handler) else None
    return replace(known, answers={status: each for status, each in known.answers.items() if status != left_out})


def responses(path: str, verb: str, known: Operation, rule: AccessRule) -> dict[str, Any]:
    """Return what a verb may answer, by status."""
    found = {str(status): _answer(path, verb, known, *answer) for status, answer in known.answers.items()}
    errors = {*known.errors, *((401, 429, 503) if rule.checked else ()), *((404, 422) if "{id}" in path else ())}
    if re.search(r"\{(tms|asset|example|map|collection|search|item)\}", path):
        errors.add(404)
    if re.search(r"\{(scale|format|width|lon|minx)\}", path):
        errors |= {400, 404}
    found |= {str(status): _problem(status, verb) for status in sorted(errors) if str(status) not in found}
    return found


def _answer(path: str, verb: str, known: Operation, told: str, content: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"description": told}
    if path in LISTS:
        content = json(LISTS[path])
    elif path.startswith("/tileMatrixSets/"):
        content = json("TileMatrixSet")
    if content is not None and verb != "head":
        found["content"] = dict(content)
    if known.answer_headers and content is not None:
        found["headers"] = {name: {"schema": {"type": "string"}} for name in known.answer_headers}
    return found


def _problem(status: int, verb: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": HTTPStatus(status).phrase + "."}
    if verb != "head":
        found["content"] = {"application/problem+json": {"schema": ref("Problem")}}
    if status in RETRIED:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return found


def _parameter(name: str, place: str, told: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "description": told, "schema": dict(schema)}


def _identifier(verb: str, path: str) -> str:
    words = re.findall(r"\w+", path.replace("@", " at ").replace(".", " dot "))
    return "_".join([verb, *words]) if words else f"{verb}_root"
