import subprocess
import sys

import pytest

from tests.conftest import ROOT

TEXT = "TcpExt: TCPTimeouts TCPSynRetrans ListenDrops\nTcpExt: 40 31 32\nIpExt: TCPSynRetrans\nIpExt: 5\n"


def told(expression: str) -> str:
    code = f"import netstat; print({expression})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "loadtest", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("text", "again", "timeouts"),
    [
        (TEXT, 31, 40),
        ("", None, None),
        ("TcpExt: A\nTcpExt: 1\n", None, None),
        ("TcpExt: TCPSynRetrans TCPTimeouts\nTcpExt: x 3\n", None, 3),
    ],
)
def test_counters_are_found_by_name(text: str, again: int | None, timeouts: int | None) -> None:
    assert told(f"netstat.counters({text!r})") == str({"syn_retransmits": again, "timeouts": timeouts})


def test_what_is_not_known_before_is_not_known_after() -> None:
    unknown = {"syn_retransmits": None, "timeouts": None}
    assert told(f"netstat.since({unknown})") == str(unknown)
    if sys.platform == "linux":
        assert told("all(count >= 0 for count in netstat.since(netstat.counters()).values())") == "True"
