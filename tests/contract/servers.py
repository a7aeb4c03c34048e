"""Every server of services/ that speaks HTTP: the measured ones, the broken one and the chat servers."""

import re
from pathlib import Path

from tests.conftest import ROOT

LIBRARY = re.compile(
    r"^(?:import|from) (aiohttp|waitress|http\.server|uvicorn|gevent|server|lean_heads)\b", re.MULTILINE
)
SHARED = ROOT / "services" / "blocking" / "server.py"  # that relatives import


def _serves(text: str) -> bool:
    """Return whether a program is a server; the environment of the tests has the libraries of all of them."""
    return LIBRARY.search(text) is not None and ('number("PORT"' in text or "from server import" in text)


SCRIPTS = sorted(path for path in (ROOT / "services").glob("*/*.py") if _serves(path.read_text()))


def named(path: Path) -> str:
    """Name a server in the names of tests."""
    return f"{path.parent.name}-{path.stem}"


def variables(path: Path) -> list[str]:
    """Return the environment variables that a server reads, also through other files of its folder."""
    text = path.read_text()
    others = [path.with_name(f"{name}.py") for name in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)]
    text += "".join(other.read_text() for other in others if other.exists())
    text += SHARED.read_text() if "from server import" in text else ""
    return sorted(set(re.findall(r"""(?:number\(|os\.environ\.get\()"([A-Z_]+)\"""", text)))
