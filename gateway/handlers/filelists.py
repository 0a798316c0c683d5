"""Lists of many files: made of ids, a collection or a search, and read in the language of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from tornado.iostream import StreamClosedError

from gateway import filelists
from gateway.catalogue.jsontext import value_of
from gateway.errors import BadParameter, GatewayError, NotFound, TooMany
from gateway.filelists import MOST_LISTS, PAGE
from gateway.handlers.access import BEARER, LISTED, access
from gateway.handlers.audited import AuditedHandler
from gateway.handlers.datasets import list_query
from gateway.handlers.searching import searched
from gateway.ids import dataset_uuid
from gateway.listformats import LANGUAGES, ListFormat, UniqueNames
from gateway.model import Dataset, Principal, utc_text
from gateway.records import DatasetQuery, FileList
from gateway.tokens import mint_of_list

# Parameters of the list of datasets that say what is in it.
LISTED_BY = frozenset({"bbox", "q", "collection", "datetime"})


class FileListsHandler(AuditedHandler):
    """Lists of files that are taken without sign-in, for a day."""

    @access(BEARER)
    async def post(self) -> None:
        """Make a list of `ids`, a `collection`, a `search` or of `datasets`: what of it the caller may download.

        With `dry_run` nothing is made: the answer is 200 with its count and size.
        """
        asked = filelists.wanted(self.body(), self.listed)
        await self.spend_shared("mint", self.principal.person)
        found = await searched(self, self.taken, asked)
        told = {"count": len(found.dataset_ids), "bytes": found.size_bytes, "left_out": found.left_out}
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        if asked.dry_run:
            self.send_json(told, HTTPStatus.OK)
            return
        files = await self.in_thread(self.made, found)
        ends = utc_text(files.token.expires_at)
        self.send_json(
            {"id": files.token.id, **told, "expires_at": ends, "links": self.links(files)}, HTTPStatus.CREATED
        )

    def listed(self, told: Mapping[str, str]) -> DatasetQuery:
        """Return what the list of datasets finds for the caller; raises BadParameter."""
        if unknown := told.keys() - LISTED_BY:
            raise BadParameter(f"The member datasets takes {', '.join(sorted(LISTED_BY))}, not {min(unknown)!r:.64}.")
        return list_query({name: [text.encode(errors="replace")] for name, text in told.items()}, self.principal)

    def body(self) -> Any:
        """Return the JSON of the body; raises BadParameter."""
        try:
            return value_of(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise BadParameter("The body is a JSON object.") from None

    def taken(self, asked: filelists.Wanted) -> filelists.Taken:
        """Return what of it the caller may download; raises NotFound, Forbidden and BadParameter."""
        self.services.gatekeeper.check_enabled(self.principal)
        return filelists.taken(self.services.records, self.principal, asked)

    def made(self, found: filelists.Taken) -> FileList:
        """Return the list, on record; raises TooMany."""
        files = filelists.made(self.principal, found, datetime.now(UTC))
        token = files.token
        told = {"count": len(files.dataset_ids), "bytes": files.size_bytes, "expires_at": utc_text(token.expires_at)}
        row = self.row("list.created", token_id=token.id, status=int(HTTPStatus.CREATED), detail=told)
        if not self.services.records.lists.store(files, MOST_LISTS, row):
            raise TooMany(f"There are {MOST_LISTS} lists already: they end a day after they were made.")
        return files

    def links(self, files: FileList) -> list[dict[str, str]]:
        """Return the addresses of a list, one for each format."""
        token = mint_of_list(self.services.keys, files.token)
        return [
            {
                "rel": form.value,
                "href": f"{self.public_url(f'/downloads/{files.token.id}.{form.value}')}?token={token}",
                "type": language.media_type,
            }
            for form, language in LANGUAGES.items()
        ]


class FileListHandler(AuditedHandler):
    """One list of files."""

    @access(LISTED)
    async def get(self, list_id: str, form: str) -> None:
        """Send the list as metalink (RFC 5854), input of aria2c, configuration of curl, plain URLs or NDJSON."""
        files = await self.in_thread(self.readable, list_id)
        token, language = files.token, LANGUAGES[ListFormat(form)]
        self.set_header("Content-Type", language.media_type)
        self.set_header("Cache-Control", "private, no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Content-Disposition", f'attachment; filename="files-{token.id[:8]}.{form}"')
        owner = Principal(token.owner, token.roles, token_id=token.id, stored=token)
        names, api, secret = UniqueNames(), self.public_url(""), mint_of_list(self.services.keys, token)
        self.write(language.head)
        begun = False
        try:
            for start in range(0, len(files.dataset_ids), PAGE):
                page = await searched(self, self.page, owner, files.dataset_ids[start : start + PAGE])
                self.write("".join(map(language.one, filelists.listed(page, names, api, secret))))
                begun = True
                # One page in memory, at the client's pace.
                await self.flush()
            self.finish(language.end)
        except GatewayError:
            if not begun:
                raise
            # What is cut off must not end like a whole list (RFC 9112 section 8).
            self.connection.stream.close()
        except StreamClosedError:
            pass

    def readable(self, list_id: str) -> FileList:
        """Return the list, for a caller whose list it is; raises NotFound for every other one."""
        self.services.gatekeeper.check_enabled(self.principal)
        known = dataset_uuid(list_id)
        files = self.services.records.lists.by_id(known) if known else None
        if (
            files is None
            or files.token.expires_at <= datetime.now(UTC)
            or not filelists.may_read(self.principal, files)
        ):
            raise NotFound("There is no such list.")
        return files

    def page(self, owner: Principal, ids: Sequence[str]) -> list[Dataset]:
        """Return what of a page of the list its maker may download still."""
        records = self.services.records
        return filelists.downloadable(records, owner, filelists.by_ids(records, owner, ids))
