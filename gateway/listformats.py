"""Lists of files in the languages of programs that take many: a text for each file, between a head and an end."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from gateway.dates import Dates
from gateway.filenames import ENDING, MAX_NAME_BYTES, file_name
from gateway.model import Dataset, utc_text

# What names of files may not have on some system, in XML 1.0 (section 2.2), or at their begin in a shell.
UNSAFE = re.compile('[<>:"|?*\ufffe\uffff]|^-')
# Names of devices on Windows, whatever their ending.
DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)


class ListFormat(StrEnum):
    """A language of lists of files."""

    METALINK = "metalink"
    ARIA2 = "aria2"
    CURL = "curl"
    URLS = "urls"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a list: its dataset, the name to save it under, and where it is."""

    dataset: Dataset
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Language:
    """How a format is written: its media type, what stands before and behind all files, and one file."""

    media_type: str
    one: Callable[[ListedFile], str]
    head: str = ""
    end: str = ""


class UniqueNames:
    """Names for files in one folder, on systems that tell upper and lower case apart or not."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, dataset: Dataset) -> str:
        """Return the name of a dataset's file: its title, with its id where another one has that name."""
        stem = UNSAFE.sub("_", file_name(dataset.title)).removesuffix(ENDING)
        stem = f"_{stem}" if DEVICES.match(stem) else stem
        name, number = _with_end(stem, ""), 0
        while (key := unicodedata.normalize("NFC", name).casefold()) in self._taken:
            number += 1
            name = _with_end(stem, f"-{dataset.id}" + (f"-{number}" if number > 1 else ""))
        self._taken.add(key)
        return name


def _with_end(stem: str, end: str) -> str:
    end += ENDING
    return stem.encode()[: MAX_NAME_BYTES - len(end)].decode(errors="ignore") + end


def _metalink(file: ListedFile) -> str:
    """Return a file as of RFC 5854 section 4.2."""
    dataset = file.dataset
    digest = f'<hash type="sha-256">{dataset.sha256}</hash>' if dataset.sha256 else ""
    url = f"<url>{escape(file.url)}</url>"
    return f"<file name={quoteattr(file.name)}><size>{dataset.size_bytes}</size>{digest}{url}</file>\n"


def _aria2(file: ListedFile) -> str:
    digest = f"  checksum=sha-256={file.dataset.sha256}\n" if file.dataset.sha256 else ""
    return f"{file.url}\n  out={file.name}\n{digest}"


def _quoted(text: str) -> str:
    """Return a text between quotation marks as curl's configuration reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _curl(file: ListedFile) -> str:
    return f"url = {_quoted(file.url)}\noutput = {_quoted(file.name)}\n"


def _urls(file: ListedFile) -> str:
    return f"{file.url}\n"


def _ndjson(file: ListedFile) -> str:
    dataset = file.dataset
    told = {
        "id": dataset.id,
        "name": file.name,
        "size": dataset.size_bytes,
        "sha256": dataset.sha256,
        "url": file.url,
        "collection": dataset.collection,
        "datetime": _dates(dataset.dates),
    }
    return json.dumps(told) + "\n"


def _dates(dates: Dates) -> str:
    """Return a moment, or an interval with a slash (ISO 8601)."""
    return "/".join(dict.fromkeys((utc_text(dates.start_at), utc_text(dates.end_at))))


TEXT = "text/plain; charset=utf-8"
LANGUAGES = {
    ListFormat.METALINK: Language(
        "application/metalink4+xml",
        _metalink,
        '<?xml version="1.0" encoding="UTF-8"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n',
        "</metalink>\n",
    ),
    ListFormat.ARIA2: Language(TEXT, _aria2),
    # Of a redirect the way is followed, an error is no file, and no character of an address stands for several.
    ListFormat.CURL: Language(TEXT, _curl, "location\nfail\ngloboff\n"),
    ListFormat.URLS: Language(TEXT, _urls),
    ListFormat.NDJSON: Language("application/x-ndjson", _ndjson),
}
