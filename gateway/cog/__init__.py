"""The COG check: what a file is, read once, and every rule that it breaks."""

from __future__ import annotations

from gateway.cog.decode import Damage, check_payload, find_damage, findings_of
from gateway.cog.inspection import DEPTHS, inspect, not_regular_report
from gateway.cog.layout import Layout, read_layout

__all__ = [
    "DEPTHS",
    "Damage",
    "Layout",
    "check_payload",
    "find_damage",
    "findings_of",
    "inspect",
    "not_regular_report",
    "read_layout",
]
