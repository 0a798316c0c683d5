"""The lines of docs/start.md from a folder of one's own to a tile token, run as they stand."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.rasters import write_cog, write_striped

GUIDE = (Path(__file__).parent.parent / "docs" / "start.md").read_text().partition("## Your own folder")[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
EXPORT = re.search("^export .*$", GUIDE, re.MULTILINE)[0]


class Terminal:
    """A shell beside the gateway's folder; places, port and id are those of the test in place of the guide's."""

    def __init__(self, folder: Path, archive: Path, port: int):
        self.folder, self.places = folder, {"/data/archive": str(archive), "8080": str(port)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {n: v for n, v in os.environ.items() if not n.startswith("GATEWAY_")} | {"PATH": path}

    def command(self, text: str) -> list[str]:
        for old, new in self.places.items():
            text = re.sub(rf"\b{old}\b" if old == "ID" else old, new, text)
        return ["sh", "-e", "-c", text]

    def run(self, text: str, code: int = 0) -> str:
        done = subprocess.run(self.command(text), cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def again(self, text: str) -> str:
        """Run lines in a new terminal, which needs the guide's line with `export` first."""
        return self.run(f"cd gateway\n{EXPORT}\n{text}")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_an_own_folder_is_checked_ingested_served_and_put_on_a_map(tmp_path):
    settings, check, ingest, serve, token, grant, mint = BLOCKS
    archive = tmp_path / "archive"
    (archive / "2026").mkdir(parents=True)
    write_cog(archive / "2026" / "good.tif")
    write_striped(archive / "strips.tif")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    terminal = Terminal(tmp_path, archive, port)
    terminal.run(settings)
    assert "strips.tif" in terminal.run(f"cd gateway\n{EXPORT}\n{check}", code=1)
    terminal.again(ingest)
    listed = [
        json.loads(line) for line in terminal.again("cog-gateway datasets list --json 2>/dev/null").splitlines()
    ]
    assert sorted(each["key"] for each in listed) == ["2026/good.tif", "strips.cog.tif"]
    terminal.places["ID"] = listed[0]["id"]
    line = terminal.command(f"cd gateway\n{EXPORT}\nexec {serve}")
    with subprocess.Popen(line, cwd=tmp_path, env=terminal.environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            origin = f"http://127.0.0.1:{terminal.places['8080']}"
            until_ready(f"{origin}/readyz")
            assert terminal.again(token).count(".") == 2
            terminal.again(grant)
            minted = json.loads(terminal.again(mint))
            with urllib.request.urlopen(minted["tilejson"]) as answer:
                assert minted["token"].split(".")[0] in json.load(answer)["tiles"][0]
        finally:
            server.send_signal(signal.SIGTERM)
            told = server.stderr.read()
        assert server.wait(120) == 0, told


def until_ready(url: str) -> None:
    """Wait until a server answers; fails after a minute."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server does not answer")
