"""What operators can set, and how it is found."""

from gateway.settings.loading import load_settings, told_unknown, unknown_settings
from gateway.settings.model import Settings
from gateway.settings.origin import DEFAULT_PORTS, origin_of
from gateway.settings.root import RootSettings, database_address
from gateway.settings.secrets import read_secret

__all__ = [
    "DEFAULT_PORTS",
    "RootSettings",
    "Settings",
    "database_address",
    "load_settings",
    "origin_of",
    "read_secret",
    "told_unknown",
    "unknown_settings",
]
