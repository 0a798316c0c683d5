"""One storage root, as the settings name it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

# A name or an IPv4 address, a port: all that a host of a Content-Security-Policy may be (CSP 3 section 2.3.1).
HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")

VALKEY_SCHEMES = ("valkey", "valkeys", "redis", "rediss", "unix")


class RootSettings(BaseModel, frozen=True, extra="forbid"):
    """One storage root: a named place where rasters lie. All but `uri` is for roots in S3."""

    uri: str = Field(
        description='"file:PATH", a relative path counting from the working directory, or "s3://BUCKET/PREFIX"'
    )
    endpoint_url: str | None = Field(None, description="URL of the store's API; none: Amazon's for the region")
    public_endpoint_url: str | None = Field(
        None, description="URL under which clients reach the store; for signing only"
    )
    region: str | None = Field(None, description="region of the bucket")
    profile: str | None = Field(None, description="profile of the AWS configuration files")
    access_key_id: str | None = Field(None, description="credentials of this root; none: those of the environment")
    secret_access_key: SecretStr | None = Field(None, description="belongs to access_key_id")
    session_token: SecretStr | None = Field(None, description="of temporary credentials")
    addressing: Literal["auto", "path", "virtual"] = Field(
        "auto", description="whether the bucket stands in path or host"
    )
    requester_pays: bool = Field(False, description="whether the requests are paid by these credentials' account")
    delivery: Literal["redirect", "stream"] = Field(
        "redirect", description="redirect sends clients to the store, stream sends the bytes through the gateway"
    )
    presign_request_id: bool = Field(
        True,
        description="whether presigned URLs carry the request's id for the store's logs, where the store takes it",
    )

    @property
    def whole_uri(self) -> str:
        """Return the URI, that of a folder with its whole path."""
        path = self.uri.removeprefix("file:")
        return self.uri if path == self.uri else f"file:{Path(path).absolute()}"

    @field_validator("uri")
    @classmethod
    def _scheme_is_known(cls, uri: str) -> str:
        parts = urlsplit(uri)
        if not (parts.scheme == "file" and parts.path) and not (parts.scheme == "s3" and parts.netloc):
            raise ValueError("must be file:PATH or s3://BUCKET/PREFIX")
        return uri

    @field_validator("endpoint_url", "public_endpoint_url")
    @classmethod
    def _endpoint_form(cls, value: str | None) -> str | None:
        return web_address(value)

    @model_validator(mode="after")
    def _belongs_together(self) -> RootSettings:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together: set both or none")
        if not self.uri.startswith("s3:") and self.model_fields_set - {"uri"}:
            raise ValueError(f"{min(self.model_fields_set - {'uri'})} is for roots in S3")
        return self


def tile_template(value: str | None) -> str | None:
    """Return the URL of a map's tiles with {z}, {x} and {y} (or {-y}) in it, or None; raises ValueError."""
    if value is None:
        return None
    if not all(f"{{{name}}}" in value for name in ("z", "x")) or not re.search(r"\{-?y\}", value):
        raise ValueError("must have {z}, {x} and {y} in it")
    each = subdomains(value)
    if not each:
        raise ValueError("has a range of subdomains that ends before it begins")
    for plain in each:
        parts = urlsplit(plain)
        if parts.scheme not in ("http", "https") or not HOST_AND_PORT.fullmatch(parts.netloc) or parts.fragment:
            raise ValueError("must look like https://tiles.example.org/{z}/{x}/{y}.png")
    return value


def subdomains(template: str) -> tuple[str, ...]:
    """Return the URLs that a template with a range of letters or digits stands for, as {a-c}; itself without one."""
    found = re.search(r"\{([a-z0-9])-([a-z0-9])\}", template)
    if found is None:
        return (template,)
    each = range(ord(found[1]), ord(found[2]) + 1)
    return tuple(template[: found.start()] + chr(number) + template[found.end() :] for number in each)


def web_address(value: str | None) -> str | None:
    """Return the URL of a server, or None; raises ValueError for any other text."""
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise ValueError("must look like https://store.example.org")
    return value


def database_address(value: str | None) -> str | None:
    """Return the URL of a database, or None; raises ValueError, without the value, for any other text."""
    if value is not None and not value.startswith(("postgresql://", "postgres://", "sqlite:///")):
        raise ValueError("must look like postgresql://USER:PASSWORD@HOST/NAME or sqlite:///PATH")
    # Else a part of the password is taken for the host or the name, and told to whoever reads the log.
    if value is not None and value.startswith("postgres") and value.partition("?")[0].count("@") > 1:
        raise ValueError("must have @ in user, password and name as %40")
    if value is not None and re.match(r"postgres(ql)?://[^?/]*/[^?]*@", value):
        raise ValueError("must have / in user and password as %2F, and @ in the name as %40")
    return value


def valkey_address(value: str | None) -> str | None:
    """Return the URL of a Valkey server, or None; raises ValueError, without the value, for any other text."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        found = parts.path if parts.scheme == "unix" else parts.hostname
        # A port that is none raises.
        good = parts.scheme in VALKEY_SCHEMES and found and parts.port != 0
    except ValueError:
        good = False
    if not good or (parts.scheme != "unix" and not re.fullmatch(r"(/[0-9]*)?", parts.path)):
        raise ValueError(
            "must look like valkey://:PASSWORD@HOST:6379/0 (valkeys:// for TLS), or unix://:PASSWORD@/PATH"
        )
    return value
