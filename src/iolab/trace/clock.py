"""Time stamps -> seconds."""

DAY_S = 86400.0


class Clock:
    """Makes seconds of time stamps: of the epoch (-ttt), of the day (-t, -tt), relative to the line before (-r)."""

    def __init__(self) -> None:
        self._sum_s = 0.0
        self._days = 0
        self._last_s = 0.0

    def time_of(self, stamp: str) -> float | None:
        """Return the time of a line with this stamp; None for text that is not a time."""
        try:
            if ":" in stamp:
                hours, minutes, seconds = stamp.split(":")
                if len(stamp) > 20:
                    return None
                of_day = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
                if of_day < self._last_s - DAY_S / 2:
                    self._days += 1
                self._last_s = of_day
                return self._days * DAY_S + of_day
            value = float(stamp)
        except (ValueError, OverflowError):
            return None
        if value > 1e11:
            return None
        if value >= 1e6:
            return value
        self._sum_s += value
        return self._sum_s
