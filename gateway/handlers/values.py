"""Values in answers of maps: parts of the file, given by the right to download and on record.

A picture shows a file, an array of its values is a part of it. Without this a dataset that may be seen but not taken
could be had tile by tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.colour.model import MEDIA_TYPES, Encoded, Style, TileFormat
from gateway.errors import Forbidden
from gateway.gatekeeper import Action
from gateway.handlers.access import OPEN_VALUES, VALUES, AccessRule
from gateway.handlers.audited import AuditedHandler
from gateway.model import Dataset

# What a pixel takes at most: colours and a mask that no compression makes smaller; a value, as of an expression.
PICTURE_BYTES, VALUE_BYTES = 4, 8
VALUE_FORMATS = frozenset(form.value for form in TileFormat if form.carries_values)
# An expression is longer only if somebody wants to fill the audit.
EXPRESSION_CHARACTERS = 512


class ValuesHandler(AuditedHandler):
    """What resources of maps share that come as a picture or as values."""

    action = Action.VIEW

    def named_format(self) -> str | None:
        """Return the format that the request names; None where it names none, or the resource has none."""
        return None

    def rule_of(self, verb: Any) -> AccessRule:
        """Return the rule of the file for values, unless OPEN_VALUES gives them to all who may view."""
        if self.named_format() not in VALUE_FORMATS:
            return super().rule_of(verb)
        if self.services.settings.open_values:
            return OPEN_VALUES
        self.action = Action.DOWNLOAD
        return VALUES

    @property
    def gives_file(self) -> bool:
        """Return whether the answer is a part of the file, and no picture of it."""
        return self.action is Action.DOWNLOAD

    async def send_drawn_body(self, drawn: Encoded, dataset: Dataset, style: Style, place: Mapping[str, Any]) -> None:
        """Finish with what was drawn; `place` tells the audit which part of the file values are."""
        self.set_header("Content-Type", MEDIA_TYPES[drawn.format])
        if not self.gives_file:
            if drawn.format.carries_values and not self.services.settings.open_values:
                raise Forbidden("Values need the right to download.").about(dataset.id)
            self.finish(drawn.body)
            return
        if self.request.method == "HEAD":
            self.finish(drawn.body)
            return
        detail = {**place, "format": drawn.format.value, **bands_told(style)}
        await self.deliver("download.part", dataset, drawn.body, detail)


def most_bytes(pixels: int, wanted: TileFormat | None, style: Style, dataset: Dataset) -> int:
    """Return how long the body of a picture or of values with so many pixels is at most, but for some head."""
    if wanted is None or not wanted.carries_values:
        return PICTURE_BYTES * pixels
    bands = dataset.raster.count if dataset.raster else 1
    bands = style.expression.count(";") + 1 if style.expression else len(style.bidx) or bands
    return (bands + 1) * VALUE_BYTES * pixels


def bands_told(style: Style) -> dict[str, object]:
    """Return which bands the values are of, as the audit tells it."""
    if style.expression:
        return {"expression": style.expression[:EXPRESSION_CHARACTERS]}
    return {"bands": list(style.bidx) or "all"}
