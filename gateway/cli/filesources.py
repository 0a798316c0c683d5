"""What `fetch` is asked for: one file, a list in a file or of a gateway, a collection or a search."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gateway.cli.deviceflow import WEB, answer
from gateway.cli.redirects import opened
from gateway.errors import SettingsError
from gateway.filenames import file_name
from gateway.stac.queries import body_of

MOST_BYTES = 64 << 20
NO_SOURCE = "this is no address of a dataset, its file, a list, a collection or a search of a gateway"
SPACE = "{urn:ietf:params:xml:ns:metalink}"
SHA256 = re.compile("[0-9a-fA-F]{64}")
CURL = re.compile(r'(url|output) = "((?:[^"\\]|\\.)*)"')
DATASET = re.compile(r"(.*)/datasets/([0-9A-Fa-f-]{36})(?:/download/[^/]+)?")
LIST = re.compile(r"(.*)/downloads/([0-9A-Fa-f-]{36})\.[a-z0-9]+")
SEARCH = re.compile(r"(.*?)/(stac/search|(?:stac/)?collections/([^/]+)(?:/items)?|searches/([0-9a-f]{32}))")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch: its address, the name to save it under, and what it should be, None where that is not told."""

    url: str
    name: str
    size_bytes: int | None = None
    sha256: str | None = None


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of an address; raises SettingsError where it has none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        raise SettingsError("this is no address") from None


def files_of(source: str, headers: Mapping[str, str]) -> list[Wanted]:
    """Return the files of a source; `headers` go to the gateway that the source names, and nowhere else.

    Raises SettingsError for what cannot be read, and Refused where the gateway gives no list.
    """
    if not source.startswith(WEB):
        return named(read_list(_read(source)))
    parts = urlsplit(source)
    place = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
    if found := LIST.fullmatch(place):
        query = f"?{parts.query}" if parts.query else ""
        return named(read_list(_text_at(f"{found[1]}/downloads/{found[2]}.ndjson{query}", headers)))
    if found := DATASET.fullmatch(place):
        if parts.query:
            return named(iter([Wanted(source, found[2])]))
        told = answer(f"{found[1]}/datasets/{found[2]}", None, **headers)
        facts = told["title"], told["size_bytes"], told.get("sha256")
        return named(iter([_wanted(f"{found[1]}/datasets/{found[2]}/download/cog", *facts)]))
    if found := SEARCH.fullmatch(place):
        return _of_gateway(found[1], _body(found, parts.query, headers), headers)
    raise SettingsError(NO_SOURCE)


def _body(found: re.Match[str], query: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what to ask a gateway for a list of."""
    api, _, collection, stored = found.groups()
    if stored is not None:
        return {"search": answer(f"{api}/searches/{stored}", None, **headers)["search"]}
    asked = body_of(dict(parse_qsl(query)))
    if collection is None:
        return {"search": asked}
    return {"search": {**asked, "collections": [collection]}} if asked else {"collection": collection}


def _of_gateway(api: str, body: dict[str, Any], headers: Mapping[str, str]) -> list[Wanted]:
    made = answer(f"{api}/downloads", json.dumps(body).encode(), **headers)
    address = next(link["href"] for link in made["links"] if link["rel"] == "ndjson")
    if origin_of(address) != origin_of(api):
        raise SettingsError("the gateway's lists are at another address: its PUBLIC_URL is the one to ask")
    return named(read_list(_text_at(address, {})))


def _text_at(url: str, headers: Mapping[str, str]) -> str:
    with opened(url, headers) as response:
        return _text(response.read(MOST_BYTES + 1))


def _read(source: str) -> str:
    if source == "-":
        return _text(sys.stdin.buffer.read(MOST_BYTES + 1))
    try:
        with Path(source).open("rb") as file:
            return _text(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise SettingsError(f"{source} cannot be read: {(error.strerror or '').lower()}") from None


def _text(read: bytes) -> str:
    if len(read) > MOST_BYTES:
        raise SettingsError("the list is too long")
    try:
        return read.decode()
    except UnicodeDecodeError:
        raise SettingsError("the list is no text in UTF-8") from None


def read_list(text: str) -> Iterator[Wanted]:
    """Yield the files of a list in any of the formats of a gateway; raises SettingsError for another one."""
    try:
        if text.lstrip().startswith("<"):
            yield from _metalink(text)
        elif text.lstrip().startswith("{"):
            for line in filter(None, text.split("\n")):
                told = json.loads(line)
                yield _wanted(told["url"], told["name"], told.get("size"), told.get("sha256"))
        else:
            yield from _lines(text)
    except (ET.ParseError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SettingsError("this is no list of files: metalink, aria2, curl, urls or ndjson") from None


def _metalink(text: str) -> Iterator[Wanted]:
    for file in ET.fromstring(text).iter(f"{SPACE}file"):  # noqa: S314 - expat bounds what entities become
        digest = next((each.text for each in file.iter(f"{SPACE}hash") if each.get("type") == "sha-256"), None)
        size = file.findtext(f"{SPACE}size")
        yield _wanted(file.findtext(f"{SPACE}url"), file.get("name"), size and int(size), digest)


def _lines(text: str) -> Iterator[Wanted]:
    """Yield the files of lines of addresses, as aria2c or curl have them."""
    url: str | None = None
    told: dict[str, str] = {}
    for line in text.split("\n"):
        known = CURL.fullmatch(line)
        address = known[2] if known and known[1] == "url" else line if line.startswith(WEB) else None
        if address is not None:
            if url is not None:
                yield _of_lines(url, told)
            url, told = address, {}
        elif known:
            told["out"] = re.sub(r"\\(.)", r"\1", known[2])
        elif line.startswith(" "):
            name, _, value = line.strip().partition("=")
            told[name] = value
        elif line not in ("", "location", "fail", "globoff"):
            raise ValueError("another format")
    if url is not None:
        yield _of_lines(url, told)


def _of_lines(url: str, told: Mapping[str, str]) -> Wanted:
    digest = told.get("checksum", "").removeprefix("sha-256=")
    found = DATASET.fullmatch(urlsplit(url).path)
    return _wanted(url, told.get("out") or (found[2] if found else "file"), None, digest or None)


def _wanted(url: Any, name: Any, size_bytes: Any, sha256: Any) -> Wanted:
    if not isinstance(url, str) or not url.startswith(WEB) or not isinstance(name, str):
        raise ValueError("no file")
    if size_bytes is not None and (isinstance(size_bytes, bool) or not isinstance(size_bytes, int)):
        raise ValueError("no size")
    if sha256 is not None and not SHA256.fullmatch(sha256):
        raise ValueError("no SHA-256")
    return Wanted(url, name, size_bytes, sha256.lower() if sha256 else None)


def named(files: Iterator[Wanted]) -> list[Wanted]:
    """Return files with names that are one part of a path each, and no two alike."""
    found: dict[str, Wanted] = {}
    for file in files:
        name, number = file_name(file.name), 1
        while name.casefold() in found:
            number += 1
            name = file_name(f"{file_name(file.name)[:150].removesuffix('.tif')}-{number}")
        found[name.casefold()] = Wanted(file.url, name, file.size_bytes, file.sha256)
    return list(found.values())
