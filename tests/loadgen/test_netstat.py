import subprocess
import sys

import pytest

from tests.conftest import ROOT

TEXT = "TcpExt: SyncookiesSent TCPSynRetrans ListenDrops\nTcpExt: 0 31 32\nIpExt: TCPSynRetrans\nIpExt: 5\n"


def told(expression: str) -> str:
    code = f"import netstat; print({expression})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "loadtest", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [(TEXT, "31"), ("", "None"), ("TcpExt: A\nTcpExt: 1\n", "None"), ("TcpExt: TCPSynRetrans\nTcpExt: x\n", "None")],
)
def test_attempts_that_were_sent_again_are_found_by_name(text: str, expected: str) -> None:
    assert told(f"netstat.syn_retransmits({text!r})") == expected


def test_what_is_not_known_before_is_not_known_after() -> None:
    assert told("netstat.since(None)") == "None"
    if sys.platform == "linux":
        assert int(told("netstat.since(netstat.syn_retransmits())")) >= 0
