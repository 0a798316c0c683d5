import errno
import hashlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio

from gateway import ingest, judging
from gateway.errors import BadParameter, RecordsUnavailable, StorageUnavailable
from gateway.ingest import Ingestor
from gateway.ingest_options import IngestOptions
from gateway.ingest_outcome import IngestStatus
from gateway.model import AuditRow, Scale
from gateway.rechecking import Look, look, settle
from gateway.records import AuditQuery, Change, DatasetQuery, Verdict, open_records
from gateway.sources import Source
from gateway.storage import open_storage
from tests.rasters import write_cog, write_striped

REGISTERED, UPDATED, UNCHANGED, REFUSED, FAILED = IngestStatus


class Bench:
    """An Ingestor over real records and two local roots, `data` and `archive`."""

    def __init__(self, tmp_path, database):
        self.outside = tmp_path / "outside"
        self.folders = {"data": tmp_path / "data", "archive": tmp_path / "archive"}
        for folder in (self.outside, *self.folders.values()):
            folder.mkdir()
        self.records = open_records(database)
        self.storages = {name: open_storage(name, f"file:{folder}") for name, folder in self.folders.items()}
        self.data = self.folders["data"]
        self.archive = self.folders["archive"]
        self.next_run()

    def next_run(self):
        self.ingestor = Ingestor(self.records, self.storages)

    def ingest(self, path, relative=None, **wishes):
        return self.ingestor.ingest(Source(str(path), path, relative or path.name), IngestOptions(**wishes))

    def datasets(self):
        return self.records.find_datasets(DatasetQuery(principal=None)).datasets

    def actions(self):
        return [(stored.row.action, stored.row.dataset_id) for stored in self.records.audit_rows(AuditQuery())]


@pytest.fixture
def bench(tmp_path, database):
    bench = Bench(tmp_path, database)
    yield bench
    bench.records.close()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def replace_with(path, seed):
    """Replace a COG by another one, as a careful writer does: by a rename."""
    new = write_cog(path.with_name("new"), seed=seed)
    new.replace(path)


def test_a_true_cog_below_a_root_is_registered_in_place(bench):
    path = write_cog(bench.data / "north.tif")
    outcome = bench.ingest(path)
    (dataset,) = bench.datasets()
    assert outcome.status is REGISTERED
    assert outcome.id == dataset.id
    assert (dataset.root, dataset.key, dataset.title, dataset.owner) == ("data", "north.tif", "north", None)
    assert (dataset.visibility, dataset.download) == (Scale.PRIVATE, Scale.PRIVATE)
    assert dataset.version == bench.storages["data"].stat("north.tif").version
    assert dataset.size_bytes == path.stat().st_size
    assert dataset.sha256 == sha256(path)
    assert dataset.raster.dtype == "uint16"
    assert bench.actions() == [("dataset.ingested", dataset.id)]


def test_the_json_has_the_named_keys_and_a_message_only_where_there_is_one(bench):
    done = bench.ingest(write_cog(bench.data / "a.tif")).as_json()
    assert set(done) == {"source", "status", "id", "findings", "mend", "report"}
    failed = bench.ingest(bench.data / "none.tif").as_json()
    assert (failed["status"], failed["id"], failed["findings"]) == ("failed", None, [])
    assert failed["message"]


def test_the_same_object_again_is_unchanged_and_not_even_opened(bench, monkeypatch):
    path = write_cog(bench.data / "a.tif")
    first = bench.ingest(path)
    before = bench.datasets()
    monkeypatch.setattr(ingest, "attempt", None)
    again = bench.ingest(path)
    assert (again.status, again.id) == (UNCHANGED, first.id)
    assert bench.datasets() == before
    assert len(bench.actions()) == 1


def test_an_option_that_changes_nothing_is_unchanged_and_one_that_does_is_an_update(bench):
    path = write_cog(bench.data / "a.tif")
    first = bench.ingest(path, visibility=Scale.PUBLIC, title="North")
    assert bench.ingest(path, visibility=Scale.PUBLIC).status is UNCHANGED
    again = bench.ingest(path, owner="ana")
    (dataset,) = bench.datasets()
    assert (again.status, again.id) == (UPDATED, first.id)
    assert (dataset.title, dataset.owner, dataset.visibility) == ("North", "ana", Scale.PUBLIC)
    assert bench.ingest(path, owner="").status is UPDATED
    assert bench.datasets()[0].owner is None


