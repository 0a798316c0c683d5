"""A hook of mkdocs: what pages lead to outside of `docs` comes into the site too, below `source/`."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)]*)?\))")
OUTSIDE = "source/"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the files of the site, with those outside of `docs` that its pages lead to, however many steps away."""
    waiting = [(file.src_uri, Path(str(file.abs_src_path))) for file in files.documentation_pages()]
    theme = [f"{OUTSIDE}{name}" for name in ("gateway/static/icon.svg",)]
    for uri in theme:
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / uri.removeprefix(OUTSIDE))))
    while waiting:
        uri, path = waiting.pop()
        for link in LINK.findall(path.read_text(encoding="utf-8")):
            found = target(uri, link[1])
            source = ROOT / found.removeprefix(OUTSIDE)
            if found.startswith(OUTSIDE) and found not in files.src_uris and source.is_file():
                files.append(File.generated(config, found, abs_src_path=str(source)))
                if source.suffix == ".md":
                    waiting.append((found, source))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text of a page, its links to files outside of `docs` and from there leading within the site."""
    uri = page.file.src_uri
    here = posixpath.dirname(uri)

    def within(link: re.Match[str]) -> str:
        found = target(uri, link[2])
        return f"{link[1]}{posixpath.relpath(found, here or '.')}{link[3]}" if found in files.src_uris else link[0]

    return LINK.sub(within, markdown)


def target(uri: str, link: str) -> str:
    """Return where in the site a link of a page leads; what is outside of `docs` is below `source/`."""
    folder = posixpath.dirname(uri.removeprefix(OUTSIDE) if uri.startswith(OUTSIDE) else f"docs/{uri}")
    found = posixpath.normpath(posixpath.join(folder, link))
    return found.removeprefix("docs/") if found.startswith("docs/") else f"{OUTSIDE}{found}"
