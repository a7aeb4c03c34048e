"""The faults: each is caused while all users are connected, and its effect is measured."""

import time
from collections.abc import Sequence
from statistics import median

from iolab.chat.entries import Entry, entries, first_s
from iolab.host.proc import sockets_bytes
from iolab.kinds.faults import connections
from iolab.kinds.faults.records import (
    Baseline,
    Broadcast,
    Delivery,
    Disconnection,
    HalfOpen,
    Herd,
    Killed,
    SlowReaders,
    Vanished,
)
from iolab.kinds.faults.stage import ANSWER_S, Stage
from iolab.theory.enough import least_count

POLL_S = 0.2
WARM_MESSAGES = least_count(0.5)  # of full length, while all users read: enough for their median
STEP_S = 0.1  # from one such message to the next


def baseline(_: Stage) -> Baseline:
    """Do nothing."""
    return Baseline()


def broadcast(stage: Stage) -> Broadcast:
    """Send messages to all users."""
    received: list[list[Delivery]] = []
    for _ in range(stage.faults.broadcasts):
        begin = time.monotonic()
        received.append(stage.send_message(len("hello, all of you")))
        time.sleep(max(0.0, stage.faults.broadcast_every_s - (time.monotonic() - begin)))
    stage.rows = [row for rows in received for row in rows]
    times = [sorted(row.after_s for row in rows) for rows in received if rows]
    return Broadcast(
        messages=len(received),
        reached=min(map(len, received)),
        first_s=_median([each[0] for each in times]),
        median_s=_median([value for each in times if (value := _median(each)) is not None]),
        last_s=_median([each[-1] for each in times]),
        slowest_s=max((each[-1] for each in times), default=None),
    )


def slow(stage: Stage) -> SlowReaders:
    """Make some users stop reading, and send messages to all, until the server has disconnected those users."""
    faults = stage.faults
    before = [_last(stage.send_message(faults.message_chars)) for _ in range(WARM_MESSAGES)]
    rss_bytes, buffers_bytes = stage.server.snapshot().rss_bytes, sockets_bytes()
    peaks = [(rss_bytes, buffers_bytes)]
    addresses = stage.disturb("stall", faults.stuck)
    received: list[list[Delivery]] = []
    begin, cut, cut_s = time.monotonic(), None, None
    until = begin + stage.stated_s() + stage.crowd.patience_s
    while len(received) < faults.most_messages and cut != len(addresses) and time.monotonic() < until:
        received.append(stage.send_message(faults.message_chars))
        peaks.append((stage.server.snapshot().rss_bytes, sockets_bytes()))
        now = connections.read(stage.server)
        cut = None if now is None else len(addresses) - now.left(addresses)
        cut_s = time.monotonic() - begin
        time.sleep(STEP_S if len(received) < faults.most_messages / 4 else 3 * STEP_S)
    stage.rows = [row for rows in received for row in rows]
    lost = sum(answer["lost"] for answer in stage.users.all("count_outcomes", ANSWER_S))
    last = [each for each in map(_last, received) if each is not None]
    return SlowReaders(
        stuck=len(addresses),
        chars=faults.message_chars,
        messages=len(received),
        cut=cut,
        cut_s=cut_s if cut == len(addresses) else None,
        before_s=_median([each for each in before if each is not None]),
        last_s=_median(last),
        slowest_s=max(last, default=None),
        others_lost=lost,
        rss_growth_bytes=_growth([rss for rss, _ in peaks]),
        sockets_growth_bytes=_growth([buffers for _, buffers in peaks]),
    )


