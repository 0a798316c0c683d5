"""Every metric, by name: units in the names, labels of few values. No user, dataset, path or token is one."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE

from gateway.metrics.board import Board, Counter, Gauge, Histogram, exposition

__all__ = ["CONTENT_TYPE", "Metrics"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 512)
METHODS = {"GET", "HEAD", "POST", "OPTIONS"}
NOT_READY = ("GET", "/readyz", "503")
BACKENDS = ("local", "s3")
OUTCOMES = (*product(BACKENDS, ("completed", "aborted")), ("s3", "redirected"))
# How a tile comes about; the last three draw none.
DRAWN_WAYS = ("hot", "rio-tiler", "overview", "passthrough", "empty")
WAYS = (*DRAWN_WAYS, "cached")
FORMATS = ("png", "jpeg", "webp")


def each(*values: str) -> tuple[tuple[str], ...]:
    """Return the values of a single label."""
    return tuple((value,) for value in values)


class Metrics:
    """The metrics of one process, written where the other workers write theirs.

    `folder` None is a temporary one of its own. Make it after a fork, never before.
    """

    def __init__(self, version: str, folder: Path | None = None) -> None:
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="cog-gateway-metrics-")
        self._folder = folder or Path(self._own.name if self._own else "")
        self._board = board = Board(self._folder)
        self.requests = Counter(board, "http_requests", "Requests that were answered.", ("method", "route", "status"),
            known=(NOT_READY,))  # fmt: skip
        self.durations = Histogram(
            board, "http_request_duration_seconds", "From the request to the end of its answer.", ("route",),
            bounds=SECONDS,
        )  # fmt: skip
        self.problems = Counter(board, "cog_gateway_problems", "Errors told to clients.", ("status", "problem"))
        self._answers(board)
        self.tokens = Counter(board, "cog_gateway_tokens_minted", "Scoped tokens that were minted.", ("typ",),
            known=each("download", "tiles"))  # fmt: skip
        self.validations = Counter(board, "cog_gateway_validations", "Files that the server judged.", ("result",),
            known=each("valid", "invalid"))  # fmt: skip
        self.storage_failures = Counter(
            board, "cog_gateway_storage_failures", "Calls that a store did not answer.", ("root",)
        )
        self._painters(board)
        self.audit_rows = Histogram(board, "cog_gateway_audit_batch_rows", "Audit rows of one commit.", bounds=ROWS)
        self.audit_seconds = Histogram(
            board, "cog_gateway_audit_commit_seconds", "How long a commit of the audit took.", bounds=SECONDS
        )
        self.audit_failures = Counter(board, "cog_gateway_audit_failures", "Commits of the audit that failed.")
        self.audit_dropped = Counter(
            board, "cog_gateway_audit_dropped_rows", "Rows that no answer waited for and that were given up."
        )
        self.cpu = Counter(board, "cog_gateway_cpu_seconds", "Processor time of workers and recorder.", ("mode",))
        self.gauges = Gauges(board)
        self.gauges.build.set(1, version)

    def _answers(self, board: Board) -> None:
        self.downloads = Counter(
            board,
            "cog_gateway_downloads",
            "Granted downloads, by how they ended.",
            ("backend", "outcome"),
            known=OUTCOMES,
        )
        self.download_bytes = Counter(
            board, "cog_gateway_download_bytes", "Bytes of files that were sent.", ("backend",), known=each(*BACKENDS)
        )
        self.tiles = Counter(board, "cog_gateway_tiles", "Tiles by how they were made.", ("way", "format"),
            known=product(WAYS, FORMATS))  # fmt: skip
        self.tile_seconds = Histogram(
            board,
            "cog_gateway_tile_seconds",
            "From the queue to the finished tile.",
            ("way",),
            bounds=SECONDS,
            known=each(*DRAWN_WAYS),
        )
        self.tile_cache = Counter(board, "cog_gateway_tile_cache", "Look-ups of kept tiles.", ("result",),
            known=each("hit", "miss", "passthrough"))  # fmt: skip

        self.parts = Counter(board, "cog_gateway_parts", "Parts of files, by what came of their writing.",
            ("result",), known=each("written", "failed"))  # fmt: skip
        self.jobs = Counter(board, "cog_gateway_jobs", "Jobs that are over, by how.", ("status",),
            known=each("done", "failed", "cancelled"))  # fmt: skip

    def _painters(self, board: Board) -> None:
        self.painter_deaths = Counter(board, "cog_gateway_painter_deaths", "Painters that died.")
        self.painter_deadlines = Counter(
            board, "cog_gateway_painter_deadlines", "Painters that were ended over a task that took too long."
        )
        self.painters_retired = Counter(
            board, "cog_gateway_painters_retired", "Painters that had grown and were replaced."
        )
        self.set_aside = Counter(
            board, "cog_gateway_versions_set_aside", "Versions of which pictures were refused for a while."
        )

    def answered(self, method: str | None, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests.add(method if method in METHODS else "other", route, str(status))
        self.durations.observe(seconds, route)

    def look(self) -> None:
        """Take note of what this worker uses now."""
        self.look_at_cpu()
        self.gauges.workers.set(1)
        self.gauges.memory.set(_resident_bytes())
        self.gauges.descriptors.set(sum(1 for _ in _descriptors()))

    def look_at_cpu(self) -> None:
        """Take note of the processor time that this process has used."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu.follow(usage.ru_utime, "user")
        self.cpu.follow(usage.ru_stime, "system")

    def text(self) -> bytes:
        """Return what all workers have counted, in Prometheus' text format."""
        return exposition(self._folder)

    def close(self) -> None:
        """Close the files; the counts stay for the other workers."""
        self._board.close()
        if self._own is not None:
            self._own.cleanup()


