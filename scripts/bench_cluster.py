#!/usr/bin/env python3
"""`check` over a cluster of Dask: interrupted and gone on, and its rate beside `--jobs`.

    python scripts/bench_cluster.py [--objects 2000] [--jobs 2] [--rounds 3] [--parts drill,rate,memory]

Objects lie in the S3 server of `scripts/local_s3.py`. The drill kills a worker with SIGKILL, interrupts the command
with SIGINT, and runs it again with the same report: every object must be judged once. The rates are those of the
whole command, start-up included, in interleaved rounds. The memory is that of the command over an inventory of a
million objects whose versions are in the report already, so that the listing alone is measured.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

ROOT = Path(__file__).parent.parent
BUCKET = "bench-cluster"
LISTED = 1_000_000
# So many lines are in the report when the worker is killed, and when the command is interrupted.
KILL_AT, INTERRUPT_AT = 100, 700


def main() -> None:
    """Run the parts that are asked for and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="drill,rate,memory")
    options = parser.parse_args()
    parts = set(options.parts.split(","))
    with tempfile.TemporaryDirectory(prefix="bench-cluster-") as scratch:
        folder = Path(scratch)
        if parts & {"drill", "rate"}:
            with store(folder / "s3") as environment:
                fill(environment, options.objects, folder)
                if "drill" in parts:
                    drill(environment, folder, options.objects, options.jobs)
                if "rate" in parts:
                    rates(environment, folder, options)
        if "memory" in parts:
            memory(folder)


@contextmanager
def store(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of commands that read the server's buckets; the server ends with the block."""
    script = [sys.executable, str(ROOT / "scripts" / "local_s3.py"), "--folder", str(folder)]
    told = subprocess.run([*script, "start"], check=True, stdout=subprocess.PIPE, text=True).stdout
    try:
        words = (word.partition("=") for word in shlex.split(told) if word != "export")
        yield {**os.environ, **{name: value for name, _, value in words}}
    finally:
        subprocess.run([*script, "stop"], check=True, stdout=subprocess.DEVNULL)


def fill(environment: dict[str, str], count: int, folder: Path) -> None:
    """Put so many COGs into the bucket, and one in a hundred that is none."""
    sys.path.insert(0, str(ROOT))
    from tests.rasters import write_cog, write_striped  # noqa: PLC0415

    good = write_cog(folder / "good.tif").read_bytes()
    bad = write_striped(folder / "bad.tif").read_bytes()
    client = boto3.client(
        "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    for number in range(count):
        client.put_object(Bucket=BUCKET, Key=f"cogs/{number:06}.tif", Body=bad if number % 100 == 0 else good)


def command(*words: object) -> list[str]:
    """Return the command line of a check in this environment."""
    return [sys.executable, "-m", "gateway", "check", *map(str, words)]


def drill(environment: dict[str, str], folder: Path, count: int, jobs: int) -> None:
    """Kill a worker, interrupt the command, run it again, and tell how often each object was judged."""
    report = folder / "report.jsonl"
    words = command("--dask", "--jobs", jobs, "--resume", report, f"s3://{BUCKET}/cogs")
    began = time.monotonic()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)
    wait_for_lines(process, report, KILL_AT)
    killed = workers_of(process.pid)[0]
    os.kill(killed, signal.SIGKILL)
    print(f"worker killed at {lines_of(report)} of {count} objects")
    wait_for_lines(process, report, INTERRUPT_AT)
    process.send_signal(signal.SIGINT)
    process.communicate()
    print(f"interrupted at {lines_of(report)} objects: exit {process.returncode}, {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    again = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    print(f"gone on: exit {again.returncode}, {time.monotonic() - began:.1f} s; {again.stderr.splitlines()[-1]}")
    judged = Counter(json.loads(line)["source"] for line in report.read_text().splitlines())
    often = Counter(judged.values())
    print(f"objects judged: {len(judged)} of {count}; times judged: {dict(often)}")
    if dict(often) != {1: count}:
        sys.exit("not every object was judged once")


def lines_of(report: Path) -> int:
    """Return how many whole lines a report has."""
    return report.read_bytes().count(b"\n") if report.exists() else 0


def wait_for_lines(process: subprocess.Popen[bytes], report: Path, count: int) -> None:
    """Return when a report has so many lines; ends the program where its writer ended before."""
    while lines_of(report) < count:
        if process.poll() is not None:
            sys.exit(f"the command ended at {lines_of(report)} lines: {process.returncode}")
        time.sleep(0.01)


def workers_of(pid: int) -> list[int]:
    """Return the processes of a command that judge, by what Dask's nannies start (proc_pid_task(5), children)."""
    children = [int(word) for path in Path(f"/proc/{pid}/task").iterdir() for word in read(path / "children").split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def read(path: Path) -> str:
    """Return the text of a file of a process, and nothing of one that is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


def rates(environment: dict[str, str], folder: Path, options: argparse.Namespace) -> None:
    """Print a table of both ways over the same objects, and their ratio."""
    alone = ("--jobs", str(options.jobs))
    sides = {" ".join(alone): alone, " ".join(("--dask", *alone)): ("--dask", *alone)}
    took: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(options.rounds):
        for side, flags in sides.items():
            began = time.monotonic()
            words = command(*flags, "--json", f"s3://{BUCKET}/cogs")
            with (folder / "out.jsonl").open("wb") as out:
                subprocess.run(words, env=environment, stdout=out, stderr=subprocess.PIPE, check=False, cwd=ROOT)
            took[side].append(time.monotonic() - began)
            if lines_of(folder / "out.jsonl") != options.objects:
                sys.exit(f"{side} told of {lines_of(folder / 'out.jsonl')} objects")
    medians = {side: statistics.median(seconds) for side, seconds in took.items()}
    print(f"\n| check of {options.objects} objects, start-up included | s | objects/s |\n|---|---|---|")
    for side, seconds in medians.items():
        print(f"| {side} | {seconds:.1f} | {options.objects / seconds:.0f} |")
    one, other = medians.values()
    print(f"--dask takes {other / one:.2f} times as long")


def memory(folder: Path) -> None:
    """Print the most memory that a check needs for an inventory of a million objects."""
    rows = b"".join(b'"b","prefix/of/some/length/%07d.tif","etag%07d"\n' % (n, n) for n in range(LISTED))
    data = gzip.compress(rows, 1)
    (folder / "1.csv.gz").write_bytes(data)
    parts = [{"key": "1.csv.gz", "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest()}]
    told = {"sourceBucket": "b", "fileFormat": "CSV", "fileSchema": "Bucket, Key, ETag", "files": parts}
    (folder / "manifest.json").write_text(json.dumps(told))
    line = '{"source": "s3://b/prefix/of/some/length/%07d.tif", "valid": true, "depth": "header", "errors": [], '
    line += '"warnings": [], "mend": null, "version": "etag%07d"}\n'
    report = folder / "million.jsonl"
    with report.open("w") as out:
        out.writelines(line % (n, n) for n in range(LISTED))
    began = time.monotonic()
    words = command("--inventory", folder / "manifest.json", "--resume", report)
    with (folder / "told.txt").open("wb") as told_here:
        process = subprocess.Popen(words, stdout=told_here, stderr=told_here, cwd=ROOT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds, most = time.monotonic() - began, used.ru_maxrss / 1024
    print(f"{LISTED:,} objects listed and known: exit {process.returncode}, {seconds:.0f} s, {most:.0f} MiB at most")
    print((folder / "told.txt").read_text().splitlines()[-1])


if __name__ == "__main__":
    main()
