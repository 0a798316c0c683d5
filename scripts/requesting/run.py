"""A server with two workers over a folder of rasters, asked at random: the figures, and the promises it broke."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from scripts.bench_servers import tree
from scripts.drilling.server import Outcome, Server, write_cog

from .asking import Beside, Client
from .questions import Questions
from .rasters import harm

CLIENTS = 4
OVERDUE = re.compile(r"a painter is ended: (\w+) of .* takes too long")
LOST = re.compile(r"a painter ended .* at (\w+)")


def pss_mib(pid: int) -> int:
    """Return the memory of a process and all below it, shared pages counted by their share."""
    kib = 0
    for each in tree(pid):
        try:
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{each}/smaps_rollup").read_text(), re.MULTILINE)
        except OSError:
            continue
        kib += int(found[1]) if found else 0
    return kib // 1024


def ingested(server: Server) -> list[str]:
    """Return the ids of the datasets that the folder's files became."""
    lines = server.command("ingest", "rasters", "--visibility", "public", "--json").splitlines()
    return [found["id"] for found in map(json.loads, lines) if found["id"]]


def records_of(server: Server, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the records of datasets by their titles."""
    client = Client(server.port)
    found = [json.loads(client.get(f"/api/datasets/{each}")[1]) for each in ids]
    client.close()
    return {record["title"]: record for record in found}


def asked(folder: Path, minutes: float, rate: float, seed: int) -> Outcome:
    """Return what came of requests over the files in `folder/rasters`."""
    file = write_cog(folder / "rasters" / "downloaded.tif")
    settings = {"open_downloads": "true", "open_values": "true", "allow_missing_overviews": "true"}
    with Server(folder, "--processes", "2", **settings) as server:
        records = records_of(server, ingested(server))
        harm(folder / "rasters")
        download = f"/api/datasets/{records[file.stem]['id']}/download/cog", file.read_bytes()
        questions = [Questions(random.Random(f"{seed}-{n}"), records) for n in range(CLIENTS)]  # noqa: S311
        before = pss_mib(server.process.pid)
        with Beside(server, questions, rate, download) as beside:
            time.sleep(60 * minutes)
        return _told(server, beside, len(records), before)


def _told(server: Server, beside: Beside, rasters: int, before: int) -> Outcome:
    tally, log = beside.tally, "".join(server.lines)
    outcome = Outcome()
    outcome.figures |= {
        "rasters": rasters, "requests": tally.statuses.total(),
        "answers by status": dict(sorted(tally.statuses.items())),
        "500s and no answers": len(tally.faults), "tracebacks in the log": log.count("Traceback"),
        "tasks over the deadline": dict(Counter(OVERDUE.findall(log))),
        "painters that died at": dict(Counter(LOST.findall(log))),
        "slowest /livez in s": round(beside.livez_seconds, 3), "/livez not 200": beside.not_alive,
        "downloads": beside.downloads, "downloads cut": beside.cut,
        "memory before and after in MiB (PSS)": (before, pss_mib(server.process.pid)),
    }  # fmt: skip
    outcome.figures |= {f"slowest {n}": found for n, found in enumerate(tally.slowest, 1)}
    outcome.figures |= {f"fault {n}": found for n, found in enumerate(tally.faults, 1)}
    for line in [line for line in server.lines if "ERROR" in line or "Traceback" in line][:40]:
        outcome.figures[f"log {len(outcome.figures)}"] = line.strip()[:300]
    outcome.promise(not tally.faults, "every request has an answer, and none is 500")
    outcome.promise("Traceback" not in log, "no traceback is logged")
    outcome.promise(not beside.cut, "no download is cut")
    outcome.promise(not beside.not_alive, "/livez is 200 all the time")
    return outcome
