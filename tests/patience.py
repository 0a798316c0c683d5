"""How long tests wait: for what must come, much longer than any machine needs; it only ends what hangs.

A store in a test shares its processor, and often its process, with the gateway and whatever else runs. That such a
store answers late is no trouble: tests of the gateway's own limits ask for `limits_of_the_product`.
"""

import asyncio
import time
from collections.abc import Callable

import pytest

from gateway.records.search import searching
from gateway.storage import s3, s3_client

SECONDS = 120.0
STORE_LIMITS = {
    (s3, "FACTS_SECONDS"): 60.0,
    (s3, "BYTES_SECONDS"): 600.0,
    # A quick failure is asked again, however long it takes here to fail.
    (s3, "RETRY_WITHIN_SECONDS"): 30.0,
    (s3_client, "CONNECT_SECONDS"): 60.0,
    # What an answer leaves out where it takes long.
    (searching, "COUNT_SECONDS"): 60.0,
}
OF_THE_PRODUCT = {place: getattr(*place) for place in STORE_LIMITS}


def wait_for_stores() -> None:
    """Let the gateway in this process wait for stores for as long as they need."""
    for (module, name), seconds in STORE_LIMITS.items():
        setattr(module, name, seconds)


@pytest.fixture
def limits_of_the_product(monkeypatch) -> None:
    """Stores are waited for as long as the gateway does; to be asked for before what opens a store."""
    for (module, name), seconds in OF_THE_PRODUCT.items():
        monkeypatch.setattr(module, name, seconds)


def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Return when a condition holds; fails when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


async def eventually(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Return when a condition holds, while the loop goes on; fails when it never does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
