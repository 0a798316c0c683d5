"""The gateway with the sample rasters, and how to ask it."""

from tests.browser.conftest import samples
from tests.browsing import io_loop
from tests.handlers.conftest import app, cog_file, fetch, http_server, second, settings, shared, world

__all__ = ["app", "cog_file", "fetch", "http_server", "io_loop", "samples", "second", "settings", "shared", "world"]
