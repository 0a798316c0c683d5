"""Random requests: tiles, parts, points, previews, numbers and documents with parameters of every kind."""

from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import morecantile

from gateway.colour.algorithm_names import ALGORITHMS
from gateway.colour.model import TileFormat
from gateway.tiles.parameters import REPROJECT, RESAMPLING

SYSTEMS = (
    "EPSG:4326", "EPSG:3857", "EPSG:3035", "EPSG:5070", "EPSG:32633", "EPSG:32601", "EPSG:3413", "EPSG:3031",
    "EPSG:2193", "EPSG:27700", "EPSG:2056", "EPSG:6933", "EPSG:5041", "EPSG:2062", "ESRI:54009", "ESRI:54030",
    "ESRI:102025", "OGC:CRS84", "EPSG:4979", "EPSG:4978", "EPSG:5773", "EPSG:7415", "EPSG:4807", "EPSG:32767",
    "EPSG:0", "IAU_2015:30100", "OGC:AUTO42001", "epsg:3857", "EPSG:9122", "nonsense",
)  # fmt: skip
# None of the Earth's, or at its very ends.
ABSURD = (
    0.0, -0.0, 1e-300, 89.9999999, 90.0, -90.0, 90.0000001, 180.0, -180.0, 180.0000001, 360.0, 540.0, 541.0,
    5_300_000.0, 20_037_508.342789244, 1e8, 1e12, -1e12, 1e13, math.inf, -math.inf, math.nan,
)  # fmt: skip
WORDS = ("nonsense", "", "1e999", "-1", "null", "[]", "{}", "é", "1,2,3", "1e-320", "99999999999999999999")
FUNCTIONS = ("sqrt", "log", "abs", "sin", "exp", "real", "imag", "where", "complex", "arctan2", "floor", "nosuch")
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", ">", "<=", "==", "&", "|", "^")
FORMULAS = ("gamma R 1.4", "sigmoidal RGB 6 0.5", "saturation 1.2", "gamma RGB 0", "explode r 7", "gamma B 1e9")
COLORMAPS = (
    '{"0":"#fff","50":[1,2,3]}', "[[[0,50],[255,0,0,255]]]", '{"1":[1,2,3,4,5]}', '{"-5":"#123456","1e300":"#000"}',
    "[]",
)  # fmt: skip


