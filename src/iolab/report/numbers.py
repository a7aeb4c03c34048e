"""Numbers and units as people read them, for every report and the terminal."""

NOT_KNOWN = "-"
TOO_FEW = "too few"
PLACES = {"docker": "in Docker containers", "local": "as local processes"}


def milliseconds(value: float | None) -> str:
    """Return a latency with three digits that matter: 21.3 ms, 123 ms, 5.40 s."""
    if value is None:
        return NOT_KNOWN
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def rate(value: float | None) -> str:
    """Return a throughput in requests a second."""
    return NOT_KNOWN if value is None else f"{value:.0f}/s" if value >= 10 else f"{value:.2g}/s"


def megabytes(value: int | None) -> str:
    """Return an amount of memory."""
    return NOT_KNOWN if value is None else f"{value / 2**20:.0f} MiB"


def seconds(value: float | None) -> str:
    """Return a time span."""
    return NOT_KNOWN if value is None else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def off(residual: float | None) -> str:
    """Return how far a measurement is off its prediction: +3%, -55%, 0%."""
    return NOT_KNOWN if residual is None else f"{residual:+.0%}".replace("+0%", "0%").replace("-0%", "0%")


def mean_users(value: float | None) -> str:
    """Return a mean number of users."""
    return NOT_KNOWN if value is None else f"{value:.1f}"


def count(value: int | None) -> str:
    """Return a number of things."""
    return NOT_KNOWN if value is None else str(value)


def users(number: int) -> str:
    """Return a number of users."""
    return "1 user" if number == 1 else f"{number} users"


def cores(numbers: str) -> str:
    """Return core numbers with their noun."""
    return f"cores {numbers}" if "," in numbers else f"core {numbers}"
