import math

import pytest

from iolab.errors import UsageError
from iolab.host import cores as cpus


@pytest.mark.parametrize(
    ("limit", "cores", "server", "loadgen", "shared"),
    [
        (1, range(2), (0,), (1,), False),
        (2, range(2), (0, 1), (0, 1), True),
        (0.25, range(2), (0,), (1,), False),
        (1.5, range(4), (0, 1), (2, 3), False),
        (1, range(1), (0,), (0,), True),
        (2, (3, 5, 9), (3, 5), (9,), False),
    ],
)
def test_servers_get_the_first_cores_and_the_load_generator_the_others(
    limit: float, cores: tuple[int, ...], server: tuple[int, ...], loadgen: tuple[int, ...], shared: bool
) -> None:
    plan = cpus.plan(limit, cores)
    assert (plan.cpus, plan.server, plan.loadgen, plan.shared) == (limit, server, loadgen, shared)


def test_compose_is_given_the_same_plan() -> None:
    given = {"CPUS": "1.5", "SERVER_CPUSET": "0,1", "LOADGEN_CPUSET": "2,3"}
    assert cpus.plan(1.5, range(4)).variables() == given


@pytest.mark.parametrize("limit", [0, 0.0001, -1, math.nan, math.inf, 2.1, 3])
def test_what_the_machine_does_not_have_is_refused(limit: float) -> None:
    with pytest.raises(UsageError, match=r"^CPUS="):
        cpus.plan(limit, range(2))


def test_available_cores_are_those_of_this_process() -> None:
    assert len(cpus.available()) >= 1
