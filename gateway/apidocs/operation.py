"""What an operation of the description is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.apidocs.parameters import STYLE
from gateway.apidocs.schemas import ref
from gateway.tiles.model import INFO_FORMATS

Content = Mapping[str, Any]
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "application/x-binary")
PICTURE: Content = {kind: {} for kind in PICTURES}
TOLD: Content = {kind: {} for kind in INFO_FORMATS}
GEOJSON = "application/geo+json"
HTML: Content = {"text/html; charset=utf-8": {}}


def json(name: str, kind: str = "application/json") -> Content:
    """Return the content of a JSON answer."""
    return {kind: {"schema": ref(name)}}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a handler's routes have in common; `answers` are those without an error, by status."""

    tag: str
    answers: Mapping[int, tuple[str, Content | None]]
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    # Of answers with a body.
    answer_headers: tuple[str, ...] = field(default=())
    # Of POST, which takes no query then, unless the body is of another kind and has to be there.
    body: Content | None = None
    beside_query: bool = False
    # What POST is, where it is another operation.
    post: Operation | None = None
    # Whether some of its formats carry values, which have the rules of the file.
    values: bool = False


NOT_MODIFIED = {304: ("The client has it.", None)}
CACHED = ("ETag", "Cache-Control")
VALUES = "As tif and npy, which carry values, only for those who may download; unless the server opens values to all."


def fact(name: str, *query: str) -> Operation:
    """Return the operation of a JSON fact of an open raster."""
    answers = {200: ("The facts.", json(name)), **NOT_MODIFIED}
    return Operation("maps", answers, (*query, "v"), ("If-None-Match",), (400, 422, 429, 503), CACHED)


def drawn(*query: str, more: Mapping[int, tuple[str, Content | None]] | None = None) -> Operation:
    """Return the operation of a picture, which may come as values too."""
    answers = {200: (f"The picture. {VALUES}", PICTURE), **NOT_MODIFIED, **(more or {})}
    errors = (400, 403, 422, 429, 503)
    return Operation("maps", answers, (*STYLE, *query, "v"), ("If-None-Match",), errors, CACHED, values=True)


LATER: Mapping[int, tuple[str, Content | None]] = {
    202: ("A job makes the part: more than PART_ASYNC_MB with `native`.", json("Job"))
}


def under_polygons(
    answers: Mapping[int, tuple[str, Content | None]], *query: str, body: str, values: bool = False
) -> Operation:
    """Return the operation of POST by GeoJSON in the body, and by a query beside it."""
    names, errors = (*STYLE, *query, "coord_crs", "dst_crs"), (400, 403, 413, 422, 429, 503)
    return Operation(
        "maps", answers, names, errors=errors, body=json(body, GEOJSON), beside_query=True, values=values
    )


def part(*query: str) -> Operation:
    """Return the operation of a part: a picture, values, or with `native` the pixels of the file itself."""
    answers: dict[int, tuple[str, Content | None]] = {
        200: (f"The picture, or the part. {VALUES}", PICTURE),
        **LATER,
        206: ("One range of a part with `native`.", {"image/tiff": {}}),
        **NOT_MODIFIED,
    }
    return Operation(
        "maps", answers, (*STYLE, "native", *query, "v"), ("Range", "If-Range", "If-Match", "If-None-Match"),
        (400, 403, 412, 413, 416, 422, 429, 503), (*CACHED, "Accept-Ranges", "Content-Disposition", "Repr-Digest"),
        values=True,
    )  # fmt: skip


JOB = Operation(
    "downloads",
    {200: ("The job.", json("Job")), 204: ("It is cancelled, or its result given up.", None)},
    errors=(404,),
)
JOB_RESULT = Operation(
    "downloads",
    {200: ("The whole part.", {"image/tiff": {}}), 206: ("One range of it.", {"image/tiff": {}}), **NOT_MODIFIED},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    errors=(403, 404, 412, 416, 422, 503),
    answer_headers=("ETag", "Content-Disposition", "Accept-Ranges", "Repr-Digest"),
)


def plain(tag: str, name: str, *query: str, errors: tuple[int, ...] = ()) -> Operation:
    """Return the operation of a JSON document."""
    return Operation(tag, {200: ("The document.", json(name))}, query, errors=errors)


def on_record(listed: str, one: str, wish: str) -> Operation:
    """Return the operation of tokens on record, which GET lists and POST makes."""
    answers = {200: ("What is on record.", json(listed)), 201: ("The new one, with its secret.", json(one))}
    return Operation("tokens", answers, errors=(400, 403, 404, 409, 429), body=json(wish))


REVOKED = Operation("tokens", {204: ("It has ended.", None)}, errors=(403, 404))


def stac(name: str, *query: str, kind: str = "application/json", body: str | None = None) -> Operation:
    """Return the operation of a document of STAC."""
    answers = {200: ("The document.", json(name, kind)), **NOT_MODIFIED}
    sent, errors = json(body) if body else None, (400,) if query else ()
    return Operation("stac", answers, query, ("If-None-Match",), errors, CACHED, body=sent)
