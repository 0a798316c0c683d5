"""Why nothing came from an address, for people who look after it."""

from __future__ import annotations


def reason_of(error: Exception) -> str:
    """Return in a few words why nothing came from an address: the system's own, else the kind of the error."""
    status, cause = getattr(error, "code", None), getattr(error, "reason", None)
    if isinstance(status, int):
        return f"the answer was {status}"
    error = cause if isinstance(cause, OSError) else error
    words = getattr(error, "verify_message", "") or getattr(error, "strerror", "")
    return str(words or (isinstance(error, OSError) and str(error)) or type(error).__name__)
