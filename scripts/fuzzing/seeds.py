"""The COGs that mutants are made of: those of `data/`, of GDAL's COG driver, and hand-made structures."""

from __future__ import annotations

from pathlib import Path

from tests.cog.samples import write_sample
from tests.cog.tiffs import CLAIMS, GEO, INTERLEAVED, Image, ghost_of, masked, pyramid, write

DATA = Path(__file__).resolve().parents[2] / "data"
WRITTEN_BY_GDAL = (
    "deflate", "plain", "uint16", "jpeg_mask", "webp", "mask", "sparse", "all_sparse", "bigtiff", "big_endian",
    "big_endian_bigtiff", "tall",
)  # fmt: skip
METADATA = b"<GDALMetadata><Item name='A'>1</Item></GDALMetadata>\0"


def write_seeds(folder: Path) -> None:
    """Write every seed into a folder, each under a name of its own."""
    for path in DATA.glob("*.tif"):
        (folder / path.name).write_bytes(path.read_bytes())
    for name in WRITTEN_BY_GDAL:
        write_sample(name, folder / f"{name}.tif")
    for name, data in _structures().items():
        (folder / f"{name}.tif").write_bytes(data)


def _structures() -> dict[str, bytes]:
    """Return small files of kinds that GDAL does not write: planar, SubIFDs, pages, no ghost area."""
    images, order = masked()
    interleaved = CLAIMS.replace("KNOWN", "INTERLEAVE=BAND\nKNOWN")
    sub = [*pyramid(tags={**GEO, 42112: (2, METADATA)}), Image(32, 24, subfile=1, sub_of=0)]
    return {
        "planar": write(pyramid(samples=3, planar=2), ghost=ghost_of(interleaved)),
        "interleaved_masks": write(images, ghost=ghost_of(INTERLEAVED), blocks=order),
        "sub_ifds_big": write(sub, big=True),
        "pages_big_endian": write([*pyramid(samples=2, bits=16), Image(80, 20)], order=">"),
    }
