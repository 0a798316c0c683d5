"""What every studio does, wherever its work runs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from gateway.files import FileSource
from gateway.studio.tasks import Task

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Load:
    """What a studio is busy with, and what has become of its painters: numbers since its start."""

    waiting: int = 0
    limit: int = 0
    painters: int = 0
    painters_bytes: int = 0
    deaths: int = 0
    deadlines: int = 0
    retired: int = 0
    set_aside: int = 0


class Studio(Protocol):
    """Works tasks off, several at once."""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let answers arrive on a loop, from which this is called; before it no task is submitted."""

    def submit(self, task: Task[T], files: Sequence[FileSource] = ()) -> Future[T]:
        """Return the future of what a task comes to; cancelled before the task has begun, it is never done.

        `files` are the opened files of the task's local sources, in their order; they stay the caller's. Raises
        Unavailable when too many tasks wait; the future raises the GatewayError that the work raised, Unavailable
        when it took too long, and CannotBeDrawn for a version that is set aside.
        """

    def load(self) -> Load:
        """Return what the studio is busy with."""

    def close(self) -> None:
        """Let what has begun end, drop what waits, and end."""
