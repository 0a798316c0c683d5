"""What processes have open, by proc(5)."""

import os
from contextlib import suppress
from pathlib import Path


def opened_by(pid: int) -> set[str]:
    """Return the targets of a process's open descriptors; one that it closes meanwhile is none."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(link))
    return found
