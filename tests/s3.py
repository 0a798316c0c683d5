"""S3 servers for tests: moto, which is quick, and a real one, which verifies signatures; both on loopback."""

import os
import shlex
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import endpoint_provider
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader

from gateway.settings import RootSettings
from tests.patience import wait_for_stores
from tests.tunnel import Tunnel

SCRIPT = Path(__file__).parent.parent / "scripts" / "local_s3.py"
REGION = "us-east-1"
# Where the processes of one run find the real server.
FOLDER = "COG_GATEWAY_TESTS_S3"


@dataclass(frozen=True)
class Store:
    """A running server, and what tests do to it behind the gateway's back."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    verifies: bool

    @cached_property
    def client(self) -> Any:
        return _client(self.endpoint_url, self.access_key_id, self.secret_access_key)

    def root(self, bucket: str, prefix: str = "", **more: Any) -> RootSettings:
        """Settings of a root in a bucket."""
        own = {
            "uri": f"s3://{bucket}/{prefix}", "endpoint_url": self.endpoint_url, "region": REGION,
            "access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key,
        }  # fmt: skip
        return RootSettings(**{**own, **more})


def _client(endpoint_url: str, key: str, secret: str) -> Any:
    config = Config(
        signature_version="s3v4", retries={"total_max_attempts": 1}, request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )  # fmt: skip
    return boto3.client(
        "s3", endpoint_url=endpoint_url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
        config=config,
    )  # fmt: skip


def made_once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes each set of rules once; those that are given stay, so that their ids do."""
    made: dict[int, tuple[Any, Any]] = {}

    def rules_of(**told: Any) -> Any:
        key = id(told["rules"])
        if key not in made:
            made[key] = make(**told), told
        return made[key][0]

    return rules_of


@pytest.fixture(scope="session")
def _no_aws_of_this_machine(tmp_path_factory):
    """Hide credentials, settings and proxies that the tests did not give; stores are given time."""
    wait_for_stores()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        nowhere = tmp_path_factory.mktemp("aws") / "none"
        patch.setenv("AWS_CONFIG_FILE", str(nowhere))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        # Every session reads the same long descriptions of the service again.
        read = lru_cache(None)(partial(JSONFileLoader.load_file, JSONFileLoader()))
        listed = lru_cache(None)(partial(Loader.list_available_services, Loader()))
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        patch.setattr(Loader, "list_available_services", lambda _, type_name: listed(type_name))
        # Every client makes the same rules of endpoints again of them.
        patch.setattr(endpoint_provider, "RuleSet", made_once(endpoint_provider.RuleSet))
        yield


@pytest.fixture(scope="session")
def moto_store(_no_aws_of_this_machine):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Store(f"http://{host}:{port}", "LOCALTESTMOTO", "not-a-secret", verifies=False)
    server.stop()


def _script(action: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--folder", os.environ[FOLDER], action]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def pytest_configure(config) -> None:
    """Give all processes of a run one folder, and so one real server, which ends with the first of them."""
    if FOLDER in os.environ:
        return
    kept = tempfile.TemporaryDirectory(prefix="cog-gateway-s3-")
    os.environ[FOLDER] = kept.name

    def end() -> None:
        if any(Path(kept.name).iterdir()):
            _script("stop").check_returncode()
        del os.environ[FOLDER]
        kept.cleanup()

    config.add_cleanup(end)


@pytest.fixture(scope="session")
def real_store(_no_aws_of_this_machine):
    """The real server; without it the tests are skipped, but not where changes are judged."""
    done = _script("start")
    if done.returncode != 0:
        # The ports that were free a moment ago may be somebody's by now.
        done = _script("start")
    if done.returncode != 0:
        told = done.stderr.strip() or f"exit code {done.returncode}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no real S3 server: {told}")
    words = (word.partition("=") for word in shlex.split(done.stdout) if word != "export")
    told = {name: value for name, _, value in words}
    return Store(
        told["AWS_ENDPOINT_URL"], told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"], verifies=True
    )  # fmt: skip


@pytest.fixture(scope="session", params=["moto", "real"])
def store(request) -> Store:
    """Both servers, one after the other: what holds on the quick one must hold on the one that verifies."""
    return request.getfixturevalue(f"{request.param}_store")


# For what the gateway does whatever the store is: where it stumbles, whom it refuses, what it notes.
one_store = pytest.mark.parametrize("store", ["moto"], indirect=True)


@pytest.fixture
def bucket(store) -> str:
    """An empty bucket of the test's own."""
    return new_bucket(store)


def new_bucket(store: Store, *, versioned: bool = False) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    store.client.create_bucket(Bucket=name)
    if versioned:
        store.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def tunnel(store):
    """A way to the store that tests can cut, mute and count."""
    with Tunnel(store.endpoint_url) as opened:
        yield opened
