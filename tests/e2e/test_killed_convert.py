"""Two `ingest --convert` of one folder, killed at once in each phase of a conversion, and the run after them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from tests.rasters import write_striped

ROOT = Path(__file__).resolve().parents[2]
PART = ".cog-gateway-*.part"
# What is in the folder when a phase has begun.
PHASES = {
    "a folder for what is written": PART,
    "overviews": f"{PART}/a.cog.tif.ovr.tmp",
    "the new file": f"{PART}/a.cog.tif",
    "the new file in its place": "a.cog.tif",
}


def convert(folder):
    command = [sys.executable, "-m", "gateway", "ingest", "--convert", "--json", str(folder / "data")]
    env = {**os.environ, "GATEWAY_STATE_DIR": str(folder / "state"), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill_when_seen(folder, pattern):
    """Return what the two left in the data folder."""
    runs = [convert(folder) for _ in range(2)]
    while all(run.poll() is None for run in runs) and not any((folder / "data").glob(pattern)):
        # A phase is longer; what looks without a pause keeps them from getting there.
        time.sleep(0.0005)
    for run in runs:
        run.kill()
    for run in runs:
        run.communicate()
    return sorted(os.listdir(folder / "data"))


@pytest.mark.parametrize("phase", PHASES)
def test_the_run_after_killed_ones_leaves_no_part_and_registers_each_file_once(tmp_path, phase, monkeypatch):
    (tmp_path / "data").mkdir()
    pixels = np.random.default_rng(1).integers(0, 4000, (1, 2000, 2000)).astype("uint16")
    write_striped(tmp_path / "data" / "a.tif", pixels)
    left = kill_when_seen(tmp_path, PHASES[phase])
    assert left != ["a.tif"]
    monkeypatch.setenv("GATEWAY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(cli, ["ingest", "--convert", "--json", "data"])
    assert (run.exit_code, run.stderr) == (0, "")
    assert sorted(os.listdir(tmp_path / "data")) == ["a.cog.tif", "a.tif"]
    assert len({json.loads(line)["id"] for line in run.stdout.splitlines()}) == 1
    # Another run finds all of it as it is.
    again = CliRunner().invoke(cli, ["ingest", "--convert", "--json", "data"])
    assert {json.loads(line)["status"] for line in again.stdout.splitlines()} == {"unchanged"}