def test_a_replaced_file_keeps_its_id_its_creation_and_what_was_not_given(bench):
    path = write_cog(bench.data / "a.tif")
    bench.ingest(path, visibility=Scale.INTERNAL, title="North")
    (old,) = bench.datasets()
    replace_with(path, seed=2)
    again = bench.ingest(path)
    (new,) = bench.datasets()
    assert (again.status, again.id) == (UPDATED, old.id)
    assert (new.created_at, new.title, new.visibility) == (old.created_at, "North", Scale.INTERNAL)
    assert new.updated_at > old.updated_at
    assert new.version != old.version
    assert new.sha256 == sha256(path) != old.sha256


def test_a_digest_that_is_not_known_is_made_up_for(bench):
    path = write_cog(bench.data / "a.tif")
    bench.ingest(path)
    (known,) = bench.datasets()
    judged = judging.judge(judging.Reading(bench.storages["data"], "a.tif"))
    verdict = Verdict(known.version, known.size_bytes, judged.inspection)
    bench.records.judge_dataset(known, verdict, AuditRow("test.act"))
    assert bench.datasets()[0].sha256 is None
    assert bench.ingest(path).status is UPDATED
    assert bench.datasets()[0].sha256 == sha256(path)


@pytest.mark.parametrize(
    ("wishes", "scales"),
    [
        ({}, ("private", "private")),
        ({"visibility": Scale.PUBLIC}, ("public", "public")),
        ({"visibility": Scale.PUBLIC, "download": Scale.INTERNAL}, ("public", "internal")),
    ],
)
def test_download_follows_visibility_unless_it_is_given(bench, wishes, scales):
    bench.ingest(write_cog(bench.data / "a.tif"), **wishes)
    (dataset,) = bench.datasets()
    assert (dataset.visibility, dataset.download) == scales


def test_narrowing_the_visibility_narrows_the_download(bench):
    path = write_cog(bench.data / "a.tif")
    bench.ingest(path, visibility=Scale.PUBLIC)
    bench.ingest(path, visibility=Scale.INTERNAL)
    assert bench.datasets()[0].download is Scale.INTERNAL
    bench.ingest(path, visibility=Scale.PUBLIC)
    assert bench.datasets()[0].download is Scale.INTERNAL


def test_a_download_wider_than_the_visibility_is_refused_as_a_wish():
    with pytest.raises(BadParameter, match="download public would be wider than visibility internal"):
        IngestOptions(visibility=Scale.INTERNAL, download=Scale.PUBLIC)


def test_a_download_wider_than_the_recorded_visibility_fails_and_copies_nothing(bench):
    outcome = bench.ingest(write_cog(bench.outside / "a.tif"), download=Scale.PUBLIC, copy_to="data")
    assert outcome.status is FAILED
    assert "wider than visibility private" in outcome.message
    assert files(bench.data) == []


def test_what_is_no_cog_is_refused_with_its_findings_and_put_on_the_audit(bench):
    outcome = bench.ingest(write_striped(bench.data / "a.tif"))
    assert (outcome.status, outcome.id) == (REFUSED, None)
    assert outcome.findings
    assert bench.datasets() == ()
    assert bench.actions() == [("dataset.refused", None)]


@pytest.mark.parametrize("content", [b"", b"II*\0", b"no raster at all"])
def test_an_empty_or_foreign_file_is_refused(bench, content):
    (bench.data / "a.tif").write_bytes(content)
    assert bench.ingest(bench.data / "a.tif").status is REFUSED


def test_a_pipe_is_refused_without_waiting_for_a_writer(bench):
    os.mkfifo(bench.data / "a.tif")
    outcome = bench.ingest(bench.data / "a.tif", convert=True)
    assert outcome.status is REFUSED
    assert outcome.findings


def test_a_registered_file_that_is_no_cog_any_more_keeps_the_bad_verdict(bench):
    path = write_cog(bench.data / "a.tif")
    first = bench.ingest(path)
    write_striped(path)
    outcome = bench.ingest(path)
    (dataset,) = bench.datasets()
    assert (outcome.status, outcome.id) == (REFUSED, first.id)
    assert not dataset.report.valid
    assert dataset.version == bench.storages["data"].stat("a.tif").version
    assert bench.actions()[-1] == ("dataset.refused", first.id)
    assert bench.ingest(path).status is REFUSED


