"""What an operator may ask of a dataset at ingest and later, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import BadParameter
from gateway.model import Dataset, Scale


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What the operator asked for; None keeps what is recorded, or the default of a new dataset.

    An empty `owner` takes the owner away; `depth` None is the usual one. Raises BadParameter when `download` is asked
    to be wider than `visibility`.
    """

    visibility: Scale | None = None
    download: Scale | None = None
    title: str | None = None
    owner: str | None = None
    convert: bool = False
    copy_to: str | None = None
    dry_run: bool = False
    depth: str | None = None

    def __post_init__(self) -> None:
        if self.visibility and self.download:
            scales(self, None)


def scales(options: IngestOptions, known: Dataset | None) -> tuple[Scale, Scale]:
    """Return visibility and download; raises BadParameter when `download` is asked to be the wider one.

    A new dataset is private. `download` follows `visibility` where it was never given, and is narrowed
    with it.
    """
    visibility = options.visibility or (known.visibility if known else Scale.PRIVATE)
    download = options.download or (known.download if known else visibility)
    if download.width > visibility.width:
        if options.download:
            raise BadParameter(f"download {download} would be wider than visibility {visibility}")
        download = visibility
    return visibility, download


def with_options(known: Dataset, options: IngestOptions) -> Dataset:
    """Return the dataset with the values that the options give, `updated_at` untouched."""
    visibility, download = scales(options, known)
    return replace(
        known,
        visibility=visibility,
        download=download,
        title=known.title if options.title is None else options.title,
        owner=known.owner if options.owner is None else options.owner or None,
    )
