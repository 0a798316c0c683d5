"""Whether the server can be used: objects come and go, and a bad signature is refused."""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .process import Server, until
from .program import NoServer

REGION = "us-east-1"
START_SECONDS = 60.0


def client(server: Server) -> Any:
    """Return a client with the server's keys."""
    config = Config(
        signature_version="s3v4", connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"}, request_checksum_calculation="when_required",
    )  # fmt: skip
    return boto3.client(
        "s3", endpoint_url=server.endpoint_url, region_name=REGION, aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key, aws_session_token=None, config=config,
    )  # fmt: skip


def wait_until_usable(server: Server) -> None:
    """Return when a bucket and an object can be made and read, and a tampered URL is refused. Raises NoServer."""
    s3, bucket = client(server), f"ready-{secrets.token_hex(6)}"

    def stored() -> bool:
        if not server.runs:
            raise NoServer("the S3 server ended while it started")
        try:
            if bucket not in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]:
                s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="a", Body=b"ready")
            return bool(s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"ready")
        except (BotoCoreError, ClientError):
            return False

    if not until(stored, START_SECONDS):
        raise NoServer(f"the S3 server was not ready within {START_SECONDS:.0f} s")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    if (_status(url), _status(_tampered(url))) != (200, 403):
        raise NoServer("the S3 server does not verify signatures")
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_bucket(Bucket=bucket)


def _tampered(url: str) -> str:
    head, _, signature = url.partition("X-Amz-Signature=")
    return f"{head}X-Amz-Signature={'1' if signature[0] == '0' else '0'}{signature[1:]}"


def _status(url: str) -> int:
    # Without the proxies of the environment: the server is here.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
