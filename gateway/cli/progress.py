"""How far a command has come: a line on stderr, where that is a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from rich.cells import cell_len
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

from gateway.cli.shared import end_of, printable

T = TypeVar("T")

# Items that are looked up for each one that is taken, and how many may wait: enough to know the number of most
# archives soon, and few enough for the memory of any machine.
PACE = 32
MOST_WAITING = 100_000
REDRAW_SECONDS = 0.1
ERASE_LINE = "\r\x1b[2K"
WIDE_COLUMNS = 100


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


class Underway(Generic[T]):
    """Items on their way to those who work on them, and the names of those that are not done.

    `name_of` returns the name of an item, `done` that of the item of a result. Each of `jobs` processes takes its
    items in order, so that the oldest that is not done is always one that is being worked on.
    """

    def __init__(
        self, items: Iterable[T], name_of: Callable[[T], str], done: Callable[[Any], str], jobs: int = 1
    ) -> None:
        self._items = iter(items)
        self._name_of = name_of
        self._done = done
        self._names: dict[str, None] = {}
        self._results = 0
        self.jobs = jobs
        self.on_change: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = next(self._items)
        self._names[self._name_of(item)] = None
        self.on_change()
        return item

    def take(self, result: Any) -> None:
        """Note that an item is done."""
        self._results += 1
        self._names.pop(self._done(result), None)

    @property
    def told(self) -> str:
        """Return what is being done, in a few words or by the name of a file."""
        if self.jobs > 1 and not self._results:
            return f"starting {self.jobs} processes"
        return next(iter(self._names), "")


def with_progress(
    items: Iterable[T],
    total: Callable[[], int | None],
    label: str,
    underway: Underway[Any] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[T, None, None]:
    """Yield the items, with count, rate, time to go and what is `underway` on stderr where that is a terminal.

    `total` returns how many there are, or None while that is not known. The line is gone while the caller prints.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    line = _Line(label, total, underway, clock)
    line.show()
    try:
        for item in items:
            line.advance(item)
            yield item
            line.show()
    finally:
        _show(ERASE_LINE)


class _Line:
    """The line on the terminal; drawing it costs more than showing it, and is done no oftener than can be seen."""

    def __init__(
        self,
        label: str,
        total: Callable[[], int | None],
        underway: Underway[Any] | None,
        clock: Callable[[], float],
    ) -> None:
        self._console = Console(stderr=True)
        wide = self._console.width > WIDE_COLUMNS
        columns = (TextColumn("{task.description}"), BarColumn(20 if wide else 8), MofNCompleteColumn(), RateColumn())
        self._bar = Progress(*columns, TimeRemainingColumn(), console=self._console, auto_refresh=False)
        self._task = self._bar.add_task(label, total=total())
        self._total, self._underway, self._clock = total, underway, clock
        self._due = float("-inf")
        self._drawn = ""
        if underway is not None:
            underway.on_change = self.show

    def advance(self, result: Any) -> None:
        """Count one item as done, and take the line away."""
        self._bar.advance(self._task)
        if self._underway is not None:
            self._underway.take(result)
        _show(ERASE_LINE)

    def show(self) -> None:
        """Show the line, drawn anew when that is due."""
        if self._clock() >= self._due:
            self._bar.update(self._task, total=self._total())
            self._drawn, self._due = self._drawing(), self._clock() + REDRAW_SECONDS
        _show(ERASE_LINE + self._drawn)

    def _drawing(self) -> str:
        """Return the bar as text for the terminal, cut at its width, and as much of the name as there is room for."""
        with self._console.capture() as drawing:
            self._console.print(self._bar.get_renderable(), end="", no_wrap=True, crop=True)
        bar = drawing.get().partition("\n")[0].rstrip()
        room = self._console.width - cell_len(Text.from_ansi(bar).plain) - 2
        told = printable(self._underway.told) if self._underway is not None else ""
        return f"{bar} {end_of(told, room)}" if told and room > 1 else bar


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
