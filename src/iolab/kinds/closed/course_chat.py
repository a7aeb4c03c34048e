"""The course's last question: a thousand users chat. A crowd that was measured answers it, where there is one."""

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers

CHATTERS = 1000
QUESTION = f"{CHATTERS:,} users chat on a dormitory PC: a thread pool, or asyncio?"
HINT = f"make crowd USERS={CHATTERS} measures it: the resources of each model, and the response time of clicks."


def paragraphs(analysis: Analysis, threads: int, loop: Cell | None) -> list[str]:
    """Return the answer: `threads` are in the pool, and `loop` is the cell of C with 16 users, if it was measured."""
    if analysis.chat_answer:
        return list(analysis.chat_answer)
    return [*_estimated(analysis, threads, loop), HINT]


def _estimated(analysis: Analysis, threads: int, loop: Cell | None) -> list[str]:
    """Return an estimate from the cells with 16 users, where no crowd was measured."""
    told = [
        f"A chat connection is idle nearly all the time. In a pool of {threads} threads, each open connection occupies"
        f" a thread: {threads} users chat, and {CHATTERS - threads} wait in the queue. A thread for each user means"
        f" {CHATTERS:,} threads, each with 8 MiB of address space for its stack ({CHATTERS * 8 / 1024:.1f} GiB in"
        " total; only the part of a stack that was used takes memory), and the kernel switches between them."
    ]
    per_thread = _memory_per_thread(analysis)
    if per_thread:
        told.append(
            f"In this run, a server with a thread for each connection used {per_thread / 1024:.0f} KiB more for each"
            f" further user. At the same rate, {CHATTERS:,} users take {per_thread * CHATTERS / 2**20:.0f} MiB."
        )
    if loop is None:
        return [*told, words.missing("C", 16)]
    return [
        *told,
        f"The event loop served 16 users with {_threads(loop)} and"
        f" {numbers.memory(loop.server.rss_peak_bytes)}, most of which are the interpreter and its libraries; a further"
        " connection needs a socket and a small object, but no thread. A thread for each user can hold 1,000 users,"
        " too; with many more, the limits on threads and memory maps come first. Choose asyncio, and compute in other"
        " processes: code that blocks the event loop blocks every user.",
    ]


def _threads(loop: Cell) -> str:
    known = loop.server.threads_peak
    return "an unknown number of threads" if known is None else numbers.counted(known, "thread")


def _memory_per_thread(analysis: Analysis) -> float | None:
    """Return the memory of a further thread in bytes, from a model whose threads grow with its users."""
    for group in words.by_model(analysis):
        first, last = group[0].server, group[-1].server
        if None in (first.threads_peak, last.threads_peak, first.rss_peak_bytes, last.rss_peak_bytes):
            continue
        threads = (last.threads_peak or 0) - (first.threads_peak or 0)
        memory = (last.rss_peak_bytes or 0) - (first.rss_peak_bytes or 0)
        if threads >= 8 and memory > 0:
            return memory / threads
    return None
