"""The keys of a server whose processes come and go: read anew by each of them, the last good ones kept for all."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.state import secret_keys
from gateway.tokens import HmacKeys

log = logging.getLogger("gateway")
READ_BYTES = 1 << 20
DIGEST_BYTES = 32


class Keys:
    """The settings with the keys as they were last read; all but the keys stay as they were at the start.

    Make it before the workers are forked: they share what they find, in memory that has no name. Raises SettingsError
    when the keys are unfit now.
    """

    def __init__(self, settings: Settings, reread: Callable[[], Settings]) -> None:
        self._reread = reread
        self._kept = _nameless_file()
        self.settings = settings
        self._take(_fit(settings))

    def renew(self) -> bool:
        """Return whether the keys could be read; on a failure the last good ones stay, and the log says why."""
        try:
            self._take(_fit(self._reread()))
        except SettingsError as error:
            log.error("the keys stay as they are: %s", error.detail)
            return False
        return True

    def at_start(self) -> None:
        """Take the keys for a worker that starts: as they are now, or as some worker last found them fit."""
        if not self.renew() and (kept := _whole(os.pread(self._kept, READ_BYTES, 0))) is not None:
            self._take(kept)

    def told(self) -> str:
        """Return how many keys there are and the SHA-256 of the first, cut, as `sha256sum` would print it."""
        keys = self.settings.secret_keys
        return f"{len(keys)}, the first has SHA-256 {hashlib.sha256(keys[0].encode()).hexdigest()[:12]}"

    def _take(self, keys: Sequence[str]) -> None:
        self.settings = self.settings.model_copy(update={"secret_keys": tuple(keys)})
        body = json.dumps(list(keys)).encode()
        # With a digest, because others may read it meanwhile. Where it cannot be kept, this process has it.
        with suppress(OSError):
            os.pwrite(self._kept, hashlib.sha256(body).digest() + body + b"\n", 0)

    def close(self) -> None:
        """Forget what was kept."""
        os.close(self._kept)


def _nameless_file() -> int:
    """Return the descriptor of a new file that nobody else can open, in memory where that can be had."""
    with suppress(AttributeError):
        return os.memfd_create("cog-gateway-keys")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _fit(settings: Settings) -> list[str]:
    """Return the keys of the settings, or the gateway's own; raises SettingsError when one is unfit."""
    keys = secret_keys(settings)
    HmacKeys(keys)
    return [key.decode() for key in keys]


def _whole(kept: bytes) -> list[str] | None:
    digest, body = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:].partition(b"\n")[0]
    if hashlib.sha256(body).digest() != digest:
        return None
    return [str(key) for key in json.loads(body)]
