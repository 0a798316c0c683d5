"""Files that lie below no storage root: which roots there are, and the lines that make a root of their folder."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

from gateway.cli.lines import advise
from gateway.ingest_outcome import Ingested
from gateway.settings import Settings


class Outside:
    """The sources of one run that lie below no root: how many, and the folder that holds all of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._count = 0
        self._folder: str | None = None

    def take(self, outcome: Ingested) -> None:
        """Count an outcome in, where its source lies below no root."""
        if not outcome.is_outside:
            return
        self._count += 1
        if not outcome.source.startswith("s3://"):
            folder = str(Path(outcome.source).parent.resolve())
            self._folder = os.path.commonpath((self._folder or folder, folder))

    def show(self) -> None:
        """Print on stderr, once, which roots there are and how these files come to be in one."""
        if not self._count:
            return
        lie = "1 file lies" if self._count == 1 else f"{self._count} files lie"
        advise(f"{lie} below no storage root. The roots are:")
        for name, root in self._settings.roots.items():
            advise(f"  {name}: {root.whole_uri}")
        advise("--copy-to ROOT copies files into one of them.")
        # Neither a bucket, whose root has more to say, nor the whole of a machine.
        if self._folder is not None and self._folder != "/":
            advise("These two lines in the settings file (--config, GATEWAY_CONFIG) make a root of their folder:")
            advise(f"  [roots.{self._new_name(self._folder)}]")
            advise(f"  uri = {json.dumps(f'file:{quote(self._folder)}')}")
            if "roots" not in self._settings.model_fields_set:
                advise("Name the root above there as well: it is there only as long as none is named.")

    def _new_name(self, folder: str) -> str:
        """Return a name for the root, which no other has."""
        base = re.sub("[^a-z0-9]+", "-", Path(folder).name.lower()).strip("-") or "files"
        names = (base, *(f"{base}-{number}" for number in range(2, len(self._settings.roots) + 3)))
        return next(name for name in names if name not in self._settings.roots)