def vanished(stage: Stage) -> Vanished:
    """Make some users vanish, and wait until neither the kernel nor the server keeps anything for them."""
    before = stage.own_users()
    addresses = stage.disturb("vanish", max(1, int(stage.faults.vanish_share * sum(stage.users.shares))))
    begin = time.monotonic()
    first_s = noticed_s = freed_s = None
    left: int | None = None
    while time.monotonic() - begin < 1.5 * stage.stated_s():
        now, own = connections.read(stage.server), stage.own_users()
        after_s = time.monotonic() - begin
        left = None if now is None else now.left(addresses)
        if left is not None and left < len(addresses):
            first_s = first_s or after_s
        if left == 0:
            noticed_s = noticed_s or after_s
        if own is not None and before is not None and own <= before - len(addresses):
            freed_s = freed_s or after_s
        if (left is None or left == 0) and (own is None or freed_s):
            break
        time.sleep(POLL_S)
    return Vanished(
        vanished=len(addresses),
        stated_s=stage.stated_s(),
        first_s=first_s,
        noticed_s=noticed_s,
        freed_s=freed_s,
        left=left,
    )


def half_open(stage: Stage) -> HalfOpen:
    """Connect new users before and while the server's queue of half-open connections is full."""
    before = stage.newcomers()
    counted = stage.server.listen_counters()
    jobs = [{"connections": share} for share in stage.users.split(stage.faults.half_open)]
    answers = stage.users.ask("half_open", jobs, stage.faults.half_open / 100 + ANSWER_S)
    held = connections.read(stage.server)
    rows = stage.newcomers()
    kept = [each.half_open for each in (held, connections.read(stage.server)) if each]
    stage.users.all("close_half", ANSWER_S)
    counted = stage.server.listen_counters().since(counted)
    stage.rows = rows
    old, new = _served(before), _served(rows)
    return HalfOpen(
        sent=sum(answer["connections"] for answer in answers),
        kept=max(kept, default=None),
        cookies=counted.cookies,
        drops=counted.drops,
        newcomers=len(rows),
        served_before=len(old),
        before_median_s=_median(old),
        before_last_s=max(old, default=None),
        served=len(new),
        median_s=_median(new),
        last_s=max(new, default=None),
    )


def killed(stage: Stage) -> Killed:
    """Kill the server while users click, and wait until they detect it."""
    time.sleep(stage.faults.least_s)
    begin_s = time.perf_counter()  # the drivers use the same clock, the machine's monotonic one
    stage.kill()
    wait_s = stage.stated_s()
    answers = stage.users.all("partings", wait_s + ANSWER_S, wait_s=wait_s)
    stage.rows = [Disconnection(user, lost_s - begin_s) for answer in answers for user, lost_s in answer["rows"]]
    times = sorted(row.after_s for row in stage.rows if row.after_s > 0)
    return Killed(
        detected=len(times),
        first_s=times[0] if times else None,
        median_s=_median(times),
        last_s=times[-1] if times else None,
    )


def herd(stage: Stage) -> Herd:
    """Start the server again, and reconnect all users at once."""
    begin = time.monotonic()
    stage.start_again()
    start_s = time.monotonic() - begin
    counted = stage.server.listen_counters()
    rows, tries = stage.reconnect()
    counted = stage.server.listen_counters().since(counted)
    stage.rows = entries(rows, first_s(rows))
    times = _served(stage.rows)
    return Herd(
        start_s=start_s,
        reconnecting=len(rows),
        served=len(times),
        median_s=_median(times),
        last_s=max(times, default=None),
        tries=tries,
        refused=tries - len(rows),
        overflows=counted.overflows,
        drops=counted.drops,
    )


def _served(rows: Sequence[Entry]) -> list[float]:
    return sorted(row.served_s - row.start_s for row in rows if row.served_s is not None and row.outcome != "late")


def _last(rows: Sequence[Delivery]) -> float | None:
    return max((row.after_s for row in rows), default=None)


def _median(values: Sequence[float]) -> float | None:
    """Return the median; None with too few values."""
    return median(values) if len(values) >= least_count(0.5) else None


def _growth(values: Sequence[int | None]) -> int | None:
    """Return the largest value minus the first; None if one is not known."""
    known = [value for value in values if value is not None]
    return max(known) - known[0] if len(known) == len(values) else None
