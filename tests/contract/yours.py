"""A server that students could have written, in a copy of its folder: the solution, the skeleton, and mistakes."""

import shutil
from dataclasses import replace
from pathlib import Path

from iolab.lab import Lab, Model
from tests.conftest import ROOT

FOLDER = ROOT / "services" / "yours"
SKELETON = (FOLDER / "server_yours.py").read_text()
SOLUTION = (ROOT / "tests" / "data" / "yours" / "server_yours.py").read_text()


def changed(old: str, new: str) -> str:
    """Return the solution with a mistake in it."""
    assert SOLUTION.count(old) == 1, old
    return SOLUTION.replace(old, new)


SLEEPS = changed(
    """        one.waits, now = True, time.perf_counter()
        heapq.heappush(timers, (now + WAITS[DISTRIBUTION](), next(numbers), one, now))
""",
    """        time.sleep(WAITS[DISTRIBUTION]())
        answer(one, "200 OK")
""",
)
TURNS = changed("timeout_s = max(0.0, timers[0][0] - time.perf_counter()) if timers else None", "timeout_s = 0.0")
FORGETS_PIECES = changed(
    'while not (one.waits or one.last) and b"\\r\\n\\r\\n" in one.received:',
    "while not (one.waits or one.last) and one.received:",
)
LEAKS = changed(
    "        return close(one)\n    if not one.last:", "        return epoll.unregister(one.peer)\n    if not one.last:"
)
IGNORES_THE_END = changed(
    "        return close(one)\n    if not one.last:", "        return None\n    if not one.last:"
)
FAILS_ON_RESET = changed('    except OSError:\n        data = b""\n', "")
DOES_NOT_WAIT = changed("now + WAITS[DISTRIBUTION]()", "now")
IGNORES_SIGTERM = changed(
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))", "signal.signal(signal.SIGTERM, lambda *_: None)"
)
READS_BODIES_AS_REQUESTS = changed('or fields.get("content-length", "0") != "0"', "")
LOGS = changed("    words = lines[0].split", "    print(lines[0])\n    words = lines[0].split")
KEEPS_ITS_LINE = changed('backlog {BACKLOG}", flush=True)', 'backlog {BACKLOG}")')
ANY_HEAD = changed("len(one.received) >= MOST_BYTES:", "len(one.received) >= 100 * MOST_BYTES:").replace(
    "< MOST_BYTES)", "< 100 * MOST_BYTES)"
)


def model(lab: Lab, folder: Path, program: str) -> Model:
    """Return the model whose server is this program, in a folder of its own."""
    (found,) = lab.select(["yours"])
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    (folder / "server_yours.py").write_text(program)
    return replace(found, service=replace(found.service, folder=folder))
