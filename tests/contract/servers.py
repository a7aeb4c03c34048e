"""Every server of services/ that speaks HTTP: the measured ones, the broken one and the chat servers."""

import re
from pathlib import Path

from tests.conftest import ROOT

LIBRARY = re.compile(r"^(import|from) (aiohttp|waitress|http\.server|lean_heads)", re.MULTILINE)
SCRIPTS = sorted(
    path
    for path in (ROOT / "services").glob("*/*.py")
    if LIBRARY.search(text := path.read_text()) and 'number("PORT"' in text
)


def named(path: Path) -> str:
    """Name a server in the names of tests."""
    return f"{path.parent.name}-{path.stem}"


def variables(path: Path) -> list[str]:
    """Return the environment variables that a server reads, also through other files of its folder."""
    text = path.read_text()
    others = [path.with_name(f"{name}.py") for name in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)]
    text += "".join(other.read_text() for other in others if other.exists())
    return sorted(set(re.findall(r"""(?:number\(|os\.environ\.get\()"([A-Z_]+)\"""", text)))
