"""What theory says beside a lane of the live view."""

from typing import Any

import pytest

from iolab.theory.capacity import queue
from iolab.web.answers import theory

LANE: dict[str, Any] = {
    "loop": "closed", "users": 16, "rate_rps": 200.0, "wait_ms": 20.0, "cpu_ms": 0.0, "workers": 8, "backlog": None,
}  # fmt: skip


def test_a_queue_for_each_worker_has_theory_in_the_open_loop_alone() -> None:
    """In a closed loop, constant service times at random queues have no formula."""
    assert set(theory(**LANE, queues=8).values()) == {None}
    split = theory(**{**LANE, "loop": "open"}, queues=8)
    assert split["response_s"] == pytest.approx(queue("constant", 25.0, 0.02, 1).mean_s)
    assert split["utilisation"] == pytest.approx(0.5)
    whole = theory(**{**LANE, "loop": "open"})
    assert whole["response_s"] == pytest.approx(queue("constant", 200.0, 0.02, 8).mean_s)


def test_the_theory_of_a_short_queue_is_that_of_one_worker() -> None:
    assert theory(**{**LANE, "backlog": 5})["rps"] == pytest.approx(8 / 0.02)
    assert theory(**{**LANE, "backlog": 5, "workers": 1})["response_s"] == pytest.approx(7 * 0.02)


def test_interpreters_compute_at_the_same_time() -> None:
    computing = {**LANE, "cpu_ms": 20.0}
    assert theory(**computing)["rps"] == pytest.approx(50)
    assert theory(**computing, interpreters=8)["rps"] == pytest.approx(200)
    open_loop = {**computing, "loop": "open", "rate_rps": 100.0}
    assert theory(**open_loop)["utilisation"] == pytest.approx(2.0)
    assert theory(**open_loop, interpreters=8)["utilisation"] == pytest.approx(0.5)