def test_bytes_that_a_deep_look_called_bad_are_looked_at_as_deep_again(bench):
    path = write_cog(bench.data / "a.tif")
    good = path.read_bytes()
    # Inside of the last tile, before the bytes that its trailer repeats.
    path.write_bytes(good[:-24] + bytes(byte ^ 255 for byte in good[-24:-16]) + good[-16:])
    assert bench.ingest(path).status is REGISTERED
    (known,) = bench.datasets()
    settle(bench.records, known, look(Look(known, bench.storages["data"], "full")))
    outcome = bench.ingest(path)
    (dataset,) = bench.datasets()
    assert (outcome.status, dataset.report.valid, dataset.report.depth) == (REFUSED, False, "full")
    path.write_bytes(good)
    assert bench.ingest(path).status is UPDATED
    assert bench.datasets()[0].report.valid


def test_a_file_outside_of_every_root_fails_and_says_what_to_do(bench):
    outcome = bench.ingest(write_cog(bench.outside / "a.tif"))
    assert outcome.status is FAILED
    assert "--copy-to ROOT" in outcome.message


def test_a_link_that_leads_out_of_the_root_is_outside(bench):
    write_cog(bench.outside / "a.tif")
    (bench.data / "link.tif").symlink_to(bench.outside / "a.tif")
    assert bench.ingest(bench.data / "link.tif").status is FAILED


def test_a_link_and_dots_inside_the_root_lead_to_the_object_itself(bench):
    (bench.data / "sub").mkdir()
    first = bench.ingest(write_cog(bench.data / "a.tif"))
    (bench.data / "link.tif").symlink_to(bench.data / "a.tif")
    for path in (bench.data / "link.tif", bench.data / "sub" / ".." / "a.tif"):
        again = bench.ingest(path)
        assert (again.status, again.id) == (UNCHANGED, first.id)


def test_dots_that_lead_out_of_the_root_are_outside(bench):
    write_cog(bench.outside / "a.tif")
    assert bench.ingest(bench.data / ".." / "outside" / "a.tif").status is FAILED


def test_of_nested_roots_the_longest_is_taken(bench):
    inner = bench.data / "inner"
    inner.mkdir()
    bench.storages["inner"] = open_storage("inner", f"file:{inner}")
    bench.ingest(write_cog(inner / "a.tif"))
    assert [(d.root, d.key) for d in bench.datasets()] == [("inner", "a.tif")]


def test_a_name_that_is_no_utf8_fails(bench):
    path = Path(os.fsdecode(os.fsencode(bench.data) + b"/\xff.tif"))
    shutil.copy(write_cog(bench.outside / "a.tif"), path)
    assert "UTF-8" in bench.ingest(path).message


def test_copy_to_an_unknown_root_fails(bench):
    outcome = bench.ingest(write_cog(bench.outside / "a.tif"), copy_to="nowhere")
    assert (outcome.status, outcome.message) == (FAILED, "there is no storage root named nowhere")


def test_copy_to_copies_under_the_relative_name_and_leaves_no_other_file(bench):
    source = write_cog(bench.outside / "a.tif")
    outcome = bench.ingest(source, "deep/folder/a.tif", copy_to="archive")
    (dataset,) = bench.datasets()
    assert outcome.status is REGISTERED
    assert (dataset.root, dataset.key, dataset.title) == ("archive", "deep/folder/a.tif", "a")
    assert dataset.origin.startswith(f"{source}@")
    assert files(bench.archive) == ["deep/folder/a.tif"]
    assert sha256(bench.archive / "deep/folder/a.tif") == sha256(source) == dataset.sha256
    assert dataset.version == bench.storages["archive"].stat(dataset.key).version


def test_a_second_run_of_copy_to_copies_nothing(bench, monkeypatch):
    source = write_cog(bench.outside / "a.tif")
    first = bench.ingest(source, copy_to="archive")
    bench.next_run()
    monkeypatch.setattr(ingest, "copy_object", None)
    again = bench.ingest(source, copy_to="archive")
    assert (again.status, again.id) == (UNCHANGED, first.id)


def test_a_changed_source_replaces_its_copy_and_keeps_the_id(bench):
    source = write_cog(bench.outside / "a.tif")
    first = bench.ingest(source, copy_to="archive")
    replace_with(source, seed=2)
    bench.next_run()
    again = bench.ingest(source, copy_to="archive")
    assert (again.status, again.id) == (UPDATED, first.id)
    assert sha256(bench.archive / "a.tif") == sha256(source) == bench.datasets()[0].sha256


