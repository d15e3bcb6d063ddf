"""Checks every link of every page: that the file is there, and the heading that it names.

    python tools/links.py [folder]

Addresses outside the repository are left alone: they need a network.
"""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

from tidy import read_tree

LINK = re.compile(r"(?<!\\)!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+<?(\S+?)>?\s*$")
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def prose(text: str) -> list[str]:
    """The lines with code blanked out."""
    lines, fenced = [], False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            lines.append("")
        else:
            lines.append("" if fenced else re.sub(r"`[^`]*`", "", line))
    return lines


def anchors(text: str) -> set[str]:
    """The names that headings get, as the usual renderers make them."""
    found: set[str] = set()
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        heading = None if fenced else re.match(r"^#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            name = re.sub(r"[^\w\- ]", "", heading.group(1).lower()).replace(" ", "-")
            numbered = (f"{name}-{i}" for i in range(1, 1000))
            found.add(name if name not in found else next(n for n in numbered if n not in found))
        found.update(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", line))
    return found


def broken_links(root: Path) -> list[str]:
    root = root.resolve()
    pages = {root / source.path: source.text for source in read_tree(root) if source.path.endswith(".md")}
    broken = []
    for page, text in pages.items():
        for number, line in enumerate(prose(text), 1):
            targets = LINK.findall(line) + REFERENCE.findall(line)
            for target in targets:
                if OUTSIDE.match(target):
                    continue
                name, _, anchor = unquote(target).partition("#")
                file = (page.parent / name).resolve() if name else page
                where = f"{page.relative_to(root).as_posix()}:{number}"
                if not file.is_relative_to(root) or not file.exists():
                    broken.append(f"{where}: no such file: {target}")
                elif anchor and file in pages and anchor not in anchors(pages[file]):
                    broken.append(f"{where}: no such heading: {target}")
    return broken


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    broken = broken_links(root)
    for line in broken:
        print(line)
    print(f"links: {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
