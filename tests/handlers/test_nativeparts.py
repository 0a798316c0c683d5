"""Parts of files on their own grid: the right to download, true COGs, ranges, and each grant on record."""

import asyncio
from concurrent.futures import Future
from hashlib import sha256
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile

from gateway.cog import inspect
from gateway.files import open_file
from gateway.model import Level, Scale
from tests.handlers.conftest import grant, problem
from tests.handlers.test_values import token_for
from tests.patience import eventually
from tests.rasters import write_cog

pytestmark = pytest.mark.gen_test
# Of the raster of these tests, which begins at 500000, 5300000 and has pixels of 30.
BOX = "bbox/503010,5285010,515000,5296990.tif?native=true&coord_crs=EPSG:32633"
COLUMN, ROW, WIDTH, HEIGHT = 100, 100, 400, 400


def url(dataset, path=BOX, **query):
    return f"/api/datasets/{dataset.id}/{path}" + "".join(f"&{name}={value}" for name, value in query.items())


async def test_a_part_is_the_files_own_pixels_as_a_true_cog_and_on_record(fetch, world, tmp_path):
    dataset, token = world.add(), world.bearer()
    response = await fetch(url(dataset), token=token)
    assert response.code == 200
    with rasterio.open(world.folder / "elevation.tif") as old, MemoryFile(response.body) as file, file.open() as new:
        window = rasterio.windows.Window(COLUMN, ROW, WIDTH, HEIGHT)
        assert np.array_equal(new.read(), old.read(window=window))
        assert (new.crs, new.transform) == (old.crs, old.window_transform(window))
    (tmp_path / "part.tif").write_bytes(response.body)
    with open_file(tmp_path / "part.tif") as made:
        assert inspect(made).report.valid
    headers = response.headers
    assert (headers["Content-Type"], headers["Content-Length"]) == ("image/tiff", str(len(response.body)))
    assert headers["ETag"].startswith(f'"{dataset.version}-')
    assert headers["Content-Disposition"].startswith('attachment; filename="Elevation part ')
    assert headers["Accept-Ranges"] == "bytes"
    (granted,), (ended,) = world.audit("download.part"), world.audit("download.finished")
    assert (granted.dataset_id, granted.version, granted.bytes_expected) == (
        dataset.id, dataset.version, len(response.body),
    )  # fmt: skip
    assert granted.detail == {
        "route": "bbox", "box": [503010, 5285010, 515000, 5296990], "crs": ["EPSG:32633", None], "bands": "all",
        "native": True, "format": "tif",
    }  # fmt: skip
    assert ended.detail["outcome"] == "completed"


