"""How often does a comparison see a difference where there is none? Measures the same thing twice, 40 times.

    make aa [RUNTIME=docker] [REQUESTS=100] ...

Runs pairs of the same small benchmark (B and C with 4 and 16 users, 5 repeats) one after the other, and compares the
two runs of each pair in every cell. A 95% interval may exclude the truth in 5% of the comparisons: 2 of 40. Takes the
options of `iolab bench`; the runs stay in results/aa. Ends with status 1 where there were more alarms than chance
allows (5 or more of 40 happen in one series of twenty).
"""

import subprocess
import sys
from pathlib import Path

from scipy.stats import binom

from iolab.kinds.closed.cells import analyse
from iolab.kinds.closed.compare import compare
from iolab.results.folder import RunFolder

PAIRS = 10
NOMINAL = 0.05
SAME = ("--models", "B,C", "--concurrency", "4,16", "--requests", "100", "--repeats", "5")
RESULTS = Path("results/aa")


def main() -> int:
    """Run all pairs and count the alarms."""
    alarms = comparisons = 0
    for pair in range(1, PAIRS + 1):
        one, other = (_run() for _ in range(2))
        found = compare(analyse(one), analyse(other))
        wrong = [each for each in found if each.different]
        comparisons, alarms = comparisons + len(found), alarms + len(wrong)
        ratios = ", ".join(
            f"{each.first.cell.model} c={each.first.cell.concurrency} {each.ratio:.3f}{'!' if each.different else ''}"
            for each in found
        )
        print(f"pair {pair:2}: {ratios}", flush=True)
    chance = float(binom.sf(alarms - 1, comparisons, NOMINAL))
    print(
        f"\n{alarms} false alarms in {comparisons} comparisons: {alarms / comparisons:.1%} (nominal {NOMINAL:.0%}; so"
        f" many or more come by chance in {chance:.0%} of such series)."
    )
    return 0 if chance >= NOMINAL else 1


def _run() -> RunFolder:
    command = [sys.executable, "-m", "iolab", "bench", *SAME, "--results", str(RESULTS), *sys.argv[1:]]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return RunFolder.open(RESULTS / "latest")


if __name__ == "__main__":
    sys.exit(main())
