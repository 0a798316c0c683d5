#!/usr/bin/env python3
"""Redirects into a bucket, each with its audit row, beside the presigning alone; one process, one run.

    eval "$(python scripts/local_s3.py start)"
    python scripts/bench_redirects.py [--rounds 3] [--seconds 4]

The gateway asks the store for the object's version before each redirect, as it must; the second row signs the same
URL in a loop and does nothing else. Needs wrk and a store, named by boto3's variables.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable

import boto3
from bench_servers import KEY, ROOT, cpu_seconds, free_port, running
from bench_wrk import run_wrk

from gateway.settings import RootSettings
from gateway.storage import Redirect, open_storage

SAMPLE = ROOT / "data" / "elevation.tif"
CONNECTIONS = 16


def main() -> None:
    """Run both sides in turns and print one table with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    if shutil.which("wrk") is None or "AWS_ENDPOINT_URL" not in os.environ:
        sys.exit("wrk is not installed, or AWS_ENDPOINT_URL names no store")
    bucket = f"bench-{uuid.uuid4()}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    boto3.client("s3").upload_file(str(SAMPLE), bucket, SAMPLE.name)
    root = {"uri": f"s3://{bucket}", "endpoint_url": os.environ["AWS_ENDPOINT_URL"]}
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ, "GATEWAY_STATE_DIR": scratch, "GATEWAY_SECRET_KEYS": KEY, "PYTHONPATH": str(ROOT),
            "GATEWAY_ROOTS": json.dumps({"bucket": root}), "GATEWAY_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        port = free_port()
        dataset, token = prepare(environment, bucket)
        with running(
            [sys.executable, "-m", "gateway", "serve", "--port", str(port)], port, env=environment
        ) as process:
            url = f"http://127.0.0.1:{port}/api/datasets/{dataset}/download/cog"
            sides: dict[str, Callable[[], dict[str, float]]] = {
                "302 with audit": lambda: redirects(process.pid, url, token, options.seconds),
                "presign alone": lambda: presigns(RootSettings.model_validate(root), options.seconds),
            }
            report(sides, options.rounds)


def prepare(environment: dict[str, str], bucket: str) -> tuple[str, str]:
    """Return the id of the object as a dataset, and a bearer token."""

    def command(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    dataset = json.loads(command("ingest", f"s3://{bucket}/{SAMPLE.name}", "--visibility", "internal", "--json"))[
        "id"
    ]
    return dataset, command("token", "--sub", "bench", "--seconds", "86400").strip()


def redirects(pid: int, url: str, token: str, seconds: int) -> dict[str, float]:
    """Return answers per second, the slowest of a hundred in ms, and CPU ms for each."""
    before = cpu_seconds([pid])
    load = run_wrk(url, CONNECTIONS, seconds, "-t1", headers=[f"Authorization: Bearer {token}"])
    cpu = cpu_seconds([pid]) - before
    return {"per s": load.per_second, "p99 ms": load.p99_ms, "CPU ms": 1e3 * cpu / load.answers}


def presigns(root: RootSettings, seconds: int) -> dict[str, float]:
    """Return signatures per second and CPU ms for each, in one thread."""
    storage = open_storage("bucket", root)
    delivery = storage.deliver(SAMPLE.name, storage.stat(SAMPLE.name).version)
    if not isinstance(delivery, Redirect):
        raise TypeError("the root does not redirect")
    count, began, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        delivery.sign('attachment; filename="elevation.tif"', "0f" * 16)
        count += 1
    return {"per s": count / seconds, "p99 ms": 0, "CPU ms": 1e3 * (time.process_time() - cpu) / count}


def report(sides: dict[str, Callable[[], dict[str, float]]], rounds: int) -> None:
    """Print the medians of interleaved rounds."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            results[name].append(side())
    middle = {
        name: {measure: statistics.median(run[measure] for run in runs) for measure in runs[0]}
        for name, runs in results.items()
    }
    alone = middle["presign alone"]
    print(f"{rounds} interleaved rounds, medians; {CONNECTIONS} connections, one process\n")
    print("| | per s | p99 ms | CPU ms each | ÷ presign alone: per s | CPU |\n|---|---|---|---|---|---|")
    for name, found in middle.items():
        ratios = f"{found['per s'] / alone['per s']:.2f} | {found['CPU ms'] / alone['CPU ms']:.2f}"
        print(f"| {name} | {found['per s']:.0f} | {found['p99 ms'] or '-'} | {found['CPU ms']:.2f} | {ratios} |")


if __name__ == "__main__":
    main()
