"""How many arrivals a second does the client for planned arrivals send in time? Rates rise, and it says how late.

    make arrivals

The server is the null server, on the first core; the client has the others, so that on two cores it is one process. A
plan is suspect from 2 ms on (the 99th percentile of sends, or of reads), and a process is at its limit where it
computes 70% of the time. The benchmark ends when answers are missing: the null server is then at its limit, too.
"""

from pathlib import Path

import numpy as np

from iolab.host import cores
from iolab.host.lock import only_bench
from iolab.lab import Lab, find_root
from iolab.loadgen.openloop import Arrivals, OpenLoop
from iolab.loadgen.starting import running_generator
from iolab.runtime.local import LocalRuntime

RATES_RPS = (200, 500, 1000, 1500, 2000, 5000, 10_000, 15_000, 20_000, 25_000, 30_000, 40_000)
PLAN_S, LIMIT_S = 6.0, 10.0


def main() -> None:
    """Print a row a rate."""
    lab = Lab.read(find_root(Path.cwd()), {})
    plan = cores.plan(1, cores.available())
    runtime = LocalRuntime(lab)
    print("     rate    answered   late p50    late p99    read p99   response p99  connections  busiest process")
    with (
        only_bench(),
        runtime,
        running_generator(OpenLoop, runtime, plan) as client,
        runtime.null_server(plan) as url,
    ):
        client.closed(url, 4, 2000, LIMIT_S)
        for rate_rps in RATES_RPS:
            load = client.run(url, Arrivals("poisson", rate_rps, PLAN_S, 1), LIMIT_S)
            late_ms = np.array([sample.sent_s - sample.planned_s for sample in load.samples]) * 1000
            responses_ms = np.array([sample.done_s - sample.planned_s for sample in load.samples]) * 1000
            late, response = np.quantile(late_ms, (0.5, 0.99)), float(np.quantile(responses_ms, 0.99))
            answered = sum(sample.status == 200 for sample in load.samples)
            read = load.loop_late_p99_ms or 0.0
            print(
                f"{rate_rps:7,}/s  {answered:10,}  {late[0]:6.2f} ms  {late[1]:7.2f} ms {read:8.2f} ms"
                f"   {response:9.1f} ms  {load.most_open:11,}  {load.busiest_share or 0.0:15.0%}",
                flush=True,
            )
            if answered < len(load.samples):
                break


if __name__ == "__main__":
    main()
