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


def threads(*pairs: tuple[int, int]) -> dict[int, frozenset[int]]:
    return {core: frozenset(pair) for pair in pairs for core in pair}


BESIDE = threads((0, 1), (2, 3), (4, 5), (6, 7))  # how some machines number the threads of a physical core
APART = threads((0, 4), (1, 5), (2, 6), (3, 7))  # and others


@pytest.mark.parametrize(
    ("limit", "pairs", "server", "loadgen", "siblings"),
    [
        (1, BESIDE, (0,), (2, 3, 4, 5, 6, 7), ()),
        (1, APART, (0,), (1, 2, 3, 5, 6, 7), ()),
        (2, BESIDE, (0, 2), (4, 5, 6, 7), ()),
        (2, APART, (0, 1), (2, 3, 6, 7), ()),
        (4, BESIDE, (0, 1, 2, 3), (4, 5, 6, 7), ()),  # one thread of each physical core would leave none
        (4, APART, (0, 1, 4, 5), (2, 3, 6, 7), ()),
        (5, APART, (0, 1, 2, 4, 5), (3, 7), ()),
        (7, BESIDE, (0, 1, 2, 3, 4, 5, 6), (7,), ((6, 7),)),
        (8, BESIDE, tuple(range(8)), tuple(range(8)), None),
    ],
)
def test_no_thread_of_a_server_s_physical_core_is_the_load_generator_s_as_long_as_there_are_others(
    limit: float,
    pairs: dict[int, frozenset[int]],
    server: tuple[int, ...],
    loadgen: tuple[int, ...],
    siblings: tuple[tuple[int, int], ...] | None,
) -> None:
    plan = cpus.plan(limit, range(8), pairs)
    assert (plan.server, plan.loadgen) == (server, loadgen)
    assert siblings is None or plan.siblings == siblings


def test_two_threads_of_the_only_physical_core_are_used_and_named() -> None:
    plan = cpus.plan(1, range(2), threads((0, 1)))
    assert (plan.server, plan.loadgen, plan.siblings, plan.shared) == ((0,), (1,), ((0, 1),), False)
    alone = {0: frozenset({0}), 1: frozenset({1})}
    assert cpus.plan(1, range(2), alone).siblings == ()
    assert cpus.plan(1, range(2)).siblings is None  # not known


def test_on_many_cores_the_load_generator_gets_some_and_others_stay_free() -> None:
    plan = cpus.plan(1, range(64))
    assert (plan.server, plan.loadgen) == ((0,), tuple(range(1, 17)))


@pytest.mark.parametrize(("quota", "loadgen"), [(2.0, (1,)), (4.5, (1, 2, 3)), (0.5, (1,)), (99.0, tuple(range(1, 9)))])
def test_a_quota_leaves_the_load_generator_no_more_cores_than_it_has_time_for(
    quota: float, loadgen: tuple[int, ...]
) -> None:
    assert cpus.plan(1, range(9), None, quota).loadgen == loadgen


def test_compose_is_given_the_same_plan() -> None:
    given = {"CPUS": "1.5", "SERVER_CPUSET": "0,1", "LOADGEN_CPUSET": "2,3"}
    assert cpus.plan(1.5, range(4)).variables() == given


@pytest.mark.parametrize("limit", [0, 0.0001, -1, math.nan, math.inf, 2.1, 3])
def test_what_the_machine_does_not_have_is_refused(limit: float) -> None:
    with pytest.raises(UsageError, match=r"^CPUS="):
        cpus.plan(limit, range(2))


def test_available_cores_are_those_of_this_process() -> None:
    assert len(cpus.available()) >= 1
