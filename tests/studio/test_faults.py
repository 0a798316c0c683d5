"""What painters may do to each other and to who asks: nothing. Each fault, and what stands of it afterwards."""

import contextlib
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.errors import CannotBeDrawn, GatewayError, NoPlace, Unavailable
from gateway.studio import Source, Task, child, crew, forks, tasks, wire
from gateway.studio.confinement import Confinement
from gateway.studio.process import NICE
from gateway.studio.tasks import Lane
from tests.descriptors import opened_by
from tests.patience import until
from tests.rasters import write_cog
from tests.studio.conftest import loaded, processes, source
from tests.studio.painter import FORGED

ROOT = Path(__file__).parent.parent.parent
NEVER_SECONDS = 3600.0


@pytest.fixture(autouse=True)
def hostile_painters(monkeypatch):
    monkeypatch.setattr(forks, "PROGRAM", "tests.studio.painter")
    # On a busy machine anything takes long: what is to be slow here, `held_to` tells.
    monkeypatch.setattr(crew, "SLOW_SECONDS", NEVER_SECONDS)


def over(work, name="bad", *told, lane=Lane.PAINT, version="1"):
    """Return a task over a version of a dataset that needs no file."""
    return Task(work, (Source(name, version, "data", "a.tif", True),), told, lane)


def ask(work, *told):
    return Task(work, (), told)


def pid_of(bench):
    return bench.studio.submit(ask("wait", 0)).result(120)


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@contextlib.contextmanager
def near(folder, **options):
    """Yield a bench whose studio gives every task to the painters of local files."""
    with processes(folder, **options) as bench:
        bench.studio._far = bench.studio._near
        pid_of(bench)
        yield bench


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """A studio for all tests that leave its painter as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forks, "PROGRAM", "tests.studio.painter")
        patch.setattr(crew, "SLOW_SECONDS", NEVER_SECONDS)
        with near(tmp_path_factory.mktemp("lasting")) as bench:
            yield bench


def held_to(bench, *tasks, slow=NEVER_SECONDS, paint=NEVER_SECONDS):
    """Return the futures of tasks; those of them that begin at once, and no others, are held to these seconds."""
    (place,) = bench.studio._near

    def submit():
        if not place._child.ready:
            return []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(crew, "SLOW_SECONDS", slow)
            patch.setattr(place, "_rules", replace(place._rules, paint_seconds=paint))
            return [bench.studio.submit(task) for task in tasks]

    found = []
    until(lambda: found.extend(bench.on_loop(submit)) or found)
    return found


@contextlib.contextmanager
def stopped(pid):
    """Stop a painter, so that nothing that it has is done meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("work", ["hang", "freeze"])
def test_what_takes_too_long_is_a_503_and_what_was_beside_it_is_done(tmp_path, work, caplog):
    with near(tmp_path) as bench:
        first = pid_of(bench)
        (bad,) = held_to(bench, over(work), paint=1.0)
        good = [bench.studio.submit(ask("wait", 0.1)) for _ in range(4)]
        with pytest.raises(Unavailable, match="too long") as caught:
            bad.result(120)
        assert int(caught.value.headers["Retry-After"]) >= 1
        assert all(each.result(120) for each in good)
        assert pid_of(bench) != first
        assert bench.studio.load().deadlines == 1
        until(lambda: not Path(f"/proc/{first}").exists())
    assert any("takes too long" in text for text in errors(caplog))


def test_the_second_time_it_is_set_aside_and_its_neighbours_and_verdicts_are_not(tmp_path):
    with near(tmp_path) as bench:
        for refusal in (Unavailable, CannotBeDrawn):
            (bad,) = held_to(bench, over("hang"), paint=0.5)
            with pytest.raises(refusal):
                bad.result(120)
        with pytest.raises(CannotBeDrawn):
            bench.studio.submit(over("wait", "bad", 0)).result(120)
        assert bench.studio.submit(over("wait", "bad", 0, lane=Lane.JUDGE)).result(120)
        assert bench.studio.submit(over("wait", "bad", 0, version="2")).result(120)
        assert bench.studio.submit(over("wait", "good", 0)).result(120)
        load = bench.studio.load()
        assert (load.deadlines, load.set_aside) == (2, 1)


