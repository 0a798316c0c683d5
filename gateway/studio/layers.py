"""Pictures of several datasets drawn as one: what handlers ask for a layer.

`members` are judged versions that the caller may see, in the order in which they are painted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from gateway.colour.model import LayerStyle, PixelSelection, Stretch, Style
from gateway.ground.address import TileAddress
from gateway.model import Dataset
from gateway.records import Crowd
from gateway.studio import tasks
from gateway.studio.pictures import Pictures
from gateway.studio.rounds import GROUP, Round, Rounds, Run
from gateway.tiles.model import LayerPicture

T = TypeVar("T")
Where = tasks.Where
BYTE_RANGE = (0.0, 255.0)


class Layers:
    """Tiles, parts, values and statistics of several datasets; `Pictures` has the open files and the kept tiles.

    Futures raise BadParameter for datasets that do not go together, VersionChanged with the id of the dataset in
    `members["dataset"]`, Unavailable and StorageUnavailable. A dataset that cannot be drawn is left out, and told.
    """

    def __init__(self, pictures: Pictures, run: Run) -> None:
        self._pictures = pictures
        self._rounds = Rounds(pictures, run)

    def missing(self, members: Sequence[Dataset]) -> list[Dataset]:
        """Return those whose local file would have to be opened first; opened or not, all can be painted."""
        return [member for member in members[:GROUP] if not self._pictures.holds(member)]

    def ready(self, members: Sequence[Dataset], address: TileAddress, how: LayerStyle) -> LayerPicture | None:
        """Return a tile that is kept, or that is a block of the first file, else None: nothing is waited for."""
        kept: LayerPicture | None = self._pictures.cache.get(_key(members, address, how))
        first = how.selection is PixelSelection.FIRST and how.stretch is None and members
        if kept is not None or not first:
            return kept
        # It covers the tile, and nothing of it is transparent: no other one would be seen.
        block = self._pictures.stored(members[0], address, how.style, how.format)
        return None if block is None else LayerPicture(block, (members[0].id,))

    def tile(self, members: Sequence[Dataset], address: TileAddress, how: LayerStyle) -> Future[LayerPicture]:
        """Return the future of a tile, which several may wait for."""

        def make(sources: tuple[tasks.Source, ...], whole: bool) -> tasks.Task[LayerPicture | None]:
            return tasks.layer_tile(sources, address, how, whole)

        lazy = how.selection is PixelSelection.FIRST
        made: Future[LayerPicture] = self._pictures.cache.get_or_make(
            _key(members, address, how), lambda: self._rounds.begin(members, Round(make, lazy)), _lasts
        )
        made.add_done_callback(lambda tile: self._learn(members, address.tms, tile))
        return made

    def crowd_tile(
        self, members: Sequence[Dataset], crowd: Crowd, address: TileAddress, how: LayerStyle
    ) -> Future[LayerPicture]:
        """Return the future of a tile of a crowd.

        Of the `members` the first one that can be drawn says how; those that have no small picture are painted.
        """
        made: Future[LayerPicture] = self._pictures.cache.get_or_make(
            ("crowd", crowd.digest, *_key(members, address, how)),
            lambda: self._of_crowd(
                members, crowd, how, lambda sources, told: tasks.crowd_tile(sources, address, told, how)
            ),
            _lasts,
        )
        return made

    def crowd_part(
        self, members: Sequence[Dataset], crowd: Crowd, where: Where, how: LayerStyle, size: tasks.Size
    ) -> Future[LayerPicture]:
        """Return the future of a picture of bounds, as `part`, painted as `crowd_tile`."""
        return self._of_crowd(
            members, crowd, how, lambda sources, told: tasks.crowd_part(sources, where, told, how, size)
        )

    def crowd_statistics(
        self,
        members: Sequence[Dataset],
        crowd: Crowd,
        where: Where,
        how: LayerStyle,
        size: tasks.Size,
        options: Mapping[str, Any],
    ) -> Future[dict[str, Any]]:
        """Return the future of the statistics of a part, as `statistics`, painted as `crowd_tile`."""
        given = dict(options)
        return self._of_crowd(
            members,
            crowd,
            how,
            lambda sources, told: tasks.crowd_statistics(sources, (where, size), told, how, given),
        )

    def _of_crowd(
        self,
        members: Sequence[Dataset],
        crowd: Crowd,
        how: LayerStyle,
        make: Callable[[tuple[tasks.Source, ...], tasks.Pictured], tasks.Task[T]],
    ) -> Future[T]:
        told = crowd.ids, crowd.bodies
        asked = Round(lambda sources, _: make(sources, told), ids=crowd.ids, crowd=(crowd.digest, how))
        return self._rounds.begin(members, asked)

    def part(
        self, members: Sequence[Dataset], where: Where, how: LayerStyle, size: tasks.Size
    ) -> Future[LayerPicture]:
        """Return the future of a picture of bounds (west, south, east, north) by coord_crs and dst_crs.

        `size` are max_size, width and height. Raises NotFound where no member can be drawn.
        """
        return self._rounds.begin(members, Round(lambda sources, _: tasks.layer_part(sources, *where, how, size)))

    def point(
        self, members: Sequence[Dataset], place: tuple[float, ...], coord_crs: str | None, style: Style
    ) -> Future[dict[str, Any]]:
        """Return the future of what TiTiler tells of a point of a mosaic: `coordinates`, and `assets` with values.

        The name of an asset is the id of the dataset; `left_out` are the ids of those that cannot be read.
        """
        return self._rounds.begin(
            members, Round(lambda sources, _: tasks.layer_point(sources, place, coord_crs, style))
        )

    def statistics(
        self,
        members: Sequence[Dataset],
        where: Where,
        how: LayerStyle,
        size: tasks.Size,
        options: Mapping[str, Any],
    ) -> Future[dict[str, Any]]:
        """Return the future of the statistics of a part: `bands` by name, and the ids of those `used` and `left_out`.

        Raises NotFound where there is no value.
        """
        told = dict(options)
        return self._rounds.begin(
            members, Round(lambda sources, _: tasks.layer_statistics(sources, where, how, size, told))
        )

    def _learn(self, members: Sequence[Dataset], tms: str, tile: Future[LayerPicture]) -> None:
        """Find out which stored blocks of the first file are tiles, once one of them was."""
        if tile.cancelled() or tile.exception() is not None or tile.result().encoded.way != "passthrough":
            return
        used = next((member for member in members if member.id in tile.result().used), None)
        if used is not None:
            self._pictures.learn(used, tms)


def layer_stretch(members: Iterable[Dataset], *, unscale: bool = False) -> Stretch | None:
    """Return the default range of values of a whole layer, one (low, high) for each band; None for bytes alone.

    It is put together of those that were taken when the members were judged; None where there is none of them.
    """
    found: dict[int, tuple[float, float]] = {}
    bytes_too = False
    for raster in (member.raster for member in members if member.raster is not None):
        bytes_too |= raster.dtype == "uint8"
        for band, ends in enumerate(raster.stretch or ()):
            scale, offset = raster.scaling[band] if unscale and raster.scaling else (1.0, 0.0)
            values = [end * scale + offset for end in ends] + list(found.get(band, ()))
            found[band] = min(values), max(values)
    if bytes_too:
        found = {band: (min(low, BYTE_RANGE[0]), max(high, BYTE_RANGE[1])) for band, (low, high) in found.items()}
    return Stretch(tuple(found[band] for band in sorted(found))) if found else None


def _key(members: Sequence[Dataset], address: TileAddress, how: LayerStyle) -> tuple[object, ...]:
    """Return what a tile is kept by: the versions of all members in their order, and everything else that counts."""
    versions = "\n".join(f"{member.id} {member.version}" for member in members)
    return "layer", hashlib.blake2b(versions.encode(), digest_size=16).digest(), address, how


def _lasts(picture: LayerPicture) -> bool:
    """Return whether a picture is to be kept: what was left out may be there again."""
    return not picture.left_out