def test_a_copy_that_was_lost_is_made_again(bench):
    source = write_cog(bench.outside / "a.tif")
    first = bench.ingest(source, copy_to="archive")
    (bench.archive / "a.tif").unlink()
    bench.next_run()
    again = bench.ingest(source, copy_to="archive")
    assert (again.status, again.id) == (UPDATED, first.id)
    assert sha256(bench.archive / "a.tif") == sha256(source)


def test_copy_to_the_root_where_the_file_already_lies_registers_in_place(bench):
    bench.ingest(write_cog(bench.data / "a.tif"), "other/a.tif", copy_to="data")
    assert [d.key for d in bench.datasets()] == ["a.tif"]
    assert files(bench.data) == ["a.tif"]


def test_copy_to_never_replaces_a_file_that_it_did_not_put_there(bench):
    mine = sha256(write_cog(bench.archive / "a.tif", seed=5))
    outcome = bench.ingest(write_cog(bench.outside / "a.tif"), copy_to="archive")
    assert outcome.status is FAILED
    assert "another file lies at a.tif" in outcome.message
    assert sha256(bench.archive / "a.tif") == mine


def test_copy_to_takes_the_same_bytes_that_lie_there_already(bench):
    source = write_cog(bench.outside / "a.tif")
    shutil.copy(source, bench.archive / "a.tif")
    version = bench.storages["archive"].stat("a.tif").version
    assert bench.ingest(source, copy_to="archive").status is REGISTERED
    assert bench.storages["archive"].stat("a.tif").version == version


def test_two_sources_of_one_run_never_become_one_object(bench):
    (bench.outside / "b").mkdir()
    first = write_cog(bench.outside / "a.tif")
    second = write_cog(bench.outside / "b" / "a.tif", seed=2)
    assert bench.ingest(first, copy_to="archive").status is REGISTERED
    outcome = bench.ingest(second, copy_to="archive")
    assert outcome.status is FAILED
    assert f"the same object as {first}" in outcome.message
    assert sha256(bench.archive / "a.tif") == sha256(first)


def test_what_is_no_cog_is_not_copied(bench):
    assert bench.ingest(write_striped(bench.outside / "a.tif"), copy_to="archive").status is REFUSED
    assert files(bench.archive) == []


def test_a_source_that_changes_while_it_is_copied_leaves_nothing(bench, monkeypatch):
    source = write_cog(bench.outside / "a.tif")
    real = judging.copy_object

    def copy_object(*arguments):
        replace_with(source, seed=2)
        real(*arguments)

    monkeypatch.setattr(ingest, "copy_object", copy_object)
    outcome = bench.ingest(source, copy_to="archive")
    assert (outcome.status, outcome.message) == (FAILED, "The source changed while it was copied.")
    assert files(bench.archive) == []


def test_a_copy_that_is_not_what_was_read_fails(bench, monkeypatch):
    real = judging.copy_object

    def copy_object(*arguments):
        real(*arguments)
        replace_with(bench.archive / "a.tif", seed=2)

    monkeypatch.setattr(ingest, "copy_object", copy_object)
    outcome = bench.ingest(write_cog(bench.outside / "a.tif"), copy_to="archive")
    assert (outcome.status, outcome.message) == (FAILED, "the copy in the root is not what was read")
    assert bench.datasets() == ()


def test_a_file_that_changes_while_it_is_judged_is_judged_again(bench, monkeypatch):
    path = write_cog(bench.data / "a.tif")
    real, calls = judging.inspect, []

    def inspect(*arguments, **options):
        calls.append(1)
        inspection = real(*arguments, **options)
        if len(calls) == 1:
            os.utime(path, ns=(1, 1))
        return inspection

    monkeypatch.setattr(judging, "inspect", inspect)
    assert bench.ingest(path).status is REGISTERED
    assert len(calls) == 2
    assert bench.datasets()[0].version == bench.storages["data"].stat("a.tif").version


def test_a_file_that_never_rests_fails(bench, monkeypatch):
    path = write_cog(bench.data / "a.tif")
    real, calls = judging.inspect, []

    def inspect(*arguments, **options):
        calls.append(1)
        os.utime(path, ns=(len(calls), len(calls)))
        return real(*arguments, **options)

    monkeypatch.setattr(judging, "inspect", inspect)
    outcome = bench.ingest(path)
    assert (outcome.status, outcome.message) == (FAILED, "The file is being written to.")
    assert len(calls) == judging.JUDGE_TRIES


