"""Batches over Dask: one small cluster for all of these tests, as `dask scheduler` and two workers would be."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import dask
import pytest
from click.testing import CliRunner
from distributed import Client, Future, LocalCluster

from gateway.__main__ import cli
from gateway.cli import cluster
from gateway.cli.cluster import Cluster, ClusterError, client_at
from gateway.cli.runs import ENDS
from gateway.cli.workers import DIED
from gateway.errors import StorageUnavailable
from tests.patience import until
from tests.rasters import write_cog, write_striped
from tests.s3 import new_bucket

SECRET = "a-secret-that-stays-at-home"


def double(number):
    return 2 * number


def fail(number):
    raise LookupError(f"a fault of {number}")


def out_of_reach(number):
    raise StorageUnavailable("The store is away.")


def wait_once_or_die(folder, number):
    """Each process that has a negative number ends; the first that has 0 says so and waits until it is killed."""
    if number < 0:
        os._exit(3)
    if number == 0:
        trace = Path(folder, "trace")
        if not trace.exists():
            trace.write_text(str(os.getpid()))
            threading.Event().wait()
    return 2 * number


@pytest.fixture(scope="module")
def world(tmp_path_factory, moto_store):
    """Settings with a root in a bucket and one on a disk, a cluster that has them, and what is in both."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "data").mkdir()
    bucket = new_bucket(moto_store)
    cog = write_cog(folder / "a.tif").read_bytes()
    bad = write_striped(folder / "b.tif").read_bytes()
    for number in range(4):
        moto_store.client.put_object(Bucket=bucket, Key=f"cogs/{number}.tif", Body=bad if number == 3 else cog)
        (folder / "data" / f"{number}.tif").write_bytes(bad if number == 3 else cog)
    store = {"uri": f"s3://{bucket}", "endpoint_url": moto_store.endpoint_url, "region": "us-east-1",
             "access_key_id": "LOCALTESTMOTO", "secret_access_key": SECRET}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GATEWAY_ROOTS", json.dumps({"bucket": store, "disk": {"uri": "file:data"}}))
        patch.setenv("GATEWAY_STATE_DIR", str(folder / "state"))
        yield folder, bucket


@pytest.fixture(scope="module")
def workers(world):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0, silence_logs=60
        ) as here,
    ):
        yield here


@pytest.fixture
def ready(workers):
    with client_at(workers.scheduler_address) as client, closing(Cluster(client, "go on so")) as made:
        yield made


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def lines(result, name="source"):
    return {told[name]: told for told in map(json.loads, result.stdout.splitlines())}


def test_every_item_has_its_result_once(ready):
    assert sorted(ready.over_dask(double, range(250))) == [(number, 2 * number) for number in range(250)]
    assert ready.workers == 2


def test_what_needs_no_worker_goes_to_none(workers):
    with client_at(workers.scheduler_address) as client:
        here = os.getpid()
        with closing(Cluster(client, "", here=lambda item: item is None)) as made:
            found = list(made.over_dask(lambda item: os.getpid() if item is None else item, iter((None,))))
    assert found == [(None, here)]


def test_an_item_that_ends_its_worker_fails_alone_and_what_a_killed_worker_had_is_done_again(ready, tmp_path):
    killer = threading.Thread(target=lambda: (until((tmp_path / "trace").exists), kill(tmp_path / "trace")))
    killer.start()
    # The item that waits is begun before any process dies: only then it is not what that process had.
    items = [0, 1, 2, 4, 5, 6, 7, 8, -3, *range(9, 30)]
    found = list(ready.over_dask(partial(wait_once_or_die, str(tmp_path)), items))
    killer.join()
    assert dict(found) == {-3: DIED} | {number: 2 * number for number in items if number >= 0}
    assert len(found) == len(items)


def kill(trace):
    until(lambda: trace.read_text())
    os.kill(int(trace.read_text()), signal.SIGKILL)


@pytest.mark.parametrize(("work", "error"), [(fail, LookupError), (out_of_reach, StorageUnavailable)])
def test_any_other_error_is_raised(ready, work, error):
    with pytest.raises(error):
        list(ready.over_dask(work, range(9)))


