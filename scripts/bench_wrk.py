"""The load of the benchmarks: wrk, and what it has seen."""

from __future__ import annotations

import re
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What wrk saw of one run: how many answers, how many in a second, half and 99 of a hundred of them within."""

    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    client_cpu_seconds: float = 0.0


def run_wrk(url: str, connections: int, seconds: int, *words: object, headers: Sequence[str] = ()) -> Load:
    """Return what it saw of so many connections that ask `url` again and again; `words` are more of its options.

    Raises RuntimeError where a request was refused or had no answer.
    """
    line = ["wrk", f"-c{connections}", f"-d{seconds}s", "--latency", *map(str, words)]
    fields = [word for header in headers for word in ("-H", header)]
    before = _children_cpu_seconds()
    done = subprocess.run([*line, *fields, url], check=True, stdout=subprocess.PIPE, text=True)
    return load_of(done.stdout, _children_cpu_seconds() - before)


def load_of(told: str, client_cpu_seconds: float = 0.0) -> Load:
    """Return what wrk has printed; raises RuntimeError as `run_wrk` does."""
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    answers = re.search(r"(\d+) requests in", told)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    latencies = [re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)\b", told) for percent in (50, 99)]
    if answers is None or rate is None or None in latencies:
        raise RuntimeError(told)
    p50, p99 = (float(found[1]) * MILLISECONDS[found[2]] for found in latencies if found is not None)
    return Load(int(answers[1]), float(rate[1]), p50, p99, client_cpu_seconds)


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
