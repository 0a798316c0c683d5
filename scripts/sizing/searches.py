"""Searches that are asked of a large archive, and how long an answer takes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta

from gateway.catalogue.search import Interval, Search
from scripts.sizing import values

LIMIT = 100
Box = tuple[float, float, float, float]


def box(chance: random.Random, side: float) -> Box:
    """Return a box of so many degrees somewhere on land and sea."""
    west, south = chance.uniform(-180, 180 - side), chance.uniform(-60, 78 - side)
    return west, south, west + side, south + side


def month(chance: random.Random) -> Interval:
    """Return thirty days of those that the archive shows."""
    begin = values.FIRST_DAY + timedelta(days=chance.randrange(values.DAYS - 30))
    return Interval(begin, begin + timedelta(days=30))


def searches(chance: random.Random) -> dict[str, Callable[[], Search]]:
    """Return by name what makes a search, each time another one of the kind."""
    return {
        "box of 0.4 degrees and a month": lambda: Search(bbox=box(chance, 0.4), datetime=month(chance), limit=LIMIT),
        "box of 0.4 degrees": lambda: Search(bbox=box(chance, 0.4), limit=LIMIT),
        "box of 20 degrees and a month": lambda: Search(bbox=box(chance, 20), datetime=month(chance), limit=LIMIT),
        "box of 20 degrees": lambda: Search(bbox=box(chance, 20), limit=LIMIT),
        "a month of the world": lambda: Search(datetime=month(chance), limit=LIMIT),
        "newest of the world": lambda: Search(limit=LIMIT),
        "newest of a collection": lambda: Search(collections=(values.collection_of(3),), limit=LIMIT),
    }


def percentiles(took: list[float]) -> tuple[float, float]:
    """Return p50 and p99 in ms of times in seconds."""
    ordered = sorted(took)
    p50, p99 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 for share in (0.5, 0.99))
    return p50, p99


def timed(ask: Callable[[], object], times: int, seconds: float) -> tuple[list[float], object]:
    """Return how long each answer took in seconds, and the last one; the first is not counted."""
    took: list[float] = []
    answer = ask()
    while not took or (len(took) < times and sum(took) < seconds):
        began = time.perf_counter()
        answer = ask()
        took.append(time.perf_counter() - began)
    return took, answer
