"""Who a reader is to the table `dataset_audiences`: a dataset is theirs to see where one of these has a row of it."""

from __future__ import annotations

from gateway.model import Principal

ADMIN = "admin"
EVERYBODY, SIGNED_IN = "public", "internal"
# Between them they have one row of every dataset.
ALL = (EVERYBODY, SIGNED_IN, f"role:{ADMIN}")
# Of these a dataset has one row at most.
SHARED = frozenset(ALL)


def sees_all(reader: Principal | None) -> bool:
    """Return whether a reader sees every dataset: an administrator, and None, the operator."""
    return reader is None or (reader.user is not None and ADMIN in reader.roles)


def audiences_of(reader: Principal | None) -> tuple[str, ...]:
    """Return the audiences that a reader is part of; None is the operator."""
    if reader is None or sees_all(reader):
        return ALL
    if reader.user is None:
        return (EVERYBODY,)
    return (EVERYBODY, SIGNED_IN, f"user:{reader.user}", *(f"role:{role}" for role in sorted(reader.roles)))
