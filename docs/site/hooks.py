"""What MkDocs does besides: pages made from the README, the changelog and the code; links to the repository's files."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
import reference

ROOT = Path(__file__).parents[2]
COPIED = {"README.md": "index.md", "README.zh.md": "index.zh.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(((?!https?:|mailto:|#)[^)#\s]+)(#[^)\s]+)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie outside of `docs/`, and those that the code makes."""
    pages = {target: (ROOT / source).read_text("utf-8") for source, target in COPIED.items()}
    for target, text in {**pages, **reference.pages()}.items():
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links to where the site has the page; a file that only the repository has is named instead."""
    folder = "" if page.file.src_uri in COPIED.values() else "docs"

    def site_link(match: re.Match[str]) -> str:
        image, label, path, anchor = match.groups()
        target = (ROOT / folder / path).resolve()
        if not target.exists():
            return match[0]  # MkDocs says that it is dead.
        name = target.relative_to(ROOT).as_posix()
        uri = COPIED.get(name, name.removeprefix("docs/"))
        if not files.get_file_from_path(uri):
            return f"{label} (`{name}`)"
        up = "../" * page.file.src_uri.count("/")
        return f"{image}[{label}]({up}{uri}{anchor or ''})"

    return LINK.sub(site_link, markdown)
