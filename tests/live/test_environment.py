"""Streamlit's own environment: uv installs it; where uv cannot, pip does; where both cannot, one line says why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.host.processes import Finished
from iolab.live import app


class Installers:
    """Stands in for programs that install; those whose name is in `broken` fail."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.ran: list[str] = []

    def run(self, command: Sequence[str], **_: Any) -> Finished:
        name = "uv" if Path(command[0]).name == "uv" else command[2]
        self.ran.append(name)
        if name == "venv":
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        return Finished(int(name in self.broken), "", f"{name}: no such index\n")


def made(root: Path, monkeypatch: pytest.MonkeyPatch, installers: Installers) -> Path:
    requirements = root / "services" / "streamlit"
    requirements.mkdir(parents=True, exist_ok=True)
    (requirements / "requirements-uvicorn.txt").write_text("streamlit==1\n")
    monkeypatch.setattr(app, "run", installers.run)
    return app.environment(root, "uvicorn", lambda _: None)


def test_uv_installs_and_what_is_installed_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installers = Installers()
    python = made(tmp_path, monkeypatch, installers)
    assert python.is_file()
    assert made(tmp_path, monkeypatch, installers) == python
    assert installers.ran == ["venv", "uv"]


def test_where_uv_cannot_install_pip_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installers = Installers("uv")
    assert made(tmp_path, monkeypatch, installers).is_file()
    assert installers.ran == ["venv", "uv", "pip"]


def test_where_neither_can_one_line_says_so_and_the_next_run_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"^Streamlit for uvicorn cannot be installed: pip: no such index$"):
        made(tmp_path, monkeypatch, Installers("uv", "pip"))
    installers = Installers()
    made(tmp_path, monkeypatch, installers)
    assert installers.ran == ["venv", "uv"]