def test_work_that_somebody_cancels_is_told_with_what_to_do(ready):
    results = ready.over_dask(double, range(1000))
    next(results)
    ready._client.cancel([Future(key, client=ready._client) for key in list(ready._client.futures)], force=True)
    with pytest.raises(ClusterError, match="the cluster was lost or has no workers: go on so"):
        list(results)


def test_the_three_commands_say_over_a_cluster_what_they_say_alone(world, workers):
    _, bucket = world
    at = ("--scheduler", workers.scheduler_address)
    sources = ("data", f"s3://{bucket}/cogs", "none.tif")
    alone = lines(run("check", "--json", *sources, exit_code=2))
    assert lines(run("check", "--json", *at, *sources, exit_code=2)) == alone
    assert len(alone) == 9
    ingested = lines(run("ingest", "--json", *at, *sources[:2], exit_code=1))
    assert sorted(told["status"] for told in ingested.values()) == ["refused"] * 2 + ["registered"] * 6
    again = lines(run("ingest", "--json", *at, *sources[:2], exit_code=1))
    assert sorted(told["status"] for told in again.values()) == ["refused"] * 2 + ["unchanged"] * 6
    rechecked = lines(run("datasets", "recheck", "--json", *at), "id")
    assert {told["status"] for told in rechecked.values()} == {"valid"}
    assert set(rechecked) == {told["id"] for told in ingested.values() if told["id"]}


def test_neither_the_scheduler_nor_a_batch_holds_a_key(world, workers, monkeypatch):
    _, bucket = world
    sent, held = [], []
    real = cluster.sealed
    monkeypatch.setattr(cluster, "sealed", lambda value: (sent.append(real(value)), sent[-1])[1])

    def submit(self, *arguments, **more):
        held.append(pickle.dumps(list(workers.scheduler.worker_plugins.values())))
        future = real_submit(self, *arguments, **more)
        until(lambda: future.key in workers.scheduler.tasks)
        held.append(pickle.dumps(workers.scheduler.tasks[future.key].run_spec))
        return future

    real_submit = Client.submit
    monkeypatch.setattr(Client, "submit", submit)
    at = ("--scheduler", workers.scheduler_address)
    run("check", *at, f"s3://{bucket}/cogs", exit_code=1)
    run("ingest", *at, "--depth", "blocks", f"s3://{bucket}/cogs", exit_code=1)
    run("datasets", "recheck", *at)
    assert len(sent) >= 3
    assert len(held) >= 6
    assert any(f"s3://{bucket}".encode() in data for data in sent)
    assert not any(SECRET.encode() in data for data in sent + held)


def test_a_worker_with_another_root_refuses(world, workers, monkeypatch):
    folder, _ = world
    (folder / "other").mkdir(exist_ok=True)
    write_cog(folder / "other" / "a.tif")
    monkeypatch.setenv("GATEWAY_ROOTS", json.dumps({"disk": {"uri": "file:other"}, "new": {"uri": "file:data"}}))
    monkeypatch.setenv("GATEWAY_STATE_DIR", str(folder / "another"))
    at = ("--scheduler", workers.scheduler_address)
    told = run("ingest", *at, "other", exit_code=2).stderr
    assert f"the root disk is file:{folder}/data, and not file:{folder}/other" in told
    assert "there is no storage root named new" in run("ingest", *at, "data", exit_code=2).stderr


def test_other_versions_are_told_and_refused(world, workers, monkeypatch):
    real = cluster.versions()
    monkeypatch.setattr(cluster, "versions", lambda: {**real, "cog-gateway": "9.9", "python": "3.99"})
    told = run("check", "--scheduler", workers.scheduler_address, "data", exit_code=2).stderr
    assert "the scheduler has other versions: python 3." in told
    monkeypatch.setattr(cluster, "versions", lambda: {**real, "cog-gateway": "9.9"})
    told = run("check", "--scheduler", workers.scheduler_address, "data", exit_code=2).stderr
    assert f"has other versions: cog-gateway {real['cog-gateway']} there and 9.9 here" in told


def test_a_worker_that_comes_later_is_judged_by_its_versions_too(monkeypatch):
    plugin = cluster.Storages()
    monkeypatch.setattr(cluster, "__version__", "9.9")
    with pytest.raises(ClusterError, match="the worker tcp://there has other versions"):
        plugin.setup(type("Worker", (), {"address": "tcp://there"}))


