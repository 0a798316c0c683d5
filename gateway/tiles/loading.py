"""The import of rio-tiler, which takes long and must not be begun by two threads."""

from __future__ import annotations

import threading

from gateway.imports import hidden

LOADING = threading.Lock()


def load_rio_tiler() -> None:
    """Return when rio-tiler is imported whole.

    Its modules import one another: of two threads that begin with different ones each may find the other's half made.
    It reads xarray's arrays wherever that is installed, of which there are none here, and pandas and pyarrow with
    their threads come with them.
    """
    with LOADING, hidden("xarray"):
        import rio_tiler.io  # noqa: F401, PLC0415 - takes long
