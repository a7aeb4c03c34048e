"""Forks that are slow, or whose parent is killed: what a server promises at its start must hold there, too."""

from pathlib import Path

SLOW = """
import os, time
fork = os.fork

def slow():
    pid = fork()
    if pid:
        time.sleep(0.3)  # the child runs meanwhile
    return pid

os.fork = slow
"""
LOST = """
import os, signal, time
fork, parent = os.fork, os.getpid()

def lost():
    pid = fork()
    if pid:
        print(pid, flush=True)
        os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    return pid

os.fork = lost
"""


def variables(folder: Path, forks: str) -> dict[str, str]:
    """Return the environment of a Python program whose forks are SLOW or LOST; Python imports sitecustomize by itself."""
    (folder / "sitecustomize.py").write_text(forks)
    return {"PYTHONPATH": str(folder)}
