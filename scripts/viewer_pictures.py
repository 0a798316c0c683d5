#!/usr/bin/env python3
"""Take the pictures of docs/viewer.md: the demo in a headless Chromium, one picture for each state.

    python scripts/viewer_pictures.py [--into FOLDER] [--form webp|png] [NAME ...]
    python scripts/viewer_pictures.py --review --into /tmp/pictures --form png

Needs the test extra and Debian's package chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from imagecodecs import png_decode, webp_encode
from picture_scenes import scenes
from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).parent.parent
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")
QUALITY = 82
DESK = {"width": 1200, "height": 760}
PHONE = {"width": 360, "height": 740}
SUMMIT = "#dataset={elevation}"


class Demo(NamedTuple):
    """A running demo: its page, a bearer token, the ids of its datasets by file name, and the page over scenes."""

    url: str
    bearer: str
    ids: dict[str, str]
    scenes: str = ""


@contextlib.contextmanager
def demo(root: Path = ROOT) -> Iterator[Demo]:
    """Yield the demo of a checkout on a free port, ended afterwards."""
    command = [sys.executable, "-u", "-m", "gateway", "demo", "--port", "0"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines: list[str] = []
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if line.startswith("Ctrl-C"):
                    break
            told = "\n".join(lines)
            base = re.search(r"(https?://[^\s/]+)/api\b", told)
            bearer = re.search(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", told)
            if base is None or bearer is None:
                raise SystemExit(f"the demo did not start:\n{told}")
            ids = dict(re.findall(r"^ {2}(\w+)\.tif +registered +(\S+)", told, re.MULTILINE))
            yield Demo(f"{base[1]}/", bearer[0], ids)
        finally:
            process.send_signal(signal.SIGTERM)


async def settled(page: Page) -> None:
    """Return when nothing is loading any more and the map has faded in."""
    await page.wait_for_load_state("networkidle")
    await page.wait_for_timeout(700)


async def sign_in(page: Page, demo: Demo) -> None:
    """Paste the demo's token into the dialog."""
    await page.click("#account")
    await page.fill("#bearer", demo.bearer)
    await page.click("#signin-form button[type=submit]")
    await page.wait_for_selector("#who:not([hidden])")


async def show_list(page: Page, demo: Demo) -> None:
    """Show the list, signed in, with its outlines."""
    await sign_in(page, demo)
    await settled(page)
    await page.hover(f"[data-id='{demo.ids['elevation']}']")


async def show_collection(page: Page, demo: Demo) -> None:
    """Show the collection of the samples, signed in."""
    await sign_in(page, demo)
    await page.click("#collections .item")
    await page.wait_for_selector("#collection-facts span")


async def show_layer(page: Page, demo: Demo) -> None:
    """Show a collection as one layer, with its slider and its style."""
    await page.goto(f"{demo.scenes}#collection=scenes&colors=viridis")
    await page.wait_for_selector("#legend img")
    await page.click("#layer-style summary")


async def show_days(page: Page, _: Demo) -> None:
    """Show a list that days narrow."""
    await page.fill("#since", "2000-01-01")
    await page.fill("#until", "2009-12-31")


async def show_map(page: Page, demo: Demo) -> None:
    """Show the Blue Marble over the graticule."""
    await page.click(f".item[data-id='{demo.ids['blue_marble']}']")
    await page.wait_for_selector("#how:not([hidden])")


async def show_elevation(page: Page, demo: Demo) -> None:
    """Show elevation with legend and histogram."""
    await sign_in(page, demo)
    await page.goto(demo.url + SUMMIT.format(**demo.ids))
    await page.wait_for_selector("#legend img")
    await settled(page)


async def show_values(page: Page, demo: Demo) -> None:
    """Show elevation and the values at a point."""
    await show_elevation(page, demo)
    box = await page.locator("#map").bounding_box() or {}
    await page.mouse.click(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2)
    await page.wait_for_selector("#popup dd")


async def show_use(page: Page, demo: Demo) -> None:
    """Show the lines for another program."""
    await show_elevation(page, demo)
    await page.click("#use-open")


async def show_direct(page: Page, demo: Demo) -> None:
    """Show the file as read in the browser."""
    await sign_in(page, demo)
    await page.goto(demo.url + SUMMIT.format(**demo.ids) + "&how=direct")
    await page.wait_for_selector("#direct-told:has-text('Drawn from')")


async def show_about(page: Page, demo: Demo) -> None:
    """Show what is known of a dataset."""
    await show_map(page, demo)
    await page.click("#tab-details")


async def show_report(page: Page, demo: Demo) -> None:
    """Show the report of the check."""
    await show_map(page, demo)
    await page.click("#tab-report")


