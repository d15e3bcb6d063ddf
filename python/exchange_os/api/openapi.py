"""The OpenAPI 3.1 document of /api/v1, made of the table of endpoints and the types of their rows."""

from __future__ import annotations

from functools import cache
from inspect import getdoc
from typing import Any

import msgspec
from aiohttp import web

from exchange_os._core import build_info
from exchange_os.api import v1
from exchange_os.api.v1 import Endpoint, Field

_HEADERS = ("OK-ACCESS-KEY", "OK-ACCESS-PASSPHRASE", "OK-ACCESS-TIMESTAMP", "OK-ACCESS-SIGN")
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
    rows = sorted({each.row for each in every.values()}, key=lambda row: row.__name__)
    schemas, components = msgspec.json.schema_components(rows, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(rows, schemas, strict=True))
    paths = {
        path: {"get": _operation(path, each, schema_of[each.row], private=path in v1.PRIVATE)}
        for path, each in sorted(every.items())
    }
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
            "securitySchemes": {name: {**key, "name": name} for name in _HEADERS},
        },
    }


def _operation(path: str, endpoint: Endpoint, row: dict[str, Any], *, private: bool) -> dict[str, Any]:
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
    found: dict[str, Any] = {
        "operationId": path.removeprefix("/api/v1/").replace("-", "_"),
        "summary": (getdoc(endpoint.answer) or "").split("\n", 1)[0],
        "parameters": [_parameter(each) for each in endpoint.fields],
        "responses": {status: {"description": _STATUSES[status], "content": content} for status in statuses},
    }
    if private:
        found["security"] = [{name: [] for name in _HEADERS}]
    return found


def _parameter(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if field.words:
        schema["enum"] = list(field.words)
    about = {"name": field.name, "in": "query", "description": field.about}
    return {**about, "required": field.required, "schema": schema}


async def serve(_request: web.Request) -> web.Response:
    """The document itself, without the envelope."""
    return web.Response(body=msgspec.json.encode(document()), content_type="application/json")
