"""Origins as browsers send them."""

from __future__ import annotations

from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str | None:
    """Return the origin of a URL as browsers write it (RFC 6454 section 6.2), or None for a text that has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme not in DEFAULT_PORTS or not host:
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def bare_origin(text: str) -> str:
    """Return the origin that `text` is, path or user aside none; raises ValueError for all else."""
    origin = origin_of(text)
    parts = urlsplit(text) if origin else None
    if origin is None or parts is None or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"must be * or origins like https://maps.example.org, without a path: {text!r} is none")
    return origin
