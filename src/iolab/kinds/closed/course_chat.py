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
    pool, chat = numbers.counted(threads, "thread"), "chats" if threads == 1 else "chat"
    some = f"{numbers.users(threads)} {chat}, and {CHATTERS - threads} wait in the queue"
    told = [
        f"A chat connection is idle nearly all the time. In a pool of {pool}, each open connection occupies"
        f" a thread: {some if threads < CHATTERS else 'all users chat'}. A thread for each user means"
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
    told.append(f"The event loop served 16 users with {threads_of(loop)} and {_memory(loop, _fewest(analysis, loop))}.")
    if not _shares_threads(loop):
        return told
    told[-1] += (
        " So a further connection needs no thread there. A thread for each user can hold 1,000 users, too; with many"
        " more, the limits on threads and memory maps come first."
    )
    if threads < CHATTERS and loop.valid and not loop.errors:
        told[-1] += (
            " Choose asyncio, and compute in other processes: code that blocks the event loop blocks every user."
        )
    return told


def _shares_threads(loop: Cell) -> bool:
    """Return whether a server is known to have had fewer threads than users."""
    known = loop.server.threads_peak
    return known is not None and known < loop.concurrency


def _fewest(analysis: Analysis, loop: Cell) -> Cell | None:
    """Return the cell with the fewest users of the same server, where fewer were measured."""
    alike = next((cells for cells in words.by_model(analysis) if loop in cells), [loop])
    return alike[0] if alike[0].concurrency < loop.concurrency else None


def threads_of(loop: Cell) -> str:
    """Return how many threads a server had at most, as far as that is known."""
    known = loop.server.threads_peak
    return "an unknown number of threads" if known is None else numbers.counted(known, "thread")


def _memory(loop: Cell, few: Cell | None) -> str:
    """Return how much memory a server had at most, and how much with fewer users, as far as that is known."""
    known = loop.server.rss_peak_bytes
    if known is None:
        return "an unknown amount of memory"
    text = f"{numbers.memory(known)} of memory"
    if few is None or few.server.rss_peak_bytes is None:
        return text
    return f"{text}; with {numbers.users(few.concurrency)} it had {numbers.memory(few.server.rss_peak_bytes)}"


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
