"""The id of a request in the presigned URLs that it is answered with, and whether a store lets it stand there.

Amazon S3 ignores query parameters that begin with `x-` and writes them into its server access logs (Amazon S3 User
Guide, "Custom access log information"); other stores may refuse them, so each one is tried.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from gateway.ids import REQUEST_ID_PARAMETER
from gateway.storage.base import RequestIds

# By this argument a call of the library hands the id in; it is none of S3.
ARGUMENT = "GatewayRequestId"
TRIED_ID = "0" * 32
# Nothing is to lie there: whether the URL is accepted is told by the way in which nothing is found.
TRIED_NAME = ".cog-gateway/no-such-object"
ACCEPTED = {200, 206, 404}
# Where the credentials may not list, nobody is told whether there is an object.
NOT_TOLD = (403, "AccessDenied")
AGAIN_SECONDS = 30.0


class Trial:
    """What is known of a store so far; `clients` make those who ask it, tried in turn until one is answered.

    They sign in the query; `wanted` are the arguments of their GetObject.
    """

    def __init__(self, clients: Sequence[Callable[[], Any]], wanted: dict[str, Any], *, off: bool) -> None:
        self._clients = clients
        self._wanted = wanted
        self._tried_at = -math.inf
        self.found = RequestIds.OFF if off else RequestIds.UNKNOWN

    def run(self) -> None:
        """Find out, where it is unknown and was not tried a moment ago."""
        if self.found is not RequestIds.UNKNOWN or time.monotonic() - self._tried_at < AGAIN_SECONDS:
            return
        self._tried_at = time.monotonic()
        for make in self._clients:
            with closing(make()) as client:
                self.found = tried(client, self._wanted)
            if self.found is not RequestIds.UNKNOWN:
                return

    def arguments(self, request_id: str) -> dict[str, str]:
        """Return the argument that hands the id to a client that signs with ids; none where the store refuses it."""
        return {ARGUMENT: request_id} if self.found is RequestIds.SIGNED else {}


def sign_with_ids(client: Any) -> None:
    """Let the calls of GetObject by this client take ARGUMENT, and sign it as REQUEST_ID_PARAMETER of their query."""
    client.meta.events.register("before-parameter-build.s3.GetObject", _take)
    client.meta.events.register("before-sign.s3.GetObject", _put)


def _take(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if ARGUMENT in params:
        context[ARGUMENT] = params.pop(ARGUMENT)


def _put(request: Any, **_: Any) -> None:
    if ARGUMENT in request.context:
        request.params[REQUEST_ID_PARAMETER] = request.context[ARGUMENT]


def tried(client: Any, wanted: dict[str, Any]) -> RequestIds:
    """Return whether a store takes a GET signed in its query with the parameter like one without; two requests.

    `client` signs in the query, `wanted` are the arguments of GetObject. Unknown where nothing that tells came back.
    """
    plain = _answer(client, wanted)
    if plain is None or (plain[0] not in ACCEPTED and plain != NOT_TOLD):
        return RequestIds.UNKNOWN
    marked = _answer(client, {**wanted, ARGUMENT: TRIED_ID})
    if marked is None or marked[0] >= 500 or marked[0] == 429:
        return RequestIds.UNKNOWN
    return RequestIds.SIGNED if marked == plain else RequestIds.REFUSED


def _answer(client: Any, wanted: dict[str, Any]) -> tuple[int, str] | None:
    """Return status and error code of an answer, None where there was none."""
    try:
        found = client.get_object(**wanted)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)), code
    except BotoCoreError:
        return None
    found["Body"].close()
    return int(found["ResponseMetadata"]["HTTPStatusCode"]), ""
