"""The import of rio-tiler, which takes long and must not be begun by two threads."""

from __future__ import annotations

import threading

LOADING = threading.Lock()


def load_rio_tiler() -> None:
    """Return when rio-tiler is imported whole.

    Its modules import one another: of two threads that begin with different ones each may find the other's half made.
    """
    with LOADING:
        import rio_tiler.io  # noqa: F401, PLC0415 - takes long
