"""A run: workers over mutants, restarted behind a mutant that killed one, and what they told put together."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.fuzzing.kinds import kind_of
from scripts.fuzzing.mutants import Mutant, mutant, read_seeds
from scripts.fuzzing.seeds import write_seeds

ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS, GROWTH_BYTES = 2.0, 500_000_000
ROUND = 1000

Told = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How many mutants of which run; every `others_step`th is also judged by the other readers."""

    mutants: int
    number: int
    others_step: int = 1


@dataclass
class Outcome:
    """What a run found. `faults` are ours; `kinds` counts the disagreements with others by (judge, kind)."""

    tried: int = 0
    compared: int = 0
    valid: int = 0
    slowest_seconds: float = 0.0
    largest_growth_bytes: int = 0
    crashes_of_others: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Return whether nothing of ours failed and every disagreement is of a known kind."""
        return self.tried > 0 and not self.faults


def run(plan: Plan, seconds: float = float("inf")) -> Outcome:
    """Return what became of the mutants of a plan; no new round of them begins after `seconds`."""
    outcome, began = Outcome(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_seeds(folder)
        seeds = read_seeds(folder)
        for start in range(0, plan.mutants, ROUND):
            if time.monotonic() - began > seconds:
                break
            stop = min(start + ROUND, plan.mutants)
            for index, told in _judged(folder, plan, start, stop).items():
                _add(outcome, told, f"mutant {index}", mutant(seeds, plan.number, index))
    return outcome


def _judged(folder: Path, plan: Plan, start: int, stop: int) -> dict[int, dict[str, Told]]:
    """Return what each judge told of the mutants from `start` to `stop`; both kinds of judges work at once."""
    steps = {"ours": 1, "others": plan.others_step}
    told: dict[int, dict[str, Told]] = {}
    with ThreadPoolExecutor(len(steps)) as pool:
        for lines in pool.map(lambda kind: list(_lines(folder, plan, (start, stop, steps[kind]), kind)), steps):
            for line in lines:
                told.setdefault(line["index"], {})[line["judge"]] = line
    return told


def _lines(folder: Path, plan: Plan, span: tuple[int, int, int], kind: str) -> Iterator[Told]:
    """Yield the verdicts of one kind of judges; a judge that died is told as a crash."""
    start, stop, step = span
    while start < stop:
        numbers = map(str, (plan.number, start, stop, step))
        command = [sys.executable, "-m", "scripts.fuzzing.worker", str(folder), *numbers, kind]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        yield from (line for line in lines if "valid" in line)
        if done.returncode == 0:
            return
        if not lines:
            raise RuntimeError(done.stderr)
        yield {**lines[-1], "valid": False, "crashed": True, "why": _death(done)}
        start = lines[-1]["index"] + step


def _death(done: subprocess.CompletedProcess[str]) -> str:
    """Return how a process ended: by which signal, or the last line of its traceback."""
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    return (done.stderr.strip().splitlines() or ["?"])[-1]


def _add(outcome: Outcome, told: dict[str, Told], name: str, made: Mutant) -> None:
    """Count one mutant."""
    where = f"{name} of {made.seed} ({', '.join(made.changes)})"
    outcome.tried += 1
    mine = [told[depth] for depth in ("header", "blocks") if depth in told]
    outcome.faults += (f"{where}: {fault}" for one in mine for fault in _faults(one))
    for one in mine:
        outcome.slowest_seconds = max(outcome.slowest_seconds, one.get("cpu_seconds", 0.0))
        outcome.largest_growth_bytes = max(outcome.largest_growth_bytes, one.get("growth_bytes", 0))
    if len(mine) < 2 or any(one["crashed"] for one in mine):
        return
    header, blocks = mine
    outcome.valid += blocks["valid"]
    if blocks["valid"] and not header["valid"]:
        outcome.faults.append(f"{where}: the blocks are valid, the header is not: {header['why']}")
    others = [told[judge] for judge in ("rio-cogeo", "tifffile") if judge in told]
    outcome.compared += bool(others)
    for other in others:
        outcome.crashes_of_others[other["judge"]] += other["crashed"]
        if blocks["valid"] != other["valid"]:
            _disagreement(outcome, blocks, other, where)


def _disagreement(outcome: Outcome, mine: Told, other: Told, where: str) -> None:
    kind = kind_of(other["judge"], mine["why"], other["why"])
    if kind is None:
        outcome.faults.append(f"{where}: unknown kind: ours {mine['why']!r}, {other['judge']} {other['why']!r}")
    else:
        outcome.kinds[other["judge"], kind.name] += 1


def _faults(told: Told) -> Iterator[str]:
    """Yield what our own check did wrong by itself."""
    if told["crashed"]:
        yield f"{told['judge']}: {told['why']}"
        return
    if told["cpu_seconds"] > CPU_SECONDS:
        yield f"{told['judge']}: {told['cpu_seconds']:.1f} s"
    if told["growth_bytes"] > GROWTH_BYTES:
        yield f"{told['judge']}: {told['growth_bytes'] // 1_000_000} MB"
