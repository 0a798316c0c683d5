"""What answers where no route does."""

from __future__ import annotations

from collections.abc import Awaitable

from gateway.errors import GatewayError, NotFound
from gateway.handlers.access import OPEN, access
from gateway.handlers.base import BaseHandler


class UnknownRoute(BaseHandler):
    """Answers every path that no route has."""

    def prepare(self) -> Awaitable[None] | None:
        """Raise NotFound, whatever the method and the credential."""
        raise NotFound("There is no such resource.")

    def problem(self, status_code: int, error: BaseException | None) -> GatewayError:
        """Return NotFound also for methods that Tornado refuses before `prepare`."""
        return error if isinstance(error, GatewayError) else NotFound("There is no such resource.")

    @access(OPEN)
    def options(self, *_: str) -> None:
        """Answer nothing: `prepare` has raised before."""
