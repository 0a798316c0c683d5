"""Tokens of one's own and links to share, made: what is asked for, whether it may be, and how they are told of."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.catalogue.collections import ID_FORM
from gateway.errors import BadParameter, Forbidden, NotFound
from gateway.gatekeeper import ADMIN, Action, holder_of, roles_needed
from gateway.ids import dataset_uuid
from gateway.model import AuditRow, Dataset, Principal, utc_text
from gateway.principal import StoredKind, StoredToken, Target
from gateway.records import Records, TokenQuery
from gateway.tokens import hash_of, is_name, new_secret

# Of one user, those that are good.
MOST = {StoredKind.OWN: 100, StoredKind.LINK: 1000}
# Where none is asked for.
DEFAULT_DAYS = {StoredKind.OWN: 90, StoredKind.LINK: 30}
MOST_USES = 1_000_000_000
OWN_MEMBERS = ("name", "scope", "for", "expires_at")
LINK_MEMBERS = ("dataset", "collection", "right", "expires_at", "uses")
ACTS = {
    (StoredKind.OWN, "created"): "token.created",
    (StoredKind.OWN, "revoked"): "token.revoked",
    (StoredKind.LINK, "created"): "link.created",
    (StoredKind.LINK, "revoked"): "link.revoked",
}
RIGHTS = ("view", "download")
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that is to be put on record, and its secret, which is told once."""

    token: StoredToken
    secret: str


def own_token(body: Any, maker: Principal, most_days: int, now: datetime) -> Issued:
    """Return the token of one's own that a JSON object asks for; raises BadParameter naming what cannot be read."""
    told = _members(body, OWN_MEMBERS)
    name = told.get("name", "token")
    if not isinstance(name, str) or not is_name(name):
        raise BadParameter("The member name must be 1 to 255 printable characters.")
    expires_at = _expiry(told, StoredKind.OWN, most_days, now)
    facts = {"name": name, "download": _scope(told), "target": _target(told.get("for", "all"))}
    return _issued(StoredKind.OWN, maker, (now, expires_at), **facts)


def link(body: Any, maker: Principal, most_days: int, now: datetime) -> Issued:
    """Return the link that a JSON object asks for; raises BadParameter naming what cannot be read."""
    told = _members(body, LINK_MEMBERS)
    given = [f"{name}:{told[name]}" for name in ("dataset", "collection") if isinstance(told.get(name), str)]
    if len(given) != 1 or len(told.keys() & {"dataset", "collection"}) != 1:
        raise BadParameter("A link is for one of dataset and collection, by its id.")
    right, uses = told.get("right", "view"), told.get("uses")
    if right not in RIGHTS:
        raise BadParameter("The member right must be view or download.")
    if uses is not None and (isinstance(uses, bool) or not isinstance(uses, int) or not 1 <= uses <= MOST_USES):
        raise BadParameter(f"The member uses must be a whole number from 1 to {MOST_USES}.")
    expires_at = _expiry(told, StoredKind.LINK, most_days, now)
    facts = {"name": "", "download": right == "download", "target": _target(given[0]), "uses": uses}
    return _issued(StoredKind.LINK, maker, (now, expires_at), **facts)


def _issued(kind: StoredKind, maker: Principal, life: tuple[datetime, datetime], **facts: Any) -> Issued:
    if maker.user is None:
        raise BadParameter("A token is of somebody.")
    secret, (created_at, expires_at) = new_secret(kind), life
    token = StoredToken(
        id=str(uuid.uuid4()), kind=kind, hash=hash_of(secret), owner=maker.user, roles=maker.roles,
        created_at=created_at, expires_at=expires_at, **facts,
    )  # fmt: skip
    return Issued(token, secret)


