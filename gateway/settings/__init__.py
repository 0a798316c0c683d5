"""What operators can set, and how it is found."""

from gateway.settings.loading import load_settings, read_secret, unknown_settings
from gateway.settings.model import Settings
from gateway.settings.root import RootSettings

__all__ = ["RootSettings", "Settings", "load_settings", "read_secret", "unknown_settings"]