class Questions:
    """Addresses below the prefix, made up by `chance` over records of datasets by the names of their files."""

    def __init__(self, chance: random.Random, records: dict[str, dict[str, Any]]) -> None:
        self._chance = chance
        self._records = records
        self._names = sorted(records)
        self._grids = morecantile.tms.list()
        self._makers: dict[Callable[[str, dict[str, Any]], str], int] = {
            self._tile: 40, self._part: 20, self._preview: 10, self._point: 12, self._statistics: 8,
            self._tilejson: 6, self._wmts: 4, self._feature: 4, self._facts: 8, self._list: 2, self._legend: 2,
        }  # fmt: skip

    def next(self) -> tuple[str, str]:
        """Return the name of a raster and an address."""
        name = self._chance.choice(self._names)
        record = self._records[name]
        make = self._chance.choices([*self._makers], [*self._makers.values()])[0]
        return name, make(f"/datasets/{record['id']}", record)

    def _often(self, share: float) -> bool:
        return self._chance.random() < share

    def _grid(self) -> str:
        return "WebMercatorQuad" if self._often(0.5) else self._chance.choice(self._grids)

    def _place(self, record: dict[str, Any]) -> tuple[float, float]:
        """Return longitude and latitude, in the raster more often than not."""
        if self._often(0.06):
            return self._chance.choice(ABSURD), self._chance.choice(ABSURD)
        west, south, east, north = record["bounds"] or (-180, -90, 180, 90)
        east += 360 * (east < west)
        spread = self._chance.choice((1.0, 1.0, 1.5))
        across, down = (0.5 + spread * (self._chance.random() - 0.5) for _ in range(2))
        return west + across * (east - west), south + down * (north - south)

    def _tile(self, base: str, record: dict[str, Any]) -> str:
        tms, place = self._grid(), self._address(record)
        scale = self._chance.choice(("", "", "", "@2x", "@4x", "@9x"))
        z, x, y = place(tms)
        extension = self._extension(("", *TileFormat, "jpg", "bmp"))
        path = f"{base}/tiles/{tms}/{z}/{x}/{y}{scale}{extension}"
        if tms == "WebMercatorQuad" and self._often(0.3):
            path = path.replace(f"/{tms}", "")
        return path + self._query(record, ("tilesize", "buffer", "empty"))

    def _address(self, record: dict[str, Any]) -> Callable[[str], tuple[int, int, int]]:
        def address(tms: str) -> tuple[int, int, int]:
            grid = morecantile.tms.get(tms)
            z = self._chance.randint(grid.minzoom, min(grid.maxzoom, self._chance.choice((4, 12, 24))))
            matrix = grid.matrix(z)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = grid.tile(*self._place(record), z)
                x, y = int(found.x), int(found.y)
            except (ValueError, ArithmeticError, morecantile.errors.MorecantileError):
                x, y = self._chance.randint(0, matrix.matrixWidth), self._chance.randint(0, matrix.matrixHeight)
            return z, abs(x), abs(y)

        return address

    def _part(self, base: str, record: dict[str, Any]) -> str:
        query = self._query(record, ("coord_crs", "dst_crs", "max_size", "width", "height"))
        first, second = self._place(record), self._place(record)
        if self._often(0.2):
            factor = self._chance.choice((1e3, 1e5, 1e7))
            first, second = ((x * factor, y * factor) for x, y in (first, second))
        box = [*map(min, zip(first, second, strict=True)), *map(max, zip(first, second, strict=True))]
        if self._often(0.1):
            self._chance.shuffle(box)
        size = f"/{self._chance.choice((1, 64, 256, 2048))}x{self._chance.choice((1, 200, 256))}"
        extension = self._extension(("png", "jpg", "webp", "tif", "npy")) or ".png"
        return f"{base}/bbox/{','.join(map(repr, box))}{size if self._often(0.6) else ''}{extension}{query}"

    def _preview(self, base: str, record: dict[str, Any]) -> str:
        size = self._chance.choice(("", "", "/64x64", "/300x1", "/1x2048"))
        query = self._query(record, ("dst_crs", "max_size", "width", "height"))
        return f"{base}/preview{size}{self._extension(('', *TileFormat))}{query}"

    def _point(self, base: str, record: dict[str, Any]) -> str:
        place = ",".join(map(repr, self._place(record)))
        return f"{base}/point/{place}{self._query(record, ('coord_crs',))}"

    def _statistics(self, base: str, record: dict[str, Any]) -> str:
        own = ("dst_crs", "max_size", "width", "height", "categorical", "p", "c", "histogram_bins", "histogram_range")
        return f"{base}/statistics{self._query(record, own)}"

    def _tilejson(self, base: str, record: dict[str, Any]) -> str:
        query = self._query(record, ("minzoom", "maxzoom", "tilesize", "tile_scale", "tile_format"))
        return f"{base}/{self._grid()}/tilejson.json{query}"

    def _wmts(self, base: str, record: dict[str, Any]) -> str:
        query = self._query(record, ("minzoom", "maxzoom", "tilesize"))
        grid = f"{'&' if query else '?'}tile_matrix_set_id={self._grid()}"
        return f"{base if self._often(0.8) else ''}/WMTSCapabilities.xml{query}{grid}"

    def _feature(self, base: str, record: dict[str, Any]) -> str:
        tms = self._grid()
        z, x, y = self._address(record)(tms)
        asked = {
            "service": "WMTS", "request": self._chance.choice(("GetFeatureInfo", "GetTile")), "tilematrixset": tms,
            "tilematrix": z, "tilecol": x, "tilerow": y, "i": self._chance.randrange(300), "j": 7,
        }  # fmt: skip
        return f"{base}/WMTSCapabilities.xml?{urlencode(asked)}"

    def _facts(self, base: str, _: dict[str, Any]) -> str:
        return base + self._chance.choice(("", "/info", "/info", "/info.geojson", "/validation?strict=true"))

    def _list(self, _: str, record: dict[str, Any]) -> str:
        first, second = self._place(record), self._place(record)
        return f"/datasets?{urlencode({'bbox': ','.join(map(repr, (*first, *second))), 'limit': 5})}"

    def _legend(self, _: str, __: dict[str, Any]) -> str:
        name = self._chance.choice(("viridis", "nosuch", "terrain", "accent"))
        asked = {"f": "png", "width": self._chance.choice((1, 256, 2048)), "rescale": self._pair()}
        return f"/colorMaps/{name}?{urlencode(asked)}"

    def _extension(self, formats: tuple[str, ...]) -> str:
        found = self._chance.choice(formats)
        return f".{found}" if found else ""

    def _query(self, record: dict[str, Any], own: tuple[str, ...]) -> str:
        """Return some parameters, of styles and those of the route, `?` and all."""
        values = {**self._styles(record), **{name: self._own(name) for name in own}}
        chosen = [name for name in values if self._often(0.1 if name not in own else 0.25)]
        pairs = [(name, self._chance.choice(WORDS) if self._often(0.03) else values[name]) for name in chosen]
        return f"?{urlencode(pairs)}" if pairs else ""

    def _styles(self, record: dict[str, Any]) -> dict[str, object]:
        algorithm = self._chance.choice([*ALGORITHMS, "nosuch"])
        return {
            "bidx": self._chance.randint(1, record["count"] + self._often(0.1)),
            "expression": self._expression(record["count"]),
            "nodata": self._chance.choice((0, 1, 255, -9999, "nan", 1e300, 12.5)),
            "unscale": "true",
            "resampling": self._chance.choice(RESAMPLING),
            "reproject": self._chance.choice(REPROJECT),
            "rescale": self._pair(),
            "color_formula": self._chance.choice(FORMULAS),
            "colormap_name": self._chance.choice(("viridis", "terrain", "nosuch")),
            "colormap": self._chance.choice(COLORMAPS),
            "return_mask": self._chance.choice(("true", "false")),
            "algorithm": algorithm,
            "algorithm_params": json.dumps({"buffer": self._chance.choice((0, 3, 200))}),
        }

    def _own(self, name: str) -> object:
        if name in ("coord_crs", "dst_crs"):
            return self._chance.choice(SYSTEMS)
        if name in ("p", "c"):
            return self._chance.choice((0, 50, 99.9, -3))
        choices: dict[str, tuple[object, ...]] = {
            "tilesize": (1, 16, 256, 512, 1024), "buffer": (0.5, 1, 64, 0.3), "empty": ("200", "204", "404"),
            "tile_format": (*TileFormat, "bmp"), "categorical": ("true",), "tile_scale": (1, 2, 4, 5),
            "histogram_bins": (1, 10, 1000, "1,2,3"), "histogram_range": ("0,10", "5,5", "-1e308,1e308"),
            "minzoom": (0, 3, 30), "maxzoom": (0, 9, 30),
        }  # fmt: skip
        return self._chance.choice(choices.get(name, (1, 50, 256, 2048, 0)))

    def _pair(self) -> str:
        low, high = sorted(self._chance.choice((0, 1, 255, -500, 4000, 1e300, -1e300, 1e-300)) for _ in range(2))
        return f"{low},{high}"

    def _expression(self, count: int, depth: int = 0) -> str:
        if depth > 2 or self._often(0.25):
            number = self._chance.choice(("0", "1", "2.5", "1e300", "255", "0.5"))
            return f"b{self._chance.randint(1, count + self._often(0.05))}" if self._often(0.7) else number
        parts = [self._expression(count, depth + 1) for _ in range(3)]
        if self._often(0.3):
            name = self._chance.choice(FUNCTIONS)
            given = {"where": 3, "complex": 2, "arctan2": 2}.get(name, 1)
            return f"{name}({','.join(parts[:given])})"
        whole = f"({parts[0]}{self._chance.choice(OPERATORS)}{parts[1]})"
        return f"{whole};{parts[2]}" if depth == 0 and self._often(0.2) else whole
