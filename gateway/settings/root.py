"""One storage root, as the settings name it."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator


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


def web_address(value: str | None) -> str | None:
    """Return the URL of a server, or None; raises ValueError for any other text."""
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise ValueError("must look like https://store.example.org")
    return value