def test_what_is_no_scheduler_is_told_in_one_line(world, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        for address in (f"tcp://127.0.0.1:{taken.getsockname()[1]}", "nonsense://x", "tls://127.0.0.1:1"):
            assert f"the scheduler {address} cannot be reached" in run(
                "check", "--scheduler", address, "data", exit_code=2
            ).stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--dask", "--scheduler", "tcp://x:1"), "exclude each other"),
        (("--scheduler", "tcp://x:1", "--jobs", "2"), "--jobs is for this machine"),
        (("--dask", "--sorted"), "a cluster keeps no order"),
    ],
)
def test_flags_that_contradict_each_other_are_wrong_usage(flags, told):
    assert told in run("check", *flags, ".", exit_code=2).stderr


class Disturbed:
    """What gets another Ctrl-C and a SIGTERM while it is closed."""

    closed = 0

    def __init__(self, *_, **__):
        pass

    def close(self):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        Disturbed.closed += 1


def test_a_second_ctrl_c_does_not_cut_the_closing_of_a_cluster_of_this_machine(monkeypatch):
    monkeypatch.setattr(cluster, "LocalCluster", Disturbed)
    monkeypatch.setattr(cluster, "Client", Disturbed)
    before = [signal.getsignal(number) for number in ENDS]
    with pytest.raises(KeyboardInterrupt), cluster.client_here(1, 1, None):
        raise KeyboardInterrupt
    assert Disturbed.closed == 2
    assert [signal.getsignal(number) for number in ENDS] == before


def test_without_the_extra_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask", None)
    monkeypatch.delitem(sys.modules, "gateway.cli.cluster")
    monkeypatch.delattr("gateway.cli.cluster")
    assert "pip install 'cog-gateway[cluster]'" in run("check", "--dask", ".", exit_code=2).stderr


@contextmanager
def program(*words):
    """A process of this environment, ended at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def many_files(folder, count):
    cog = write_cog(folder / "first.tif").read_bytes()
    (folder / "many").mkdir()
    for number in range(count):
        (folder / "many" / f"{number:04}.tif").write_bytes(cog)
    return folder / "many"


def sources_in(report):
    return [json.loads(line)["source"] for line in report.read_text().splitlines()]


def test_interrupted_and_gone_on_each_file_is_judged_once(tmp_path):
    """Ended by SIGTERM, over a cluster by Ctrl-C, then let through: three runs over one report."""
    folder, report = many_files(tmp_path, 400), tmp_path / "report.jsonl"
    done = 0
    for flags, end, code in (((), signal.SIGTERM, 143), (("--dask", "--jobs", 1), signal.SIGINT, 130), ((), None, 0)):
        with program("gateway", "check", *flags, "--resume", report, folder) as process:
            if end is not None:
                until(partial(grown, report, done))
                process.send_signal(end)
            _, told = process.communicate(timeout=120)
            assert (process.returncode, b"Traceback" in told) == (code, False), told
        assert done < len(sources_in(report))
        done = len(sources_in(report))
    assert sorted(sources_in(report)) == sorted(map(str, folder.iterdir()))


def grown(report, done):
    return report.exists() and report.read_bytes().count(b"\n") > done


def test_a_scheduler_that_ends_is_told_with_the_way_to_go_on(tmp_path):
    folder, report = many_files(tmp_path, 400), tmp_path / "report.jsonl"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    plain = ("--no-dashboard", "--host", "127.0.0.1")
    with (
        program("distributed.cli.dask_scheduler", *plain, "--port", port, "--dashboard-address", "127.0.0.1:0") as scheduler,
        program("distributed.cli.dask_worker", address, *plain, "--nworkers", 1, "--nthreads", 1,
                "--local-directory", tmp_path) as worker,
        program("gateway", "check", "--scheduler", address, "--resume", report, folder) as process,
    ):  # fmt: skip
        until(partial(grown, report, 0))
        scheduler.kill()
        _, told = process.communicate(timeout=120)
        worker.terminate()
    assert process.returncode == 2
    assert told.decode().splitlines()[-1] == (
        "Error: the cluster was lost or has no workers: what is judged is told; --resume REPORT goes on after the lines "
        "of a report"
    )
    assert len(set(sources_in(report))) == len(sources_in(report)) < 400
