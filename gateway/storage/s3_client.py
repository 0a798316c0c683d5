"""Sessions and clients of boto3, one per root, with everything said that its defaults would decide otherwise."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from gateway.settings import RootSettings
from gateway.storage.s3_requestid import sign_with_ids

CONNECT_SECONDS = 0.7
CONNECTIONS = 32


def session_of(root: RootSettings) -> boto3.Session:
    """Return a session with the root's own credentials, or those that boto3 finds."""
    secret, token = root.secret_access_key, root.session_token
    return boto3.Session(
        profile_name=root.profile,
        region_name=root.region,
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        aws_session_token=token.get_secret_value() if token else None,
    )


def client_of(
    session: boto3.Session,
    root: RootSettings,
    endpoint_url: str | None,
    read_seconds: float,
    *,
    in_query: bool = False,
) -> Any:
    """Return a client that waits so long for each answer, tries once, and stays in the root's region.

    `in_query` signs its own requests as presigned URLs are signed.
    """
    config = Config(
        signature_version="s3v4-query" if in_query else "s3v4",
        s3={"addressing_style": root.addressing},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = session.client("s3", endpoint_url=endpoint_url, config=config)
    client.meta.events.register_last("before-parameter-build.s3", _stay_here)
    sign_with_ids(client)
    return client


def signer_of(session: boto3.Session, root: RootSettings) -> Any:
    """Return a client that signs URLs for others and asks nothing itself."""
    client = client_of(session, root, root.public_endpoint_url or root.endpoint_url, CONNECT_SECONDS)
    if root.requester_pays:
        # In the URL, because those who follow a redirect send no header of ours.
        client.meta.events.register("before-sign.s3.GetObject", _pay)
    return client


def _stay_here(context: dict[str, Any], **_: Any) -> None:
    """Keep botocore from looking for the bucket in other regions: by more requests, each with a limit of its own."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _pay(request: Any, **_: Any) -> None:
    request.params["x-amz-request-payer"] = "requester"
