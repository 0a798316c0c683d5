"""The settings of parts: how large they may be, and where they lie until they are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

# What a part takes on its way at most, times its decoded bytes: itself twice, and its overviews twice.
ON_THE_WAY = 3
EACH_MB = 4


class PartSettings(BaseSettings):
    """What clients may take of files as parts on their own grid."""

    part_mb: int = Field(
        256, ge=1, description="Largest part that is given, in MiB of decoded values and masks; more is 413."
    )
    part_async_mb: int = Field(
        64, ge=0, description="Parts of more MiB are made by a job that the client asks after (202); 0 for all."
    )
    parts_dir: Path | None = Field(
        None, description="Folder of parts while they are made and taken. None: `parts` in the state folder."
    )
    parts_mb: int = Field(
        4096, ge=1, description="Disk of each machine for parts that are made or kept, in MiB; the oldest go first."
    )

    @model_validator(mode="after")
    def _one_part_fits(self) -> Self:
        if self.parts_mb < ON_THE_WAY * self.part_mb + EACH_MB:
            raise ValueError(f"parts_mb must be at least {ON_THE_WAY} times part_mb and {EACH_MB}: a part needs that")
        return self
