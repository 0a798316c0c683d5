"""Stands in for systemctl(1) where no systemd runs: starts, reloads and stops what the units of the guide say."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
RUN = Path("/run/cog-gateway-test")
PORT = 8080
SECONDS = 120


def read(name):
    """Return the settings of a service, those that repeat as lists."""
    found = {}
    for line in (UNITS / f"{name}.service").read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            # systemd.unit(5), specifiers; systemd.service(5), command lines.
            found.setdefault(key, []).append(value.replace("%%", "%").replace("$$", "$"))
    return found


def command(unit, line):
    variables = unit.get("Environment", [])
    return ["runuser", "-u", unit["User"][0], "--", "env", "-C", "/", *variables, *shlex.split(line)]


def start(name):
    unit = read(name)
    for folder in unit.get("StateDirectory", []):
        mode, user = unit["StateDirectoryMode"][0], unit["User"][0]
        subprocess.run(["install", "-d", "-m", mode, "-o", user, "-g", user, f"/var/lib/{folder}"], check=True)
    if unit["Type"] == ["oneshot"]:
        for line in (*unit["ExecStart"], *unit.get("ExecStartPost", [])):
            subprocess.run(command(unit, line), check=True)
        return
    RUN.mkdir(exist_ok=True)
    with (RUN / "log").open("a") as log:
        process = subprocess.Popen(
            command(unit, unit["ExecStart"][0]), stdout=log, stderr=log, start_new_session=True
        )
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                # runuser waits for its child, which is the main process.
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                (RUN / "pid").write_text(children[0])
                return
        time.sleep(0.05)
    sys.exit((RUN / "log").read_text())


def reload(name):
    lines = (RUN / "log").read_text().count("the keys are read anew")
    processes = 2
    assert read(name)["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    os.kill(int((RUN / "pid").read_text()), signal.SIGHUP)
    until = time.monotonic() + SECONDS
    while (RUN / "log").read_text().count("the keys are read anew") < lines + processes:
        if time.monotonic() > until:
            sys.exit((RUN / "log").read_text())
        time.sleep(0.05)


def stop(_):
    pid = int((RUN / "pid").read_text())
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + SECONDS
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > until:
            sys.exit("the server does not stop")
        time.sleep(0.05)


def main(words):
    verb, *names = [word for word in words if word != "--now"]
    if verb == "daemon-reload":
        return
    if verb == "enable":
        for name in names:
            unit = UNITS / (name if "." in name else f"{name}.service")
            assert "[Install]" in unit.read_text()
            if name.endswith(".timer"):
                assert unit.with_suffix(".service").is_file()
            else:
                start(name)
        return
    {"start": start, "reload": reload, "stop": stop}[verb](*names)


if __name__ == "__main__":
    main(sys.argv[1:])
