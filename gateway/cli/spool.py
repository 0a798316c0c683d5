"""Items kept for later, as many as there may be: a few in memory, more of them in a file."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Those of most archives; a file's name and path take about 200 bytes.
MEMORY_BYTES = 32 << 20


class Spool(Generic[T]):
    """The picklable items of an iterator, taken to its end, and read again in their order.

    The objects that `shared` returns of an item, such as the storage of a bucket, are kept as they are. Memory is
    bounded whatever the number of items; the others are in a temporary file without a name. Raises OSError when that
    cannot be written.
    """

    def __init__(self, items: Iterable[T], shared: Callable[[T], Iterable[object]] = lambda _: ()) -> None:
        self._file = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._kept: list[object] = []
        self._count = 0
        pickler = _Pickler(self._file)
        for item in items:
            for each in shared(item):
                if pickler.numbers.setdefault(id(each), len(self._kept)) == len(self._kept):
                    self._kept.append(each)
            pickler.dump(item)
            # What has been written would be kept alive to be referred to.
            pickler.clear_memo()
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        for _ in range(self._count):
            item: T = _Unpickler(self._file, self._kept).load()
            yield item

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class _Pickler(pickle.Pickler):
    """Writes the number of an object that is kept in its place; `numbers` has it by the object's id()."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.numbers: dict[int, int] = {}

    def persistent_id(self, obj: object) -> int | None:
        """Return the number of an object that is kept."""
        return self.numbers.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, kept: list[object]) -> None:
        super().__init__(file)
        self._kept = kept

    def persistent_load(self, pid: int) -> object:
        """Return the object of that number."""
        return self._kept[pid]
