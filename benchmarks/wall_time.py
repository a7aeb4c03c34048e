"""How much does the benchmark add to the time of its requests? Runs `iolab bench` and says so.

    make walltime [CPUS=1] [RUNTIME=docker] ...

Takes the options of `iolab bench`. The whole command is timed, from its start to the finished report, images built;
allowed is what the requests take in theory, 25% of it, and 10 s. Ends with status 1 beyond that.
"""

import subprocess
import sys
import time
from pathlib import Path

from iolab.kinds.closed.cells import analyse
from iolab.results.folder import RunFolder


def main() -> int:
    """Run the benchmark twice: the first run builds images, the second is timed."""
    command = [sys.executable, "-m", "iolab", "bench", *sys.argv[1:]]
    subprocess.run([*command, "--repeats", "1", "--requests", "1"], check=True, stdout=subprocess.DEVNULL)
    begin = time.monotonic()
    done = subprocess.run(command, check=False)
    took_s = time.monotonic() - begin
    if done.returncode != 0:
        return done.returncode
    analysis = analyse(RunFolder.open(Path("results/latest")))
    theory_s, allowance_s = analysis.theory_s, analysis.allowance_s
    if theory_s is None or allowance_s is None:
        print("\nWithout theory there is no allowance: leave URL out, or give WORKERS and WAIT_MS.")
        return 2
    print(
        f"\nWhole command {took_s:.1f} s, requests in theory {theory_s:.1f} s, added {took_s - theory_s:.1f} s", end=""
    )
    print(
        f" of {allowance_s - theory_s:.1f} s allowed: {'within' if took_s <= allowance_s else 'BEYOND'} the allowance."
    )
    return 0 if took_s <= allowance_s else 1


if __name__ == "__main__":
    sys.exit(main())
