"""The course's last question: a thousand people who chat. Answered by a crowd that was measured, where there is one."""

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers

CHATTERS = 1000
QUESTION = f"{CHATTERS:,} people chat on a dormitory PC: a pool of threads, or asyncio?"
HINT = f"make crowd USERS={CHATTERS} measures it here: what each model needs for them, and what they feel."


def paragraphs(analysis: Analysis, threads: int, loop: Cell | None) -> list[str]:
    """Answer it: `threads` are in the pool, and `loop` is what 16 users made of C, if that was measured."""
    if analysis.chat_answer:
        return list(analysis.chat_answer)
    return [*_reckoned(analysis, threads, loop), HINT]


def _reckoned(analysis: Analysis, threads: int, loop: Cell | None) -> list[str]:
    """Answer it by what 16 users were, where no crowd was measured."""
    told = [
        f"A chat connection waits nearly all the time. In a pool of {threads} threads each open connection holds a"
        f" thread: {threads} people chat, and {CHATTERS - threads} stand in the queue. A thread for everyone takes"
        f" {CHATTERS:,} of them, with 8 MiB of address space for each stack ({CHATTERS * 8 / 1024:.1f} GiB; memory is"
        " used only as far as a stack is touched), and the kernel switches between them."
    ]
    per_thread = _memory_per_thread(analysis)
    if per_thread:
        told.append(
            f"A server with a thread for each connection used {per_thread / 1024:.0f} KiB more for each further user in"
            f" this run: {per_thread * CHATTERS / 2**20:.0f} MiB for {CHATTERS:,}, where that holds."
        )
    if loop is None:
        return [*told, words.missing("C", 16)]
    return [
        *told,
        f"The event loop served 16 with {numbers.count(loop.server.threads_peak)} thread in"
        f" {numbers.memory(loop.server.rss_peak_bytes)}, and a further connection is a socket and a small object."
        " Choose asyncio; and compute elsewhere, for what blocks the loop blocks everyone.",
    ]


def _memory_per_thread(analysis: Analysis) -> float | None:
    """Return the bytes that a further thread cost, of a model whose threads grew with its users."""
    for group in words.by_model(analysis):
        first, last = group[0].server, group[-1].server
        if None in (first.threads_peak, last.threads_peak, first.rss_peak_bytes, last.rss_peak_bytes):
            continue
        threads = (last.threads_peak or 0) - (first.threads_peak or 0)
        memory = (last.rss_peak_bytes or 0) - (first.rss_peak_bytes or 0)
        if threads >= 8 and memory > 0:
            return memory / threads
    return None
