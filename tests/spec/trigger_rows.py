"""Rows of orders that wait: whether their method can say all that they say."""

from __future__ import annotations

from scenario_file import Row


def is_plain(row: Row, words: dict[str, str]) -> bool:
    """Whether the row says nothing that the method of its command would not take."""
    if row["do"] == "amend_trigger":
        return True
    numbers = (words.get("above", "1"), words.get("below", "1"), row.get("price") or "1")
    market = "market" in words
    same = market == (not row.get("price")) == ("slippage" in words)
    return (
        same and all(int(number) > 0 for number in numbers) and "gtd" not in words and row.get("qty") != "0"
    )
