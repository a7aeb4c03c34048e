"""Boards: each user sends its requests one after another, and each row says which board sent it."""

from typing import Any

from iolab.errors import LoadFailed
from iolab.loadgen.driver import Driver, rows
from iolab.results.samples import Pair


class Boards:
    """Plays exhibitions; the other end is loadtest/boards_driver.py.

    `cpu_s` is the CPU time that the driver used for the last one; None: there was none, or it failed.
    """

    driver_script = "boards_driver.py"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.cpu_s: float | None = None

    def play(self, url: str, boards: int, moves: int, answer_limit_s: float, timeout_s: float) -> tuple[Pair, ...]:
        """Play all games to the end, and return the pairs of moves in the order in which they were sent.

        Raises LoadFailed if a move gets no answer, or at the time limit.
        """
        job = {"url": url, "boards": boards, "moves": moves, "answer_limit_s": answer_limit_s}
        told: list[dict[str, Any]] = []
        self.cpu_s = None
        done = self._driver.ask(job, timeout_s, told)
        pairs = [
            Pair(int(board), int(move), start, end, service, int(status))
            for board, move, start, end, service, status in rows(told)
        ]
        self.cpu_s = done.get("cpu_s")
        answered = sum(pair.status == 200 for pair in pairs)
        if done["timed_out"]:
            raise LoadFailed(
                f"the boards were stopped after {timeout_s:g} s, with {answered} of {boards * moves} moves"
            )
        if answered < boards * moves:
            raise LoadFailed(f"{boards * moves - answered} of {boards * moves} moves got no answer 200")
        return tuple(sorted(pairs, key=lambda pair: (pair.start_s, pair.board)))
