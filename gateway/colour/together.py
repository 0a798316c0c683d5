"""Which datasets make one picture: those that show as many bands, in the same colours of their own."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter

# The bands of a picture, where the raster has more.
PICTURE_BANDS = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """What a dataset shows when nothing is said: its bands but for an opaque one, and a digest of colours of its own.

    `colours` is None where it has none.
    """

    bands: int
    colours: str | None


def require_alike(style: Style, format: TileFormat | None, first: Shown, other: Shown, dataset_id: str) -> None:
    """Return where the `other` dataset, of that id, goes with the `first` one; raises BadParameter."""
    if not (style.bidx or style.expression) and other.bands != first.bands:
        raise BadParameter(
            f"bidx: dataset {dataset_id} has {other.bands} bands, another one of the layer {first.bands}: "
            "name the bands that are to be shown."
        )
    if format is not None and format.carries_values:
        return
    single = len(style.bidx) == 1 if style.bidx else first.bands < PICTURE_BANDS
    told = style.colormap or style.colormap_name or style.expression or style.algorithm
    if single and not told and other.colours != first.colours:
        raise BadParameter(
            f"colormap: dataset {dataset_id} has other colours of its own than another one of the layer: "
            "say which ones are to be shown."
        )
