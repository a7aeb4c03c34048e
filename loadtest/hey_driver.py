"""Runs hey, one load at a time, for the process at the other end of the pipes.

A line in, a line out, both JSON. In: {"job": 1, "argv": [...], "timeout_s": 60}. Out: {"job": 1, "status": 0,
"stdout": "...", "stderr": "...", "cpu_s": 0.01, "timed_out": false, "syn_retransmits": 0, "timeouts": 0}. A process
that stays costs nothing between the loads, where `docker exec` takes 80 ms, and it counts the CPU time of the load
alone. When its standard input ends, because the process that started it has gone, it kills what it runs, by pid.
"""

import json
import queue
import resource
import signal
import subprocess
import sys
import threading

import netstat
import open_files

GRACE_S = 5.0


class Driver:
    def __init__(self) -> None:
        self.running: subprocess.Popen[str] | None = None

    def run(self, argv: list[str], timeout_s: float) -> dict[str, object]:
        """Run one command to its end, or kill it after `timeout_s` seconds; CPU seconds are its own."""
        before, counted = resource.getrusage(resource.RUSAGE_CHILDREN), netstat.counters()
        timed_out = False
        try:
            self.running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        except OSError as error:
            return {"status": 127, "stdout": "", "stderr": str(error), "cpu_s": 0.0, "timed_out": False}
        try:
            stdout, stderr = self.running.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            stdout, stderr = end(self.running)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        facts = {"cpu_s": cpu_s, "timed_out": timed_out, **netstat.since(counted)}
        return {"status": self.running.returncode, "stdout": stdout, "stderr": stderr, **facts}

    def serve(self, jobs: "queue.Queue[str]") -> None:
        while True:
            job = json.loads(jobs.get())
            print(json.dumps({"job": job["job"], **self.run(job["argv"], job["timeout_s"])}), flush=True)


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Interrupt it: hey then prints the rows that it has. Kill it if it does not end."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


def main() -> None:
    open_files.raise_limit()
    driver, jobs = Driver(), queue.Queue[str]()
    threading.Thread(target=driver.serve, args=(jobs,), daemon=True).start()
    for line in sys.stdin:
        jobs.put(line)
    if driver.running and driver.running.poll() is None:
        driver.running.kill()


if __name__ == "__main__":
    main()
