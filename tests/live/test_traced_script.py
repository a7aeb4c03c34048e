"""services/streamlit/traced.sh: what it traces, and that no setting of the user's reaches Streamlit."""

import os
import subprocess
from pathlib import Path

from tests.conftest import ROOT

FAKE = '#!/bin/sh\nenv >"$TRACE_LOG.env"\nfor word; do echo "$word"; done >"$TRACE_LOG.words"\n'


def traced(folder: Path, **variables: str) -> tuple[list[str], dict[str, str]]:
    """Run the script with a strace that writes down its arguments and its environment."""
    programs, log = folder / "bin", folder / "log.txt"
    programs.mkdir(exist_ok=True)
    (programs / "strace").write_text(FAKE)
    (programs / "strace").chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "TRACE_LOG": str(log), **variables}
    subprocess.run(["sh", "traced.sh"], cwd=ROOT / "services" / "streamlit", env=environment, check=True)
    lines = (folder / "log.txt.env").read_text().splitlines()
    return (folder / "log.txt.words").read_text().splitlines(), dict(line.partition("=")[::2] for line in lines)


def test_the_users_settings_of_streamlit_are_left_out(tmp_path: Path) -> None:
    theirs = {"STREAMLIT_SERVER_PORT": "9", "STREAMLIT_SERVER_BASE_URL_PATH": "a b", "STREAMLIT_": "x", "OTHER": "y"}
    words, variables = traced(tmp_path, **theirs)
    assert not [name for name in variables if name.startswith("STREAMLIT")]
    assert variables["OTHER"] == "y"
    assert not Path(variables["HOME"]).exists()
    assert "--server.port=8079" in words
    assert "--server.headless=true" in words


def test_the_filter_has_every_call_in_which_a_loop_waits_on_epoll(tmp_path: Path) -> None:
    for loop in ("", "uvicorn", "uvloop"):
        words, _ = traced(tmp_path, LOOP=loop)
        calls = next(word for word in words if word.startswith("trace=")).removeprefix("trace=").split(",")
        assert {"?epoll_wait", "epoll_pwait", "?epoll_pwait2"} <= set(calls)
