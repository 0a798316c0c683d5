"""Colour maps as values, of files and of requests."""

from __future__ import annotations

Rgba = tuple[int, int, int, int]
# Each colour stands for one value, or for all values from the first of a pair up to but not including the second.
Colormap = tuple[tuple[float | tuple[float, float], Rgba], ...]