async def test_ranges_heads_and_conditions_are_those_of_the_file(fetch, world):
    dataset, token = world.add(), world.bearer()
    whole = await fetch(url(dataset), token=token)
    etag, length = whole.headers["ETag"], len(whole.body)

    async def ask(method="GET", **headers):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return await fetch(url(dataset), method, token=token, headers=fields)

    head = await ask("HEAD")
    assert (head.code, head.headers["Content-Length"], head.headers["ETag"]) == (200, str(length), etag)
    part = await ask(Range="bytes=100-199", If_Range=etag)
    assert (part.code, part.body) == (206, whole.body[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{length}"
    assert (await ask(Range="bytes=100-199", If_Range='"other"')).body == whole.body
    assert (await ask(Range="bytes=100-199", If_Range="Wed, 21 Oct 2026 07:28:00 GMT")).body == whole.body
    assert problem(await ask(Range=f"bytes={length}-"))["status"] == 416
    assert (await ask(If_None_Match=etag)).code == 304
    assert problem(await ask(If_Match='"other"'))["status"] == 412
    assert (await fetch(url(dataset, BOX.replace("515000", "515020")), token=token)).headers["ETag"] != etag
    assert [row.status for row in world.audit("download.part")] == [200, 206, 200, 200, 200]
    assert [row.range_header for row in world.audit("download.part")][1] == "bytes=100-199"


async def test_a_part_needs_the_right_to_download(fetch, world):
    dataset = world.add(visibility=Scale.PUBLIC, download=Scale.PRIVATE)
    grant(world, dataset, Level.DOWNLOAD, user="ana")
    tiles = await token_for(fetch, dataset, "tile")
    download = await token_for(fetch, dataset, "download", world.bearer("ana"))
    assert problem(await fetch(url(dataset)))["status"] == 401
    assert problem(await fetch(url(dataset), token=world.bearer("ben")))["status"] == 403
    assert problem(await fetch(url(dataset, token=tiles)))["status"] == 403
    taken = await fetch(url(dataset, token=download))
    assert (taken.code, taken.headers["Cache-Control"]) == (200, "private, no-store")
    assert [row.user_id for row in world.audit("download.part")] == ["ana"]
    assert {row.status for row in world.audit("download.refused")} == {401, 403}


@pytest.mark.parametrize("settings", [{"open_values": True}], indirect=True)
async def test_open_values_gives_parts_to_all_who_may_view_and_they_are_on_record(fetch, world):
    dataset = world.add(visibility=Scale.PUBLIC, download=Scale.PRIVATE)
    response = await fetch(url(dataset))
    assert (response.code, response.headers["Cache-Control"]) == (200, "private, no-cache")
    assert [row.user_id for row in world.audit("download.part")] == [None]


async def test_what_would_change_the_pixels_is_refused(fetch, world):
    dataset = world.add()
    for path in (
        BOX.replace(".tif", ".npy"), BOX.replace(".tif", "/64x64.tif"), BOX + "&max_size=10", BOX + "&rescale=0,1",
        BOX + "&expression=b1*2", BOX + "&dst_crs=EPSG:3857", BOX + "&bidx=2", BOX.replace("true", "maybe"),
    ):  # fmt: skip
        assert problem(await fetch(url(dataset, path), token=world.bearer()))["status"] == 400


@pytest.mark.parametrize("settings", [{"part_mb": 1}], indirect=True)
async def test_what_is_too_large_is_told_with_the_limit_and_never_reduced(fetch, world):
    dataset, token = world.add(), world.bearer()
    large = "bbox/500000,5279000,527000,5300000.tif?coord_crs=EPSG:32633"
    told = problem(await fetch(url(dataset, large + "&native=true"), token=token))
    assert (told["status"], told["type"]) == (413, "/problems/part-too-large")
    assert (told["limit_bytes"], told["asked_bytes"]) == (1 << 20, 900 * 700 * 2)
    assert "1.2 MiB" in told["detail"]
    assert "1 MiB" in told["detail"]
    drawn = problem(await fetch(url(dataset, large), token=token))
    assert (drawn["status"], drawn["limit_bytes"], drawn["asked_bytes"]) == (413, 1 << 20, 900 * 700 * 2)
    assert (await fetch(url(dataset, large.replace(".tif", "/300x200.tif")), token=token)).code == 200
    # A picture is reduced, as ever.
    assert (await fetch(url(dataset, large.replace(".tif", ".png")))).code == 200


async def test_values_have_the_resolution_of_the_file_unless_another_is_asked_for(fetch, world):
    write_cog(world.folder / "wide.tif", rows=8, cols=2200)
    dataset = world.register("wide.tif")
    path = "bbox/500000,5299760,566000,5300000.tif?coord_crs=EPSG:32633"
    for more, width in (("", 2200), ("&max_size=100", 100)):
        body = (await fetch(url(dataset, path + more), token=world.bearer())).body
        with MemoryFile(body) as file, file.open() as made:
            assert made.width == width


@pytest.mark.one_node("each node keeps parts of its own")
async def test_a_part_that_is_asked_for_twice_is_written_once_and_leaves_nothing_else(fetch, world, monkeypatch):
    dataset, token = world.add(), world.bearer()
    asked, submit = [], world.services.studio.submit
    monkeypatch.setattr(
        type(world.services.studio),
        "submit",
        lambda _, task, files=(): asked.append(task.work) or submit(task, files),
    )
    first, second = await asyncio.gather(*(fetch(url(dataset), token=token) for _ in range(2)))
    third = await fetch(url(dataset), token=token)
    assert first.body == second.body == third.body
    assert asked.count("write_part") == 1
    folder = world.services.settings.state_dir / "parts"
    await eventually(lambda: not list(folder.glob("making-*")))
    (kept,) = folder.iterdir()
    assert [file.name for file in kept.iterdir()] == [sha256(first.body).hexdigest()]


@pytest.mark.one_node("the studio of one node is watched")
async def test_a_client_who_leaves_ends_the_making(fetch, world, base_url, monkeypatch):
    dataset, begun = world.add(), []
    studio = world.services.studio

    def submit(_, task, files=()):
        if task.work != "write_part":
            return kept(task, files)
        begun.append(Future())
        return begun[0]

    kept = studio.submit
    monkeypatch.setattr(type(studio), "submit", submit)
    _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(base_url).port)
    head = f"GET {url(dataset)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.bearer()}\r\n\r\n"
    writer.write(head.encode())
    await eventually(lambda: begun)
    writer.transport.abort()
    await eventually(lambda: begun[0].cancelled())
    folder = world.services.settings.state_dir / "parts"
    await eventually(lambda: list(folder.iterdir()) == [])
    assert world.audit("download.part") == []
