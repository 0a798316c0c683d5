"""How far a command has come: a line on stderr, where that is a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")

# Items that are looked up for each one that is taken, and how many may wait: enough to know the number of most
# archives soon, and few enough for the memory of any machine.
PACE = 32
MOST_WAITING = 100_000
REDRAW_SECONDS = 0.1
ERASE_LINE = "\r\x1b[2K"


class ReadAhead(Generic[T]):
    """Items that are looked up a little faster than they are taken, so that their number is known early."""

    def __init__(self, items: Iterable[T], pace: int = PACE) -> None:
        self._items = iter(items)
        self._pace = pace
        self._waiting: deque[T] = deque()
        self._taken = 0
        self._ended = False

    @property
    def total(self) -> int | None:
        """Return how many items there are, or None while that is not known."""
        return self._taken + len(self._waiting) if self._ended else None

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        self._look_up(1 if not self._waiting else 0)
        self._look_up(min(self._pace, MOST_WAITING - len(self._waiting)))
        if not self._waiting:
            raise StopIteration
        self._taken += 1
        return self._waiting.popleft()

    def _look_up(self, count: int) -> None:
        for _ in range(0 if self._ended else count):
            try:
                self._waiting.append(next(self._items))
            except StopIteration:
                self._ended = True
                return


class RateColumn(ProgressColumn):
    """The speed of late, in items per second."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing while there is none."""
        return Text(f"{task.speed:,.1f}/s" if task.speed else "", style="progress.data.speed")


def with_progress(
    items: Iterable[T], total: Callable[[], int | None], label: str, clock: Callable[[], float] = time.monotonic
) -> Generator[T, None, None]:
    """Yield the items, with count, rate and time to go on stderr where that is a terminal.

    `total` returns how many there are, or None while that is not known. The line is gone while the caller prints.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), RateColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console, auto_refresh=False)
    task = bar.add_task(label, total=total())
    drawn, due = _drawing(console, bar), clock() + REDRAW_SECONDS
    _show(drawn)
    try:
        for item in items:
            bar.advance(task)
            _show(ERASE_LINE)
            yield item
            if clock() >= due:
                bar.update(task, total=total())
                drawn, due = _drawing(console, bar), clock() + REDRAW_SECONDS
            _show(drawn)
    finally:
        _show(ERASE_LINE)


def _drawing(console: Console, bar: Progress) -> str:
    """Return the bar as text for the terminal, cut at its width; drawing it costs more than showing it."""
    with console.capture() as drawing:
        console.print(bar.get_renderable(), end="", no_wrap=True, crop=True)
    return drawing.get().partition("\n")[0]


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
