"""The parent of the workers, with children that do what a test wants; the real ones run in tests/e2e."""

import subprocess
import sys
from functools import partial

import pytest

from gateway import supervisor
from gateway.errors import SettingsError
from gateway.supervisor import Child, _Explained, _plan_restart

# In a process of its own: signals to the process must not reach a thread of somebody else.
BEGIN = """
import errno, logging, os, signal, sys
from gateway import supervisor
from gateway.supervisor import CHILD_READY, CHILD_STOP, Child, Supervisor
signal.pthread_sigmask(signal.SIG_BLOCK, supervisor.WATCHED)
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)

def take(state):
    print(state.partition("\\n")[0], flush=True)
    if state == "READY=1":
        os.kill(os.getpid(), signal.SIGTERM)

supervisor.notify = take

def ready_then_stop(_):
    os.kill(os.getppid(), CHILD_READY)
    signal.sigwait([CHILD_STOP])

"""


def run(body: str) -> list[str]:
    """Return the lines that the body prints, in a process whose supervisor tells it what systemd would be told."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + body], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        printed, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    return printed.splitlines()


def test_it_ends_with_its_children_and_tells_systemd():
    assert run("""
child = Child("worker", ready_then_stop)
print(Supervisor([child], 5).run(), child.pid, child.starts)
""") == ["READY=1", "STOPPING=1", "0 0 1"]


def test_a_hang_up_is_handed_on_and_told():
    assert run("""
def work(_):
    os.kill(os.getppid(), signal.SIGHUP)
    signal.sigwait([signal.SIGHUP])
    ready_then_stop(_)

print(Supervisor([Child("worker", work)], 5).run())
""") == ["RELOADING=1", "READY=1", "STOPPING=1", "0"]


def test_a_stop_of_before_the_start_starts_nobody():
    assert run("""
child = Child("worker", ready_then_stop)
os.kill(os.getpid(), signal.SIGINT)
print(Supervisor([child], 5).run(), child.starts)
""") == ["STOPPING=1", "0 0"]


def test_a_child_takes_stops_from_its_parent_alone():
    assert run("""
def work(_):
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    ready_then_stop(_)

print(Supervisor([Child("worker", work)], 5).run())
""") == ["READY=1", "STOPPING=1", "0"]


def test_a_fork_that_fails_is_tried_again():
    told = run("""
fork, failures = os.fork, [errno.EAGAIN, errno.ENOMEM]

def failing():
    if failures:
        number = failures.pop()
        raise OSError(number, os.strerror(number))
    return fork()

os.fork = failing
child = Child("worker", ready_then_stop)
print(Supervisor([child], 5).run(), child.starts)
""")
    assert [line.partition(",")[0] for line in told] == [
        "a worker cannot be started (cannot allocate memory)",
        "a worker cannot be started (resource temporarily unavailable)",
        "READY=1", "STOPPING=1", "0 3",
    ]  # fmt: skip


def test_a_child_that_fails_ends_as_a_child_though_nobody_reads_the_log_any_more():
    told = run("""
from gateway.errors import SettingsError
reader, log = os.pipe()
os.close(reader)
sys.stderr = os.fdopen(log, "w")

def work(starts):
    if starts > 1:
        return ready_then_stop(starts)
    sys.stderr.write("why")
    raise SettingsError("no key")

child, parent = Child("worker", work), os.getpid()
try:
    print(Supervisor([child], 5).run(), child.starts)
finally:
    # What the parent cleans up in the end.
    print("cleaned up by", "the parent" if os.getpid() == parent else "a child", flush=True)
""")
    assert told[0] == "the worker cannot go on: no key"
    assert "ended (exit code 1), again in 0.05 s" in told[1]
    assert told[2:] == ["READY=1", "STOPPING=1", "0 2", "cleaned up by the parent"]


def test_what_others_need_is_started_again_until_they_have_ended():
    told = run("""
born, tell = os.pipe()

def record(starts):
    os.write(tell, f"{os.getpid()} ".encode())
    signal.sigwait([CHILD_STOP])

def work(_):
    first = int(os.read(born, 100))
    ready_then_stop(_)
    os.kill(first, signal.SIGKILL)
    # The next one is there, although the server stops.
    assert os.read(born, 100)

recorder = Child("recorder", record, last=True)
print(Supervisor([recorder, Child("worker", work)], 5).run(), recorder.starts, recorder.pid)
""")
    assert told[:2] == ["READY=1", "STOPPING=1"]
    assert "ended (signal 9), again in 0.00 s" in told[2]
    assert told[3:] == ["0 2 0"]


def test_a_child_that_does_not_end_is_killed():
    assert (
        run("""
supervisor.GRACE_SECONDS = 0.01

def work(_):
    os.kill(os.getppid(), CHILD_READY)
    while True:
        signal.sigwait([signal.SIGHUP])

children = [Child("worker", work), Child("recorder", work, last=True)]
print(Supervisor(children, 0).run(), [child.pid for child in children])
""")[-1]
        == "0 [0, 0]"
    )


@pytest.mark.parametrize(
    ("error", "told", "traced"),
    [
        (SettingsError("the file key.pem cannot be read"), "the worker cannot go on: the file key.pem", False),
        (RuntimeError("odd"), "the worker ends by an error that nobody expected", True),
    ],
)
def test_why_a_child_fails_is_told_once(caplog, error, told, traced):
    with pytest.raises(type(error)), _Explained("worker"):
        raise error
    (record,) = caplog.records
    assert record.getMessage().startswith(told)
    assert bool(record.exc_info) == traced


def test_who_was_killed_is_back_at_once_and_who_fails_waits_at_most_a_second():
    child = Child("worker", lambda _: None)
    plan = partial(_plan_restart, child)
    waits = []
    for failed in (False, True, True, True, False, *[True] * 9):
        child.started = supervisor.time.monotonic()
        plan(failed=failed)
        waits.append(child.backoff_seconds)
    assert waits[:6] == [0.0, 0.05, 0.1, 0.2, 0.0, 0.05]
    assert waits[-1] == 1.0
    child.started -= supervisor.SETTLED_SECONDS
    plan(failed=True)
    assert child.backoff_seconds == 0.0
