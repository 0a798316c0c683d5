"""What the gateway counts of itself, for those who watch it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress

from gateway.errors import Forbidden, Unavailable
from gateway.handlers.access import OPEN, access
from gateway.handlers.base import BaseHandler
from gateway.handlers.load import Load
from gateway.handlers.proxies import Proxies
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.pools import Pool
from gateway.services import Services
from gateway.storage import RequestIds
from gateway.studio.base import Load as StudioLoad

# How old what is known of a worker may be.
LOOK_SECONDS = 2.0
# Fields by which a proxy shows itself, and how others begin.
FORWARDED = frozenset(("forwarded", "via", "x-real-ip"))
X_FORWARDED = "x-forwarded-"


class MetricsHandler(BaseHandler):
    """The metrics of all workers (Prometheus text format), for the networks that may read them."""

    @access(OPEN)
    async def get(self) -> None:
        """Send all metrics; raises Forbidden for an address that may not have them."""
        peer, names = self.request.remote_ip or "", {name.lower() for name in self.request.headers}
        forwarded = FORWARDED & names or any(name.startswith(X_FORWARDED) for name in names)
        # Behind a proxy that is not trusted everybody has the proxy's address, which mostly is this machine's.
        unknown = forwarded and not self.proxies.trusts(peer)
        if unknown or not Proxies(self.services.settings.metrics_networks).trusts(self.client_ip):
            raise Forbidden("Metrics are not for this address.")
        look_around(self.services, self.application.settings["load"])
        body = await self.in_thread(self.services.metrics.text)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(body)

    head = get


def look_around(services: Services, load: Load) -> None:
    """Take note of what is so now in this worker."""
    metrics, gauges, settings = services.metrics, services.metrics.gauges, services.settings
    metrics.look()
    gauges.open_requests.set(load.requests)
    for kind, pool in services.pools.items():
        gauges.waiting.set(pool.waiting, kind)
        gauges.room.set(pool.queue_limit, kind)
    look_at_studio(metrics, services.studio.load())
    gauges.tile_cache.set(services.pictures.cached_bytes)
    gauges.audit_failing.set(services.audit.failing)
    metrics.audit_dropped.follow(services.audit.dropped)
    if (months := services.records.months_ahead()) is not None:
        gauges.audit_months.set(months)
    if (alone := services.rates.counts_alone()) is not None:
        gauges.limits_alone.set(alone)
    for name, storage in services.storages.items():
        metrics.storage_failures.follow(storage.failures, name)
        gauges.storage_resting.set(storage.resting, name)
        if storage.request_ids is not None:
            gauges.request_ids.set(storage.request_ids is RequestIds.SIGNED, name)
    for name in ("gateway.db", "gateway.db-wal"):
        with suppress(OSError):
            gauges.database.set((settings.state_dir / name).stat().st_size, name)
    with suppress(OSError):
        gauges.state_free.set(shutil.disk_usage(settings.state_dir).free)


async def keep_looking(services: Services, load: Load) -> None:
    """Take note of what this worker uses, again and again, for whichever worker is asked for the metrics."""
    while True:
        look_around(services, load)
        try_request_ids(services)
        await asyncio.sleep(LOOK_SECONDS)


def try_request_ids(services: Services) -> None:
    """Let those who wait for stores find out, where it is unknown, whether presigned URLs can carry request ids."""
    for storage in services.storages.values():
        if storage.request_ids is RequestIds.UNKNOWN:
            # Where too much waits already it is tried the next time.
            with suppress(Unavailable):
                services.pools[Pool.TRANSFER].submit(storage.try_request_ids)


def look_at_studio(metrics: Metrics, studio: StudioLoad) -> None:
    """Take note of what draws."""
    metrics.gauges.waiting.set(studio.waiting, "studio")
    metrics.gauges.room.set(studio.limit, "studio")
    metrics.gauges.painters.set(studio.painters)
    metrics.gauges.painter_memory.set(studio.painters_bytes)
    metrics.painter_deaths.follow(studio.deaths)
    metrics.painter_deadlines.follow(studio.deadlines)
    metrics.painters_retired.follow(studio.retired)
    metrics.set_aside.follow(studio.set_aside)
