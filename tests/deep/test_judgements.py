"""Files judged deeper than usual: once for each version, behind the answers, in a process that may die."""

import hashlib
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.dates import DatedBy, Dates
from gateway.deep import DeepJudgements, DeepRules, answers, child, judgements
from gateway.errors import Unavailable
from gateway.model import AuditRow, Dataset, Report, Scale
from gateway.pools import BoundedPool
from gateway.records import AuditQuery, open_records
from gateway.storage import open_storage
from tests.rasters import write_cog

ID = "3f2b0a52-52b8-4d0c-9b1c-6a8f0e7d9b11"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Place:
    """A root with one file that was judged in full, and what judges it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "rasters").mkdir()
        self.path = folder / "rasters/a.tif"
        write_cog(self.path)
        self.records = open_records(folder / "gateway.db")
        self.storages = {"data": open_storage("data", f"file:{folder / 'rasters'}")}
        self.pool = BoundedPool("deep", 1, 4)
        self.counted = []
        self.dataset = Dataset(
            id=ID, root="data", key="a.tif", title="a", owner=None, visibility=Scale.PUBLIC, download=Scale.PUBLIC,
            version=self.stat().version, size_bytes=9, report=Report("full"), raster=None, created_at=NOW,
            updated_at=NOW, origin="made of b.tif", collection="data", dates=Dates(NOW, NOW, DatedBy.MODIFIED),
        )  # fmt: skip
        self.records.register_dataset(self.dataset, AuditRow("test.act"))

    def stat(self):
        return self.storages["data"].stat("a.tif")

    def replace_file(self, *, broken=False):
        content = bytearray(write_cog(self.folder / "new.tif").read_bytes())
        if broken:
            content[-1000:-900] = bytes(100)
        self.path.write_bytes(content)
        os.utime(self.path, ns=(0, time.time_ns()))

    def judgements(self, **rules):
        return DeepJudgements(
            self.records, self.storages, self.pool, DeepRules(**rules), self.folder, self.counted.append
        )

    def settled(self):
        """Wait until nothing is judged any more; returns the dataset as it is on record."""
        self.pool.submit(int).result(120)
        return self.records.dataset(ID)

    def judged_rows(self):
        return [stored.row for stored in self.records.audit_rows(AuditQuery(action="dataset.judged"))]


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.pool.close()
    made.records.close()


@pytest.fixture
def instead(monkeypatch, tmp_path):
    """Let another program stand in for the one that judges."""

    def run(program):
        (tmp_path / "stand_in.py").write_text(program)
        monkeypatch.setattr(judgements, "PROGRAM", "stand_in")
        monkeypatch.setattr(judgements, "_environment", lambda: {**os.environ, "PYTHONPATH": str(tmp_path)})

    return run


def test_a_new_version_is_judged_as_deep_as_the_one_before_once_however_often_somebody_asks(place):
    before, deep = place.dataset, place.judgements()
    place.replace_file()
    told = [deep.begin(before, place.stat()) for _ in range(5)]
    assert {(error.status, error.detail) for error in told} == {(503, judgements.UNDER_WAY)}
    assert {error.headers["Retry-After"] for error in told} == {str(judgements.RETRY_SECONDS)}
    now = place.settled()
    assert (now.version, now.report, now.origin) == (place.stat().version, Report("full"), before.origin)
    assert now.sha256 == hashlib.sha256(place.path.read_bytes()).hexdigest()
    assert now.raster.stretch is not None
    (row,) = place.judged_rows()
    assert row.detail == {"valid": True, "depth": "full", "replaced": before.version}
    assert place.counted == ["valid"]
    # Who asks with what was true a moment ago has nothing judged again.
    deep.begin(before, place.stat())
    assert place.settled() == now
    assert len(place.judged_rows()) == 1


def test_damage_that_only_decoding_shows_is_found(place):
    place.replace_file(broken=True)
    place.judgements().begin(place.dataset, place.stat())
    now = place.settled()
    assert [finding.rule for finding in now.report.errors] == ["tile-checksum"]
    assert (now.raster, now.sha256, place.counted) == (None, None, ["invalid"])


def test_two_workers_judge_a_file_once(place):
    place.replace_file()
    one, other = place.judgements(), place.judgements()
    with one._mine(ID) as mine:
        assert mine
        pid = os.fork()
        if pid == 0:
            with other._mine(ID) as theirs, other._mine(ID.replace("1", "2")) as elsewhere:
                os._exit(theirs * 2 + (not elsewhere))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with other._mine(ID) as mine:
        assert mine


@pytest.mark.parametrize(
    ("program", "rules", "reason"),
    [
        ("raise SystemExit(3)", {}, "ended early"),
        ("import os; os.write(1, b'{half'); os.abort()", {}, "ended early"),
        ("import os; os.write(1, b'\\x80')", {}, "ended early"),
        ("import os; os.write(1, b'{\"verdict\": {}}')", {}, "ended early"),
        ("import os\nwhile True: os.write(1, bytes(1 << 20))", {}, "ended early"),
        ("import time; time.sleep(60)", {"seconds": 0.2}, "takes too long"),
    ],
)
def test_a_file_over_which_its_process_ends_is_set_aside(place, instead, caplog, program, rules, reason):
    instead(program)
    place.replace_file()
    deep = place.judgements(**rules)
    deep.begin(place.dataset, place.stat())
    assert place.settled() == place.dataset
    (record,) = caplog.records
    assert reason in record.getMessage()
    caplog.clear()
    error = deep.begin(place.dataset, place.stat())
    assert error.detail == judgements.CANNOT
    assert 0 < int(error.headers["Retry-After"]) <= judgements.SET_ASIDE_SECONDS
    # Another version is another file.
    place.replace_file()
    assert deep.begin(place.dataset, place.stat()).detail == judgements.UNDER_WAY
    place.settled()
    caplog.clear()


def test_a_file_that_is_gone_is_left_alone_for_a_moment(place, caplog):
    place.replace_file()
    stat = place.stat()
    place.path.unlink()
    deep = place.judgements()
    deep.begin(place.dataset, stat)
    place.settled()
    assert "the object is gone" in caplog.text
    caplog.clear()
    assert int(deep.begin(place.dataset, stat).headers["Retry-After"]) <= judgements.UNREADABLE_SECONDS


def test_a_record_that_is_gone_or_cannot_be_read_ends_it(place, caplog):
    place.replace_file()
    deep = place.judgements()
    unknown = replace(place.dataset, id=ID.replace("1", "2"))
    deep.begin(unknown, place.stat())
    place.settled()
    place.records.close()
    deep.begin(place.dataset, place.stat())
    place.pool.submit(int).result(120)
    assert "could not be judged anew" in caplog.text
    caplog.clear()


def test_too_many_that_wait_are_refused(place, monkeypatch):
    deep = place.judgements()
    monkeypatch.setattr(place.pool, "_room", type("Full", (), {"acquire": lambda *_, **__: False})())
    with pytest.raises(Unavailable, match="busy"):
        deep.begin(place.dataset, place.stat())
    assert not deep._under_way


def test_the_end_of_the_server_ends_the_process(place, instead):
    instead("import time; time.sleep(600)")
    place.replace_file()
    deep = place.judgements()
    deep.begin(place.dataset, place.stat())
    while deep._process is None:
        time.sleep(0.01)
    deep.close()
    assert place.settled() == place.dataset
    # What has waited does not begin any more.
    deep.begin(place.dataset, place.stat())
    assert place.settled() == place.dataset


def test_settings_and_secrets_of_the_gateway_stay_with_it(monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", "k" * 40)
    assert not [name for name in judgements._environment() if name.startswith("GATEWAY_")]


def test_what_the_process_says_is_read_as_it_was_found(place):
    wanted = judgements.Wanted(os.getppid(), place.dataset, place.storages["data"], False, 0)
    said = child.seen(wanted)
    assert answers.answer_of(answers.packed(said), "full") == said
    assert (said.verdict.version, said.verdict.inspection.report.depth) == (place.stat().version, "full")
    place.path.unlink()
    gone = answers.Answer(failed="the object is gone", for_seconds=judgements.UNREADABLE_SECONDS)
    assert child.seen(wanted) == gone


@pytest.mark.skipif(not Path("/sys/kernel/security").exists(), reason="Landlock is of Linux")
def test_the_process_reads_no_other_file_of_the_root(place):
    other = place.folder / "rasters/other.tif"
    other.write_bytes(place.path.read_bytes())
    wanted = judgements.Wanted(os.getpid(), place.dataset, place.storages["data"], False, 0)
    program = f"""
import pickle, sys
from gateway.deep import child
from gateway.studio.confinement import confine
wanted = pickle.load(sys.stdin.buffer)
missing = confine(child.confinement_of(wanted, wanted.storage))
print("Landlock" in missing, open({str(place.path)!r}, "rb").read(2))
print(wanted.storage.siblings("a.tif"))
open({str(other)!r}, "rb")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(wanted), capture_output=True, check=False
    )
    if run.stdout.startswith(b"True"):
        pytest.skip("this kernel has no Landlock")
    assert run.stdout == b"False b'II'\nfrozenset()\n"
    assert b"PermissionError" in run.stderr
