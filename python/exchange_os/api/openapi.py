"""The OpenAPI 3.1 document of /api/v1, made of the tables of endpoints and the types of bodies and rows."""

from __future__ import annotations

from functools import cache
from inspect import getdoc
from typing import Any

import msgspec
from aiohttp import web

from exchange_os._core import build_info
from exchange_os.api import v1, v1_changes
from exchange_os.api.v1 import Endpoint, Field
from exchange_os.api.v1_changes import Change

_HEADERS = ("OK-ACCESS-KEY", "OK-ACCESS-PASSPHRASE", "OK-ACCESS-TIMESTAMP", "OK-ACCESS-SIGN")
_SECURITY: list[dict[str, list[str]]] = [{name: [] for name in _HEADERS}, {"session": []}]
_STATUSES = {
    "200": "The rows, or code and sentence of a refusal.",
    "401": "The request is not signed, or not as it should be.",
    "429": "Too many requests.",
    "503": "Not available now: what is asked for is no longer kept, or the exchange takes no commands.",
}


@cache
def document() -> dict[str, Any]:
    """All endpoints, their parameters and rows."""
    every = {**v1.PUBLIC, **v1.PRIVATE}
    changes = {**v1_changes.OPEN, **v1_changes.KEYED}
    kinds: set[type] = {each.row for each in every.values()} | {each.row for each in changes.values()}
    kinds |= {each.body for each in changes.values()}
    rows = sorted(kinds, key=lambda row: row.__name__)
    schemas, components = msgspec.json.schema_components(rows, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(rows, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, each in sorted(every.items()):
        private = path in v1.PRIVATE
        paths[path] = {"get": _operation(path, each, schema_of[each.row], private=private)}
    for path, change in sorted(changes.items()):
        paths.setdefault(path, {})["post"] = _change(path, change, schema_of)
    key = {"type": "apiKey", "in": "header"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Exchange OS: what the interface of OKX cannot say",
            "version": build_info()["version"],
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                **{name: {**key, "name": name} for name in _HEADERS},
                "session": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(path: str, endpoint: Endpoint, row: dict[str, Any], *, private: bool) -> dict[str, Any]:
    found = {
        **_named(path, endpoint.answer, row, private=private),
        "parameters": [_parameter(each) for each in endpoint.fields],
    }
    if private:
        found["security"] = _SECURITY
    return found


def _change(path: str, change: Change, schema_of: dict[type, dict[str, Any]]) -> dict[str, Any]:
    found = _named(path, change.answer, schema_of[change.row], private=True)
    content = {"application/json": {"schema": schema_of[change.body]}}
    found["requestBody"] = {"required": change.body is not v1_changes.Nothing, "content": content}
    if change.scopes:
        found["description"] = f"Needs a session or a key with the scope {' or '.join(change.scopes)}."
        found["security"] = _SECURITY
    return found


def _named(path: str, answer: Any, row: dict[str, Any], *, private: bool) -> dict[str, Any]:
    """Its id, what it does and what it answers."""
    statuses = [status for status in _STATUSES if private or status != "401"]
    envelope = {
        "type": "object",
        "required": ["code", "msg", "data"],
        "properties": {
            "code": {"type": "string", "pattern": "^[0-9]{1,5}$", "description": "0: all is well"},
            "msg": {"type": "string"},
            "data": {"type": "array", "items": row},
        },
    }
    content = {"application/json": {"schema": envelope}}
    return {
        "operationId": path.removeprefix("/api/v1/").replace("-", "_").replace("/", "_"),
        "summary": (getdoc(answer) or "").split("\n", 1)[0],
        "responses": {status: {"description": _STATUSES[status], "content": content} for status in statuses},
    }


def _parameter(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if field.words:
        schema["enum"] = list(field.words)
    about = {"name": field.name, "in": "query", "description": field.about}
    return {**about, "required": field.required, "schema": schema}


async def serve(_request: web.Request) -> web.Response:
    """The document itself, without the envelope."""
    return web.Response(body=msgspec.json.encode(document()), content_type="application/json")
