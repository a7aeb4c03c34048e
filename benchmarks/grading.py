"""How long does it take to grade many zips? Makes honest students, and grades what they hand in.

    make gradebench [ZIPS=100]

Ends with status 1 where 100 zips take a minute or more.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from iolab.learn import gradebook, grading
from iolab.learn.texts import Texts
from tests.learn.pupils import pupil, two_clicks

ROOT = Path(__file__).parents[1]
ALLOWED_S = 60.0  # of 100 zips


def main() -> int:
    """Print how long making, grading and writing took."""
    number = int(os.environ.get("ZIPS") or 100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for student in two_clicks(number):
            each = pupil(folder / "checkouts", student)
            each.work()
            path = each.submit(folder / "zips")
        print(f"{number} zips of some {path.stat().st_size / 1000:.0f} kB")
        begin_s, begin_cpu_s = time.perf_counter(), _cpu_s()
        found = grading.grade(folder / "zips", grading.rules_of(ROOT))
        graded_s, cpu_s = time.perf_counter() - begin_s, _cpu_s() - begin_cpu_s
        gradebook.write(found, folder / "grades", Texts(ROOT, "en"), {})
        both_s = time.perf_counter() - begin_s
    flagged = sum(bool(sheet.flags) for sheet in found.sheets)
    print(f"graded in {graded_s:.1f} s ({cpu_s:.1f} s of CPU time), written in {both_s - graded_s:.1f} s")
    print(f"{len(found.sheets)} sheets, {flagged} with flags, {len(found.refused)} refused")
    return 0 if both_s < ALLOWED_S * number / 100 else 1


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    sys.exit(main())
