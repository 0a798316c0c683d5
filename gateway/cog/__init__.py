"""The COG check: what a file is, read once, and every rule that it breaks."""

from __future__ import annotations

from gateway.cog.inspection import DEPTHS, inspect, not_regular_report

__all__ = ["DEPTHS", "inspect", "not_regular_report"]
