"""One ground on which several datasets are painted, each read by its own way, until no pixel is missing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gateway.colour.model import Encoded, LayerStyle, PixelSelection, Style
from gateway.colour.paint import PICTURES, resolved
from gateway.colour.stretch import stretch_of
from gateway.colour.together import Shown, require_alike
from gateway.errors import BadParameter, CannotBeDrawn, Unavailable
from gateway.ground.address import TileAddress
from gateway.ground.grid import Frame, Grids
from gateway.ground.mapping import Part
from gateway.reading.handles import Handle, Version
from gateway.reading.source import OPAQUE, Drawn, Mask, kept_nodata
from gateway.reading.view import PICTURE_BANDS, View
from gateway.tiles.composite import Canvas, Contribution, Valid, canvas_of, contribution
from gateway.tiles.drawing import MAX_VALUES, blank, check_amount, finished, nothing, read, request_of, view_of
from gateway.tiles.engine import TileEngine
from gateway.tiles.members import each_of
from gateway.tiles.model import LayerPicture
from gateway.tiles.passthrough import stored_tile, tile_of_blocks
from gateway.tiles.small import draw_small, fits
from gateway.tiles.warp import placed

BY_LAST_BAND = (PixelSelection.LASTBANDLOW, PixelSelection.LASTBANDHIGH)
# These hold sums beside the pixels, or all of them.
SUMMED = (PixelSelection.MEAN, PixelSelection.MEDIAN, PixelSelection.STDEV)
SUMS = 4
# Less than a painter has for a task: many files that are each slow say nothing against one of them.
MAX_SECONDS = 20.0
# A part is cut off where it saves so much of what has to be read.
WORTH = 0.75


@dataclass(frozen=True)
class Blocks:
    """What tells which stored blocks are the tile that is painted."""

    grids: Grids
    address: TileAddress


class Painting:
    """One ground, on which one dataset after the other is painted; none of them is opened before."""

    def __init__(self, frame: Frame, how: LayerStyle, blocks: Blocks | None = None) -> None:
        self.frame = frame
        self.used: list[str] = []
        self.left_out: list[str] = []
        self.way = "hot"
        self.view: View | None = None
        self.style = how.style
        self.stored: Encoded | None = None
        self.canvas: Canvas | None = None
        self._how = how
        self._blocks = blocks
        self._names: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """Return whether nothing that comes can change a pixel."""
        return self.stored is not None or (self.canvas is not None and self.canvas.full)

    def paint(self, engine: TileEngine, sources: Sequence[Version]) -> None:
        """Paint datasets in their order, as long as that changes anything.

        Raises BadParameter for datasets that do not go together, VersionChanged with the dataset's id, Unavailable
        for what takes too long, and StorageUnavailable.
        """
        until = time.monotonic() + MAX_SECONDS
        for source in sources:
            if self.full:
                return
            if time.monotonic() > until:
                raise Unavailable("The picture takes too long: ask for fewer files (limit_assets).")
            each_of(engine, source, partial(self.add, source.id), self.left_out)
        if self.canvas is None and not self._coloured:
            # Values have the bands and the type of the layer, where there are none too.
            any(each_of(engine, source, partial(self._lay_nothing, source.id), []) for source in sources)

    def take_style(self, id: str, handle: Handle) -> Style:
        """Return the style as the first dataset has it."""
        self._check(id, handle.view, handle)
        return self.style

    def lay(self, more: Contribution) -> Valid:
        """Return which pixels were taken of values in the bands that are read for the style; raises BadParameter."""
        assert self.view is not None  # noqa: S101 - the style was taken
        style = self.style
        if style.expression:
            known = more.known
            seen = np.where(known.any(axis=0), np.uint8(OPAQUE), np.uint8(0))
            lacking = ~known if len(known) > 1 else None
            part = more.at
            frame = self.frame.cut(part.left, part.top, part.right, part.bottom)
            more = self._worked(Drawn(more.pixels, seen, lacking), self.view, frame, part)
        else:
            self._name(self.view, request_of(self.view, style).bands)
        return self._laid(self.view, more)

    def _laid(self, view: View, more: Contribution) -> Valid:
        if self.canvas is None:
            self.canvas = self._new_canvas(view, more)
        return self.canvas.add(more)

    def _name(self, view: View, bands: Sequence[int]) -> None:
        self._names = self._names or tuple(view.descriptions[band - 1] for band in bands)

    def picture(self) -> LayerPicture:
        """Return what is painted, by the style."""
        return LayerPicture(self.stored or self._encoded(), tuple(self.used), tuple(self.left_out))

    def values(self) -> tuple[Drawn, View, Style] | None:
        """Return what is painted as values, and view and style by which it becomes a picture; None for nothing."""
        return self._values() if self.used else None

    def _values(self) -> tuple[Drawn, View, Style] | None:
        found = self.canvas.drawn() if self.canvas is not None else None
        if found is None or self.view is None:
            return None
        style = replace(self.style, bidx=(), expression=None, unscale=False, nodata=None)
        if self._how.selection in BY_LAST_BAND and self._coloured:
            shown = PICTURE_BANDS if len(found.pixels) >= PICTURE_BANDS else 1
            lacking = None if found.lacking is None else found.lacking[:shown]
            found = Drawn(found.pixels[:shown], found.mask, lacking)
        if len(style.rescale) > 1:
            style = replace(style, rescale=style.rescale[: len(found.pixels)])
        return found, self._view_of(found, self.view), style

    @property
    def _coloured(self) -> bool:
        return self._how.format in (None, *PICTURES)

    def _encoded(self) -> Encoded:
        format = self._how.format
        painted = self.values() if self._coloured else self._values()
        if painted is None and self._coloured:
            return blank(self.frame.shape, format)
        if painted is None:
            none = Drawn(np.zeros((1, *self.frame.shape), np.uint8), np.zeros(self.frame.shape, np.uint8))
            painted = none, self._view_of(none, None), Style(return_mask=self.style.return_mask)
        found, view, style = painted
        made = finished(view, found, self.frame, style, format, self.way)
        return made if self.used else replace(made, way="empty")

    def _view_of(self, found: Drawn, first: View | None) -> View:
        """Return the facts of a raster that would hold what is painted."""
        worked = self.style.expression or self._how.selection in (*SUMMED, PixelSelection.COUNT)
        return view_of(found, self._names, None if first is None or worked else first.colormap)

    def add(self, id: str, handle: Handle) -> None:
        """Paint one dataset, where it has pixels that count; raises BadParameter as `paint` does."""
        part = placed(handle, self.frame.crs).part(self.frame)
        if part is None:
            return
        view = handle.view
        if self._is_stored(handle):
            self.used.append(id)
            return
        self._check(id, view, handle)
        check_amount(view, self.style, *self.frame.shape, self._how.format)
        found = self._read(handle, self._lacking(part))
        if found is None:
            return
        if found.pixels.dtype.kind == "c" and self._how.selection is not PixelSelection.FIRST:
            raise CannotBeDrawn("The values are complex numbers, which have no order.")
        if self._laid(view, found).any():
            self.used.append(id)

    def _lay_nothing(self, id: str, handle: Handle) -> bool:
        """Paint what a dataset has where it has no value."""
        view, (rows, columns) = handle.view, self.frame.shape
        self._check(id, view, handle)
        part, drawn = Part(0, 0, columns, rows), nothing(handle, self.frame, self.style)
        scaled = self.style.expression or (self.style.unscale and view.scaled)
        found = self._worked(drawn, view, self.frame, part) if scaled else contribution(drawn, None, part)
        self._laid(view, found)
        return True

    def _new_canvas(self, view: View, found: Contribution) -> Canvas:
        """Return an empty canvas for values of that kind; raises BadParameter for more than can be held."""
        selection, bands = self._how.selection, len(found.pixels)
        rows, columns = self.frame.shape
        if selection in SUMMED and rows * columns * bands > MAX_VALUES // SUMS:
            raise BadParameter(
                f"pixel_selection, width, height: {columns} x {rows} x {bands} bands; "
                f"the limit is {MAX_VALUES // SUMS} values."
            )
        if selection in BY_LAST_BAND and bands == 1:
            raise BadParameter("pixel_selection: it takes two bands at least, the last of which decides.")
        nodata = None if self.style.expression else view.nodata if self.style.nodata is None else self.style.nodata
        return canvas_of(selection, (rows, columns), kept_nodata(nodata, found.pixels.dtype))

    def _is_stored(self, handle: Handle) -> bool:
        """Return whether a stored block is the tile, which is then kept as it is."""
        how, blocks = self._how, self._blocks
        if blocks is None or self.view is not None or how.stretch or how.selection is not PixelSelection.FIRST:
            return False
        self.stored = stored_tile(handle, blocks.grids, blocks.address, how.style, how.format)
        return self.stored is not None

    def _check(self, id: str, view: View, handle: Handle) -> None:
        """Take the style from the first dataset; raises BadParameter for one with other bands than that."""
        if self.view is None:
            self.view = view
            self.style = self._resolved(view, handle)
            return
        self.require_alike(id, Shown(len(view.bands), view.colours))

    def require_alike(self, id: str, other: Shown) -> None:
        """Return where a dataset goes with the first one; raises BadParameter."""
        assert self.view is not None  # noqa: S101 - the style was taken
        first = Shown(len(self.view.bands), self.view.colours)
        require_alike(self._how.style, self._how.format, first, other, id)

    def _resolved(self, view: View, handle: Handle) -> Style:
        """Return the style with bands and ranges filled in, those of the layer where it has some."""
        how, style = self._how, self._how.style
        if how.selection in BY_LAST_BAND and not (style.bidx or style.expression):
            style = replace(style, bidx=view.bands)
        known = how.stretch if how.stretch and len(how.stretch.bands) >= len(view.descriptions) else None
        if known is not None:
            # Bytes beside larger values are shown as these; the ranges are of scaled values already.
            wide = "uint16" if view.dtype == "uint8" else view.dtype
            view = replace(view, dtype=wide, scales=((1, 0),) * len(view.scales))
        if how.selection is PixelSelection.COUNT:
            return resolved(style, view, how.format, lambda: None)
        found = resolved(style, view, how.format, lambda: known or stretch_of(handle))
        if how.selection is not PixelSelection.STDEV or style.rescale or not found.bidx or style.expression:
            return found
        # No value is further from the mean than half of the range.
        ranges = found.rescale or ((0.0, 255.0),) * len(found.bidx)
        return replace(found, rescale=tuple((0.0, (high - low) / 2) for low, high in ranges))

    def _lacking(self, part: Part) -> Part:
        """Return the part of a part that is worth reading: all where GDAL reads, or where less would save little."""
        missing = self.canvas.missing if self.canvas is not None else None
        if missing is None or not self.style.resampling == self.style.reproject == "nearest":
            return part
        left, top = max(part.left, missing.left), max(part.top, missing.top)
        cut = Part(left, top, max(left, min(part.right, missing.right)), max(top, min(part.bottom, missing.bottom)))
        return cut if cut.width * cut.height < WORTH * part.width * part.height else part

    def _read(self, handle: Handle, part: Part) -> Contribution | None:
        """Return what a dataset has in a part of the ground, or None."""
        if not (part.width and part.height):
            return None
        view, style = handle.view, self.style
        whole = (part.height, part.width) == self.frame.shape
        drawn = self._block(handle) if whole else None
        frame = self.frame if whole else self.frame.cut(part.left, part.top, part.right, part.bottom)
        if drawn is None:
            request, way = request_of(view, style), "hot"
            if fits(handle, frame, request):
                drawn = draw_small(handle, frame, request)
            else:
                drawn, way = read(handle, frame, style)
            self.way = way if way == "rio-tiler" else self.way
        if drawn is None:
            return None
        if not (style.expression or (style.unscale and view.scaled)):
            request = request_of(view, style)
            self._name(view, request.bands)
            return contribution(drawn, request.nodata, part)
        return self._worked(drawn, view, frame, part)

    def _block(self, handle: Handle) -> Drawn | None:
        """Return the pixels of the stored block that is the tile, or has it as a part, or None."""
        if self._blocks is None or self.style.expression:
            return None
        request = request_of(handle.view, self.style)
        return tile_of_blocks(handle, self._blocks.grids, self._blocks.address, request)

    def _worked(self, drawn: Drawn, view: View, frame: Frame, part: Part) -> Contribution:
        """Return values after scale, offset and expression, which belong to each dataset."""
        from gateway.colour.values import Ground, image_of  # noqa: PLC0415 - rio-tiler takes long to import

        self.way = "rio-tiler"
        opaque = Drawn(drawn.pixels, None if drawn.mask is None else _opaque(drawn.mask))
        style = replace(self.style, algorithm=None)
        image, _ = image_of(opaque, style, view, Ground(frame.crs, frame.bounds))
        self._names = self._names or tuple(image.band_descriptions)
        pixels, valid = np.asarray(image.array.data), ~np.ma.getmaskarray(image.array)
        if pixels.dtype.kind == "f":
            valid &= ~np.isnan(pixels)
        return Contribution(pixels, None if valid.all() else valid, part)


def _opaque(mask: Mask) -> Mask:
    return np.where(mask == OPAQUE, mask, 0)
