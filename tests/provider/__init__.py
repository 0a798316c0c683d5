"""node-oidc-provider, a certified OpenID Connect provider, on loopback: `npm ci --prefix tests/provider` installs it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

FOLDER = Path(__file__).parent
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class Provider:
    """A running provider by its issuer."""

    issuer: str

    def client(self, *pages: str, renewed: bool = True) -> str:
        """Return the id of a new public client of these pages, of a program without any."""
        grants = [*(["authorization_code"] if pages else [DEVICE]), *(["refresh_token"] if renewed else [])]
        wanted = {
            "redirect_uris": list(pages),
            "post_logout_redirect_uris": list(pages),
            "token_endpoint_auth_method": "none",
            "grant_types": grants,
            "response_types": ["code"] if pages else [],
        }
        request = Request(f"{self.issuer}/reg", json.dumps(wanted).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as response:
            return json.load(response)["client_id"]


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider; the test is skipped where it is not installed, for which a registry of npm is needed."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("the certified provider is not installed")
    process = subprocess.Popen(
        [node, FOLDER / "provider.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        # Beside it come warnings that it is no one for production.
        told = next(line for line in process.stdout if line.startswith(b"{"))
        yield Provider(json.loads(told)["issuer"])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
