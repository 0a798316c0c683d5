import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import chdir, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from scripts.drilling.server import alive
from tests.certificates import write_certificate
from tests.descriptors import opened_by
from tests.e2e.conftest import KEY, ROOT
from tests.patience import SECONDS, until


def beside(server, *arguments: str) -> str:
    """Return what a command over the server's state prints; it runs in the process of the tests."""
    with chdir(server.folder):
        done = CliRunner().invoke(cli, arguments, env=server.environment)
    assert done.exit_code == 0, done.output
    return done.stdout


def ingest(server) -> str:
    (line,) = beside(server, "ingest", "rasters", "--visibility", "public", "--json").splitlines()
    return json.loads(line)["id"]


def bearer(server) -> dict[str, str]:
    return {"Authorization": "Bearer " + beside(server, "token", "--sub", "ana").strip()}


def workers_of(server, count: int) -> set[int]:
    """Return the workers once there are so many: a process has its name a moment after it was forked."""
    until(lambda: len(server.children()) == count)
    return server.children()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_served_file_is_the_file_and_sigterm_ends_it_with_exit_code_0(start, folder, processes):
    server = start("--processes", processes)
    dataset = ingest(server)
    status, _, body = server.ask(f"/api/datasets/{dataset}/download/cog", headers=bearer(server))
    assert status == 200
    assert body == (folder / "rasters" / "elevation.tif").read_bytes()
    workers = workers_of(server, 2 if processes == "2" else 0)
    assert server.stop() == 0
    assert not any(alive(pid) for pid in workers)


def test_a_killed_worker_is_replaced_and_its_port_keeps_answering(start):
    server = start("--processes", "2")
    server.logged("accepting", 2)
    victim = min(server.children())
    os.kill(victim, signal.SIGKILL)
    server.logged(rf"worker {victim} ended \(signal 9\)")
    until(lambda: len(server.children() - {victim}) == 2)
    server.logged("accepting", 3)
    for _ in range(10):
        assert server.ask("/livez")[0] == 200


def test_a_killed_recorder_is_replaced_and_no_row_is_lost(start):
    server = start("--processes", "2")
    dataset, token = ingest(server), bearer(server)
    server.logged("accepting", 2)
    asked = []
    for _ in range(3):
        until(lambda: server.children("cog-recorder"))
        (victim,) = server.children("cog-recorder")
        os.kill(victim, signal.SIGKILL)
        status, headers, _ = server.ask(f"/api/datasets/{dataset}/download/cog", headers=token)
        assert status == 200
        asked.append(headers["X-Request-Id"])
        until(lambda victim=victim: server.children("cog-recorder") - {victim})
    server.logged(r"recorder \d+ ended \(signal 9\), again in 0.00 s", 3)
    assert server.stop() == 0
    rows = [json.loads(line) for line in beside(server, "audit", "list", "--json").splitlines()]
    for action in ("download.cog", "download.finished"):
        # An end that waits for company may be sent again behind a later one.
        assert sorted(row["request_id"] for row in rows if row["action"] == action) == sorted(asked)


def test_a_frozen_recorder_is_503_and_nothing_is_sent(start):
    server = start("--processes", "2", audit_wait_seconds="0.5")
    dataset, token = ingest(server), bearer(server)
    until(lambda: server.children("cog-recorder"))
    (recorder,) = server.children("cog-recorder")
    os.kill(recorder, signal.SIGSTOP)
    try:
        status, _, body = server.ask(f"/api/datasets/{dataset}/download/cog", headers=token)
        assert (status, json.loads(body)["status"]) == (503, 503)
    finally:
        os.kill(recorder, signal.SIGCONT)
    until(lambda: server.ask(f"/api/datasets/{dataset}/download/cog", headers=token)[0] == 200)
    assert server.stop() == 0


def test_the_metrics_of_the_audit_are_those_of_the_recorder(start):
    server = start("--processes", "2")
    server.logged("accepting", 2)
    dataset, token = ingest(server), bearer(server)
    for _ in range(3):
        assert server.ask(f"/api/datasets/{dataset}/download/cog", headers=token)[0] == 200
    # A worker counts once it has written its part of the metrics, which it does after it said that it accepts.
    until(lambda: "cog_gateway_workers 2.0" in server.ask("/metrics")[2].decode())
    text = server.ask("/metrics")[2].decode()
    count = next(line for line in text.splitlines() if line.startswith("cog_gateway_audit_batch_rows_count"))
    assert float(count.split()[1]) >= 3


def test_workers_and_recorder_end_with_a_killed_parent(start):
    server = start("--processes", "2")
    until(lambda: server.children("cog-recorder"))
    workers = workers_of(server, 2) | server.children("cog-recorder")
    server.process.kill()
    server.wait()
    until(lambda: not any(alive(pid) for pid in workers))


