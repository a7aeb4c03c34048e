"""The effect of each fault as sentences and figures, from its record alone."""

from collections.abc import Mapping, Sequence

from iolab.chat.entries import TRANSPORTS
from iolab.kinds.faults.analysis import FaultsAnalysis
from iolab.kinds.faults.records import (
    Broadcast,
    Fault,
    FaultRecord,
    Figures,
    HalfOpen,
    Herd,
    Killed,
    SlowReaders,
    Vanished,
)
from iolab.report.numbers import TOO_FEW, count, counted, latency, memory, users
from iolab.theory.enough import least_count

NAMES: dict[Fault, str] = {
    "baseline": "baseline",
    "broadcast": "broadcast",
    "slow": "slow readers",
    "vanished": "vanished users",
    "half_open": "half-open flood",
    "killed": "server killed",
    "herd": "herd",
}
NOT_KNOWN = "not measured"


def name(fault: Fault) -> str:
    """Return the name of a fault."""
    return NAMES[fault]


def sentence(record: FaultRecord) -> str:
    """Describe the effect of a fault."""
    if record.figures is None:
        return f"{'left out' if record.valid else 'invalid'}: {record.reason}"
    return _effect(record.figures, record.users)


def unanswered(record: FaultRecord) -> str:
    """Return how many of the clicks were never answered."""
    return f"{record.clicks.sent - record.clicks.answered:,} of {record.clicks.sent:,}"


def server(analysis: FaultsAnalysis) -> str:
    """Return the server, its transport, and its number of users."""
    model, records = analysis.run.models[0], analysis.records
    transport = f", {TRANSPORTS[records[0].transport]}" if records else ""
    return f"{model.letter} · {model.title}{transport}, {users(records[0].allowed if records else analysis.asked)}"


def settings(analysis: FaultsAnalysis) -> str:
    """Return the settings of the run in a sentence."""
    experiment, crowd, faults = analysis.experiment, analysis.experiment.crowd, analysis.experiment.faults
    return (
        f"Settings: {users(analysis.asked)}; {crowd.described()}; {faults.click_rps:g} clicks per second during each"
        f" fault, which lasts {faults.least_s:g} s or more; {counted(faults.broadcasts, 'message')} to all users;"
        f" {users(faults.stuck)} that stop reading, and up to {counted(faults.most_messages, 'message')} of"
        f" {faults.message_chars:,} characters; {faults.vanish_share:.0%} of the users vanish; {faults.half_open:,}"
        f" half-open connection attempts, and {users(faults.newcomers)} that connect meanwhile at"
        f" {faults.newcomer_rps:g}/s; {faults.back_patience_s:g} s for users to connect again; seed {experiment.seed}."
    )


METHOD = (
    "All faults happen to one server and its users, one after another; after each fault, disconnected users reconnect."
    " Meanwhile connected users click at random moments. A click is timed from the moment for which it was planned, and"
    " a click that is never answered counts as longer than any other. The server writes each click to its log before it"
    " answers: a click whose answer a user received must be in that log and in the rows on disk."
)


def verdict(records: Sequence[FaultRecord]) -> tuple[str, str]:
    """Return whether an acknowledged click is lost: in a few words, and in a sentence."""
    done = [record.clicks for record in records if record.valid]
    answered = sum(each.answered for each in done)
    lost = sum(each.lost or 0 for each in done)
    unrecorded = [each.unrecorded for each in done if each.unrecorded is not None]
    if lost or any(unrecorded):
        return "clicks are lost", (
            f"Of {answered:,} acknowledged clicks, {lost:,} are missing in the rows on disk, and {sum(unrecorded):,} in"
            " the server's log: they are lost."
        )
    if not answered:
        return "no result", "No click was acknowledged."
    text = f"All {answered:,} acknowledged clicks are in the rows on disk"
    if len(unrecorded) < len(done):
        unknown = counted(len(done) - len(unrecorded), "fault")
        return "not proved", f"{text}; the server's log is not available for {unknown}."
    return "no click is lost", f"{text} and in the server's log, which it writes before it answers: no click is lost."


def facts(record: FaultRecord) -> list[tuple[str, str]]:
    """Return a fault's figures, each with what it is."""
    figures = record.figures
    if figures is None:
        return []
    return [
        (LABELS[figures.fault, key], _text(figures, key, value))
        for key, value in figures.model_dump(exclude={"fault"}).items()
    ]


def _text(figures: Figures, key: str, value: float | None) -> str:
    if _few(figures, key):
        return TOO_FEW
    if value is None:
        return NOT_KNOWN
    write = latency if key.endswith("_s") else memory if key.endswith("_bytes") else count
    return write(value)


def _few(figures: Figures, key: str) -> bool:
    return 0 < _of(figures).get(key, 0) < least_count(0.5)


def _median(figures: Figures, key: str) -> str:
    """Return a median as a part of a sentence."""
    return f"a time that is not known ({TOO_FEW})" if _few(figures, key) else latency(getattr(figures, key))


