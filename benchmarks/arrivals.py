"""How many arrivals a second does one load generator send in time? Lets them come at rising rates, and says how late.

    make arrivals

The server is C, a local process on the first core; the generator has the others. A plan is suspect from 2 ms on (the
99th percentile of lateness), and the generator is at its end where it computes all the time.
"""

from pathlib import Path

import numpy as np

from iolab.host import cores
from iolab.host.lock import only_bench
from iolab.lab import Lab, find_root
from iolab.loadgen.openloop import Arrivals, OpenLoop
from iolab.loadgen.starting import running_generator
from iolab.runtime.local import LocalRuntime

RATES_RPS, PLAN_S, LIMIT_S = (200, 400, 800, 1000, 1500, 2000), 8.0, 30.0


def main() -> None:
    """Print a row a rate."""
    lab = Lab.read(find_root(Path.cwd()), {"BACKLOG": "1024"})
    plan = cores.plan(1, cores.available())
    runtime = LocalRuntime(lab)
    (model,) = lab.select(["C"])
    print("   rate   late p50   late p99   response p50  response p99   generator's CPU")
    with (
        only_bench(),
        runtime,
        running_generator(OpenLoop, runtime, plan) as crowd,
        runtime.serve(model, plan) as server,
    ):
        crowd.closed(server.url, 4, 40, LIMIT_S)
        for rate_rps in RATES_RPS:
            load = crowd.run(server.url, Arrivals("poisson", rate_rps, PLAN_S, 1), LIMIT_S)
            late_ms = np.array([sample.sent_s - sample.planned_s for sample in load.samples]) * 1000
            responses_ms = np.array([sample.done_s - sample.planned_s for sample in load.samples]) * 1000
            late, response = np.quantile(late_ms, (0.5, 0.99)), np.quantile(responses_ms, (0.5, 0.99))
            print(
                f"{rate_rps:5}/s  {late[0]:6.2f} ms  {late[1]:6.2f} ms  {response[0]:9.1f} ms  {response[1]:9.1f} ms"
                f"  {(load.cpu_s or 0.0) / PLAN_S:15.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