@pytest.mark.parametrize(("share", "aside"), [(0.9, 0), (0.1, 1)])
def test_what_takes_too_long_for_want_of_a_processor_is_not_set_aside(tmp_path, monkeypatch, share, aside):
    begun = time.monotonic()
    monkeypatch.setattr(child.Child, "unserved_seconds", lambda _: share * (time.monotonic() - begun))
    with near(tmp_path) as bench:
        for _ in range(2):
            (late,) = held_to(bench, over("wait", "bad", 60), slow=0.05, paint=0.5)
            with pytest.raises((Unavailable, CannotBeDrawn)):
                late.result(120)
        assert bench.studio.load().set_aside == aside


def test_a_painter_that_works_all_the_time_was_given_a_processor(tmp_path):
    with near(tmp_path) as bench:
        assert 0 <= bench.studio._near[0]._child.unserved_seconds() < 3600


def test_a_fresh_painter_takes_over_while_one_hangs(tmp_path):
    with near(tmp_path, threads=1) as bench:
        (bad,) = held_to(bench, over("freeze"), slow=0.2)
        assert pid_of(bench)
        assert not bad.done()
        assert len(bench.studio._near[0].children) == 2


def test_many_who_ask_for_what_hangs_hold_one_painter_only(tmp_path):
    with near(tmp_path) as bench:
        bad = held_to(bench, *[over("hang", "bad", n) for n in range(12)], slow=0.2)
        assert bench.studio.submit(over("wait", "good", 0)).result(120)
        assert bench.studio.submit(over("wait", "bad", 0)).result(120)
        assert sum(each.running() for each in bad) == 2


def test_a_crash_over_one_dataset_costs_nobody_else_a_picture(tmp_path, caplog):
    with near(tmp_path) as bench:
        bad = bench.studio.submit(over("crash"))
        good = [bench.studio.submit(over("wait", f"good {n}", 0.05)) for n in range(10)]
        with pytest.raises(CannotBeDrawn):
            bad.result(120)
        assert all(each.result(120) for each in good)
        with pytest.raises(CannotBeDrawn):
            bench.studio.submit(over("wait", "bad", 0)).result(120)
        load = bench.studio.load()
        assert 2 <= load.deaths <= 3
        assert load.set_aside == 1
    assert any("signal 11" in text and "crash of dataset bad" in text for text in errors(caplog))
    assert any("version 1 of dataset bad is set aside" in text for text in errors(caplog))


def test_a_file_that_ends_painters_as_it_is_judged_is_unavailable_and_its_pictures_are_not(tmp_path):
    with near(tmp_path) as bench:
        with pytest.raises(Unavailable):
            bench.studio.submit(over("crash", lane=Lane.JUDGE)).result(120)
        assert bench.studio.submit(over("wait", "bad", 0)).result(120)


def test_painters_that_are_killed_leave_no_task_undone_and_blame_none(tmp_path):
    with near(tmp_path, queue_limit=500) as bench:
        (place,) = bench.studio._near
        found = [bench.studio.submit(over("wait", f"d{n % 3}", 0.02)) for n in range(60)]
        # A fourth death over one task that is alone would speak against it.
        for number in range(3):
            until(lambda number=number: bench.studio.load().deaths == number and place._child.jobs)
            os.kill(place._child.pid, signal.SIGKILL)
        assert all(each.result(120) for each in found)
        assert bench.studio.load().set_aside == 0
        assert bench.studio.load().deaths == 3


def test_after_a_death_another_painter_stands_by(tmp_path):
    with near(tmp_path) as bench:
        place = bench.studio._near[0]
        assert len(place.children) == 1
        os.kill(pid_of(bench), signal.SIGKILL)
        until(lambda: place._spare is not None and place._spare.ready)
        spare = place._spare.pid
        os.kill(pid_of(bench), signal.SIGKILL)
        assert pid_of(bench) == spare


def test_who_stood_by_for_a_while_is_needed_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "SPARE_SECONDS", 0.5)
    with near(tmp_path) as bench:
        os.kill(pid_of(bench), signal.SIGKILL)
        assert pid_of(bench)
        until(lambda: len(bench.studio._near[0].children) == 1)
        assert pid_of(bench)


