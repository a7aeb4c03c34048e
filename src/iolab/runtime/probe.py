"""Sends single requests to a server from this process, to check that it is ready and works correctly."""

import http.client
import json
import time
from collections.abc import Callable

from iolab.errors import ServerFailed

POLL_S = 0.02


def get(address: tuple[str, int], path: str, timeout_s: float) -> tuple[int, float, bytes]:
    """Return status, response time in seconds and body of one GET; raises OSError and http.client.HTTPException.

    It uses http.client, which ignores the proxies of the environment.
    """
    start = time.perf_counter()
    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        return response.status, time.perf_counter() - start, body
    finally:
        connection.close()


def reported(address: tuple[str, int], name: str) -> float | None:
    """Return a number that a chat server reports in /healthz; None if it does not report it."""
    try:
        return float(json.loads(get(address, "/healthz", timeout_s=2.0)[2])[name])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None


def wait_until_ready(address: tuple[str, int], check_alive: Callable[[], None], timeout_s: float = 30.0) -> None:
    """Return when /healthz answers 200; raises ServerFailed if the server ends, or at the time limit."""
    deadline = time.monotonic() + timeout_s
    last = "no answer"
    while time.monotonic() < deadline:
        try:
            status, *_ = get(address, "/healthz", timeout_s=2.0)
            if status == 200:
                return
            last = f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            last = str(error) or type(error).__name__
        check_alive()
        time.sleep(POLL_S)
    raise ServerFailed(f"the server was not ready after {timeout_s:g} s ({last})")


def verify(address: tuple[str, int], least_latency_s: float, timeout_s: float) -> None:
    """Raise ServerFailed unless GET / answers 200 and takes at least `least_latency_s`, that is, waits."""
    try:
        status, latency_s, _ = get(address, "/", timeout_s)
    except (OSError, http.client.HTTPException) as error:
        raise ServerFailed(f"GET / before the load: {str(error) or type(error).__name__}") from error
    if status != 200:
        raise ServerFailed(f"GET / before the load answered {status}, not 200")
    if latency_s < least_latency_s:
        raise ServerFailed(
            f"GET / before the load took {latency_s * 1000:.1f} ms, less than its wait: the server does not wait"
        )
