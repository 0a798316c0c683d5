"""A gateway that runs on loopback, by its port and its environment: what drills and trials ask of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from scripts.clustering.program import HOST

ROOT = Path(__file__).resolve().parents[2]
BUSY_SECONDS = 30.0


class Gateway:
    """One server, or a balancer and the nodes behind it; `environment` is what commands over the same state need."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.port = 0
        self.secrets: list[str] = []

    def log_lines(self) -> Sequence[str]:
        """Return the lines that were logged so far."""
        raise NotImplementedError

    def rows_by_request(self, action: str = "download.cog") -> Counter[str]:
        """Return how many rows of an action each request id has, asked of the database itself."""
        raise NotImplementedError

    def command(self, *arguments: str) -> str:
        """Return what a command over the same state prints; raises CalledProcessError where it fails."""
        line = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(
            line, env=self.environment, cwd=self.folder, check=True, stdout=subprocess.PIPE, text=True, timeout=60
        ).stdout

    def ingest(self, source: str, visibility: str = "public") -> str:
        """Return the id of the dataset that a file or an object becomes."""
        (dataset,) = self.ingest_all(source, visibility=visibility)
        return dataset

    def ingest_all(self, *sources: str, visibility: str = "public") -> list[str]:
        """Return the ids of the datasets that files and objects become."""
        printed = self.command("ingest", *sources, "--visibility", visibility, "--json")
        return [str(json.loads(line)["id"]) for line in printed.splitlines()]

    def bearer(self, name: str = "drill", *roles: str) -> dict[str, str]:
        """Return the Authorization field of a fresh bearer token, to be looked for in the log."""
        named = [word for role in roles for word in ("--role", role)]
        token = self.command("token", "--sub", name, "--seconds", "3600", *named).strip()
        self.secrets.append(token)
        return {"Authorization": f"Bearer {token}"}

    def download_token(self, dataset: str, headers: Mapping[str, str], port: int | None = None) -> str:
        """Return a fresh download token, to be looked for in the log; a busy server is asked again for a while."""
        end = time.monotonic() + BUSY_SECONDS
        while True:
            status, _, body = self.ask(f"/api/auth/download-token/{dataset}", "POST", headers, port)
            if status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > end:
                break
            time.sleep(0.1)
        token = str(json.loads(body)["token"])
        self.secrets.append(token)
        return token

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, port: int | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, header fields and body of one request on a connection of its own; raises OSError."""
        with closing(HTTPConnection(HOST, port or self.port, timeout=20)) as connection:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read()

    def status(self, path: str, port: int | None = None) -> int:
        """Return the status of one GET, 0 when there is no answer."""
        try:
            return self.ask(path, port=port)[0]
        except OSError:
            return 0

    def leaked(self) -> int:
        """Return how many log lines hold a token that was used, or its signature."""
        parts = [part for token in self.secrets for part in (token, token.rpartition(".")[2])]
        return sum(any(part in line for part in parts) for line in self.log_lines())
