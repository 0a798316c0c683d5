"""What a painter answers, as its parent reads it: MessagePack of the type that the task's work returns, and no more.

A painter decodes strangers' files and may be in a stranger's hands. So what it answers is read by what can make
plain values and a few frozen ones, and run nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from gateway.cog.parts import PlannedPart, WrittenPart
from gateway.colour.model import Encoded, Stretch, TileFormat
from gateway.errors import GatewayError
from gateway.model import Inspection
from gateway.tiles.model import LayerPicture, OnMap
from gateway.tiles.stored import StoredTiles

# What the work of a task returns; pictures and bytes beside it.
RETURNS: Mapping[str, Any] = {
    "stored": StoredTiles | None,
    "on_map": OnMap,
    "verdict": Inspection,
    "native_part": PlannedPart,
    "native_feature": PlannedPart,
    "write_part": WrittenPart,
    "info": dict[str, Any],
    "point": dict[str, Any],
    "feature": dict[str, Any],
    "statistics": dict[str, Any],
    "zonal_statistics": list[dict[str, Any]],
    "layer_tile": None,
    "crowd_statistics": dict[str, Any],
    "layer_statistics": dict[str, Any],
    "layer_point": dict[str, Any],
    "default_range": Stretch | None,
    "grids": list[str],
    "grid_json": dict[str, Any],
    "capabilities": str,
    "colormaps": list[str],
}
# Format and way, the datasets used and those left out.
PICTURE = tuple[str, str, tuple[str, ...], tuple[str, ...]]
# Of an error's headers, those that work below can have to say something about.
HEADERS = ("Retry-After",)


@dataclass(frozen=True, slots=True)
class Told:
    """An error of ours as it travels: the name of its class and what it tells."""

    kind: str
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None


def packed(value: Any) -> bytes:
    """Return a value as it travels; raises TypeError, ValueError or OverflowError for one that cannot."""
    return msgspec.msgpack.encode(value, enc_hook=_plain)


def packed_error(error: GatewayError) -> bytes:
    """Return an error of ours as it travels."""
    headers = {name: value for name, value in error.headers.items() if name in HEADERS}
    reason = getattr(error, "reason", None)
    return packed(Told(type(error).__name__, error.detail, headers, error.members, reason))


def value_of(work: str, found: bytes) -> Any:
    """Return what a work has returned; raises ValueError for what it never returns."""
    return _read(work, found)


def head_of(picture: Encoded | LayerPicture) -> tuple[Any, ...]:
    """Return what travels beside the body of a picture."""
    if isinstance(picture, Encoded):
        return picture.format.value, picture.way, (), ()
    return picture.encoded.format.value, picture.encoded.way, picture.used, picture.left_out


def picture_of(head: bytes, body: bytes) -> LayerPicture:
    """Return a picture, of one dataset or of several; raises ValueError."""
    format, way, used, left_out = _read("picture", head)
    return LayerPicture(Encoded(body, TileFormat(format), way), used, left_out)


def text_of(found: bytes) -> str:
    """Return a text; raises ValueError."""
    return str(_read("text", found))


def texts_of(found: bytes) -> list[str]:
    """Return some texts; raises ValueError."""
    return list(_read("texts", found))


def error_of(found: bytes) -> GatewayError:
    """Return an error as it was raised; raises ValueError for one that is not ours."""
    told: Told = _read("error", found)
    kind = _kinds().get(told.kind)
    if kind is None or not all(name in HEADERS and value.isdecimal() for name, value in told.headers.items()):
        raise ValueError("no error of ours")
    error = kind.__new__(kind)
    GatewayError.__init__(error, told.detail, headers=told.headers, members=told.members)
    if told.reason is not None:
        error.__dict__["reason"] = told.reason
    return error


def _read(what: str, found: bytes) -> Any:
    try:
        return _decoder(what).decode(found)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None


@lru_cache(64)
def _decoder(what: str) -> msgspec.msgpack.Decoder[Any]:
    own: Mapping[str, Any] = {"error": Told, "text": str, "texts": list[str], "picture": PICTURE}
    return msgspec.msgpack.Decoder(RETURNS.get(what, own.get(what, Any)))


@lru_cache(1)
def _kinds() -> Mapping[str, type[GatewayError]]:
    return {kind.__name__: kind for kind in _below(GatewayError)}


def _below(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _below(each)


def _plain(value: Any) -> Any:
    """Return numbers and arrays of numpy as Python has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} does not travel")
