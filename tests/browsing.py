"""Chromium for tests: a page that may reach loopback alone, and whose console and policy are watched.

One browser serves all tests of a process. It lives on the loop that it was launched on, so these tests share a loop,
which a `conftest.py` imports from here:

    from tests.browsing import io_loop

    @pytest.mark.gen_test
    async def test_page(http_server, base_url):
        async with opened_page() as page:
            await page.goto(base_url)
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright
from tornado.ioloop import IOLoop

ARGUMENTS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip
# Its event is heard in every frame before any script of the page runs.
LISTEN = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.effectiveDirective} refused ${event.blockedURI}`));
"""


@dataclass
class Watch:
    """What a page complained of; `allowed` are patterns of what the test means to provoke."""

    allowed: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"uncaught: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium asks for an icon where a page names none, and calls its own drawing without a GPU slow.
        own = message.location.get("url", "").endswith("/favicon.ico") or "GL Driver Message" in message.text
        if message.type in ("error", "warning") and not own:
            self.seen.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    @property
    def complaints(self) -> list[str]:
        """What nobody expected."""
        return [told for told in self.seen if not any(re.search(pattern, told) for pattern in self.allowed)]


def chromium_path() -> str:
    """The browser's path; without it the test is skipped, but not where changes are judged."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("chromium is not installed")
    return path


@asynccontextmanager
async def launch() -> AsyncIterator[Browser]:
    """A headless Chromium, closed at the end."""
    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


class Kept:
    """The browser of all tests of this process, launched for the first that wants it and again where it has crashed."""

    def __init__(self) -> None:
        self._launched = AsyncExitStack()
        self._browser: Browser | None = None

    async def browser(self) -> Browser:
        """Return the browser, on the loop of every test that asks for it."""
        if self._browser is None or not self._browser.is_connected():
            await self.close()
            self._browser = await self._launched.enter_async_context(launch())
        return self._browser

    async def close(self) -> None:
        """End the browser."""
        self._browser = None
        await self._launched.aclose()


KEPT = Kept()


@pytest.fixture(scope="session")
def lasting_loop() -> Iterator[IOLoop]:
    """The loop of the browser, which ends with it."""
    loop = IOLoop(make_current=False)
    yield loop
    loop.run_sync(KEPT.close)
    loop.close(all_fds=True)


@pytest.fixture
def io_loop(lasting_loop: IOLoop) -> Iterator[IOLoop]:
    """The loop of the browser as that of a test and of the gateway under test."""
    asyncio.set_event_loop(lasting_loop.asyncio_loop)
    yield lasting_loop
    asyncio.set_event_loop(None)


@asynccontextmanager
async def watched_page(browser: Browser, allowed: Iterable[str] = (), **options: Any) -> AsyncIterator[Page]:
    """A page in a context of its own, made with playwright's `options`; fails at the end when it complained."""
    # Every pixel is drawn by the processor.
    context: BrowserContext = await browser.new_context(**{"viewport": {"width": 960, "height": 600}, **options})
    try:
        await context.add_init_script(LISTEN)
        page = await context.new_page()
        # The server shares this loop with the other tests of the machine.
        page.set_default_timeout(60_000)
        watch = Watch(tuple(allowed))
        watch.on(page)
        yield page
    finally:
        await context.close()
    if watch.complaints:
        raise AssertionError("\n".join(watch.complaints))


@asynccontextmanager
async def opened_page(allowed: Iterable[str] = (), **options: Any) -> AsyncIterator[Page]:
    """A watched page in the browser of this process."""
    async with watched_page(await KEPT.browser(), allowed, **options) as page:
        yield page
