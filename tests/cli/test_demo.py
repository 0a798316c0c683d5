import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from gateway.cli import demo
from gateway.errors import SettingsError
from gateway.ingest_outcome import IngestStatus
from gateway.settings import load_settings
from tests.rasters import write_cog, write_striped

END = "Ctrl-C ends the demo"


@pytest.fixture
def samples(tmp_path):
    folder = tmp_path / "samples here" / "data"
    folder.mkdir(parents=True)
    write_cog(folder / "blue_marble.tif")
    write_cog(folder / "elevation.tif", seed=2)
    write_striped(folder / "not_a_cog.tif")
    return folder


@pytest.fixture
def ready(samples, tmp_path):
    root = {"data": {"uri": f"file:{samples}"}}
    settings = load_settings({"state_dir": tmp_path / "state", "roots": root})
    return settings, demo.prepare(settings, samples)


class Demo:
    """A demo in a process of its own, over the given samples; `text` is what it printed."""

    def __init__(self, samples, temporary, *flags, before=""):
        code = f"""
            from pathlib import Path
            from gateway.__main__ import main
            from gateway.cli import demo
            demo.samples_folder = lambda _: Path({str(samples)!r})
        """
        code = f"{textwrap.dedent(code)}\n{textwrap.dedent(before)}\nmain(['demo', *{flags!r}])"
        temporary.mkdir()
        self.temporary = temporary
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=environment,
        )  # fmt: skip
        self.environment = environment
        self.text = self._until_ready()

    def _until_ready(self):
        text = ""
        # A demo that hangs is killed, and its output ends then.
        watchdog = threading.Timer(200, self.process.kill)
        watchdog.start()
        for line in iter(self.process.stdout.readline, ""):
            text += line
            if line.startswith(END):
                break
        watchdog.cancel()
        if END not in text:
            self.end(signal.SIGTERM)
        assert END in text, text
        return text

    def end(self, number):
        self.process.send_signal(number)
        self.rest = self.process.stdout.read()
        code = self.process.wait(120)
        self.process.stdout.close()
        return code

    def recipe(self, title):
        return re.search(rf"^# {title}\n(.*?)\n\n", self.text, re.MULTILINE | re.DOTALL)[1]

    def paste(self, title, folder):
        """Run printed lines in a shell, as one would paste them in another terminal, after those that come first."""
        environment = {**os.environ, "PYTHONPATH": self.environment["PYTHONPATH"]}
        exports = re.search("^export TOKEN=.*$", self.text, re.MULTILINE)[0]
        lines = f"{exports}\n{self.recipe(title)}"
        return subprocess.run(
            ["sh", "-c", lines], cwd=folder, env=environment, capture_output=True, check=True
        ).stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_every_printed_line_works_as_pasted_and_sigterm_cleans_up(samples, tmp_path):
    running = Demo(samples, tmp_path / "tmp", "--port", "0")
    try:
        assert re.search(r"blue_marble.tif +registered", running.text)
        assert re.search(r"not_a_cog.tif +refused", running.text)
        listed = running.paste("The datasets that everybody may see", tmp_path)
        assert b"blue_marble" in listed
        assert b"elevation" not in listed
        running.paste("Without an account: mint a download token, then download", tmp_path)
        assert (tmp_path / "blue_marble.tif").read_bytes() == (samples / "blue_marble.tif").read_bytes()
        running.paste("With the bearer token", tmp_path)
        assert (tmp_path / "elevation.tif").read_bytes() == (samples / "elevation.tif").read_bytes()
        assert b"content-range: bytes 0-15/" in running.paste("The first 16 bytes only", tmp_path).lower()
        assert b"'width': 900" in running.paste("Open it without downloading it", tmp_path)
        assert b"download.cog" in running.paste("What is on record", tmp_path)
    finally:
        code = running.end(signal.SIGTERM)
    assert code == 0
    assert list(running.temporary.iterdir()) == []
    assert running.rest.endswith("Demo ended; nothing is left behind.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_it_with_0_and_leave_nothing(samples, tmp_path, number):
    running = Demo(samples, tmp_path / "tmp", "--port", "0")
    assert running.end(number) == 0
    assert list(running.temporary.iterdir()) == []
    assert running.rest.endswith("Demo ended; nothing is left behind.\n")


def test_all_lines_but_the_one_with_the_token_fit_a_terminal(ready):
    settings, told = ready
    text = demo.guide(settings, told, 8123)
    # The paths of this machine and of its tests are longer than others.
    lines = [line for line in text.splitlines() if "/" not in line or "$G" in line]
    assert [line for line in lines if len(line) > 79] == []
    assert text.count(told.bearer) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_the_samples_are_taken_in_leaves_nothing_either(samples, tmp_path, number):
    before = f"""
        import signal
        demo.prepare = lambda settings, _: signal.raise_signal(signal.Signals({int(number)}))
    """
    with pytest.raises(AssertionError):
        Demo(samples, tmp_path / "tmp", "--port", "0", before=before)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_second_signal_while_the_server_closes_does_not_keep_the_folder(samples, tmp_path):
    before = """
        import signal
        from gateway import serve
        from gateway.audit import AuditLog
        drain, close, drained = serve.drain, AuditLog.close, []

        def close_under_signals(log):
            if drained:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
            close(log)

        async def drain_then_close(*rest):
            await drain(*rest)
            drained.append(True)

        AuditLog.close = close_under_signals
        serve.drain = drain_then_close
    """
    running = Demo(samples, tmp_path / "tmp", "--port", "0", before=before)
    assert running.end(signal.SIGTERM) == 0
    assert list(running.temporary.iterdir()) == []


def test_under_nohup_a_hang_up_stays_ignored():
    taken = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        demo.take_hang_up()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, taken)


def test_the_samples_are_ingested_or_refused(ready):
    _, told = ready
    assert [o.status for o in told.outcomes] == [
        IngestStatus.REGISTERED,
        IngestStatus.REGISTERED,
        IngestStatus.REFUSED,
    ]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123/api"),
        ("0.0.0.0", "http://127.0.0.1:8123/api"),
        ("::", "http://[::1]:8123/api"),
    ],
)
def test_the_guide_names_an_address_that_can_be_pasted(ready, host, url):
    settings, told = ready
    text = demo.guide(settings.model_copy(update={"host": host}), told, 8123)
    assert f"Viewer: {url.removesuffix('api')}\nBase URL: {url}\n" in text
    assert told.bearer in text
    assert f"GATEWAY_STATE_DIR={settings.state_dir} " in text


def test_the_samples_are_looked_for_in_a_checkout_and_in_the_installation(samples, tmp_path):
    assert demo.samples_folder((tmp_path / "none", samples.parent)) == samples
    with pytest.raises(SettingsError, match=r"neither in .*none/data nor in .*other/data"):
        demo.samples_folder((tmp_path / "none", tmp_path / "other"))


def test_a_port_that_is_taken_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not demo.is_free("127.0.0.1", server.getsockname()[1])
    assert demo.is_free("127.0.0.1", 0)


def test_a_signal_before_the_server_starts_ends_quietly():
    with pytest.raises(SystemExit) as ended:
        demo._leave(signal.SIGTERM, None)
    assert ended.value.code == 0
