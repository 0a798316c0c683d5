"""One use of a link to share: whose it is, and how it is counted together with the row that tells of it."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime

from gateway.errors import BadCredential, RecordsUnavailable
from gateway.handlers.results import ThreadResults
from gateway.handlers.trace import Trace
from gateway.model import AuditRow
from gateway.pools import Pool
from gateway.records import LinkUse
from gateway.services import Services

USED_UP = "The link is used up, or it has ended."


def use_of(trace: Trace, link_id: str, dataset_id: str | None, *, joins: bool) -> LinkUse:
    """Return a use of now: one client is one address with one name, and what it takes of one dataset."""
    who = "\n".join((trace.ip, trace.user_agent or "", dataset_id or ""))
    client = hashlib.blake2b(who.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return LinkUse(link_id, client, datetime.now(UTC), joins)


async def used(services: Services, results: ThreadResults, use: LinkUse, row: AuditRow) -> None:
    """Return when the use is counted and on record, both or none.

    Raises BadCredential for a link that gives none any more, and RecordsUnavailable; then nothing may be sent.
    """
    try:
        async with asyncio.timeout(services.settings.audit_wait_seconds):
            granted = await results.expect(services.pools[Pool.DISK].submit(services.records.tokens.use, use, row))
    except TimeoutError:
        raise RecordsUnavailable("The audit cannot be written.") from None
    if not granted:
        raise BadCredential(USED_UP)