def _members(body: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the members that are there; an unknown one is a slip that would give more than was meant."""
    if not isinstance(body, Mapping):
        raise BadParameter("The body is a JSON object.")
    for name in body:
        if name not in known:
            raise BadParameter(f"There is no member {str(name)[:64]!r}: there are {', '.join(known)}.")
    return {name: value for name, value in body.items() if value is not None}


def _scope(told: Body) -> bool:
    """Return whether a scope has the right to download, which has the right to view in it."""
    scope = told.get("scope", ["view"])
    if not isinstance(scope, list) or not scope or any(right not in RIGHTS for right in scope):
        raise BadParameter("The member scope must be a list of view and download.")
    return "download" in scope


def _target(text: Any) -> Target:
    if text == "all":
        return Target()
    kind, _, named = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind == "dataset" and (dataset_id := dataset_uuid(named)) is not None:
        return Target(dataset_id=dataset_id)
    if kind == "collection" and ID_FORM.fullmatch(named):
        return Target(collection=named)
    raise BadParameter("What it is for must be all, collection:ID or dataset:ID.")


def _expiry(told: Body, kind: StoredKind, most_days: int, now: datetime) -> datetime:
    if "expires_at" not in told:
        return now + timedelta(days=min(most_days, DEFAULT_DAYS[kind]))
    try:
        moment = datetime.fromisoformat(told["expires_at"])
        found = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # A moment at the edge of the years may have none in UTC.
        past, far = found <= now, found.astimezone(UTC) > now + timedelta(days=most_days)
    except (TypeError, ValueError, OverflowError):
        raise BadParameter("The member expires_at must be a moment as in 2027-01-31T12:00:00Z.") from None
    if past or far:
        raise BadParameter(f"The member expires_at must lie ahead, within {most_days} days.")
    return found.astimezone(UTC)


def url_of(link: Issued, api: str, prefix: str) -> str:
    """Return the address that a link is: of the file, or of the page on its dataset or collection.

    `api` is the URL of the API, which ends in `prefix`. What is behind # stays in the browser, and out of logs and
    Referer.
    """
    target = link.token.target
    if link.token.download and target.dataset_id is not None:
        return f"{api}/datasets/{target.dataset_id}/download/cog?token={link.secret}"
    place = str(target).replace(":", "=", 1)
    return f"{api.removesuffix(prefix)}/#{place}&link={link.secret}"


def require_right(records: Records, maker: Principal, target: Target, action: Action) -> None:
    """Return where the maker may do that with what a token is for; raises NotFound and Forbidden."""
    if target.dataset_id is not None:
        standing = records.standing(target.dataset_id, holder_of(maker))
        dataset, grants = standing.dataset, standing.grants
        if dataset is None or roles_needed(dataset, maker, Action.VIEW, grants) is None:
            raise NotFound("There is no such dataset.")
        if roles_needed(dataset, maker, action, grants) is None:
            raise Forbidden("This dataset may be viewed but not downloaded by you.")
    elif target.collection is not None and records.collection(target.collection, maker) is None:
        raise NotFound("There is no such collection.")


def require_sharer(records: Records, maker: Principal, target: Target) -> None:
    """Return where the maker may share that: owners their datasets, administrators everything. Raises Forbidden."""
    dataset = records.dataset(target.dataset_id) if target.dataset_id is not None else None
    if dataset is None and not may_share(maker, None):
        raise Forbidden("A collection is shared by an administrator.")
    if dataset is not None and not may_share(maker, dataset):
        raise Forbidden("A dataset is shared by its owner or an administrator.")


def may_share(maker: Principal, dataset: Dataset | None) -> bool:
    """Return whether somebody may make links to a dataset that they see, None is a collection."""
    owned = dataset is not None and dataset.owner == maker.user
    return maker.user is not None and (ADMIN in maker.roles or owned)


def is_offered(caller: Principal, dataset: Dataset | None) -> bool:
    """Return whether who asks with this credential may make links to it: a sign-in may, what it made may not."""
    return caller.stored is None and caller.kind is None and may_share(caller, dataset)


def may_revoke(records: Records, caller: Principal, token: StoredToken) -> bool:
    """Return whether a caller may end a token: one's own, and links that one made, of one's datasets, and all."""
    if token.owner == caller.user:
        return True
    if token.kind is StoredKind.OWN or caller.user is None:
        return False
    dataset = records.dataset(token.target.dataset_id) if token.target.dataset_id is not None else None
    return ADMIN in caller.roles or (dataset is not None and dataset.owner == caller.user)


def query_of(caller: Principal, kind: StoredKind) -> TokenQuery:
    """Return the query for the tokens of a kind that a caller may see, and end."""
    if kind is StoredKind.OWN:
        return TokenQuery(kind, owner=caller.user)
    return TokenQuery(kind) if ADMIN in caller.roles else TokenQuery(kind, caller.user, of_datasets_of=caller.user)


def row_of(act: str, token: StoredToken) -> AuditRow:
    """Return the audit row of an act with a token: created or revoked."""
    detail = {**told_of(token), "owner": token.owner, "roles": sorted(token.roles)}
    for name in ("id", "created_at", "last_used_at"):
        detail.pop(name, None)
    return AuditRow(ACTS[token.kind, act], dataset_id=token.target.dataset_id, token_id=token.id, detail=detail)


def told_of(token: StoredToken) -> dict[str, Any]:
    """Return a token as lists tell of it, without its secret, which nobody has."""
    times = {"created_at": utc_text(token.created_at), "expires_at": utc_text(token.expires_at)}
    last = {"last_used_at": utc_text(token.last_used_at) if token.last_used_at else None}
    if token.kind is StoredKind.OWN:
        scope = [*RIGHTS] if token.download else ["view"]
        facts = {"id": token.id, "name": token.name, "scope": scope, "for": str(token.target)}
        return {**facts, "roles": sorted(token.roles), **times, **last}
    target = {"dataset": token.target.dataset_id, "collection": token.target.collection}
    right = {"right": "download" if token.download else "view", "made_by": token.owner}
    return {"id": token.id, **target, **right, **times, "uses": token.uses, "used": token.used, **last}
