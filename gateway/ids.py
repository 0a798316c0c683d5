"""Ids that are made here, and those that clients send."""

from __future__ import annotations

import os
import re
import time

# By this parameter a presigned URL carries the id of the request that it answers.
REQUEST_ID_PARAMETER = "x-cog-gateway-request-id"
UUID_FORM = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def time_ordered_id() -> str:
    """Return a new UUID of version 7 (RFC 9562 section 5.7) as text: it sorts by the millisecond of its making."""
    digits = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    return (
        f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}"
    )


def dataset_uuid(text: str) -> str | None:
    """Return a dataset id in its one stored form, lower case, or None where `text` is no such id.

    Only the hyphenated form 8-4-4-4-12 of ASCII hex digits is an id, in any case (RFC 9562 section 4).
    Braces, `urn:uuid:`, missing hyphens and surrounding white space are not.
    """
    return text.lower() if UUID_FORM.fullmatch(text) else None
