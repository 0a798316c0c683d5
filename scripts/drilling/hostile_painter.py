"""The painter of a drill: tiles of the datasets `hang.tif` and `crash.tif` do what their names say."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from gateway.studio import forkserver, works

DRAWN = works.WORKS["tile"]


def tile(engine: Any, source: Any, *told: Any) -> Any:
    """Return the tile of any other dataset."""
    if source.key == "hang.tif":
        time.sleep(3600)
    if source.key == "crash.tif":
        os.kill(os.getpid(), signal.SIGSEGV)
    return DRAWN(engine, source, *told)


if __name__ == "__main__":
    works.WORKS["tile"] = tile  # type: ignore[index]
    forkserver.main(*map(int, sys.argv[1:]))
