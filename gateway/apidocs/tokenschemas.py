"""The shapes of what the API says of signing in, of tokens on record and of links."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.apidocs.schemas import COUNT, MOMENT, TEXT, Schema, listed, made, or_null, ref
from gateway.records import JobStatus

URI: Schema = {"type": "string", "format": "uri"}
PARAMETERS: Schema = {"type": "object", "additionalProperties": TEXT}
RIGHT: Schema = {"type": "string", "enum": ["view", "download"]}
WHEN = {"created_at": MOMENT, "expires_at": MOMENT, "last_used_at": or_null("string", format="date-time")}
OWN_TOKEN = {
    "id": TEXT, "name": TEXT, "scope": listed(RIGHT), "for": TEXT, "roles": listed(TEXT), **WHEN,
}  # fmt: skip
LINK = {
    "id": TEXT, "dataset": or_null("string"), "collection": or_null("string"), "right": RIGHT, "made_by": TEXT,
    **WHEN, "uses": or_null("integer"), "used": COUNT,
}  # fmt: skip
TOKEN_SCHEMAS: Mapping[str, Schema] = {
    "SignIn": made(
        {
            "resource": URI,
            "bearer_methods_supported": listed(TEXT),
            "authorization_servers": listed(TEXT),
            "client_id": TEXT,
            "scopes_supported": listed(TEXT),
            "parameters": PARAMETERS,
        },
        ("authorization_servers", "client_id", "scopes_supported", "parameters"),
        description="RFC 9728; `client_id` is a public client, `parameters` go with each request to its issuer.",
    ),
    "Issuer": made(
        {
            "issuer": URI,
            "client_id": TEXT,
            "scope": TEXT,
            "parameters": PARAMETERS,
            "authorization_endpoint": URI,
            "token_endpoint": URI,
            "end_session_endpoint": or_null("string", format="uri"),
            "revocation_endpoint": or_null("string", format="uri"),
            "authorization_response_iss_parameter_supported": {"type": "boolean"},
            "id_token_signing_alg_values_supported": listed(TEXT),
        },
        description="The names are those of OpenID Connect Discovery; `parameters` name the audience.",
    ),
    "OwnTokens": made({"tokens": listed(made(OWN_TOKEN))}),
    "NewOwnToken": made({**OWN_TOKEN, "token": TEXT}, description="`token` is told this once."),
    "OwnTokenWish": made(
        {"name": TEXT, "scope": listed(RIGHT), "for": TEXT, "expires_at": MOMENT},
        ("name", "scope", "for", "expires_at"),
        description="`for` is all, collection:ID or dataset:ID; download has view in it.",
    ),
    "Links": made({"links": listed(made(LINK))}),
    "NewLink": made({**LINK, "url": {"type": "string", "format": "uri"}}, description="`url` is told this once."),
    "LinkWish": made(
        {"dataset": TEXT, "collection": TEXT, "right": RIGHT, "expires_at": MOMENT, "uses": COUNT},
        ("dataset", "collection", "right", "expires_at", "uses"),
        description="For one of dataset and collection.",
    ),
    "FileListWish": made(
        {
            "ids": listed(TEXT),
            "collection": TEXT,
            "search": ref("StacSearch"),
            "datasets": {"type": "object", "additionalProperties": TEXT},
            "dry_run": {"type": "boolean"},
        },
        ("ids", "collection", "search", "datasets", "dry_run"),
        description="One of the first four; `datasets` has bbox, q, collection and datetime as /datasets takes them.",
    ),
    "FileListSize": made({"count": COUNT, "bytes": COUNT, "left_out": COUNT}),
    "FileList": made(
        {
            "id": TEXT,
            "count": COUNT,
            "bytes": COUNT,
            "left_out": {**COUNT, "description": "How many the caller may see and not download."},
            "expires_at": MOMENT,
            "links": listed(made({"rel": TEXT, "href": {"type": "string", "format": "uri"}, "type": TEXT})),
        },
        description="`rel` is the format.",
    ),
    "Job": made(
        {
            "id": TEXT,
            "status": {"type": "string", "enum": [each.value for each in JobStatus]},
            "dataset": TEXT,
            "result": or_null("string", format="uri"),
            "reason": or_null("string"),
            "bytes": or_null("integer"),
            "decoded_bytes": COUNT,
            "created_at": MOMENT,
            "ended_at": or_null("string", format="date-time"),
            "expires_at": MOMENT,
            "links": listed(made({"rel": TEXT, "href": {"type": "string", "format": "uri"}, "type": TEXT})),
        },
        description="`result` is there when it is done; `reason` says why it failed.",
    ),
    "LinkToken": made(
        {
            "token": TEXT,
            "expires_in": COUNT,
            "dataset": or_null("string"),
            "collection": or_null("string"),
            "right": RIGHT,
        }
    ),
}
