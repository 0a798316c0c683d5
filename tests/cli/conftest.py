import json
import logging

import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from gateway.records import open_records
from tests.rasters import write_cog


class Gateway:
    """The command line over a state and a root of its own; `run` takes arguments, `json` reads JSON lines.

    An `exit_code` of None is any.
    """

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()

    def run(self, *arguments, exit_code=0, stdin=None):
        result = CliRunner().invoke(cli, [str(a) for a in arguments], input=stdin)
        assert exit_code in (result.exit_code, None), (result.output, result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def json(self, *arguments, exit_code=0, stdin=None):
        result = self.run(*arguments, "--json", exit_code=exit_code, stdin=stdin)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def catalogue(self):
        """Make the catalogue, empty."""
        (self.folder / "state").mkdir()
        open_records(self.folder / "state" / "gateway.db").close()

    def dataset(self, name="a.tif", **wishes):
        """Register a COG and return its id."""
        path = self.data / name
        path.parent.mkdir(exist_ok=True)
        write_cog(path)
        flags = [part for wish, value in wishes.items() for part in (f"--{wish}", value)]
        (told,) = self.json("ingest", path, *flags)
        return told["id"]

    def actions(self):
        return [(row["action"], row["detail"]) for row in self.json("audit", "list")]


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_STATE_DIR", str(tmp_path / "state"))
    return Gateway(tmp_path)


@pytest.fixture(autouse=True)
def log_levels():
    """Let loggers that a command over Dask silences be heard by the tests that come after it in this process."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado.application")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
