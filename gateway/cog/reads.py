"""Many single words of a source, read together where they lie near each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat

import numpy as np
import numpy.typing as npt

from gateway.cog.rules import finding
from gateway.cog.tiff import StructureError
from gateway.files import FileSource
from gateway.model import ByteSource

Offsets = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]

WORD_BYTES = 4
# To read over a gap costs less than another read, up to here: a copy of a file, a round trip on a network.
GAP_BYTES, REMOTE_GAP_BYTES = 4 * 1024, 64 * 1024
# No read and no batch of reads is much longer; such a buffer stays in the processor's cache.
BATCH_BYTES = 256 * 1024


def read_words(source: ByteSource, offsets: Offsets) -> Words:
    """Return the little-endian uint32 at each of the ascending offsets.

    Raises StructureError when the source has become shorter, and its own OSError.
    """
    gap = REMOTE_GAP_BYTES if source.remote else GAP_BYTES
    apart = np.flatnonzero((offsets[1:] - offsets[:-1] > gap + WORD_BYTES) | _differ(offsets)) + 1
    # Words number `firsts` to `stops` make one run, which is one read.
    firsts, stops = np.append(0, apart), np.append(apart, len(offsets))
    lengths = offsets[stops - 1] + WORD_BYTES - offsets[firsts]
    cuts = np.flatnonzero(_differ(np.cumsum(lengths))) + 1
    words = np.empty(len(offsets), np.uint32)
    for begin, end in pairwise([0, *cuts.tolist(), len(firsts)]):
        batch = slice(firsts[begin], stops[end - 1])
        words[batch] = _batch(source, offsets[batch], firsts[begin:end] - firsts[begin], lengths[begin:end])
    return words


def _differ(places: Offsets) -> npt.NDArray[np.bool_]:
    """Return whether each place but the first lies in another batch than the one before."""
    number = places // BATCH_BYTES
    differ: npt.NDArray[np.bool_] = number[1:] != number[:-1]
    return differ


def _pieces(source: ByteSource, starts: Iterable[int], lengths: Iterable[int]) -> Iterator[bytes]:
    """Return an iterator over the bytes of some runs; of a plain file without a call of ours for each."""
    if isinstance(source, FileSource) and type(source).read_at is FileSource.read_at:
        return map(os.pread, repeat(source.fd), lengths, starts)
    return map(source.read_at, starts, lengths)


def _batch(source: ByteSource, offsets: Offsets, firsts: Offsets, lengths: Offsets) -> Words:
    """Return the words of some runs, which are read one after the other."""
    starts = offsets[firsts]
    raw = b"".join(_pieces(source, starts.tolist(), lengths.tolist()))
    if len(raw) < lengths.sum():
        raise StructureError(finding("changed-while-read", "The file ends before its own length."))
    shifts = np.cumsum(lengths) - lengths - starts
    places = offsets + (shifts if len(shifts) == 1 else np.repeat(shifts, np.diff(firsts, append=len(offsets))))
    # A word at every byte: the view takes no memory, and indexing copies the wanted ones.
    view: Words = np.ndarray(len(raw) - WORD_BYTES + 1, "<u4", raw, strides=(1,))
    return view[places]
