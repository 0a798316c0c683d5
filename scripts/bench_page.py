#!/usr/bin/env python3
"""How soon the viewer shows something: this checkout's page beside that of another one, in one run on one machine.

    python scripts/bench_page.py --other FOLDER [--rounds 8]

Each checkout runs its demo. A headless Chromium with an empty cache opens the start page until the list has a row,
and a link to the Blue Marble until all of its tiles can be seen. Rounds are interleaved, the first is not counted;
medians are printed with ratios. Needs the test extra and Debian's package chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from contextlib import ExitStack
from pathlib import Path

from playwright.async_api import Browser
from viewer_pictures import ROOT, Demo, chromium, demo

WINDOW = {"width": 1440, "height": 900}
# Writes down when the document first matches a selector, in ms since the navigation began.
WATCH = """
const note = () => {
  for (const [name, selector] of [["list", ".item"], ["picture", "#map[aria-busy=false]"]])
    if (document.documentElement && !(name in document.documentElement.dataset) && document.querySelector(selector))
      document.documentElement.dataset[name] = performance.now();
};
const changes = { attributes: true, attributeFilter: ["aria-busy"], childList: true, subtree: true };
new MutationObserver(note).observe(document, changes);
"""
STATES = {"list": "", "picture": "#dataset={blue_marble}"}


async def opened_ms(browser: Browser, site: Demo, state: str) -> float:
    """Return the time until the page shows a state, in a context without any cache."""
    context = await browser.new_context(viewport=WINDOW, reduced_motion="reduce")
    page = await context.new_page()
    await page.add_init_script(WATCH)
    await page.goto(site.url + STATES[state].format(**site.ids))
    await page.wait_for_selector(f"html[data-{state}]", state="attached")
    taken = float(await page.get_attribute("html", f"data-{state}") or "nan")
    await context.close()
    return taken


async def compare(sites: dict[str, Demo], rounds: int) -> None:
    """Print the medians of both pages for each state, and what this one has of the other."""
    runs: dict[tuple[str, str], list[float]] = {(state, name): [] for state in STATES for name in sites}
    async with chromium() as browser:
        for number in range(rounds + 1):
            for (state, name), found in runs.items():
                taken = await opened_ms(browser, sites[name], state)
                found.extend([taken] if number else [])
    print("| ms, median (least to most) | " + " | ".join(sites) + " | this ÷ other |")
    print("|---" * (2 + len(sites)) + "|")
    for state in STATES:
        shown = [runs[state, name] for name in sites]
        cells = [f"{statistics.median(each):.0f} ({min(each):.0f} to {max(each):.0f})" for each in shown]
        ratio = statistics.median(runs[state, "this"]) / statistics.median(runs[state, "other"])
        print(f"| {state} | " + " | ".join(cells) + f" | {ratio:.2f} |")


def main() -> None:
    """Start both demos and compare their pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, help="folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    with ExitStack() as stack:
        roots = {"other": options.other.resolve(), "this": ROOT}
        sites = {name: stack.enter_context(demo(root)) for name, root in roots.items()}
        asyncio.run(compare(sites, options.rounds))


if __name__ == "__main__":
    main()