def test_dry_run_tells_what_would_be_and_writes_nothing(bench):
    cog = write_cog(bench.data / "a.tif")
    plain = write_striped(bench.data / "plain.tif")
    outside = write_cog(bench.outside / "b.tif")
    assert bench.ingest(cog, dry_run=True).as_json()["status"] == "registered"
    assert bench.ingest(cog, dry_run=True).id is None
    assert bench.ingest(plain, dry_run=True).status is REFUSED
    assert bench.ingest(plain, dry_run=True, convert=True).status is REGISTERED
    assert bench.ingest(outside, dry_run=True, copy_to="archive").status is REGISTERED
    assert (bench.datasets(), bench.actions()) == ((), [])
    assert files(bench.data) == ["a.tif", "plain.tif"]
    assert files(bench.archive) == []


def test_dry_run_keeps_what_is_recorded(bench):
    path = write_cog(bench.data / "a.tif")
    first = bench.ingest(path)
    before = bench.datasets()
    outcome = bench.ingest(path, dry_run=True, visibility=Scale.PUBLIC)
    assert (outcome.status, outcome.id) == (UPDATED, first.id)
    write_striped(path)
    assert bench.ingest(path, dry_run=True).status is REFUSED
    assert bench.datasets() == before
    assert len(bench.actions()) == 1


def test_convert_makes_a_cog_beside_the_source_and_leaves_the_source_alone(bench):
    source = write_striped(bench.data / "a.tif")
    before = (sha256(source), source.stat().st_mtime_ns)
    outcome = bench.ingest(source, convert=True)
    (dataset,) = bench.datasets()
    assert outcome.status is REGISTERED
    assert (dataset.key, dataset.title) == ("a.cog.tif", "a")
    assert dataset.report.valid
    assert (sha256(source), source.stat().st_mtime_ns) == before
    assert files(bench.data) == ["a.cog.tif", "a.tif"]
    with rasterio.open(source) as old, rasterio.open(bench.data / "a.cog.tif") as new:
        assert np.array_equal(old.read(), new.read())
        assert (old.crs, old.transform, old.dtypes) == (new.crs, new.transform, new.dtypes)


def test_a_second_run_of_convert_makes_nothing_and_takes_the_made_file_as_it_is(bench, monkeypatch):
    source = write_striped(bench.data / "a.tif")
    first = bench.ingest(source, convert=True)
    bench.next_run()
    monkeypatch.setattr(ingest, "convert_object", None)
    for path in (bench.data / "a.cog.tif", source):
        again = bench.ingest(path, convert=True)
        assert (again.status, again.id) == (UNCHANGED, first.id)


def test_a_refusal_names_the_command_that_makes_a_cog(bench):
    source = write_striped(bench.data / "a.tif")
    outcome = bench.ingest(source)
    assert outcome.status is REFUSED
    assert outcome.as_json()["mend"].startswith("gdal_translate -if GTiff -of COG -co COMPRESS=DEFLATE ")
    assert outcome.as_json()["mend"].endswith(f"{source} {source.with_name('a.cog.tif')}")
    source.write_bytes(source.read_bytes()[:-100])
    assert bench.ingest(source).as_json()["mend"] is None