def test_what_is_told_a_whole_group_does_not_end_a_painter_at_its_work(lasting):
    pid, busy = pid_of(lasting), lasting.studio.submit(ask("wait", 0.5))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert busy.result(120) == pid
    assert lasting.studio.load().deaths == 0


def test_a_painter_that_has_grown_is_followed_by_a_fresh_one_without_a_gap(tmp_path):
    with near(tmp_path, memory_mb=300) as bench:
        first = pid_of(bench)
        assert bench.studio.submit(ask("grow", 300)).result(120) == 1
        until(lambda: pid_of(bench) != first)
        load = bench.studio.load()
        assert (load.retired, load.deaths) == (1, 0)
        until(lambda: not Path(f"/proc/{first}").exists())


def test_memory_that_is_free_is_given_back(tmp_path):
    with near(tmp_path) as bench:
        before = bench.studio.load().painters_bytes
        bench.studio.submit(ask("gaps", 300)).result(60)
        # A tenth is in use.
        assert bench.studio.load().painters_bytes < before + (120 << 20)


def test_more_memory_than_there_is_within_a_task_is_told(tmp_path):
    with near(tmp_path) as bench:
        first = pid_of(bench)
        with pytest.raises(CannotBeDrawn, match="memory"):
            bench.studio.submit(over("balloon")).result(120)
        assert pid_of(bench) == first


def test_any_other_error_is_a_bare_500_and_its_text_is_in_the_log_alone(lasting, caplog):
    with pytest.raises(GatewayError) as caught:
        lasting.studio.submit(over("fail")).result(120)
    assert (caught.value.status, caught.value.detail) == (500, "")
    assert any("a key that is not there" in text for text in errors(caplog))


@pytest.mark.parametrize(
    "what", ["exit", "interrupt", "generator", "stop", "deep", "strange", "odd", "attribute", "opencv", "proj",
             "overflow", "gdal"],
)  # fmt: skip
def test_whatever_a_library_raises_is_an_answer_and_ends_no_painter(lasting, what, caplog):
    known = {"opencv": CannotBeDrawn, "proj": NoPlace, "overflow": CannotBeDrawn, "gdal": CannotBeDrawn}
    first = pid_of(lasting)
    with pytest.raises(GatewayError) as caught:
        lasting.studio.submit(ask("strange", what)).result(60)
    assert pid_of(lasting) == first
    assert lasting.studio.load().deaths == 0
    assert type(caught.value) is known.get(what, GatewayError)
    if what not in known:
        assert (caught.value.status, caught.value.detail) == (500, "")
        assert any("a painter failed at strange" in text for text in errors(caplog))


def test_more_tasks_than_may_wait_are_refused(tmp_path):
    with near(tmp_path, threads=1, queue_limit=1) as bench:
        with stopped(pid_of(bench)):
            kept = [bench.studio.submit(ask("wait", 0)) for _ in range(2)]
            with pytest.raises(Unavailable) as caught:
                bench.studio.submit(ask("wait", 0))
        assert int(caught.value.headers["Retry-After"]) >= 1
        assert all(each.result(120) for each in kept)
        assert pid_of(bench)


def test_a_task_whose_client_has_left_is_never_begun(tmp_path):
    with near(tmp_path, threads=1) as bench:
        with stopped(pid_of(bench)):
            busy = bench.studio.submit(ask("wait", 0))
            dropped = [bench.studio.submit(over("crash")) for _ in range(5)]
            assert all(each.cancel() for each in dropped)
        assert busy.result(120)
        assert pid_of(bench)
        load = bench.studio.load()
        assert (load.deaths, load.waiting) == (0, 0)


def test_who_waits_when_the_studio_closes_is_told(tmp_path):
    with near(tmp_path, threads=1, alone=True) as bench:
        pid, under_way, waiting = pid_of(bench), bench.studio.submit(ask("hang")), bench.studio.submit(ask("wait", 0))
        until(under_way.running)
    assert isinstance(under_way.exception(1), Unavailable)
    assert waiting.cancelled()
    assert not Path(f"/proc/{pid}").exists()


