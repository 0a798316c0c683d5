"""Every setting, as one typed list: flag > environment > .env > TOML file > default.

A setting NAME is read from the variable GATEWAY_NAME, from `.env`, and from the key `name` of the TOML file
that `--config` or GATEWAY_CONFIG names. Secrets are also read from the file that GATEWAY_NAME_FILE names.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from gateway.errors import SettingsError

SECRETS = ("secret_keys",)


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
        return _web_address(value)

    @model_validator(mode="after")
    def _belongs_together(self) -> RootSettings:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together: set both or none")
        if not self.uri.startswith("s3:") and self.model_fields_set - {"uri"}:
            raise ValueError(f"{min(self.model_fields_set - {'uri'})} is for roots in S3")
        return self


def _web_address(value: str | None) -> str | None:
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise ValueError("must look like https://store.example.org")
    return value


def _split(value: object) -> object:
    """Return the parts of a comma separated text; other values pass through to the type check."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(BaseSettings):
    """The settings of one gateway, checked once at start and never changed."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_file=".env", env_file_encoding="utf-8", frozen=True, extra="ignore"
    )

    host: str = Field("127.0.0.1", description="Address that the server listens on.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port that the server listens on; 0 takes a free one.")
    processes: int = Field(1, ge=1, le=256, description="Worker processes, each with its own SO_REUSEPORT socket.")
    prefix: str = Field("/api", description="Path before every API route.")
    public_url: str | None = Field(
        None, description="Origin (and path) under which clients reach the gateway, for the links it hands out."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-* headers are believed; comma separated."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="Origins whose pages may call the API, compared exactly; * lets all in."
    )
    state_dir: Path = Field(Path("var"), description="Folder of gateway.db and secret.key.")
    roots: dict[str, RootSettings] = Field(
        default_factory=lambda: {"data": RootSettings(uri="file:data")},
        description="Storage roots: [roots.NAME] tables in the TOML file, or the same as JSON.",
    )
    secret_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        repr=False,
        description="Keys of at least 32 bytes for HS256 tokens, comma separated: the first signs, all verify. "
        "None: a key of its own in the state folder.",
    )
    oidc_issuer: str | None = Field(
        None,
        description="OpenID Connect issuer of bearer tokens, exactly as in their `iss`; then no others are taken.",
    )
    oidc_audience: str | None = Field(
        None, min_length=1, description="Audience that must stand in the `aud` of the issuer's tokens."
    )
    oidc_jwks_url: str | None = Field(
        None, description="URL of the issuer's key set. None: as the issuer's discovery document says."
    )
    roles_claim: str = Field(
        "roles", min_length=1, description="Claim of a bearer token that lists the roles; a.b is b inside of a."
    )
    open_downloads: bool = Field(
        False, description="Whether public datasets may be downloaded by plain URLs, without any token."
    )
    download_token_seconds: int = Field(120, ge=1, le=3600, description="Life of a download token.")
    tile_token_seconds: int = Field(3600, ge=1, le=86400, description="Life of a tile token.")
    presign_seconds: int = Field(
        3600, ge=1, le=604_800, description="Life of a presigned URL; temporary credentials may make it shorter."
    )
    allow_missing_overviews: bool = Field(
        False, description="Whether a large file without overviews is a warning and not an error."
    )
    audit_wait_seconds: float = Field(
        2.5, gt=0, le=30, description="How long an answer waits for its audit row before it becomes a 503."
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file with the server's certificate chain; with it the server speaks TLS alone."
    )
    tls_key: Path | None = Field(None, description="PEM file with the certificate's private key, without passphrase.")
    tile_threads: int = Field(2, ge=1, le=64, description="Threads of each worker that draw tiles and pictures.")
    tile_queue: int = Field(64, ge=0, description="Pictures that may wait for a thread; more are told 503.")
    tile_cache_mb: int = Field(64, ge=0, description="Memory of each worker for encoded tiles, in MiB.")
    gdal_cache_mb: int = Field(128, ge=1, description="Memory of each worker for decoded blocks, in MiB.")
    worker_threads: int = Field(4, ge=1, le=64, description="Threads of each worker for disk and catalogue work.")
    max_connections: int = Field(2000, ge=1, description="Open connections of each worker; more are told 503.")
    stall_seconds: float = Field(
        60, gt=0, description="How long a client may take no byte of an answer before it is disconnected."
    )
    drain_seconds: float = Field(30, ge=0, description="How long open answers may still run after SIGTERM.")
    metrics_networks: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="Addresses or networks that may read /metrics; comma separated."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")

    @field_validator("trusted_proxies", "metrics_networks", "cors_origins", "secret_keys", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return _split(value)

    @field_validator("trusted_proxies", "metrics_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @field_validator("prefix")
    @classmethod
    def _prefix_form(cls, value: str) -> str:
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", value.rstrip("/")):
            raise ValueError("must look like /api")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _public_url_form(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://maps.example.org")
        return value.rstrip("/")

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _oidc_form(cls, value: str | None) -> str | None:
        return _web_address(value)

    @field_validator("roots")
    @classmethod
    def _root_names(cls, value: dict[str, RootSettings]) -> dict[str, RootSettings]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
                raise ValueError(f"root name {name!r} has other characters than A-Z a-z 0-9 _ -")
        return value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Settings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both or none")
        return self

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> Settings:
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise ValueError("oidc_issuer and oidc_audience belong together: set both or none")
        if self.oidc_jwks_url is not None and self.oidc_issuer is None:
            raise ValueError("oidc_jwks_url needs oidc_issuer")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, strongest first; `config` is the path that load_settings took from the flags."""
        flags = dict(init_settings())
        config = flags.pop("config", None)
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config)
        unknown = sorted(set(toml.toml_data) - set(settings_cls.model_fields))
        if unknown:
            raise SettingsError(f"the settings file {config} has an unknown key: {unknown[0]}")
        return (
            lambda: flags,  # type: ignore[return-value]
            env_settings,
            dotenv_settings,
            toml,
        )


