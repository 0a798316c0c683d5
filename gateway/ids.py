"""Ids that are made here."""

from __future__ import annotations

import os
import time


def time_ordered_id() -> str:
    """Return a new UUID of version 7 (RFC 9562 section 5.7) as text: it sorts by the millisecond of its making."""
    digits = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    return (
        f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}"
    )