@contextmanager
def slow_download(server, folder):
    """Yield a connection on which a large file has begun to come, its first bytes, and the size of the file."""
    with (folder / "rasters" / "elevation.tif").open("ab") as file:
        file.write(os.urandom(1 << 20) * 24)
    dataset, headers = ingest(server), bearer(server)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        client.sendall(
            f"GET /api/datasets/{dataset}/download/cog HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {headers['Authorization']}\r\n\r\n".encode()
        )
        yield client, client.recv(4096), (folder / "rasters" / "elevation.tif").stat().st_size


def rest_of(client: socket.socket) -> bytes:
    """Return what comes until the end of the connection."""
    return b"".join(iter(lambda: client.recv(1 << 20), b""))


@pytest.mark.parametrize(("processes", "number"), [("1", signal.SIGINT), ("2", signal.SIGTERM)])
def test_a_stop_of_the_whole_group_cuts_no_download(start, folder, processes, number):
    server = start("--processes", processes, group=True)
    with slow_download(server, folder) as (client, begun, size):
        os.killpg(server.process.pid, number)
        until(lambda: refused(server.port))
        got = begun + rest_of(client)
    assert len(got.partition(b"\r\n\r\n")[2]) == size
    assert server.wait() == 0


def test_signals_during_the_start_are_kept(start):
    server = start()
    until(lambda: holds_back(server.process.pid, signal.SIGTERM))
    server.process.send_signal(signal.SIGHUP)
    server.logged("accepting on")
    assert server.ask("/livez")[0] == 200
    assert server.stop() == 0
    stopped = start()
    until(lambda: holds_back(stopped.process.pid, signal.SIGTERM))
    assert stopped.stop() == 0