def load_settings(flags: Mapping[str, Any] | None = None, *, config: str | None = None) -> Settings:
    """Return the settings of this process; `flags` are those given on the command line, None left out.

    Raises SettingsError with one line that names the setting, never its value.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    config = config or os.environ.get("GATEWAY_CONFIG")
    if config and not Path(config).is_file():
        raise SettingsError(f"the settings file {config} cannot be read")
    for name in SECRETS:
        path = os.environ.get(f"GATEWAY_{name.upper()}_FILE")
        if path and name not in given:
            given[name] = read_secret(Path(path))
    try:
        return Settings(config=config, **given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(e) for e in error.errors())) from None
    except SourceError as error:
        # Its text quotes the name of the setting and not the value.
        field = re.search(r'field "(\w+)"', str(error))
        raise SettingsError(f"setting {field[1]}: is no JSON" if field else str(error)) from None
    except ValueError as error:
        raise SettingsError(f"the settings file {config} is no TOML: {error}") from None


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none, by name."""
    names = {name.upper() for name in Settings.model_fields}
    known = names | {"CONFIG"} | {f"{name.upper()}_FILE" for name in SECRETS}
    given = {name for name in environment if name.upper().startswith("GATEWAY_")}
    return sorted(name for name in given if name.upper().removeprefix("GATEWAY_") not in known)


def _sentence(error: Any) -> str:
    name, told = ".".join(str(part) for part in error["loc"]), error["msg"].removeprefix("Value error, ")
    return f"setting {name}: {told}" if name else told


def read_secret(path: Path) -> str:
    """Return the text of a secret file without its final newline.

    Raises SettingsError when it cannot be read, or when others than its owner and group may read it.
    """
    try:
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise SettingsError(f"the secret file {path} is open to every user: chmod o= it")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secret file {path} cannot be read") from error
