"""A studio that begins when it is first wanted: commands that draw nothing do not pay for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from gateway.files import FileSource
from gateway.studio.base import Load, Studio
from gateway.studio.tasks import Task

T = TypeVar("T")


class OnDemand:
    """The studio that `make` returns, made once."""

    def __init__(self, make: Callable[[], Studio]) -> None:
        self._make = make
        self._gate = threading.Lock()
        self._made: Studio | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do nothing: what is made in this process needs no loop."""

    def submit(self, task: Task[T], files: Sequence[FileSource] = ()) -> Future[T]:
        """Return the future of what a task comes to; the first call takes a while."""
        with self._gate:
            self._made = self._made or self._make()
        return self._made.submit(task, files)

    def load(self) -> Load:
        """Return what the studio is busy with: nothing before its first task."""
        return self._made.load() if self._made is not None else Load()

    def close(self) -> None:
        """Close the studio, if there ever was one."""
        if self._made is not None:
            self._made.close()
