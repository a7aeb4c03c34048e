"""Formats numbers and units, for every report and the terminal."""

import math
import statistics
from collections.abc import Sequence

from iolab.theory.enough import least_count

NOT_KNOWN = "-"
NEVER = "never"
TOO_FEW = "too few"
PLACES = {"docker": "in Docker containers", "local": "as local processes", "url": "already, and were not started"}


def milliseconds(value: float | None) -> str:
    """Return a response time with three significant digits: 21.3 ms, 123 ms, 5.40 s; "never" if it is infinite."""
    if value is None:
        return NOT_KNOWN
    if math.isinf(value):
        return NEVER
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def figure(value: float) -> str:
    """Return any figure with four significant digits; "never" if it is infinite."""
    return NEVER if math.isinf(value) else f"{value:,.4g}"


def latency(value_s: float | None) -> str:
    """Return a response time in seconds the same way."""
    return milliseconds(None if value_s is None else value_s * 1000)


def percentile(value_s: float | None, count: int) -> str:
    """Return a percentile of `count` response times, or "too few" if it is not known."""
    return TOO_FEW if value_s is None and count else latency(value_s)


def median(values_s: Sequence[float]) -> str:
    """Return the median of response times in seconds, or "too few" of them, or "-" without any."""
    known = len(values_s) >= least_count(0.5)
    return percentile(statistics.median(values_s) if known else None, len(values_s))


def rate(value: float | None) -> str:
    """Return a throughput in requests a second."""
    return NOT_KNOWN if value is None else f"{value:.0f}/s" if value >= 10 else f"{value:.2g}/s"


def memory(value: float | None) -> str:
    """Return an amount of memory in bytes: 14.7 KiB, 166 MiB, 1.6 GiB."""
    if value is None:
        return NOT_KNOWN
    unit, of_unit = ("KiB", 2**10) if value < 2**20 else ("MiB", 2**20) if value < 2**30 else ("GiB", 2**30)
    amount = value / of_unit
    text = f"{amount:.0f}" if amount >= 100 else f"{amount:.1f}"
    return f"{text.replace('-0.0', '0.0')} {unit}"


def share(value: float | None) -> str:
    """Return a share with significant digits, also if it is small: 50%, 2.8%, 0.004%."""
    if value is None:
        return NOT_KNOWN
    percent = value * 100
    if 0 < percent < 0.001:
        return "<0.001%"
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.2g}%" if percent >= 0.1 else f"{percent:.1g}%"


def utilisation(value: float | None) -> str:
    """Return a utilisation as a share; one below 1, at which a queue is stable, is never "100%": 99.9%, <100%."""
    if value is None or not 0.995 <= value < 1:
        return share(value)
    texts = (f"{value * 100:.{places}f}%" for places in range(1, 4))
    return next((text for text in texts if not text.startswith("100")), "<100%")


def seconds(value: float | None) -> str:
    """Return a time span."""
    return NOT_KNOWN if value is None else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def duration(value_s: float) -> str:
    """Return about how long something takes: 40 s, 3 min, 1 h 10 min."""
    minutes = round(value_s / 60)
    if value_s < 90:
        return f"{max(1, round(value_s))} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def off(residual: float | None) -> str:
    """Return the relative difference of a measurement from its prediction: +3%, -55%, 0%."""
    return NOT_KNOWN if residual is None else f"{residual:+.0%}".replace("+0%", "0%").replace("-0%", "0%")


def mean_users(value: float | None) -> str:
    """Return a mean number of users."""
    return NOT_KNOWN if value is None else f"{value:.1f}"


def count(value: float | None) -> str:
    """Return a number of things."""
    return NOT_KNOWN if value is None else f"{value:,.0f}"


def slow_rate(value_rps: float | None) -> str:
    """Return a rate with one more digit than elsewhere: rates that hold and that fail are close together."""
    return rate(value_rps) if value_rps is None or value_rps >= 100 else f"{value_rps:.1f}/s"


def counted(number: int, noun: str) -> str:
    """Return a number of things with their noun: 1 thread, 1,001 threads, 6 processes, 2 strategies."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def users(number: int) -> str:
    """Return a number of users."""
    return counted(number, "user")


def listed(parts: Sequence[str]) -> str:
    """Return "1, 2 and 3"."""
    return " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])


def cores(numbers: str) -> str:
    """Return core numbers with their noun."""
    return f"cores {numbers}" if "," in numbers else f"core {numbers}"