class Gauges:
    """What is so now, over all workers that live."""

    def __init__(self, board: Board) -> None:
        self.build = Gauge(board, "cog_gateway_build_info", "The version that runs.", ("version",), mode="livemax")
        self.workers = Gauge(board, "cog_gateway_workers", "Worker processes.")
        self.open_requests = Gauge(board, "cog_gateway_open_requests", "Requests that are being answered.")
        self.memory = Gauge(board, "cog_gateway_resident_memory_bytes", "Resident memory of all workers.")
        self.descriptors = Gauge(board, "cog_gateway_open_fds", "Open descriptors of all workers.")
        self.waiting = Gauge(board, "cog_gateway_pool_waiting", "Calls that wait for a thread.", ("pool",))
        self.room = Gauge(board, "cog_gateway_pool_limit", "Calls that may wait for a thread.", ("pool",))
        self.painters = Gauge(board, "cog_gateway_painters", "Painters that live.")
        self.painter_memory = Gauge(board, "cog_gateway_painter_memory_bytes", "Resident memory of all painters.")
        self.tile_cache = Gauge(board, "cog_gateway_tile_cache_bytes", "Memory that kept tiles take.")
        self.audit_failing = Gauge(
            board, "cog_gateway_audit_failing", "1 where a worker cannot write the audit.", mode="livemax"
        )
        self.audit_months = Gauge(
            board, "cog_gateway_audit_months_ahead", "Months after this one for which the audit takes rows.",
            mode="livemax",
        )  # fmt: skip
        self.limits_alone = Gauge(
            board, "cog_gateway_limits_alone", "1 where a machine counts limits for itself, Valkey being away.",
            mode="livemax",
        )  # fmt: skip
        self.storage_resting = Gauge(
            board, "cog_gateway_storage_resting", "1 where a store is left alone after failures.", ("root",),
            mode="livemax",
        )  # fmt: skip
        self.request_ids = Gauge(
            board, "cog_gateway_presigned_request_ids", "1 where presigned URLs carry the id of their request.",
            ("root",), mode="livemin",
        )  # fmt: skip
        self.database = Gauge(board, "cog_gateway_database_bytes", "Size of the database.", ("file",), mode="livemax")
        self.state_free = Gauge(
            board, "cog_gateway_state_free_bytes", "Free space where the state folder is.", mode="livemax"
        )


def _descriptors() -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir("/proc/self/fd") as found:
            yield from found
    except OSError:
        return


def _resident_bytes() -> int:
    """Return the resident memory of this process; 0 where there is no /proc (proc(5), statm)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0
