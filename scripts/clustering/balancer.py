"""nginx before the nodes, with the file of the guide."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from scripts.clustering.program import HOST, NotStarted, Program, free_port

CONFIGURATION = Path(__file__).resolve().parents[2] / "docs" / "operating" / "nginx-nodes.conf"
PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def program() -> str:
    """Return nginx. Raises NotStarted."""
    if (found := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        raise NotStarted("there is no nginx (Debian: apt-get install nginx-light)")
    return found


def configuration(folder: Path, port: int, nodes: Sequence[int]) -> str:
    """Return the guide's file for nodes at these ports of loopback, as a whole configuration."""
    text = CONFIGURATION.read_text()
    given = re.search(r"^ +server gateway-\d:8080(.*);$", text, re.MULTILINE)
    assert given is not None  # noqa: S101
    servers = "\n".join(f"    server {HOST}:{node}{given[1]};" for node in nodes)
    text = re.sub(r"(^ +server gateway-\d:8080.*;\n)+", servers + "\n", text, count=1, flags=re.MULTILINE)
    for old, new in (("listen 8080", f"listen {HOST}:{port}"), ("/var/log/nginx", str(folder))):
        assert old in text, old  # noqa: S101
        text = text.replace(old, new)
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in PLACES)
    user = "user root;" if os.geteuid() == 0 else ""
    head = f"{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;"
    return f"{head}\nevents {{}}\nhttp {{\n{paths}\n{text}\n}}\n"


class Balancer(Program):
    """nginx in a folder of its own."""

    def __init__(self, folder: Path, nodes: Sequence[int]) -> None:
        self.port = free_port()
        (folder / "nginx.conf").write_text(configuration(folder, self.port, nodes))
        super().__init__("nginx", [program(), "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"], folder)