def _of(figures: Figures) -> Mapping[str, int]:
    """Return of how many messages or users each median is."""
    match figures:
        case Broadcast():
            each = min(figures.messages, figures.reached)
            return {"first_s": figures.messages, "median_s": each, "last_s": figures.messages}
        case SlowReaders():
            return {"last_s": figures.messages}
        case HalfOpen():
            return {"before_median_s": figures.served_before, "median_s": figures.served}
        case Killed():
            return {"median_s": figures.detected}
        case Herd():
            return {"median_s": figures.served}
        case _:
            return {}


LABELS = {
    ("broadcast", "messages"): "messages",
    ("broadcast", "reached"): "users that received each message, at least",
    ("broadcast", "first_s"): "first user has it (median of messages)",
    ("broadcast", "median_s"): "median user has it",
    ("broadcast", "last_s"): "last user has it",
    ("broadcast", "slowest_s"): "last user of the slowest message",
    ("slow", "stuck"): "users that stop reading",
    ("slow", "chars"): "characters in a message",
    ("slow", "messages"): "messages",
    ("slow", "cut"): "disconnected by the server",
    ("slow", "cut_s"): "time until all of them were disconnected",
    ("slow", "before_s"): "last user has a message while all read (median of messages)",
    ("slow", "last_s"): "last of the other users has a message (median of messages)",
    ("slow", "slowest_s"): "last of the other users, slowest message",
    ("slow", "others_lost"): "other users that lost their connection",
    ("slow", "rss_growth_bytes"): "growth of the server's memory, at most",
    ("slow", "sockets_growth_bytes"): "growth of the machine's TCP buffers, at most",
    ("vanished", "vanished"): "users that vanish",
    ("vanished", "stated_s"): "time limit for detection",
    ("vanished", "first_s"): "the server's kernel detects the first user",
    ("vanished", "noticed_s"): "the server's kernel detects the last user",
    ("vanished", "freed_s"): "the server itself has removed all of them",
    ("vanished", "left"): "not detected at the end",
    ("half_open", "sent"): "connection attempts that stay half open",
    ("half_open", "kept"): "of these, kept by the server's kernel, at most",
    ("half_open", "cookies"): "SYN cookies sent",
    ("half_open", "drops"): "connection attempts dropped",
    ("half_open", "newcomers"): "new users meanwhile (and as many before)",
    ("half_open", "served_before"): "served before",
    ("half_open", "before_median_s"): "median wait before",
    ("half_open", "before_last_s"): "longest wait before",
    ("half_open", "served"): "served meanwhile",
    ("half_open", "median_s"): "median wait meanwhile",
    ("half_open", "last_s"): "longest wait meanwhile",
    ("killed", "detected"): "users that detect it",
    ("killed", "first_s"): "first user detects it",
    ("killed", "median_s"): "median user detects it",
    ("killed", "last_s"): "last user detects it",
    ("herd", "start_s"): "the server starts in",
    ("herd", "reconnecting"): "users that reconnect at once",
    ("herd", "served"): "served again",
    ("herd", "median_s"): "median user is served",
    ("herd", "last_s"): "last user is served",
    ("herd", "tries"): "tries",
    ("herd", "refused"): "refused tries",
    ("herd", "overflows"): "accept queue overflows",
    ("herd", "drops"): "connection attempts dropped",
}


def _effect(figures: Figures, connected: int) -> str:  # noqa: PLR0911 (a sentence a fault)
    match figures:
        case Broadcast():
            return (
                f"a message to all users reaches the median user after {_median(figures, 'median_s')}, the last of"
                f" {figures.reached:,} after {_median(figures, 'last_s')}"
            )
        case SlowReaders():
            cut = NOT_KNOWN if figures.cut is None else f"{figures.cut:,}"
            grown = NOT_KNOWN if figures.rss_growth_bytes is None else memory(figures.rss_growth_bytes)
            return (
                f"{cut} of {users(figures.stuck)} that do not read were disconnected within"
                f" {counted(figures.messages, 'message')}; the server's memory grew by {grown}; a message reached the"
                f" last of the other users after {_median(figures, 'last_s')}, {latency(figures.before_s)} before"
            )
        case Vanished():
            noticed = NOT_KNOWN if figures.left is None else f"all detected after {latency(figures.noticed_s)}"
            if figures.left:
                noticed = f"{figures.left:,} not detected"
            gone = users(figures.vanished)
            return f"{gone} vanish without closing a connection: {noticed}; limit: {latency(figures.stated_s)}"
        case HalfOpen():
            kept = NOT_KNOWN if figures.kept is None else f"{figures.kept:,} kept"
            return (
                f"{figures.sent:,} half-open connection attempts ({kept}): {figures.served:,} of"
                f" {figures.newcomers:,} new users are served, the median after {_median(figures, 'median_s')},"
                f" {_median(figures, 'before_median_s')} before"
            )
        case Killed():
            return (
                f"{figures.detected:,} of {users(connected)} detect it, the median after"
                f" {_median(figures, 'median_s')}, the last after {latency(figures.last_s)}"
            )
        case Herd():
            return (
                f"{figures.served:,} of {users(figures.reconnecting)} are served again, the median after"
                f" {_median(figures, 'median_s')}, the last after {latency(figures.last_s)};"
                f" {figures.tries:,} tries, {figures.refused:,} refused"
            )
        case _:
            return f"{users(connected)}, without a fault"
