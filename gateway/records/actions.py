"""What audit rows tell of."""

from __future__ import annotations

ACTIONS = (
    "download.cog", "download.part", "download.finished", "download.refused", "token.minted", "dataset.ingested",
    "dataset.refused", "dataset.judged", "dataset.located", "dataset.updated", "dataset.removed", "grant.added",
    "grant.removed", "user.disabled", "user.enabled", "collection.created", "collection.updated",
    "collection.removed", "collection.exported", "search.stored", "search.deleted", "catalogue.copied",
    "audit.pruned", "token.created", "token.revoked", "link.created", "link.used", "link.revoked", "list.created",
    "job.created", "job.cancelled",
    "overview.made", "overview.removed",
)  # fmt: skip
