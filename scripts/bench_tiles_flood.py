"""What many tiles do to the memory of a server, and to the downloads beside them."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

from bench_downloads import ranges
from bench_tiles_sides import WALK, Side, ask_all

FLOOD_CONNECTIONS, RANGE_BYTES = 50, 16 * 1024
GROWTH_REACH = 1.03


def memory(sides: list[Side], paths: dict[str, list[str]], connections: int) -> None:
    """Print RSS and PSS of each side after half of the paths and after all; with TiTiler, whether ours is less."""
    half = len(next(iter(paths.values()))) // 2
    print(f"\n| MB, all processes | after {half:,} tiles: RSS | PSS | after {2 * half:,}: RSS | PSS | PSS growth |")
    print("|---|---|---|---|---|---|")
    last = []
    for side in sides:
        found = []
        for part in (paths[side.name][:half], paths[side.name][half:]):
            ask_all(side, part, connections)
            found.append(side.memory_mb())
        growth = found[1]["PSS"] / found[0]["PSS"]
        last.append((growth, found[1]["PSS"]))
        cells = [f"{memory[kind]:.0f}" for memory in found for kind in ("RSS", "PSS")]
        print(f"| {side.name} | " + " | ".join(cells) + f" | {100 * (growth - 1):+.1f} % |", flush=True)
    print(f"\nGrowth of ours at most {GROWTH_REACH - 1:.0%}: {'yes' if last[0][0] <= GROWTH_REACH else 'no'}.")
    if len(last) > 1:
        print(f"PSS of ours at most TiTiler's: {'yes' if last[0][1] <= last[1][1] else 'no'}.")


def downloads(side: Side, tiles: list[str], extent: tuple[int, int], folder: Path) -> None:
    """Print p99 of small ranges without tiles and with as many tiles in flight as there are connections for them."""
    rounds, seconds = extent
    listed, script = folder / "flood.txt", folder / "flood.lua"
    listed.write_text("\n".join(tiles) + "\n")
    script.write_text(WALK.format(offset=0, file=listed))
    flood = ["wrk", "-t1", f"-c{FLOOD_CONNECTIONS}", f"-d{seconds + 2}s", "--timeout", "30s", "-s", str(script),
             f"http://127.0.0.1:{side.port}"]  # fmt: skip
    calm, beside = [], []
    for _ in range(rounds):
        calm.append(_p99(side, seconds, folder))
        with subprocess.Popen(flood, stdout=subprocess.PIPE) as running:
            beside.append(_p99(side, seconds, folder))
            running.communicate()
    quiet, flooded = statistics.median(calm), statistics.median(beside)
    print(f"\n| 16 KiB ranges, 16 connections, {rounds} rounds | p99 ms |\n|---|---|")
    print(f"| no tiles | {quiet:.1f} |\n| {FLOOD_CONNECTIONS} tiles in flight | {flooded:.1f} |", flush=True)


def _p99(side: Side, seconds: int, folder: Path) -> float:
    return ranges(side.downloads[0], RANGE_BYTES, side.size_bytes, seconds, folder)["p99 ms"]
