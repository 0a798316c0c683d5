"""Who a reader is to the table `dataset_audiences`: a dataset is theirs to see where one of these has a row of it."""

from __future__ import annotations

from gateway.model import Principal
from gateway.principal import Target

ADMIN = "admin"
EVERYBODY, SIGNED_IN = "public", "internal"
# Between them they have one row of every dataset.
ALL = (EVERYBODY, SIGNED_IN, f"role:{ADMIN}")
# Of these a dataset has one row at most.
SHARED = frozenset(ALL)


def sees_all(reader: Principal | None) -> bool:
    """Return whether a reader sees every dataset: an administrator, and None, the operator."""
    return reader is None or (reader.user is not None and ADMIN in reader.roles)


def own_audiences_of(reader: Principal | None) -> tuple[str, ...]:
    """Return those audiences of a reader of which a dataset may have several rows, for its grants."""
    return tuple(name for name in audiences_of(reader) if name not in SHARED)


def target_of(reader: Principal | None) -> Target:
    """Return what a reader's token on record is for, everything without one."""
    return Target() if reader is None or reader.stored is None else reader.stored.target


def sees_empty(reader: Principal | None) -> bool:
    """Return whether a reader sees collections without a dataset: who sees every dataset, wherever it is."""
    return sees_all(reader) and target_of(reader) == Target()


def audiences_of(reader: Principal | None) -> tuple[str, ...]:
    """Return the audiences that a reader is part of; None is the operator."""
    if reader is None or sees_all(reader):
        return ALL
    if reader.user is None:
        return (EVERYBODY,)
    return (EVERYBODY, SIGNED_IN, f"user:{reader.user}", *(f"role:{role}" for role in sorted(reader.roles)))
