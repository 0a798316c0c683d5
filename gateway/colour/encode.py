"""Pixels of eight bits as PNG, JPEG or WebP: one filter and a fast deflate, a palette where there is one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from gateway.colour.model import TileFormat

# (bands, rows, cols) with one band or three, and (rows, cols).
Bytes = npt.NDArray[np.uint8]

# The qualities that rio-tiler asks GDAL for.
JPEG_QUALITY, WEBP_QUALITY = 85, 75
# Method 0 takes half of the time of method 2; what it writes is a quarter larger, of busy pictures a twentieth.
WEBP_METHOD, BUSY_WEBP_METHOD = 2, 0
# The mean difference of neighbours from which a picture is busy: slow searches find little to save in it.
BUSY = 12.0
# JPEG's usual tables are fit for pixels that are enlarged so many times; of larger ones a quarter could be saved.
MOST_TIMES = 2
# ISA-L's levels are 0 to 3.
DEFLATE_LEVEL = 1
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Colour types of PNG by the number of samples (ISO/IEC 15948, 11.2.2), and the one with a palette.
COLOUR_TYPES: Mapping[int, int] = {1: 0, 2: 4, 3: 2, 4: 6}
PALETTE = 3
FILTER_NONE, FILTER_UP = 0, 2


def encode(format: TileFormat, pixels: Bytes, mask: Bytes | None) -> bytes:
    """Return an image of one band (grey) or three; `mask` becomes its alpha, JPEG has none."""
    return ENCODERS[format](pixels, mask)


def png(pixels: Bytes, mask: Bytes | None) -> bytes:
    """Return a PNG of grey or RGB, with alpha where there is a mask."""
    samples = _interleaved(pixels, mask)
    rows, columns, count = samples.shape
    flat = samples.reshape(rows, columns * count)
    lines = np.empty((rows, 1 + columns * count), np.uint8)
    lines[:, 0] = FILTER_UP
    lines[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=lines[1:, 1:])
    return _png(columns, rows, COLOUR_TYPES[count], lines)


def palette_png(indices: Bytes, colours: Bytes, mask: Bytes | None) -> bytes | None:
    """Return a PNG with a palette, or None where it cannot be made.

    `indices` are (rows, cols), `colours` (256, 4) as RGBA. Where `mask` is 0 the pixel is transparent; that takes an
    entry of the palette which no other pixel uses.
    """
    colours = colours.copy()
    if mask is not None:
        held = mask > 0
        unused = np.flatnonzero(np.bincount(indices[held], minlength=256) == 0)
        if not len(unused) or np.any(held & (mask < 255)):
            return None
        indices = np.where(held, indices, np.uint8(unused[0]))
        colours[unused[0]] = 0
    count = int(indices.max()) + 1
    rows, columns = indices.shape
    lines = np.empty((rows, 1 + columns), np.uint8)
    lines[:, 0] = FILTER_NONE
    lines[:, 1:] = indices
    chunks = _chunk(b"PLTE", colours[:count, :3].tobytes())
    if np.any(colours[:count, 3] < 255):
        chunks += _chunk(b"tRNS", colours[:count, 3].tobytes())
    return _png(columns, rows, PALETTE, lines, chunks)


def jpeg(pixels: Bytes, _: Bytes | None) -> bytes:
    """Return a JPEG of grey or RGB."""
    samples = _interleaved(pixels, None)
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    busy, times = _grain(samples)
    return bytes(imagecodecs.jpeg8_encode(samples, level=JPEG_QUALITY, optimize=not busy or times > MOST_TIMES))


def webp(pixels: Bytes, mask: Bytes | None) -> bytes:
    """Return a WebP of RGB, grey spread over three bands, with alpha where there is a mask."""
    samples = _interleaved(np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels, mask)
    method = BUSY_WEBP_METHOD if _grain(samples)[0] else WEBP_METHOD
    return bytes(imagecodecs.webp_encode(samples, level=WEBP_QUALITY, lossless=False, method=method))


ENCODERS: Mapping[TileFormat, Callable[[Bytes, Bytes | None], bytes]] = {
    TileFormat.PNG: png,
    TileFormat.JPEG: jpeg,
    TileFormat.WEBP: webp,
}


def _interleaved(pixels: Bytes, mask: Bytes | None) -> Bytes:
    """Return (rows, cols, samples), contiguous, the mask as the last sample."""
    samples: Bytes = pixels.transpose(1, 2, 0)
    if mask is None and samples.flags.c_contiguous:
        # Of one row and column numpy leaves strides that codecs do not take for contiguous.
        return samples if samples.size > samples.shape[2] else samples.ravel().reshape(samples.shape).copy()
    bands = [np.ascontiguousarray(band) for band in (pixels if mask is None else (*pixels, mask))]
    merged: Bytes = np.asarray(cv2.merge(bands), np.uint8)
    return merged.reshape(*pixels.shape[1:], len(bands))


def _grain(samples: Bytes) -> tuple[bool, int]:
    """Return whether neighbours across differ much, and how many times pixels are enlarged, 1 where they are not.

    By every eighth row; `samples` has rows and columns first. Of enlarged pixels each counts once.
    """
    rows, times = samples[::8], 1
    while rows.shape[1] % 2 == 0 and all(_doubled(some) for some in (rows[:1], rows)):
        rows, times = rows[:, ::2], 2 * times
    return rows.shape[1] > 1 and float(cv2.absdiff(rows[:, 1:], rows[:, :-1]).mean()) > BUSY, times


def _doubled(rows: Bytes) -> bool:
    """Return whether each second pixel is as the one before it."""
    return np.array_equal(rows[:, ::2], rows[:, 1::2])


def _png(columns: int, rows: int, colour_type: int, lines: npt.NDArray[Any], chunks: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", columns, rows, 8, colour_type, 0, 0, 0)
    body = isal_zlib.compress(lines, level=DEFLATE_LEVEL)
    return SIGNATURE + _chunk(b"IHDR", header) + chunks + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = isal_zlib.crc32(body, isal_zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
