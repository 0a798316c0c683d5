"""What has become of painters, and which versions of which datasets are set aside because of it."""

from __future__ import annotations

import logging
import pickle
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import CannotBeDrawn, GatewayError, Unavailable
from gateway.studio.child import Job
from gateway.studio.tasks import Lane

log = logging.getLogger("gateway")

SET_ASIDE_SECONDS = 600.0
# A version is set aside when one of its tasks has done this so often.
OFFENCES = 2
# Files that a painter opens and reads in a second or two.
MANY_FILES = 50
HUNG = "The picture takes too long."
BAD = "Pictures of this version of the file have ended what draws them; it is set aside for a while."


@dataclass(frozen=True, slots=True)
class Rules:
    """How many painters there are, and what each may take: `paint_seconds` for a task, `memory_mb` after it."""

    painters: int = 1
    paint_seconds: float = 30.0
    memory_mb: int = 512


class SetAside(CannotBeDrawn):
    """Some of the versions that a task is about are set aside: those of the datasets `ids`."""

    def __init__(self, ids: frozenset[str]) -> None:
        super().__init__(BAD)
        self.ids = ids


class OneOfSeveral(Unavailable):
    """A task over several datasets has ended painters, and which of them is to blame is not known."""


class Tally:
    """What has become of painters since the start, and which versions are set aside until when."""

    def __init__(self) -> None:
        self.deaths = self.deadlines = self.retired = self.set_aside = 0
        self.told: set[str] = set()
        self._aside: dict[tuple[str, ...], float] = {}
        self._offences: Counter[bytes] = Counter()

    def refusal(self, job: Job) -> GatewayError | None:
        """Return why a job is not begun: a version of it is set aside."""
        if not self._aside:
            return None
        now = time.monotonic()
        aside = frozenset(name[1] for name in _names(job) if self._aside.get(name, 0.0) > now)
        if not aside:
            return None
        if job.task.lane is Lane.JUDGE:
            return Unavailable(
                "The file of this dataset cannot be judged.", retry_after_seconds=int(SET_ASIDE_SECONDS)
            )
        return SetAside(aside)

    def overdue(self, job: Job, *, starved: bool = False) -> GatewayError:
        """Return what is told about a job that took too long; its version is set aside when it did so before.

        A painter that was `starved` of the processor says nothing against it.
        """
        self.deadlines += 1
        if starved:
            return Unavailable(HUNG, retry_after_seconds=5)
        key = pickle.dumps(job.task)
        self._offences[key] += 1
        if self._offences.pop(key) < OFFENCES:
            self._offences[key] = OFFENCES - 1
            return Unavailable(HUNG, retry_after_seconds=5)
        return self.put_aside(job)

    def put_aside(self, job: Job) -> GatewayError:
        """Set the version of a job aside; returns what is told about it. One of several is not known by that.

        In a crowd any picture may be to blame, that of a dataset whose file is not opened among them.
        """
        if len(job.task.sources) > 1 or job.task.crowd:
            return OneOfSeveral(BAD)
        for name in _names(job):
            self._aside[name] = time.monotonic() + SET_ASIDE_SECONDS
            self.set_aside += 1
            log.error("version %s of dataset %s is set aside: %s ended two painters", name[2], name[1], job.task.work)
        return self.refusal(job) or CannotBeDrawn(BAD)


def _names(job: Job) -> Iterator[tuple[str, ...]]:
    """Yield what is set aside for a job: pictures of a version, or verdicts over it."""
    kind = Lane.JUDGE if job.task.lane is Lane.JUDGE else Lane.PAINT
    for source in job.task.sources:
        yield kind, source.id, source.version


def told(job: Job) -> str:
    """Return the datasets of a job as the log names them."""
    return ", ".join(f"dataset {source.id}" for source in job.task.sources) or "no dataset"


def slow_after(job: Job, seconds: float) -> float:
    """Return after how many seconds a job counts as slow, where one over few files does after `seconds`.

    What has to open hundreds of files would else be done by a fresh painter each time, which has none of them open.
    """
    return seconds * max(1.0, len(job.task.sources) / MANY_FILES)


def kind_of(job: Job) -> tuple[object, ...]:
    """Return what jobs have in common that take long together: their work, over the same version."""
    return job.task.work, *((source.id, source.version) for source in job.task.sources)
