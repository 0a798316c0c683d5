"""No bytes may crash or hang the check, and no piece of a COG is a COG."""

import random
import signal

import pytest

from gateway.cog import inspect
from gateway.cog.layout import read_layout
from gateway.cog.tiff import StructureError
from gateway.files import open_file
from tests.cog.tiffs import GEO, BytesSource, Image, ghost_of, masked, write

SEEDS = {"ghost": {"ghost": ghost_of()}, "big_endian": {"order": ">"}, "bigtiff": {"big": True}}
MUTANTS = 500


def seed(name):
    images, _ = masked()
    images[0].tags = {**GEO, 42112: (2, b"<GDALMetadata><Item name='A'>1</Item></GDALMetadata>\0")}
    images.append(Image(32, 24, subfile=1, sub_of=0))
    return write(images, **SEEDS[name])


@pytest.fixture
def alarm():
    """Ends a test that hangs; far more than a check takes."""

    def ring(*_):
        raise TimeoutError

    old = signal.signal(signal.SIGALRM, ring)
    yield lambda: signal.alarm(20)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


def mutant(data, chance):
    """Change one to four bytes or words of the header, or a few bytes anywhere."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(len(data), 2600))
        if chance.random() < 0.4:
            changed[at : at + 4] = chance.choice([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", chance.randbytes(4)])
        else:
            changed[at] = chance.randrange(256)
    return bytes(changed[: len(data)])


@pytest.mark.parametrize("name", SEEDS)
def test_no_mutant_crashes_or_hangs_the_check(tmp_path, alarm, name):
    data, chance = seed(name), random.Random(7)
    path = tmp_path / "mutant.tif"
    refused = 0
    for _ in range(MUTANTS):
        path.write_bytes(mutant(data, chance))
        alarm()
        with open_file(path) as source:
            report = inspect(source).report
        refused += not report.valid
        assert all(found.message and "mutant" not in found.message for found in report.findings)
    assert refused > MUTANTS // 3


@pytest.mark.parametrize("name", SEEDS)
def test_no_piece_of_a_cog_is_valid(name):
    data, chance = seed(name), random.Random(7)
    for length in [*range(400), *(chance.randrange(400, len(data)) for _ in range(200)), len(data) - 1]:
        assert not inspect(BytesSource(data[:length])).report.valid, length


def test_every_truncation_of_gdals_cogs_is_refused(cogs):
    chance = random.Random(7)
    for name in ("deflate", "jpeg_mask", "bigtiff"):
        data = cogs[name].read_bytes()
        for length in [*(chance.randrange(len(data)) for _ in range(100)), len(data) - 1]:
            assert not inspect(BytesSource(data[:length])).report.valid, (name, length)


@pytest.mark.parametrize("size", [0, 1, 4, 8, 16, 64, 4096])
def test_noise_after_a_tiff_header_is_refused(size):
    chance = random.Random(size)
    for start in (b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0", b"II*\0\x08\0\0\0"):
        for _ in range(20):
            assert not inspect(BytesSource(start + chance.randbytes(size))).report.valid


def test_a_giant_of_five_million_sparse_tiles_is_read_without_asking_each_tile():
    images = [Image(2048 * 256, 1792 * 256, tile=(256, 256), tags=GEO, sparse="all")]
    images += [
        Image(images[0].width >> n, images[0].height >> n, (256, 256), subfile=1, sparse="all") for n in range(1, 11)
    ]
    source = BytesSource(write(images))
    with pytest.raises(StructureError):
        read_layout(BytesSource(source.data[:3]))
    assert inspect(source, depth="header", facts=False).report.valid
    # A directory takes two reads, and its values one.
    assert len(source.reads) <= 2 + 3 * len(images)
