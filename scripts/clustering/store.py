"""The S3 server of the tests as a part of a cluster: one bucket in it, and the settings of a root there."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from scripts.clustering.program import NotStarted
from scripts.s3server.probe import REGION, client, wait_until_usable
from scripts.s3server.process import end, launch, relaunch, stop
from scripts.s3server.program import NoServer, program

BUCKET = "rasters"


class Store:
    """A server with an empty bucket; raises NotStarted."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        try:
            self._weed = program(programs)
            with ExitStack() as unless_usable:
                self.server = launch(self._weed, folder)
                unless_usable.callback(self.end)
                wait_until_usable(self.server)
                unless_usable.pop_all()
        except NoServer as error:
            raise NotStarted(str(error)) from None
        client(self.server).create_bucket(Bucket=BUCKET)

    def put(self, file: Path) -> str:
        """Return the URL of an object that has this file's name and bytes."""
        client(self.server).upload_file(str(file), BUCKET, file.name)
        return f"s3://{BUCKET}/{file.name}"

    def root(self, delivery: str) -> dict[str, str]:
        """Return the settings of a root that is the bucket."""
        return {
            "uri": f"s3://{BUCKET}", "endpoint_url": self.server.endpoint_url, "region": REGION, "delivery": delivery,
            "access_key_id": self.server.access_key_id, "secret_access_key": self.server.secret_access_key,
        }  # fmt: skip

    def stop(self) -> None:
        """End its process; what it has stored stays."""
        stop(self.server)

    def start(self) -> None:
        """Return when it can be used again."""
        self.server = relaunch(self._weed, self._folder, self.server)
        wait_until_usable(self.server)

    def end(self) -> None:
        """End it for good."""
        end(self.server, self._folder)