def test_painters_that_cannot_start_are_tried_more_and_more_slowly(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(forks, "PROGRAM", "gateway.no_such_program")
    with processes(tmp_path, alone=True) as bench:
        (place,) = bench.studio._near
        until(lambda: bench.studio.load().deaths >= 3)
        deaths, waited_seconds = bench.on_loop(lambda: (bench.studio.load().deaths, place._backoff_seconds))
        assert waited_seconds == min(5.0, 0.05 * 2 ** (deaths - 1))
        monkeypatch.setattr(forks, "PROGRAM", "tests.studio.painter")
        assert pid_of(bench)
    assert any("it could not begin" in text for text in errors(caplog))


def exhausted(*_):
    raise OSError(errno.EMFILE, "Too many open files")


def test_a_process_without_descriptors_for_another_painter_tries_again(tmp_path, monkeypatch, caplog):
    with near(tmp_path) as bench:
        first, place = pid_of(bench), bench.studio._near[0]
        with monkeypatch.context() as without:
            without.setattr(child, "pair", exhausted)
            os.kill(first, signal.SIGKILL)
            until(lambda: place._backoff_seconds)
        assert pid_of(bench) not in (0, first)
    assert "a painter cannot be started: too many open files" in errors(caplog)


def test_a_task_whose_file_cannot_be_handed_over_is_told_to_come_again(tmp_path, monkeypatch):
    path = write_cog(tmp_path / "a.tif")
    with near(tmp_path) as bench:
        monkeypatch.setattr(os, "dup", exhausted)
        with pytest.raises(Unavailable, match="busy"):
            bench.begin(tasks.info, path)
        monkeypatch.undo()
        monkeypatch.setattr(forks, "PROGRAM", "tests.studio.painter")
        assert bench.studio._inside.total() == 0
        # Nor is one that reaches its painter without it.
        job = crew.Job(Task("wait", (source(path),), (0,)), [], Future())
        bench.on_loop(lambda: bench.studio._near[0].add(job))
        with pytest.raises(Unavailable, match="busy"):
            job.future.result(120)


def test_a_painter_whose_server_has_stopped_ends_without_a_word(capfd):
    # Of its own, for what it writes.
    forked = forks.Forks()
    for told in (False, True):
        ours, theirs = wire.pair()
        with ours, theirs:
            process = forked.fork(theirs)
            theirs.close()
            if told:
                setup = wire.Setup({Lane.PAINT: 1}, 64, 0, "INFO", Confinement(memory_mb=512), {}, {})
                ours.sendall(wire.task_bytes(0, setup, 0))
            ours.close()
            assert process.wait(60)
        assert (process.poll(), capfd.readouterr().err) == (0, ""), told
        process.close()
    forked.close()


def test_a_painter_that_ends_with_its_last_answer_is_not_read_from_any_more():
    ours, theirs = wire.pair()
    ours.setblocking(False)
    ended, painter = [], object.__new__(child.Child)
    painter._sock, painter._answers, painter.jobs, painter.retiring = ours, wire.Answers(ours), {}, True
    painter.ready, painter._owner = False, SimpleNamespace(started=lambda *_: painter.end(), ended=ended.append)
    wire.send_all(theirs, wire.answer_parts(0, wire.Kind.READY, [], 10))
    painter._readable()
    assert (ours.fileno(), ended) == (-1, [])
    theirs.close()


def test_no_painter_outlives_a_process_that_is_killed(tmp_path):
    program = """
        import time
        from gateway.studio.tally import Rules
        from gateway.studio.process import Plan, ProcessStudio

        studio = ProcessStudio(Plan(Rules(2)))
        while not all(place.children[0].pid for place in studio._near):
            time.sleep(0.01)
        print(*[place.children[0].pid for place in studio._near], flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=ROOT)
    pids = parent.stdout.readline().split()
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not any(alive(int(pid)) for pid in pids))
    assert len(pids) == 2


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_what_a_painter_answers_runs_no_code_in_who_asks_and_ends_the_painter(tmp_path, monkeypatch, caplog):
    # The painter may not write; only who reads its answer could make the folder.
    monkeypatch.setattr(crew, "OFFENCES", 1)
    with near(tmp_path) as bench:
        for what in FORGED:
            told = (str(tmp_path / "made"),) if what.startswith("code") else ()
            first = pid_of(bench)
            with pytest.raises(CannotBeDrawn):
                bench.studio.submit(over("forge", what, what, *told)).result(120)
            assert pid_of(bench) != first
            until(lambda first=first: not Path(f"/proc/{first}").exists())
            assert any("that no painter gives" in e and f"forge of dataset {what}" in e for e in errors(caplog))
        assert bench.studio.load().deaths == len(FORGED)
    assert not any("callback" in text for text in errors(caplog))
    assert not (tmp_path / "made").exists()


@pytest.fixture
def state(tmp_path):
    """What is worth stealing: a database and a key."""
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "gateway.db").write_bytes(b"who took what")
    (folder / "secret.key").write_bytes(b"k" * 32)
    return folder


def test_code_in_a_painter_cannot_read_write_connect_or_reach_its_parent(tmp_path, state, monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", "a secret of the gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of the store")
    (tmp_path / "neighbour.tif").write_bytes(b"another dataset")
    with processes(tmp_path, alone=True) as bench, socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()

        def attempt(what, *how):
            return bench.do(ask("attempt", what, *how))

        for path in (state / "gateway.db", state / "secret.key", tmp_path / "neighbour.tif", "/etc/passwd"):
            assert attempt("read", str(path)) == "PermissionError", path
        for path in (state, "/etc", "/tmp", Path.home()):
            assert attempt("list", str(path)) == "PermissionError", path
        for path in (state / "new", "/tmp/new", "/dev/shm/new", tmp_path / "neighbour.tif"):
            assert attempt("write", str(path)) == "PermissionError", path
        assert attempt("connect", socket.AF_INET, address) == "PermissionError"
        assert attempt("connect", socket.AF_UNIX, "\0a name") == "PermissionError"
        assert attempt("pair") == "PermissionError"
        for what in ("kill", "memory", "environment", "limit", "rank", "freeze"):
            assert attempt(what, os.getpid()) == "PermissionError", what
        for what in ("mode", "times", "attribute"):
            assert attempt(what, str(state / "gateway.db")) == "PermissionError", what
        for what in ("fork", "group", "shared", "far call", "unshare", "ring"):
            assert attempt(what) == "PermissionError", what
        assert attempt("thread") == "done"
        found = bench.do(ask("environment"))
        assert not any("secret" in value for value in found.values())
        assert bench.do(ask("priority")) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
        pid = pid_of(bench)
        status = Path(f"/proc/{pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert not any(str(tmp_path) in path for path in opened_by(pid))
    assert not (state / "new").exists()


def test_where_a_painter_cannot_be_confined_the_log_says_so_once(tmp_path, monkeypatch, caplog):
    (tmp_path / "unconfined").mkdir()
    with processes(tmp_path, painters=2) as bench:
        for place in bench.studio._near:
            bench.on_loop(lambda place=place: place.started(place.children[0], ("Landlock",)))
    told = [record.getMessage() for record in caplog.records if "confined" in record.getMessage()]
    assert told == ["painters are less confined than they could be: there is no Landlock"]


def test_a_studio_draws_the_first_tile_of_a_fresh_painter(tmp_path):
    with processes(tmp_path) as bench:
        assert "WebMercatorQuad" in bench.do(tasks.grids())


def test_a_painter_that_does_not_begin_is_told_once_and_nobody_waits_for_it(tmp_path, caplog, monkeypatch):
    with near(tmp_path) as bench:
        parent = loaded()._process.pid
        # What forks is a child of what has loaded.
        program = int(Path(f"/proc/{parent}/task/{parent}/children").read_text())
        os.kill(program, signal.SIGSTOP)
        try:
            monkeypatch.setattr(child, "START_SECONDS", 0.3)
            os.kill(bench.on_loop(lambda: bench.studio._near[0]._child.pid), signal.SIGKILL)
            with pytest.raises(Unavailable, match=r"Nothing can be drawn for now\."):
                bench.studio.submit(ask("wait", 0)).result(60)
        finally:
            monkeypatch.setattr(child, "START_SECONDS", NEVER_SECONDS)
            os.kill(program, signal.SIGCONT)
        assert pid_of(bench)
    assert "it does not begin" in " ".join(errors(caplog))
    caplog.clear()
