"""Users in several processes: their rows, however the drivers send them."""

from collections.abc import Mapping
from typing import Any

from iolab.loadgen.users import UserProcesses


class Told:
    """A driver that sends some rows before its answer, as one with many rows does."""

    def ask(self, _: Mapping[str, Any], timeout_s: float, told: list[dict[str, Any]]) -> dict[str, Any]:
        assert timeout_s > 0
        told.append({"job": 1, "more": True, "rows": [[1, 0.1, 0.2, 0.3], [2, 0.2, 0.3, None]]})
        return {"job": 1, "rows": [[3, 0.4, 0.5, 0.6]], "cpu_s": 0.01, "begin_s": 0.0}


def test_rows_that_come_before_the_answer_count_too() -> None:
    users = UserProcesses([Told(), Told()], [2, 1], ["", ""])  # type: ignore[list-item]
    answers = users.click(1.0, 1.0, 1.0, 7)
    assert [answer["rows"] for answer in answers] == [
        [[1, 0.1, 0.2, 0.3], [2, 0.2, 0.3, None], [3, 0.4, 0.5, 0.6]],
    ] * 2
    assert [user for user, *_ in (row for answer in answers for row in answer["rows"])] == [1, 2, 3] * 2