async def show_refused(page: Page, demo: Demo) -> None:
    """Show a link to what the visitor may not see."""
    await page.goto(demo.url + SUMMIT.format(**demo.ids))
    await page.wait_for_selector("#dataset-state button")


async def show_empty(page: Page, _: Demo) -> None:
    """Show a search without a result."""
    await page.fill("#q", "glacier")
    await page.wait_for_selector("#list-state .state-title")


async def show_signin(page: Page, _: Demo) -> None:
    """Show the dialog with a token that is not accepted."""
    await page.click("#account")
    await page.fill("#bearer", "not-a-token")
    await page.click("#signin-form button[type=submit]")
    await page.wait_for_selector("#signin-error:has-text('Not a valid token')")


async def show_gone(page: Page, _: Demo) -> None:
    """Show a server that has gone."""
    await page.route("**/*", lambda route: route.abort("connectionrefused"))
    await page.fill("#q", "x")
    await page.wait_for_selector("#banner:not([hidden])")


async def show_help(page: Page, _: Demo) -> None:
    """Show the help."""
    await page.click("#help-open")


async def show_api(page: Page, demo: Demo) -> None:
    """Show the API's page."""
    await page.goto(f"{demo.url}api/docs")
    await page.wait_for_selector(".opblock")


async def show_examples(page: Page, demo: Demo) -> None:
    """Show an example."""
    await page.goto(f"{demo.url}examples/leaflet.html#dataset={demo.ids['blue_marble']}")
    await page.wait_for_selector("body[data-drawn=yes]")


Step = Callable[[Page, Demo], Awaitable[None]]
Pictures = list[tuple[str, "Step", dict[str, Any]]]
PICTURES: tuple[tuple[str, Step, dict[str, Any]], ...] = (
    ("list", show_list, {}),
    ("values", show_values, {}),
    ("values-dark", show_values, {"color_scheme": "dark"}),
    ("use", show_use, {}),
    ("direct", show_direct, {}),
    ("layer", show_layer, {}),
    ("phone-list", show_list, {"viewport": PHONE}),
    ("phone-values", show_elevation, {"viewport": PHONE}),
    ("phone-dark", show_elevation, {"viewport": PHONE, "color_scheme": "dark"}),
)
STATES = (
    show_list, show_collection, show_layer, show_days, show_map, show_elevation, show_values, show_use, show_direct,
    show_about, show_report, show_refused, show_empty, show_signin, show_gone, show_help, show_api, show_examples,
)  # fmt: skip
SIZES = ((1440, 900), (1024, 768), (390, 844))


def reviewed() -> Iterator[tuple[str, Step, dict[str, Any]]]:
    """Yield every state at three sizes, light and dark."""
    for width, height in SIZES:
        for scheme in ("light", "dark"):
            for step in STATES:
                name = f"{width}-{scheme}-{step.__name__.removeprefix('show_')}"
                yield name, step, {"viewport": {"width": width, "height": height}, "color_scheme": scheme}


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Yield the browser of this machine."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


async def take(browser: Browser, demo: Demo, into: Path, form: str, wanted: Pictures) -> None:
    """Write the pictures into a folder."""
    for name, step, options in wanted:
        context = await browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **options})
        page = await context.new_page()
        await page.goto(demo.url)
        await settled(page)
        await step(page, demo)
        await settled(page)
        png = await page.screenshot()
        path = into / f"viewer-{name}.{form}"
        path.write_bytes(png if form == "png" else webp_encode(png_decode(png), level=QUALITY, lossless=False))
        print(f"{path} {path.stat().st_size} bytes")
        await context.close()


async def main(into: Path, form: str, wanted: Pictures) -> None:
    """Start demo and browser, and take the pictures."""
    into.mkdir(parents=True, exist_ok=True)
    with demo() as samples, scenes(ROOT) as url:
        running = samples._replace(scenes=url)
        async with chromium() as browser:
            await take(browser, running, into, form, wanted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take the pictures of docs/viewer.md.")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    parser.add_argument("--form", choices=("webp", "png"), default="webp", help="form of the pictures")
    parser.add_argument("--review", action="store_true", help="every state at three sizes, light and dark")
    parser.add_argument("only", nargs="*", help="names of the pictures wanted; none: all")
    given = parser.parse_args()
    if given.review and given.into == parser.get_default("into"):
        parser.error("--review makes many pictures: name another folder with --into")
    every = reviewed() if given.review else iter(PICTURES)
    asyncio.run(main(given.into, given.form, [each for each in every if not given.only or each[0] in given.only]))
