"""Threads that work beside the body of a `with` block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self


class Threads:
    """A thread for each of `works` while the `with` block runs; each is given the event that is set at its end."""

    def __init__(self, *works: Callable[[threading.Event], None]) -> None:
        self._done = threading.Event()
        self._threads = [threading.Thread(target=work, args=(self._done,)) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
