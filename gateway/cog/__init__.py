"""The COG check: what a file is, read once, and every rule that it breaks.

The parts that need GDAL are imported when they are first used: a process that only names rules does not load it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.cog.decode import Damage, check_payload, find_damage, findings_of
    from gateway.cog.depths import DEPTHS, is_deeper, reaches, usual_depth
    from gateway.cog.inspection import inspect, not_regular_report
    from gateway.cog.layout import Layout, read_layout

__all__ = [
    "DEPTHS",
    "Damage",
    "Layout",
    "check_payload",
    "find_damage",
    "findings_of",
    "inspect",
    "is_deeper",
    "not_regular_report",
    "reaches",
    "read_layout",
    "usual_depth",
]
MODULES = {
    "decode": ("Damage", "check_payload", "find_damage", "findings_of"),
    "depths": ("DEPTHS", "is_deeper", "reaches", "usual_depth"),
    "inspection": ("inspect", "not_regular_report"),
    "layout": ("Layout", "read_layout"),
}
MODULE_OF = {name: module for module, names in MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULE_OF[name]}"), name)