def holds_back(pid: int, number: int) -> bool:
    """Return whether a process blocks a signal (proc(5), SigBlk)."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigBlk")]
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


def test_why_a_worker_ends_is_told_in_words_and_the_others_go_on(start, folder):
    certificate, key = write_certificate(folder)
    server = start("--processes", "2", tls_certificate=str(certificate), tls_key=str(key))
    server.logged("accepting on", 2)
    key.rename(folder / "moved")
    os.kill(min(server.children()), signal.SIGKILL)
    server.logged("the worker cannot go on: .*certificate")
    (folder / "moved").rename(key)
    server.logged("accepting on", 3)
    assert server.stop() == 0


def test_settings_that_cannot_be_read_at_a_hang_up_change_nothing(start, folder):
    config = folder / "gateway.toml"
    config.write_text("stall_seconds = 50\n")
    server = start(config=str(config))
    server.logged("accepting on")
    config.rename(folder / "away.toml")
    config.mkdir()
    server.process.send_signal(signal.SIGHUP)
    server.logged("the keys stay as they are: the settings file")
    assert server.ask("/livez")[0] == 200
    assert server.stop() == 0


def test_systemd_is_told_when_the_server_is_ready_reloads_and_stops(start, tmp_path_factory):
    name = tmp_path_factory.mktemp("n") / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(name))
        manager.settimeout(SECONDS)
        for processes in ("1", "2"):
            server = start("--processes", processes, NOTIFY_SOCKET=str(name))
            assert manager.recv(200) == b"READY=1"
            assert server.ask("/livez")[0] == 200
            server.process.send_signal(signal.SIGHUP)
            while not (told := manager.recv(200)).startswith(b"RELOADING=1\nMONOTONIC_USEC="):
                assert told == b"READY=1"
            assert manager.recv(200) == b"READY=1"
            assert server.stop() == 0
            while (told := manager.recv(200)) != b"STOPPING=1":
                assert told == b"READY=1"


def test_an_open_download_is_finished_after_sigterm_and_new_connections_are_not_taken(start, folder):
    server = start()
    with slow_download(server, folder) as (client, begun, size):
        server.process.send_signal(signal.SIGTERM)
        until(lambda: refused(server.port))
        got = begun + rest_of(client)
    assert len(got.partition(b"\r\n\r\n")[2]) == size
    assert server.wait() == 0


def test_after_sigterm_every_small_answer_that_has_begun_ends_whole(start, folder):
    server = start()
    dataset, headers = ingest(server), bearer(server)
    ask = (
        f"GET /api/datasets/{dataset}/download/cog HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99999\r\n"
        f"Authorization: {headers['Authorization']}\r\n\r\n"
    ).encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        client.connect(("127.0.0.1", server.port))
        # More than all buffers on the way hold: the server is in the middle of one of them.
        client.sendall(ask * 100)
        client.recv(1, socket.MSG_PEEK)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: refused(server.port))
        answers = rest_of(client).split(b"HTTP/1.1 ")[1:]
    assert len(answers) < 100
    assert {len(answer.partition(b"\r\n\r\n")[2]) for answer in answers} == {100_000}
    # The last one says that it is the last, and no other does.
    assert [b"\r\nConnection: close\r\n" in answer for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert server.wait() == 0


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_signal_does_not_wait_for_slow_clients(start, folder):
    with (folder / "rasters" / "elevation.tif").open("ab") as file:
        file.write(os.urandom(1 << 20) * 24)
    server = start()
    dataset, headers = ingest(server), bearer(server)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            f"GET /api/datasets/{dataset}/download/cog HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {headers['Authorization']}\r\n\r\n".encode()
        )
        client.recv(16)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: refused(server.port))
        assert server.process.poll() is None
        assert server.stop(signal.SIGINT) == 0
    assert server.logged("drained, 1 requests cut")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"secret_keys": "short"}, "shorter than 32 bytes"),
        ({"roots": '{"data": {"uri": "file:/nowhere/at/all"}}'}, "root data"),
        ({"port": "nonsense"}, "port"),
        ({"state_dir": "/dev/null/x"}, "state folder"),
        ({"host": "999.1.1.1"}, "cannot listen"),
    ],
)
def test_what_cannot_work_stops_the_start_with_one_line_and_exit_code_2(start, settings, sentence):
    server = start(**settings) if "port" not in settings else start(**settings, audit_wait_seconds="x")
    assert server.wait() == 2
    (line,) = server.lines
    assert sentence in line or "audit_wait_seconds" in line
    assert "Traceback" not in line


@pytest.mark.parametrize("processes", ["1", "2"])
def test_sighup_rereads_the_keys_in_every_worker_and_in_those_that_come_later(start, folder, processes):
    old, new = "o" * 31 + "ld-key-of-the-tests", "n" * 31 + "ew-key-of-the-tests"
    (folder / "keys").write_text(old)
    (folder / "keys").chmod(0o600)
    server = start("--processes", processes, secret_keys_file=str(folder / "keys"), secret_keys="")
    server.logged("accepting on", int(processes))
    before = bearer(server)

    def statuses(headers):
        return {server.ask("/api/datasets", headers=headers)[0] for _ in range(20)}

    assert statuses(before) == {200}
    (folder / "keys").write_text(f"{new},{old}")
    server.process.send_signal(signal.SIGHUP)
    told = rf"the keys are read anew: 2, the first has SHA-256 {sha256(new.encode()).hexdigest()[:12]}"
    server.logged(told, int(processes))
    after = bearer(server)
    assert statuses(before) == statuses(after) == {200}
    (folder / "keys").write_text(new)
    server.process.send_signal(signal.SIGHUP)
    server.logged("the keys are read anew", 2 * int(processes))
    assert (statuses(before), statuses(after)) == ({401}, {200})
    # Keys that are unfit change nothing, also for a worker that is started again.
    (folder / "keys").write_text("short")
    server.process.send_signal(signal.SIGHUP)
    server.logged("the keys stay as they are: a secret key is shorter", 1)
    for child in server.children():
        os.kill(child, signal.SIGKILL)
    if processes != "1":
        server.logged("accepting on", 2 * int(processes))
    assert (statuses(before), statuses(after)) == ({401}, {200})
    assert server.stop() == 0


def test_a_port_in_use_is_seen_also_with_several_workers(start, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start("--processes", "2", "--port", str(taken.getsockname()[1]))
        assert server.wait() == 2
    assert "cannot listen" in server.lines[-1]


def test_a_broken_database_stops_the_start(start, folder):
    (folder / "state").mkdir(mode=0o700)
    (folder / "state" / "gateway.db").write_bytes(b"this is no database" * 1000)
    server = start()
    assert server.wait() == 2
    assert len(server.lines) == 1


def test_a_damaged_page_stops_the_start(start, folder):
    first = start()
    first.logged("accepting on")
    assert first.stop() == 0
    path = folder / "state" / "gateway.db"
    data = bytearray(path.read_bytes())
    # The pages of the tables; the header and the schema stay readable.
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 8] = b"\x0d\xff\xff\xff\xff\xff\xff\xff"
    path.write_bytes(data)
    server = start()
    assert server.wait() == 2
    assert "damaged" in server.lines[-1] or "cannot serve" in server.lines[-1]


def test_no_more_connections_than_the_cap(start):
    server = start(max_connections="2")
    port = server.port
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    until(lambda: server.ask("/livez")[0] == 503)
    for connection in held:
        connection.close()
    until(lambda: server.ask("/livez")[0] == 200)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_server_whose_log_nobody_reads_any_more_ends_with_exit_code_0(tmp_path, processes):
    (tmp_path / "data").mkdir()
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", "--port", "0", "--processes", str(processes)], stderr=writer,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GATEWAY_SECRET_KEYS": KEY}, cwd=tmp_path,
    )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as log:
        accepting = 0
        while accepting < processes:
            accepting += "accepting" in log.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0


def test_the_parent_of_the_workers_holds_no_database_and_no_thread(start):
    server = start("--processes", "2")
    server.logged("accepting on", 2)
    assert server.ask("/readyz")[0] == 200
    workers, parent = server.children(), server.process.pid
    assert any(holds_database(pid) for pid in workers)
    assert not holds_database(parent)
    assert len(list(Path(f"/proc/{parent}/task").iterdir())) == 1


def holds_database(pid: int) -> bool:
    return any("gateway.db" in name for name in opened_by(pid))
