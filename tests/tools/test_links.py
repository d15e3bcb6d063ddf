from pathlib import Path

import pytest

import links

PAGE = "# Other page\n\n## Two words, one `name`\n\n## Again\n\n## Again\n"


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("[a](other.md)", []),
        ("[a](other.md#two-words-one-name)", []),
        ("[a](other.md#again-1)", []),
        ("[a](#here)", []),
        ("[a](../docs)", []),
        ("[a](https://example.org/x) and [b](mailto:a@example.org)", []),
        ("`[a](missing.md)`", []),
        ("[a](missing.md)", ["docs/page.md:3: no such file: missing.md"]),
        ("![a](missing.png)", ["docs/page.md:3: no such file: missing.png"]),
        ("[a]: missing.md", ["docs/page.md:3: no such file: missing.md"]),
        ("[a](other.md#three)", ["docs/page.md:3: no such heading: other.md#three"]),
        ("[a](#there)", ["docs/page.md:3: no such heading: #there"]),
        ("[a](../../outside.md)", ["docs/page.md:3: no such file: ../../outside.md"]),
    ],
)
def test_links(tmp_path: Path, link: str, broken: list[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "other.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "docs" / "page.md").write_text(f"# Here\n\n{link}\n", encoding="utf-8")
    assert links.broken_links(tmp_path) == broken
    assert links.main([str(tmp_path)]) == bool(broken)
