"""The driver that holds users takes the files that it needs, wherever it is started."""

import resource
import subprocess
import sys

import pytest

from tests.conftest import ROOT

HARD = 4000
BEFORE = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, {HARD}))
os.execv(sys.executable, [sys.executable, sys.argv[1]])
"""


@pytest.mark.needs("linux")
def test_a_driver_takes_as_many_open_files_as_it_may() -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", BEFORE, str(ROOT / "loadtest" / "crowd_driver.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with driver:
        assert driver.stdout
        assert driver.stdout.readline() == b'{"ready": true}\n'
        soft, hard = resource.prlimit(driver.pid, resource.RLIMIT_NOFILE)
        driver.communicate(timeout=20)  # its input ends
    assert (soft, hard) == (HARD, HARD)
    assert driver.returncode == 0
