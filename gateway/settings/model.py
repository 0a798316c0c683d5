"""Every setting, as one typed list: flag > environment > .env > TOML file > default.

A setting NAME is read from the variable GATEWAY_NAME, from `.env`, and from the key `name` of the TOML file
that `--config` or GATEWAY_CONFIG names. Secrets are also read from the file that the setting NAME_FILE names.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.errors import SettingsError
from gateway.settings import forms
from gateway.settings.origin import bare_origin
from gateway.settings.parts import PartSettings
from gateway.settings.root import RootSettings, database_address, tile_template, valkey_address, web_address
from gateway.settings.secrets import require_closed, with_secrets


def _split(value: object) -> object:
    """Return the parts of a comma separated text; other values pass through to the type check."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(PartSettings):
    """The settings of one gateway, checked once at start and never changed."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_file=".env", env_file_encoding="utf-8", frozen=True, extra="ignore"
    )

    host: str = Field("127.0.0.1", description="Address that the server listens on.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port that the server listens on; 0 takes a free one.")
    processes: int = Field(1, ge=1, le=256, description="Worker processes, each with its own SO_REUSEPORT socket.")
    prefix: Annotated[str, AfterValidator(forms.prefix)] = Field("/api", description="Path before every API route.")
    public_url: Annotated[str | None, AfterValidator(forms.public_url)] = Field(
        None, description="Origin (and path) under which clients reach the gateway, for the links it hands out."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-* headers are believed; comma separated."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="Origins whose pages may call the API, such as https://maps.example.org; * lets all in."
    )
    state_dir: Path = Field(Path("var"), description="Folder of gateway.db and secret.key.")
    database_url: Annotated[str | None, AfterValidator(database_address)] = Field(
        None,
        repr=False,
        description="Where the records are: postgresql://USER:PASSWORD@HOST/NAME for several nodes, or "
        "sqlite:///PATH. None: gateway.db in the state folder.",
    )
    database_url_file: Path | None = Field(
        None, description="File that holds DATABASE_URL, closed to other users; it wins where both are set."
    )
    database_owner_url: Annotated[str | None, AfterValidator(database_address)] = Field(
        None,
        repr=False,
        description="The same database by the role that owns its tables, to bring them up to date and to prune the "
        "audit. None: DATABASE_URL.",
    )
    database_owner_url_file: Path | None = Field(
        None, description="File that holds DATABASE_OWNER_URL, closed to other users; it wins where both are set."
    )
    valkey_url: Annotated[str | None, AfterValidator(valkey_address)] = Field(
        None,
        repr=False,
        description="Valkey or Redis, in which several nodes count MINT_RATE and FAILURE_RATE together: "
        "valkey://:PASSWORD@HOST:6379/0, valkeys:// for TLS. None: each machine counts for itself.",
    )
    valkey_url_file: Path | None = Field(
        None, description="File that holds VALKEY_URL, closed to other users; it wins where both are set."
    )
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
    secret_keys_file: Path | None = Field(
        None, description="File that holds SECRET_KEYS, closed to other users; it wins where both are set."
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
    oidc_client_id: str | None = Field(None, description="Public client of the issuer with which people sign in.")
    oidc_scope: Annotated[str, AfterValidator(forms.scope)] = Field(
        "openid", description="What people sign in for, as the issuer names it: `openid` and what else it wants."
    )
    oidc_audience_parameter: Literal["resource", "audience", "none"] = Field(
        "resource",
        description="How the issuer is asked for tokens for OIDC_AUDIENCE: `resource` where that is a URI "
        "(RFC 8707), `audience`, or not at all.",
    )
    roles_claim: str = Field(
        "roles", min_length=1, description="Claim of a bearer token that lists the roles; a.b is b inside of a."
    )
    open_downloads: bool = Field(
        False, description="Whether public datasets may be downloaded by plain URLs, without any token."
    )
    open_values: bool = Field(
        False,
        description="Whether the right to view is enough for values (`tif` and `npy` of tiles, previews and parts), "
        "which are not on record then.",
    )
    download_token_seconds: int = Field(120, ge=1, le=3600, description="Life of a download token.")
    tile_token_seconds: int = Field(3600, ge=1, le=86400, description="Life of a tile token.")
    own_token_days: int = Field(365, ge=1, le=3650, description="Longest life of a user's own token, in days.")
    link_days: int = Field(365, ge=1, le=3650, description="Longest life of a link to share, in days.")
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
    painters: int = Field(1, ge=1, le=64, description="Processes of each worker that draw pictures and judge files.")
    paint_seconds: float = Field(
        30, gt=0, le=3600, description="How long a picture may take; then what draws it is ended, and it is a 503."
    )
    painter_mb: int = Field(
        512, ge=64, description="Memory of a painter after a picture, in MiB; with more a fresh one takes its place."
    )
    tile_threads: int = Field(2, ge=1, le=64, description="Pictures that a painter works on at once.")
    tile_queue: int = Field(64, ge=0, description="Pictures that may wait for a painter; more are told 503.")
    tile_cache_mb: int = Field(64, ge=0, description="Memory of each worker for encoded tiles, in MiB.")
    gdal_cache_mb: int = Field(
        64, ge=1, description="Memory of each painter for decoded blocks, in MiB, half of it shared."
    )
    worker_threads: int = Field(4, ge=1, le=64, description="Threads of each worker for disk and catalogue work.")
    max_connections: int = Field(2000, ge=1, description="Open connections of each worker; more are told 503.")
    stall_seconds: float = Field(
        60, gt=0, description="How long a client may take no byte of an answer before it is disconnected."
    )
    unread_mb: int = Field(
        128,
        ge=1,
        description="Memory of each worker for answers not yet taken by clients, in MiB; more get 503. When it is "
        "full, who has taken nothing for five seconds is disconnected.",
    )
    drain_seconds: float = Field(30, ge=0, description="How long open answers may still run after SIGTERM.")
    mint_rate: Annotated[str, AfterValidator(forms.rate)] = Field(
        "60/minute",
        description="Download and tile tokens that one user or address may mint, a TileJSON or WMTS "
        "document with new ones counting as one; `off` for no limit.",
    )
    failure_rate: Annotated[str, AfterValidator(forms.rate)] = Field(
        "60/minute",
        description="Bad credentials that one address may show before they are told 429; `off` for no limit.",
    )
    tile_rate: Annotated[str, AfterValidator(forms.tile_rate)] = Field(
        "off",
        description="What tiles and pictures may cost one user or address: 1 for a stored or kept tile, 4 for one "
        "that is drawn, 16 for one by rio-tiler and for statistics; e.g. 60000/minute.",
    )
    metrics_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.0/8", "::1/128"), description="Addresses or networks that may read /metrics; comma separated."
    )
    basemap_url: str | None = Field(
        None,
        description="Tiles of the map below the datasets, with {z} {x} {y} in the URL. None: a Blue Marble of the "
        "catalogue, or land and water alone.",
    )
    basemap_attribution: str = Field(
        "", max_length=500, description="Whom the map names for those tiles; [text](https://...) is a link."
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

    @field_validator("cors_origins")
    @classmethod
    def _bare_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origin if origin == "*" else bare_origin(origin) for origin in value)

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _oidc_form(cls, value: str | None) -> str | None:
        return web_address(value)

    @field_validator("basemap_url")
    @classmethod
    def _basemap_form(cls, value: str | None) -> str | None:
        return tile_template(value)

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
        if self.oidc_client_id is not None and self.oidc_issuer is None:
            raise ValueError("oidc_client_id needs oidc_issuer")
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
        if config is not None:
            require_closed(Path(config), toml.toml_data)
        dotenv = getattr(dotenv_settings, "env_file", None)
        if dotenv is not None and Path(dotenv).is_file():
            require_closed(Path(dotenv), dotenv_settings())
        sources = (lambda: flags, env_settings, dotenv_settings, toml)
        return tuple(with_secrets(source) for source in sources)  # type: ignore[misc]
