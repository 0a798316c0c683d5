"""Lines on stderr that tell how far a command over a cluster is, where nobody watches a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from gateway.cli.runs import Run
from gateway.cli.summary import Summary

PULSE_SECONDS = 10.0


@contextmanager
def told_now_and_then(
    run: Run, summary: Summary, failing: Sequence[str], seconds: float = PULSE_SECONDS
) -> Iterator[None]:
    """Tell every few seconds, over a cluster and where stderr is no terminal, what `summary` has counted so far.

    `failing` are the outcomes that count as failed.
    """
    if not run.is_cluster or sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(run, summary, failing, seconds, ended), daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _tell(run: Run, summary: Summary, failing: Sequence[str], seconds: float, ended: threading.Event) -> None:
    began = before = time.monotonic()
    told = 0
    while not ended.wait(seconds):
        now, done = time.monotonic(), summary.sources
        failed = sum(summary[outcome] for outcome in failing)
        rate = (done - told) / (now - before)
        click.echo(
            f"{now - began:.0f} s: {done} done, {failed} failed, {rate:.1f}/s, {run.workers()} workers", err=True
        )
        before, told = now, done
