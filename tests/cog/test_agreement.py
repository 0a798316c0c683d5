import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from gateway.cog import inspect
from gateway.cog.agreement import disagreements, types_of
from gateway.cog.checks.coding import ALL
from gateway.cog.layout import read_layout
from gateway.files import open_file
from tests.cog.tiffs import GEO, BytesSource, Image, Patch, masked, pyramid, write

BASE = {"plain": pyramid(), "masked": masked()[0], "separate": pyramid(samples=3, planar=2)}


@pytest.fixture
def seen_beside(tmp_path):
    """A function that tells what GDAL sees of one file beside the directories of another."""

    def judge(file, directories):
        path = tmp_path / "seen.tif"
        path.write_bytes(bytes(file))
        layout = read_layout(BytesSource(directories))
        with rasterio.open(path) as raster:
            found = disagreements(raster, layout)
            return [each.message.removesuffix(" Rewrite the file.") for each in found]

    return judge


def nodata(text, **options):
    return write(pyramid(tags={**GEO, 42113: (2, text.encode() + b"\0")}, **options))


@pytest.mark.parametrize(
    ("file", "directories", "told"),
    [
        (pyramid(), pyramid()[:2], "number of overviews is 2, by its directories 1"),
        (masked()[0], pyramid(), "mask is there, by its directories not there"),
        (pyramid(), masked()[0], "mask is not there, by its directories there"),
        (pyramid(bits=16), pyramid(), "data type is uint16, by its directories uint8"),
        (pyramid(samples=2), pyramid(), "number of bands is 2, by its directories 1"),
        (
            pyramid(samples=3, planar=2),
            pyramid(samples=3),
            "separation of bands is there, by its directories not there",
        ),
        (
            [Image(64, 48, (32, 32), tags=GEO)],
            [Image(tags=GEO)],
            "size of blocks is 32 x 32, by its directories 16 x 16",
        ),
        ([Image(48, 48, tags=GEO)], [Image(64, 48, tags=GEO)], "size is 48 x 48, by its directories 64 x 48"),
    ],
)
def test_each_fact_that_differs_is_told(seen_beside, file, directories, told):
    assert seen_beside(write(file), write(file)) == []
    assert f"To GDAL its {told}." in seen_beside(write(file), write(directories))


@pytest.mark.parametrize("text", ["7", " 7 ", "-3.25", "1e30", "nan", "-inf"])
def test_nodata_is_the_number_of_the_tag(seen_beside, text):
    floats = {339: (3, (3,))}
    made = write(pyramid(tags={**GEO, **floats, 42113: (2, text.encode() + b"\0")}, bits=32))
    assert seen_beside(made, made) == []
    (told,) = seen_beside(made, nodata("8"))[-1:]
    assert told.startswith("To GDAL its nodata value is ")


def test_a_nodata_value_that_is_lost_is_told_and_one_that_is_no_number_is_not(seen_beside):
    assert seen_beside(write(pyramid()), nodata("8")) == ["To GDAL its nodata value is None, by its directories 8."]
    for text in ("none", "300", "-1", "nan", "9" * 400):
        assert seen_beside(write(pyramid()), nodata(text)) == []
    floats = {**GEO, 339: (3, (3,))}
    for text, count in (("inf", 0), ("nan", 1), ("1e30", 1), ("1e300", 0)):
        judged = write(pyramid(bits=32, tags={**floats, 42113: (2, text.encode() + b"\0")}))
        assert len(seen_beside(write(pyramid(bits=32, tags=floats)), judged)) == count


def test_every_kind_of_samples_that_the_check_takes_has_a_data_type():
    for sample_format, bits in ((form, one) for form, several in ALL.items() for one in several):
        layout = read_layout(
            BytesSource(write(pyramid(bits=8, tags={**GEO, 339: (3, (sample_format,)), 258: (3, (bits,))})))
        )
        assert types_of(layout.main)


@pytest.mark.parametrize(("sample_format", "bits"), [(3, 16), (3, 24), (5, 32), (5, 64), (6, 128), (1, 64), (2, 64)])
def test_rare_data_types_are_those_that_gdal_reads(errors_of, sample_format, bits):
    images = pyramid(bits=bits, tags={**GEO, 339: (3, (sample_format,))})
    for image in images[1:]:
        image.tags = {339: (3, (sample_format,))}
    assert errors_of(write(images), depth="full") == set()


def test_of_what_libtiff_turns_into_rgba_bands_and_types_are_not_compared(seen_beside):
    lab = write([Image(samples=3, tags={**GEO, 262: (3, (8,))})])
    assert seen_beside(lab, lab) == []
    assert seen_beside(write([Image(samples=2, tags=GEO)]), lab) == []


@pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)
def test_a_disagreement_leaves_no_facts(tmp_path):
    path = tmp_path / "below.tif"
    path.write_bytes(bytes(Patch(write([*pyramid(), Image(8, 6, subfile=1, sub_of=1)]))))
    with open_file(path) as source:
        inspection = inspect(source)
    assert inspection.raster is None
    assert [found.rule for found in inspection.report.errors] == ["gdal-sees-otherwise"]
