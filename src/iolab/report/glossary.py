"""Terms that may be new to a reader: explained where they first appear, and at the end of a report."""

import re
from typing import NamedTuple

from markupsafe import Markup, escape


class Term(NamedTuple):
    """A term, a regular expression for the words that mean it, its explanation, and the document with more about it."""

    name: str
    words: str
    meaning: str
    more: str = "docs/methodology.md"


TERMS = (
    Term("median", r"medians?|p50", "The value in the middle: half of the requests were faster, half were slower."),
    Term(
        "percentile",
        r"percentiles?|p9\d(?:\.\d)?",
        "p99, the 99th percentile, is the value that 99% of the requests stay below; one in a hundred takes longer.",
    ),
    Term(
        "tail",
        r"tails?",
        "The slowest requests of a run: what p95, p99 and the slowest request show.",
        "docs/experiments.md",
    ),
    Term(
        "95% interval",
        r"95% intervals?",
        "A range that would contain the true value in 95 of 100 experiments like this one. Its heading says what it"
        " allows for: differences within this run, or only independent requests.",
    ),
    Term(
        "order statistics",
        r"order statistics",
        "The measured values in rising order. A percentile lies between two of them, whatever its distribution.",
    ),
    Term(
        "closed loop",
        r"closed[ -]loops?",
        "A fixed number of users; each sends its next request when it has the answer. A slow server gets fewer"
        " requests.",
        "docs/queueing.md",
    ),
    Term(
        "open loop",
        r"open[ -]loops?",
        "Requests are sent at planned times, whether or not the server keeps up. A slow server gets a long queue.",
        "docs/queueing.md",
    ),
    Term(
        "service time",
        r"service times?",
        "How long a server serves one request, waiting and computing, without the time in a queue (S).",
    ),
    Term(
        "utilisation",
        r"utili[sz]ation",
        "The share of the time in which a worker is busy: arrival rate x service time / workers.",
        "docs/queueing.md",
    ),
    Term("throughput", r"throughput", "Completed requests per second."),
    Term(
        "Little's law",
        r"Little's law",
        "Mean number of requests in a system = throughput x mean time in it. It holds for every system.",
    ),
    Term(
        "M/M/c, M/D/c",
        r"M/[MDG]/(?:c|\d+)",
        "Queues with random (M, exponential) arrivals, random (M) or constant (D) service times, and c workers.",
        "docs/queueing.md",
    ),
    Term(
        "ramp-down",
        r"ramp[- ]down",
        "The end of a closed loop: some users have sent their share while others still wait, and the server idles.",
    ),
    Term(
        "accept queue",
        r"accept queues?|listen backlogs?|backlogs?",
        "Connections that the kernel has accepted and that the server has not yet taken. On Linux it takes one more"
        " than the listen backlog that the server asked for; when it is full, the kernel drops further attempts.",
    ),
    Term(
        "SYN retransmission",
        r"SYN retransmissions?|retransmissions?|retransmitted",
        "A connection attempt without an answer is sent again by the client's kernel, after 1 s and then less often.",
    ),
    Term(
        "half-open connection",
        r"half-open",
        "A connection whose client has sent its first packet (SYN) and not yet answered the server's.",
        "docs/crowd.md",
    ),
    Term(
        "SYN cookie",
        r"SYN cookies?",
        "An answer to a connection attempt that has all that the kernel must know of it, so that the kernel stores"
        " nothing until the client repeats it.",
        "docs/crowd.md",
    ),
    Term(
        "throttled",
        r"throttled",
        "A container has used up its CPU quota, and the kernel stops it until the next period of 100 ms.",
    ),
    Term(
        "coordinated omission",
        r"coordinated omission",
        "Users that wait for a stalled server send nothing meanwhile, so the requests that would have been slow are"
        " missing from the percentiles.",
    ),
    Term(
        "event loop",
        r"event loops?",
        "One thread that waits for many sockets at once and serves each that is ready.",
        "docs/trace.md",
    ),
    Term(
        "long poll",
        r"long polls?",
        "A request that the server answers only when it has a message, or after a while.",
        "docs/crowd.md",
    ),
    Term(
        "lateness",
        r"lateness",
        "Of the load generator: when a request was sent, minus when it was planned.",
        "docs/crowd.md",
    ),
    Term(
        "interpreter lock",
        r"interpreter lock",
        "Python's global interpreter lock (GIL): only one thread of a process executes Python code at a time.",
        "docs/experiments.md",
    ),
    Term("KiB, MiB, GiB", r"[KMG]iB", "1,024 bytes, 1,024 KiB, 1,024 MiB.", "docs/crowd.md"),
)
_WORDS = re.compile(
    "|".join(rf"(?P<t{number}>\b(?:{term.words})\b)" for number, term in enumerate(TERMS)), re.IGNORECASE
)


class Glossary:
    """The terms of one report, in the order in which they appear."""

    def __init__(self) -> None:
        self.used: list[Term] = []

    def note(self, text: str) -> None:
        """Record the terms of a text."""
        for match in _WORDS.finditer(text):
            self._new(match)

    def mark(self, text: str) -> Markup:
        """Return a text as HTML: the first use of a term links to its explanation, which is also a tooltip."""
        parts, end = [], 0
        for match in _WORDS.finditer(text):
            if term := self._new(match):
                parts += [escape(text[end : match.start()]), _link(term, match.group())]
                end = match.end()
        return Markup("").join([*parts, escape(text[end:])])

    def _new(self, match: re.Match[str]) -> Term | None:
        term = TERMS[int((match.lastgroup or "t0")[1:])]
        if term in self.used:
            return None
        self.used.append(term)
        return term


def anchor(term: Term) -> str:
    """Return the id of a term's element on the page."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.name.lower()).strip("-")


def _link(term: Term, words: str) -> Markup:
    return Markup('<a class="term" href="#{}" title="{}">{}</a>').format(anchor(term), term.meaning, words)
