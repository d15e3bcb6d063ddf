"""The JSON Schema of a market file, for editors: completion and checks while it is written."""

from __future__ import annotations

from typing import Any

from exchange_os.markets.spec import MarketFile

SCHEMA_ID = "urn:exchange-os:market-file"


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12. It says form, words and types; what depends on other fields only `lint` knows."""
    schema = _untitled(MarketFile.model_json_schema(by_alias=True))
    assert isinstance(schema, dict)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Exchange OS market file",
    }
    return head | schema


def _untitled(node: Any) -> Any:
    """Without the titles that pydantic makes of field names: an editor shows the name itself."""
    if isinstance(node, dict):
        return {
            key: _untitled(value)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_untitled(part) for part in node] if isinstance(node, list) else node
