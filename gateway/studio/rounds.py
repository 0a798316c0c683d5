"""Tasks over several datasets: as few files opened as they take, and no dataset spoils those beside it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from gateway.colour.model import LayerStyle
from gateway.errors import CannotBeDrawn, GatewayError, ObjectMissing, Unavailable, VersionChanged
from gateway.files import FileSource, most_files
from gateway.model import Dataset
from gateway.studio.pictures import Pictures
from gateway.studio.room import Room
from gateway.studio.tally import SET_ASIDE_SECONDS, OneOfSeveral, SetAside
from gateway.studio.tasks import Source, Task, source_of
from gateway.tiles.model import LayerPicture

log = logging.getLogger("gateway")

T = TypeVar("T")
# Does work that waits for a disk in a thread; raises Unavailable when too much waits.
Run = Callable[[Callable[[], None]], Future[None]]

# So many files are sent at first where the first ones may be enough.
GROUP = 8
# Files of all tasks that are under way, and tasks that wait for room for theirs.
MOST_FILES, MOST_WAITING, PART = 512, 64, 8
# A file that is closed again before it was sent is opened so often.
TRIES = 3
TOGETHER = "These files together have ended what draws them; ask for fewer of them, or for less of each."


@dataclass(frozen=True, slots=True)
class Round(Generic[T]):
    """What is asked of several datasets: `make` returns the task for some of them, told whether these are all.

    A `lazy` one may come to None for some of them, and is then asked anew for all. `ids` are those of all datasets
    that an answer may have used, in order, where there are others than the members: those of a `crowd`, which is told
    apart by its pictures and style.
    """

    make: Callable[[tuple[Source, ...], bool], Task[T | None]]
    lazy: bool = False
    ids: Sequence[str] | None = None
    crowd: tuple[str, LayerStyle] | None = None


class Rounds:
    """Asks a studio for tasks over several datasets, and finds out which of them ends its painters."""

    def __init__(self, pictures: Pictures, run: Run) -> None:
        self.pictures, self.run = pictures, run
        self.room = Room(most_files(MOST_FILES, PART), MOST_WAITING)
        self._suspected: set[str] = set()
        self._hopeless: dict[bytes, float] = {}

    def begin(self, members: Sequence[Dataset], asked: Round[T]) -> Future[T]:
        """Return the future of what is asked of these datasets."""
        if self._suspected.intersection(member.id for member in members):
            return _failed(Unavailable("It is being found out which file cannot be drawn.", retry_after_seconds=5))
        if self._hopeless and self._hopeless.get(_digest(members, asked), 0.0) > time.monotonic():
            return _failed(CannotBeDrawn(TOGETHER))
        return Work(self, members, asked).begin()

    def suspect(self, members: Sequence[Dataset], asked: Round[Any]) -> None:
        """Find out which dataset ends painters, by asking each of them alone; such a one is set aside by that.

        Not in a crowd: each would be asked for with all pictures, and be blamed for what they do.
        """
        if asked.crowd is not None:
            self.cleared(members, asked, guilty=False)
            return
        self._suspected.update(member.id for member in members)
        Trial(self, members, asked).go_on()

    def cleared(self, members: Sequence[Dataset], asked: Round[Any], *, guilty: bool) -> None:
        """Take note that it is found out; where none alone was guilty, they are not tried together for a while."""
        self._suspected.difference_update(member.id for member in members)
        if not guilty:
            log.error("%d datasets end painters, and none of them does alone", len(asked.ids or members))
            self._hopeless[_digest(members, asked)] = time.monotonic() + SET_ASIDE_SECONDS


class Work(Generic[T]):
    """One question on its way, in one round or two.

    Futures keep their callbacks, which lead here: once answered, it holds none of them, or answers would hold
    themselves.
    """

    def __init__(self, rounds: Rounds, members: Sequence[Dataset], asked: Round[T]) -> None:
        self.left_out: set[str] = set()
        self._future: Future[T] | None = Future()
        self._rounds, self._members, self._asked = rounds, tuple(members), asked
        self._inner: Future[T | None] | None = None

    def begin(self) -> Future[T]:
        """Ask for the first datasets, or for all; returns the future of the answer."""
        assert self._future is not None  # noqa: S101 - begun once
        future = self._future
        future.add_done_callback(self._dropped)
        few = self._asked.lazy and len(self._members) > GROUP
        self._ask(self._members[:GROUP] if few else self._members, whole=not few)
        return future

    def _ask(self, members: Sequence[Dataset], *, whole: bool) -> None:
        there = [member for member in members if member.id not in self.left_out]
        try:
            count = sum(not self._rounds.pictures.remote(member) for member in there)
            self._rounds.room.enter(count, partial(self._begin, there, count, whole))
        except GatewayError as error:
            self._fail(error)

    def _begin(self, members: Sequence[Dataset], count: int, whole: bool) -> None:
        """Submit the task where all files are open, else have them opened first."""
        try:
            if all(map(self._rounds.pictures.holds, members)):
                self._submit(members, count, whole)
                return
            opening = self._rounds.run(lambda: self._submit(members, count, whole))
        except GatewayError as error:
            self._rounds.room.leave(count)
            self._fail(error)
            return
        opening.add_done_callback(partial(self._opened, count))

    def _opened(self, count: int, opening: Future[None]) -> None:
        error = Unavailable("The server is busy.") if opening.cancelled() else opening.exception()
        if error is not None:
            self._rounds.room.leave(count)
            self._fail(error)

    def _submit(self, members: Sequence[Dataset], count: int, whole: bool) -> None:
        """Submit the task over those of which there is a file; raises what `Pictures.submit` raises."""
        with ExitStack() as closing:
            files, sources = [], []
            for member in members:
                remote = self._rounds.pictures.remote(member)
                if not remote:
                    file = self._file(member)
                    if file is None:
                        continue
                    files.append(closing.enter_context(file))
                # The range of values is the layer's, and nothing else of the record is needed.
                sources.append(replace(source_of(member, remote=remote), raster=None))
            task = self._asked.make(tuple(sources), whole)
            self._inner = inner = self._rounds.pictures.studio.submit(task, files)
        inner.add_done_callback(partial(self._answered, members, count, whole))
        if self._future is None or self._future.cancelled():
            inner.cancel()

    def _file(self, member: Dataset) -> FileSource | None:
        """Return the opened file of a dataset, None where it is gone; raises VersionChanged with its id."""
        try:
            for _ in range(TRIES):
                if (file := self._rounds.pictures.borrowed(member)) is not None:
                    return file
                self._rounds.pictures.open(member)
        except ObjectMissing:
            self.left_out.add(member.id)
            return None
        except VersionChanged as error:
            raise VersionChanged(error.detail, members={"dataset": member.id}) from error
        except OSError as error:
            raise Unavailable("The server is busy.", retry_after_seconds=1) from error
        raise Unavailable("The server is busy.", retry_after_seconds=1)

    def _answered(self, members: Sequence[Dataset], count: int, whole: bool, inner: Future[T | None]) -> None:
        self._rounds.room.leave(count)
        self._inner = None
        if self._future is None or self._future.done():
            return
        error = Unavailable("The server is shutting down.") if inner.cancelled() else inner.exception()
        if isinstance(error, SetAside):
            self.left_out |= error.ids
            self._ask(self._members if whole else members, whole=whole)
        elif isinstance(error, OneOfSeveral):
            self._rounds.suspect(members, self._asked)
            self._fail(Unavailable(error.detail, retry_after_seconds=5))
        elif error is not None:
            self._fail(error)
        elif (result := inner.result()) is None:
            self._ask(self._members, whole=True)
        elif (future := self._taken()) is not None:
            future.set_result(self._told(result))

    def _told(self, result: T) -> T:
        """Return an answer that tells of all datasets that were left out, and of none that was not asked about."""
        if isinstance(result, LayerPicture):
            gone = {*result.left_out, *self.left_out}
            picture: Any = replace(result, used=self._used(result.used), left_out=self._in_order(gone))
            return picture  # type: ignore[no-any-return]
        if isinstance(result, dict) and "left_out" in result:
            result["left_out"] = list(self._in_order({*result["left_out"], *self.left_out}))
        if isinstance(result, dict) and "used" in result:
            result["used"] = list(self._used(result["used"]))
        return result

    def _used(self, told: Iterable[str]) -> tuple[str, ...]:
        known, used = self._asked.ids, set(told)
        return tuple(id for id in (known or [member.id for member in self._members]) if id in used)

    def _in_order(self, ids: set[str]) -> tuple[str, ...]:
        return tuple(member.id for member in self._members if member.id in ids)

    def _dropped(self, future: Future[T]) -> None:
        if not future.cancelled():
            return
        self._future = None
        if (inner := self._inner) is not None:
            inner.cancel()

    def _fail(self, error: BaseException) -> None:
        if (future := self._taken()) is not None:
            future.set_exception(error)

    def _taken(self) -> Future[T] | None:
        """Return the future, which is settled by whoever takes it; None where somebody has, or nobody waits."""
        future, self._future = self._future, None
        if future is None or future.done() or not future.set_running_or_notify_cancel():
            return None
        return future


class Trial:
    """Datasets that are asked for one after the other, to find out which of them ends painters.

    It goes on though nobody waits for it: who comes next profits by it.
    """

    def __init__(self, rounds: Rounds, members: Sequence[Dataset], asked: Round[Any]) -> None:
        self._rounds, self._members, self._asked = rounds, members, replace(asked, lazy=False)
        # A picture that takes too long says so at the second time.
        self._left = deque((member, 1) for member in members)
        self._guilty = False

    def go_on(self) -> None:
        """Ask for the next one, or tell what was found out."""
        if not self._left:
            self._rounds.cleared(self._members, self._asked, guilty=self._guilty)
            return
        member, tries = self._left.popleft()
        work = Work(self._rounds, (member,), self._asked)
        work.begin().add_done_callback(partial(self._tried, member, tries, work))

    def _tried(self, member: Dataset, tries: int, work: Work[Any], asked: Future[Any]) -> None:
        if tries and not asked.cancelled() and isinstance(asked.exception(), Unavailable):
            self._left.appendleft((member, tries - 1))
        self._guilty |= bool(work.left_out)
        self.go_on()


def _digest(members: Sequence[Dataset], asked: Round[Any]) -> bytes:
    told = [f"{member.id} {member.version}" for member in members] if asked.crowd is None else map(repr, asked.crowd)
    return hashlib.blake2b("\n".join(told).encode(), digest_size=16).digest()


def _failed(error: GatewayError) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
