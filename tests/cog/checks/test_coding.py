import pytest
import rasterio

from gateway.cog.checks.coding import ALL, CODINGS, PREDICTORS
from gateway.cog.tags import CODECS
from tests.cog.tiffs import GEO, Image, Patch, pyramid, write


def coded(**values):
    """A good file whose full image has other values of these tags."""
    tags = {"fill_order": 266, "predictor": 317, "codec": 259, "sample_format": 339}
    return write(pyramid(tags={**GEO, **{tags[name]: (3, (value,)) for name, value in values.items()}}))


@pytest.mark.parametrize("predictor", [0, 2, 3, 4, 34892])
def test_a_predictor_beside_no_codec_that_has_one_is_an_error(errors_of, predictor):
    assert errors_of(coded(predictor=predictor)) == {"impossible-coding"}
    assert errors_of(coded(predictor=1)) == set()


@pytest.mark.parametrize("codec", [5, 8, 32946, 34925, 50000])
def test_the_predictor_fits_the_samples(errors_of, codec):
    assert errors_of(coded(codec=codec, predictor=2), depth="header") == set()
    for predictor in (0, 3, 4, 34892):
        assert errors_of(coded(codec=codec, predictor=predictor), depth="header") == {"impossible-coding"}


@pytest.mark.parametrize("name", ["deflate", "uint16"])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("predictor", [3, 0, 34892])
def test_files_that_gdal_cannot_decode_are_refused_at_every_depth(tmp_path, cogs, errors_of, name, level, predictor):
    """The file as GDAL wrote it but for one number, or one tag in place of PlanarConfiguration, which has a default."""
    patch = Patch(cogs[name].read_bytes())
    if 317 not in patch.layout.ifds[level].tags:
        patch.tag(level, 284, 317)
        patch = Patch(patch)
    path = tmp_path / "unreadable.tif"
    path.write_bytes(bytes(patch.value(level, 317, predictor)))
    with (
        rasterio.open(path, **({"overview_level": 0} if level else {})) as raster,
        pytest.raises(rasterio.RasterioIOError),
    ):
        raster.read()
    for depth in ("header", "blocks", "full"):
        assert "impossible-coding" in errors_of(path.read_bytes(), depth=depth)


@pytest.mark.parametrize("change", [("type", 2), ("type", 65534), ("count", 0), ("count", 2)])
def test_a_predictor_that_gdal_drops_is_an_error(cogs, errors_of, change):
    patch = Patch(cogs["uint16"].read_bytes())
    made = getattr(patch, change[0])(0, 317, change[1])
    assert errors_of(made) == {f"wrong-tag-{change[0]}"}


def test_bits_in_reverse_are_an_error(errors_of):
    assert errors_of(coded(fill_order=1)) == set()
    assert errors_of(coded(fill_order=2)) == {"reversed-bits"}


def test_a_mask_has_one_or_eight_bits_without_a_sign(errors_of):
    def masked(**options):
        return write([*pyramid(), *(Image(i.width, i.height, subfile=i.subfile | 4, **options) for i in pyramid())])

    assert errors_of(masked()) == set()
    assert errors_of(masked(bits=16)) == {"impossible-coding"}
    assert errors_of(masked(tags={339: (3, (2,))})) == {"impossible-coding"}


@pytest.mark.parametrize(("bits", "sample_format"), [(8, 3), (16, 5), (12, 2), (40, 1), (64, 4), (32, 6), (128, 3)])
def test_samples_that_are_no_data_type_are_an_error(errors_of, bits, sample_format):
    expected = set() if (bits, sample_format) == (64, 4) else {"impossible-coding"}
    assert (
        errors_of(write(pyramid(bits=bits, tags={**GEO, 339: (3, (sample_format,))})), depth="header")
        - {"overview-other-type"}
        == expected
    )


def test_each_codec_has_its_place_and_takes_what_is_a_data_type():
    assert set(CODINGS) == CODECS
    for coding in CODINGS.values():
        assert all(bits <= ALL[form] for form, bits in coding.bits.items())
        assert coding.predictors <= set(PREDICTORS)
    assert [bits for bits in (8, 16, 32) if 7 in CODINGS and bits in CODINGS[7].bits[1]] == [8]


@pytest.mark.parametrize(("codec", "bits"), [(7, 16), (50001, 16), (34887, 64), (2, 8), (50002, 32)])
def test_each_codec_takes_some_kinds_of_samples_only(errors_of, codec, bits):
    assert errors_of(write(pyramid(bits=bits, tags={**GEO, 259: (3, (codec,))})), depth="header") == {
        "impossible-coding"
    }