def test_without_room_the_conversion_fails_and_leaves_nothing(bench, monkeypatch):
    source = write_striped(bench.data / "a.tif")
    monkeypatch.setattr("gateway.cog.convert.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    outcome = bench.ingest(source, convert=True)
    told = "The conversion may need 2.1 MB, and the target folder has 1.0 MB free."
    assert (outcome.status, outcome.message) == (FAILED, told)
    assert [path.name for path in bench.data.iterdir()] == ["a.tif"]


def test_what_was_made_is_judged_to_its_last_byte(bench, monkeypatch):
    depths, real = [], judging.inspect

    def inspect(source, **options):
        depths.append(options.get("depth"))
        return real(source, **options)

    monkeypatch.setattr(judging, "inspect", inspect)
    bench.ingest(write_striped(bench.data / "a.tif"), convert=True)
    assert depths == [None, "full", None]


def test_convert_of_a_changed_source_updates_what_was_made(bench):
    source = write_striped(bench.data / "a.tif")
    first = bench.ingest(source, convert=True)
    pixels = np.full((1, 700, 900), 9, "uint16")
    write_striped(source, pixels)
    bench.next_run()
    again = bench.ingest(source, convert=True)
    assert (again.status, again.id) == (UPDATED, first.id)
    with rasterio.open(bench.data / "a.cog.tif") as new:
        assert np.array_equal(new.read(), pixels)


def test_convert_into_another_root(bench):
    outcome = bench.ingest(write_striped(bench.outside / "a.tif"), "deep/a.tif", convert=True, copy_to="archive")
    assert outcome.status is REGISTERED
    assert [(d.root, d.key) for d in bench.datasets()] == [("archive", "deep/a.tif")]


@pytest.mark.parametrize(
    "wishes", [{"convert": True}, {"convert": True, "copy_to": "archive"}, {"copy_to": "archive"}]
)
def test_a_target_folder_that_cannot_be_written_is_named_and_not_the_source(bench, monkeypatch, wishes):
    write = write_striped if "convert" in wishes else write_cog
    path = write((bench.outside if "copy_to" in wishes else bench.data) / "a.tif")

    def read_only(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "mkdir", read_only)
    outcome = bench.ingest(path, **wishes)
    assert (outcome.status, outcome.findings) == (FAILED, ())
    assert outcome.message == "The target folder cannot be written: permission denied."
    assert bench.datasets() == ()


def test_convert_never_replaces_a_file_that_it_did_not_make(bench):
    mine = sha256(write_cog(bench.data / "a.cog.tif"))
    outcome = bench.ingest(write_striped(bench.data / "a.tif"), convert=True)
    assert (outcome.status, sha256(bench.data / "a.cog.tif")) == (FAILED, mine)


def test_two_sources_that_would_be_converted_into_one_object_are_told_apart(bench):
    assert bench.ingest(write_striped(bench.data / "a.tif"), convert=True).status is REGISTERED
    assert bench.ingest(write_striped(bench.data / "a.tiff"), convert=True).status is FAILED


def test_a_cog_is_not_converted(bench):
    bench.ingest(write_cog(bench.data / "a.tif"), convert=True)
    assert [d.key for d in bench.datasets()] == ["a.tif"]


def test_a_registered_file_that_is_no_cog_any_more_is_converted_and_keeps_the_bad_verdict(bench):
    path = write_cog(bench.data / "a.tif")
    first = bench.ingest(path)
    write_striped(path)
    outcome = bench.ingest(path, convert=True)
    valid = {d.id: d.report.valid for d in bench.datasets()}
    assert outcome.status is REGISTERED
    assert valid == {first.id: False, outcome.id: True}


@pytest.mark.parametrize("content", [b"", b"GDAL cannot help here", b"<VRTDataset/>"])
def test_what_is_no_tiff_is_never_handed_to_gdal(bench, content, monkeypatch):
    monkeypatch.setattr(ingest, "convert_object", None)
    (bench.data / "a.tif").write_bytes(content)
    assert bench.ingest(bench.data / "a.tif", convert=True).status is REFUSED


def test_what_refers_to_overviews_elsewhere_is_never_handed_to_gdal(bench, monkeypatch):
    path = write_striped(bench.data / "a.tif")
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/etc/passwd")
    monkeypatch.setattr("gateway.cog.convert.rasterio", None)
    assert bench.ingest(path, convert=True).status is REFUSED
    assert files(bench.data) == ["a.tif"]


def test_a_file_that_gdal_cannot_read_to_its_end_is_refused_and_leaves_nothing(bench):
    pixels = np.random.default_rng(1).integers(0, 9, (1, 700, 900)).astype("uint8")
    path = write_striped(bench.data / "a.tif", pixels)
    with rasterio.open(path) as raster:
        compressed = raster.profile | {"compress": "deflate"}
    with rasterio.open(path, "w", **compressed) as raster:
        raster.write(pixels)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    outcome = bench.ingest(path, convert=True)
    assert (outcome.status, outcome.message) == (REFUSED, "GDAL cannot make a COG of it.")
    assert outcome.findings
    assert files(bench.data) == ["a.tif"]


def test_a_conversion_that_is_no_cog_is_refused_and_leaves_nothing(bench, monkeypatch):
    monkeypatch.setattr(judging, "convert", lambda _, target: write_striped(Path(target)))
    outcome = bench.ingest(write_striped(bench.data / "a.tif"), convert=True)
    assert outcome.status is REFUSED
    assert "What the conversion makes of it is no true COG" in outcome.message
    assert files(bench.data) == ["a.tif"]


def test_a_source_that_changes_while_it_is_converted_leaves_nothing(bench, monkeypatch):
    source = write_striped(bench.data / "a.tif")
    real = judging.convert

    def convert(*arguments):
        real(*arguments)
        os.utime(source, ns=(1, 1))

    monkeypatch.setattr(judging, "convert", convert)
    outcome = bench.ingest(source, convert=True)
    assert (outcome.status, outcome.message) == (FAILED, "The source changed while it was converted.")
    assert files(bench.data) == ["a.tif"]


@pytest.mark.parametrize("error", [StorageUnavailable("The root is gone."), OSError(28, "No space left on device")])
def test_an_error_of_the_storage_fails_one_source_and_the_next_goes_on(bench, monkeypatch, error):
    def broken(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(bench.storages["data"], "siblings", broken)
        failed = bench.ingest(write_cog(bench.data / "a.tif"))
    assert failed.status is FAILED
    assert failed.message in ("The root is gone.", "cannot be read or written: no space left on device")
    assert bench.ingest(write_cog(bench.data / "b.tif")).status is REGISTERED


def test_an_error_of_the_records_fails_the_source(bench, monkeypatch):
    def broken(*_):
        raise RecordsUnavailable("The catalogue is locked.")

    path = write_cog(bench.data / "a.tif")
    for method in ("dataset_at", "register_dataset"):
        with monkeypatch.context() as patch:
            patch.setattr(bench.records, method, broken)
            outcome = bench.ingest(path)
        assert (outcome.status, outcome.message) == (FAILED, "The catalogue is locked.")
    assert bench.datasets() == ()


def test_two_ingests_of_one_new_object_at_once_end_in_one_dataset(bench, monkeypatch):
    path = write_cog(bench.data / "a.tif")
    other = Ingestor(bench.records, bench.storages)
    register, first = bench.records.register_dataset, []

    def late(dataset, row):
        if not first:
            first.append(None)
            first[0] = other.ingest(Source(str(path), path, path.name), IngestOptions())
        return register(dataset, row)

    monkeypatch.setattr(bench.records, "register_dataset", late)
    second = bench.ingest(path)
    assert (first[0].status, second.status) == (REGISTERED, UPDATED)
    assert first[0].id == second.id
    assert len(bench.datasets()) == 1


NARROWINGS = {
    "unchanged but for the title": ({"title": "New"}, "change_dataset"),
    "judged anew": ({"title": "New"}, "judge_dataset"),
    "refused": ({}, "judge_dataset"),
}


@pytest.mark.parametrize("case", NARROWINGS)
def test_an_ingest_beside_a_narrowing_of_access_leaves_it_narrow(bench, monkeypatch, case):
    wishes, verb = NARROWINGS[case]
    path = write_cog(bench.data / "a.tif")
    known = bench.ingest(path, visibility=Scale.PUBLIC)
    if case == "judged anew":
        replace_with(path, 7)
    if case == "refused":
        path.write_text("no raster")
    plain = getattr(bench.records, verb)

    def late(*arguments):
        monkeypatch.setattr(bench.records, verb, plain)
        bench.records.change_dataset(known.id, Change(visibility=Scale.PRIVATE), AuditRow("dataset.updated"))
        return plain(*arguments)

    monkeypatch.setattr(bench.records, verb, late)
    bench.ingest(path, **wishes)
    (now,) = bench.datasets()
    assert (now.visibility, now.download) == (Scale.PRIVATE, Scale.PRIVATE)
    assert now.report.valid == (case != "refused")
    # By their times: the row of an act was made before the act.
    assert sorted(action for action, _ in bench.actions())[-1] == "dataset.updated"
    assert len(bench.actions()) == 3


def judged_of(bench, *paths):
    options = IngestOptions()
    tasks = [bench.ingestor.plan(Source(str(path), path, path.name), options) for path in paths]
    return [(task, judging.attempt(task)) for task in tasks], options


def test_new_files_that_are_settled_together_come_on_record_in_one_transaction(bench, monkeypatch):
    known, striped = write_cog(bench.data / "known.tif"), write_striped(bench.data / "bad.tif")
    outside = write_cog(bench.outside / "far.tif")
    bench.ingest(known)
    replace_with(known, 7)
    new = [write_cog(bench.data / f"{name}.tif") for name in "ab"]
    batch, options = judged_of(bench, new[0], striped, known, new[1])
    sizes, register = [], bench.records.register_datasets
    monkeypatch.setattr(bench.records, "register_datasets", lambda new: sizes.append(len(new)) or register(new))
    outcomes = list(bench.ingestor.settle_all(batch, options))
    assert [outcome.status for outcome in outcomes] == [REGISTERED, REFUSED, UPDATED, REGISTERED]
    assert sizes[0] == 2
    assert {each.key for each in bench.datasets()} == {"known.tif", "a.tif", "b.tif"}
    assert [action for action, _ in bench.actions()].count("dataset.ingested") == 4
    assert outside.exists()


def test_of_files_that_are_settled_together_one_that_came_on_record_meanwhile_is_looked_at_again(bench):
    paths = [write_cog(bench.data / f"{name}.tif") for name in "ab"]
    batch, options = judged_of(bench, *paths)
    first = bench.ingest(paths[0])
    outcomes = list(bench.ingestor.settle_all(batch, options))
    assert [outcome.status for outcome in outcomes] == [UPDATED, REGISTERED]
    assert outcomes[0].id == first.id


def test_of_files_that_are_settled_together_each_is_told_why_it_failed(bench, monkeypatch):
    batch, options = judged_of(bench, *(write_cog(bench.data / f"{name}.tif") for name in "ab"))

    def away(*_):
        raise RecordsUnavailable("The database is away.")

    monkeypatch.setattr(bench.records, "register_datasets", away)
    monkeypatch.setattr(bench.records, "register_dataset", away)
    outcomes = list(bench.ingestor.settle_all(batch, options))
    assert [(outcome.status, outcome.message) for outcome in outcomes] == [(FAILED, "The database is away.")] * 2
    assert bench.datasets() == ()


@pytest.mark.parametrize("broken", [False, True])
def test_an_ingest_beside_another_verdict_looks_again_at_what_is_on_record(bench, monkeypatch, broken):
    path = write_cog(bench.data / "a.tif")
    bench.ingest(path)
    (known,) = bench.datasets()
    replace_with(path, 7)
    if broken:
        path.write_text("no raster")
    judge, counts = bench.records.judge_dataset, []

    def late(seen, *arguments):
        counts.append(seen)
        if len(counts) == 1:
            verdict = Verdict(
                "elsewhere", 5, judging.judge(judging.Reading(bench.storages["data"], "a.tif")).inspection
            )
            judge(known, verdict, AuditRow("test.act"))
        return judge(seen, *arguments)

    monkeypatch.setattr(bench.records, "judge_dataset", late)
    assert bench.ingest(path).status is (REFUSED if broken else UPDATED)
    assert [seen.version for seen in counts] == [known.version, "elsewhere"]
    assert bench.datasets()[0].version == bench.storages["data"].stat("a.tif").version


@pytest.mark.parametrize("broken", [False, True])
def test_an_ingest_whose_record_never_stands_still_fails(bench, monkeypatch, broken):
    path = write_cog(bench.data / "a.tif")
    bench.ingest(path)
    replace_with(path, 7)
    if broken:
        path.write_text("no raster")
    monkeypatch.setattr(bench.records, "judge_dataset", lambda *_: None)
    assert bench.ingest(path).message == "its record is changed by somebody else all the time"


def test_new_options_for_a_dataset_that_is_removed_meanwhile_fail(bench, monkeypatch):
    path = write_cog(bench.data / "a.tif")
    bench.ingest(path)
    monkeypatch.setattr(bench.records, "change_dataset", lambda *_: None)
    assert bench.ingest(path, title="New").message == "its record was removed meanwhile"


def test_the_records_of_many_sources_are_asked_for_together(bench, monkeypatch):
    sources = [
        Source(str(path), path, path.name) for path in (write_cog(bench.data / f"{n}.tif", seed=n) for n in range(5))
    ]
    first = [bench.ingest(source.path) for source in sources[:2]]
    bench.next_run()
    asked = []
    for name in ("dataset_at", "datasets_at"):
        real = getattr(bench.records, name)
        monkeypatch.setattr(bench.records, name, lambda *a, name=name, real=real: (asked.append(name), real(*a))[1])
    planned = list(bench.ingestor.plan_all(sources, IngestOptions()))
    assert asked == ["datasets_at"]
    assert [each.id for each in planned[:2]] == [done.id for done in first]
    assert all(isinstance(each, judging.Task) for each in planned[2:])


def test_what_was_settled_since_is_asked_for_anew(bench):
    path = write_cog(bench.data / "a.tif")
    source = Source(str(path), path, path.name)
    planned = bench.ingestor.plan_all([source, source], IngestOptions())
    task = next(planned)
    bench.ingestor.settle(task, judging.attempt(task), IngestOptions())
    assert next(planned).status is IngestStatus.UNCHANGED
