"""A shared cache with the plain rules of nginx before layers: each reader sees their own, and the open one is kept."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.copying import ALL
from scripts.clustering.program import accepts
from tests.handlers.conftest import act, cog_file
from tests.handlers.layerscenes import WHOLE, make_scenes, served
from tests.operating.test_nginx import free_port, nginx
from tests.patience import until

__all__ = ["cog_file", "served"]
CONFIGURATION = """daemon off; {user} pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    {paths}
    access_log off;
    proxy_cache_path {folder}/cache keys_zone=layers:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_set_header Host $http_host;
            proxy_cache layers;
            proxy_cache_key $request_uri;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@pytest.fixture(scope="module")
def cached(served):
    """Return the served world as it is seen through the cache."""
    program, port = nginx(), free_port()
    make_scenes(served)
    folder = Path(tempfile.mkdtemp(prefix="cgcache-"))
    settings = {
        "user": "user root;" if os.getuid() == 0 else "", "folder": folder, "port": port,
        "paths": "".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS),
        "upstream": served.base.removesuffix("/api"),
    }  # fmt: skip
    (folder / "nginx.conf").write_text(CONFIGURATION.format(**settings))
    process = subprocess.Popen([program, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"])
    try:
        until(lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield replace(served, base=f"http://127.0.0.1:{port}/api")
    finally:
        process.terminate()
        process.wait(120)
        shutil.rmtree(folder)


def test_two_readers_of_different_rights_see_their_own_at_the_same_address(cached):
    ana, surveyor = cached.bearer("ana"), cached.bearer("cy", ("survey",))
    for path in (f"tiles/{WHOLE}.png", f"tiles/{WHOLE}/assets", "preview/32x32.png", "point/10.3,47.8", "statistics"):
        address = f"/collections/scenes/{path}"
        # Whoever comes first: the cache holds nothing that is not everybody's.
        first = cached.ask(address, token=ana)
        opened, again = cached.ask(address), cached.ask(address)
        theirs = {token: cached.ask(address, token=token) for token in (ana, surveyor)}
        assert [answer.headers["X-Cache"] for answer in (first, opened, again)] == ["MISS", "MISS", "HIT"], path
        assert {answer.headers["X-Cache"] for answer in theirs.values()} == {"MISS"}, path
        assert opened.body == again.body != first.body, path
        assert {answer.body for answer in theirs.values()} == {first.body}, path
        assert cached.ask(address).headers["X-Cache"] == "HIT", path


def test_a_right_that_is_taken_away_is_gone_behind_the_cache_too(cached):
    address, token = f"/collections/scenes/tiles/{WHOLE}@2x.png", cached.bearer("cy", ("survey",))
    assert cached.ask(address, token=token).headers["X-Assets"] == "3/3"
    over = next(each for each in cached.services.records.every_dataset(ALL) if each.title == "over")
    cached.services.records.remove_grant(over.id, act(), role="survey")
    assert cached.ask(address, token=token).headers["X-Assets"] == "2/2"
