"""A folder with every hostile and odd file, a canary that all of them name, and commands that run in bounds."""

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.handlers.conftest import app, cog_file, fetch, http_server, second, settings, shared, world  # noqa: F401
from tests.hostile.canary import Watch, hatch
from tests.hostile.files import ACCEPTED, REFUSED

ROOT = Path(__file__).parent.parent.parent
MEMORY_BYTES = 1_500_000_000
WALL_SECONDS = 60


@pytest.fixture(scope="session")
def canary(tmp_path_factory):
    found = hatch(tmp_path_factory.mktemp("canary"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def canaries_watch(canary):
    watch = Watch()
    watch.add(canary.folder)
    yield watch
    watch.close()


@pytest.fixture
def untouched(canary, canaries_watch):
    """A function that says whether nothing of the canary was touched since the test began."""

    def look():
        return canaries_watch.touched() == set() and canary.calls() == 0

    look()
    return look


@pytest.fixture(scope="session")
def hostile(canary, tmp_path_factory):
    """The folder with every file by its name."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, make in (REFUSED | ACCEPTED).items():
        (folder / f"{name}.tif").write_bytes(make(canary))
    return folder


@dataclass(frozen=True)
class Told:
    """How a command ended, what it said of each file by name, and what it touched."""

    code: int
    stderr: str
    of: dict
    touched: set
    calls: int


def command(arguments, folder):
    """The command line as a process of its own, its memory and its time bounded."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "GDAL_", "CPL_"))},
        "PYTHONPATH": str(ROOT), "GATEWAY_STATE_DIR": str(folder / "state"), "no_proxy": "127.0.0.1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, arguments)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=WALL_SECONDS, check=False,
        stdin=subprocess.DEVNULL,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES)),
    )  # fmt: skip


@pytest.fixture(scope="session")
def run(canary, canaries_watch):
    """A function that runs a command and returns what it told."""

    def ask(folder, *arguments):
        canaries_watch.touched(), canary.calls()
        done = command([*arguments, "--json"], folder)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        of = {Path(line["source"]).stem: line for line in lines}
        return Told(done.returncode, done.stderr, of, canaries_watch.touched(), canary.calls())

    return ask


@pytest.fixture(scope="session")
def checked(hostile, run):
    """What `check` told of every file, by depth."""
    return {depth: run(hostile.parent, "check", hostile, "--depth", depth) for depth in ("header", "blocks", "full")}


@pytest.fixture(scope="session")
def ingested(hostile, run, tmp_path_factory):
    """What `ingest` told of every file, plain and with --convert."""
    told = {}
    for convert in (False, True):
        folder = tmp_path_factory.mktemp("gateway")
        (folder / "data").mkdir()
        for path in hostile.iterdir():
            os.link(path, folder / "data" / path.name)
        told[convert] = run(folder, "ingest", "data", *(["--convert"] if convert else []))
    return told
