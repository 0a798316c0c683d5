"""What is judged deeper than usual, one file after another, each once whoever asks for it and however often."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.deep.answers import MOST_BYTES, Answer, answer_of
from gateway.errors import GatewayError, Unavailable, UnderWay
from gateway.gatekeeper import verdict_stored
from gateway.model import Dataset, ObjectStat
from gateway.pools import BoundedPool
from gateway.records import Records, Verdict
from gateway.remembered import Remembered
from gateway.storage import Storage

log = logging.getLogger("gateway")
PROGRAM = "gateway.deep.child"
# When a client may ask again: a file of some hundred megabytes is judged by then.
RETRY_SECONDS = 5
# A file over which its process ended is left alone for so long, and one that could not be read for a moment.
SET_ASIDE_SECONDS = 600
UNREADABLE_SECONDS = 10
SET_ASIDE_MOST = 1024
# A day: a file of many terabytes is judged in it, and one that never ends is not.
MOST_SECONDS = 86_400.0
UNDER_WAY = "The file of this dataset has changed and is being judged."
ENDED = "the process that read it ended early"
REASON_CHARACTERS = 500
CANNOT = "The file of this dataset cannot be judged."


@dataclass(frozen=True, slots=True)
class DeepRules:
    """How a file is judged: what is allowed, and what its process may take."""

    allow_missing_overviews: bool = False
    memory_mb: int = 0
    seconds: float = MOST_SECONDS


@dataclass(frozen=True, slots=True)
class Wanted:
    """What travels to the process: a dataset, the storage of its root, and who has started the process."""

    parent: int
    dataset: Dataset
    storage: Storage
    allow_missing_overviews: bool
    memory_mb: int


class DeepJudgements:
    """Judges files in processes of their own, one after another, and puts the verdicts on record.

    In `shared`, a folder of all workers of this machine, lies a file by which they agree who judges what: one byte of
    it for each dataset is locked (fcntl(2)), and the kernel gives back what a process held that died.
    """

    def __init__(
        self,
        records: Records,
        storages: Mapping[str, Storage],
        pool: BoundedPool,
        rules: DeepRules,
        shared: Path | None = None,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._records = records
        self._storages = storages
        self._pool = pool
        self._rules = rules
        self._count = count
        self._gate = threading.Lock()
        self._under_way: set[str] = set()
        self._failed: Remembered[tuple[str, str], float] = Remembered(SET_ASIDE_MOST, SET_ASIDE_SECONDS)
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._locks = (
            None if shared is None else os.open(shared / "deep", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        )

    def begin(self, dataset: Dataset, stat: ObjectStat) -> Unavailable:
        """Return what the caller is told, after the judgement has begun unless it is under way; waits for nothing.

        Raises Unavailable when too many files wait.
        """
        left_seconds = (self._failed.get((dataset.id, stat.version)) or 0.0) - time.monotonic()
        if left_seconds > 0:
            return Unavailable(CANNOT, retry_after_seconds=math.ceil(left_seconds))
        with self._gate:
            if dataset.id not in self._under_way:
                self._pool.submit(self._judge, dataset, stat.version)
                self._under_way.add(dataset.id)
        return UnderWay(UNDER_WAY, retry_after_seconds=RETRY_SECONDS)

    def close(self) -> None:
        """End the process that judges; its file is judged when somebody asks again."""
        with self._gate:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _judge(self, dataset: Dataset, version: str) -> None:
        """Judge what is there now, unless another worker does or has done so."""
        try:
            with self._mine(dataset.id) as mine:
                known = self._records.dataset(dataset.id)
                if mine and known is not None and known.version != version:
                    self._judge_mine(known, version)
        except GatewayError as error:
            log.warning("dataset %s could not be judged anew: %s", dataset.id, error.told)
        finally:
            with self._gate:
                self._under_way.discard(dataset.id)

    def _judge_mine(self, known: Dataset, version: str) -> None:
        answer = self._answer(known)
        if self._closed:
            return
        if (found := answer.verdict) is None:
            log.warning("dataset %s could not be judged anew: %s", known.id, answer.failed[:REASON_CHARACTERS])
            for_seconds = min(max(answer.for_seconds, 1), SET_ASIDE_SECONDS)
            self._failed.keep((known.id, version), time.monotonic() + for_seconds)
            return
        self._count("valid" if found.inspection.report.valid else "invalid")
        # What was made of which source is true of one version alone; None from the records: it was judged meanwhile.
        verdict = Verdict(
            found.version, found.size_bytes, found.inspection, found.sha256, known.origin, found.modified_at
        )
        verdict_stored(self._records, known, verdict)

    def _answer(self, known: Dataset) -> Answer:
        """Return what the process answers, or how it ended."""
        rules, ended = self._rules, Answer(failed=ENDED, for_seconds=SET_ASIDE_SECONDS)
        wanted = Wanted(
            os.getpid(), known, self._storages[known.root], rules.allow_missing_overviews, rules.memory_mb
        )
        with self._gate:
            if self._closed:
                return ended
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", PROGRAM],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(), cwd="/",
            )  # fmt: skip
        with process:
            body = _told(process, pickle.dumps(wanted), rules.seconds)
        if body is None:
            return replace(ended, failed="it takes too long")
        try:
            return answer_of(body, known.report.depth)
        except ValueError:
            # It has died within its answer, or is in a stranger's hands.
            return ended

    @contextmanager
    def _mine(self, dataset_id: str) -> Iterator[bool]:
        """Yield whether no other worker of this machine judges the dataset; none begins meanwhile."""
        if self._locks is None:
            yield True
            return
        # The last digits of an id are chance.
        place = int(dataset_id.replace("-", "")[-12:], 16)
        taken = False
        with suppress(BlockingIOError, PermissionError):
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            taken = True
        try:
            yield taken
        finally:
            if taken:
                fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, place)


def _told(process: subprocess.Popen[bytes], wanted: bytes, seconds: float) -> bytes | None:
    """Return what the process writes, cut where it is longer than any answer; None when it takes too long."""
    end, timer = time.monotonic() + seconds, threading.Timer(seconds, process.kill)
    timer.start()
    try:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - made as pipes
        with suppress(BrokenPipeError), process.stdin as told:
            told.write(wanted)
        body = process.stdout.read(MOST_BYTES + 1)
    finally:
        timer.cancel()
    if len(body) > MOST_BYTES:
        process.kill()
    return None if time.monotonic() >= end else body


def _environment() -> dict[str, str]:
    """Return what the process gets of the environment: nothing of the gateway's settings and secrets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
