"""What a worker is busy with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Load:
    """Requests that are being answered now, and whether the worker is on its way out."""

    requests: int = 0
    draining: bool = False
