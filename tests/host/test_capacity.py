import pytest

from iolab.host.capacity import ContainerLimits, Limit, Need, applicable, capped, container_limits, processes_for
from iolab.host.limits import Facts

PLENTY = Facts(
    files=1_048_576,
    engine_files=1_048_576,
    files_machine=10**7,
    ports=28_232,
    threads_max=10**6,
    pid_max=4_000_000,
    maps=10**7,
    memory_bytes=2**40,
    tracked=10**7,
    backlog=4096,
    buffers_bytes=2**40,
)
TIGHT = {  # by one fact each, and by what allows fewer than 50,000 then
    "files": (20_000, {"open files of the server", "open files of the client"}),
    "files_machine": (60_000, {"open files of the machine"}),
    "threads_max": (40_000, {"kernel.threads-max"}),
    "pid_max": (32_768, {"kernel.pid_max"}),
    "user_tasks": (30_000, {"a user's threads"}),
    "group_tasks": (10_000, {"the control group's tasks"}),
    "maps": (65_530, {"memory maps"}),
    "memory_bytes": (2**30, {"memory"}),
    "group_memory_bytes": (2**30, {"the control group's memory"}),
    "tracked": (32_768, {"tracked connections"}),
    "buffers_bytes": (2**28, {"TCP buffers"}),
}


def tight(facts: Facts, need: Need) -> dict[str, Limit]:
    return {limit.name: limit for limit in applicable(facts, need) if limit.users < need.users}


def test_where_there_is_plenty_all_come() -> None:
    for need in (Need(50_000), Need(50_000).with_threads(), Need(50_000, container=True, client_processes=2)):
        assert tight(PLENTY, need) == {}
        assert capped(50_000, applicable(PLENTY, need)) == (50_000, "")


@pytest.mark.parametrize("fact", TIGHT)
def test_each_limit_bites_by_itself_and_says_what_raises_it(fact: str) -> None:
    value, names = TIGHT[fact]
    facts = Facts(**{**PLENTY.__dict__, fact: value})
    found = tight(facts, Need(50_000).with_threads())
    assert set(found) == names
    for limit in found.values():
        assert limit.users > 0
        assert limit.remedy
        assert "\n" not in limit.why + limit.remedy


def test_what_is_not_known_is_no_limit() -> None:
    assert applicable(Facts(), Need(10**6).with_threads()) == []


def test_limits_of_this_process_do_not_bind_a_container() -> None:
    facts = Facts(**{**PLENTY.__dict__, "files": 1024, "user_tasks": 100, "group_tasks": 100, "group_memory_bytes": 1})
    assert tight(facts, Need(50_000, container=True, client_processes=2).with_threads()) == {}
    engine = Facts(**{**PLENTY.__dict__, "engine_files": 20_000})
    assert capped(50_000, applicable(engine, Need(50_000, container=True, client_processes=4, divisible=True))) == (
        19_936,
        "19,936 of 50,000 users can connect: a process may have 20,000 open files in a container, because the engine has no more; "
        "PROCESSES=3 shares the users among server processes, or LimitNOFILE=65536 of the engine's service raises it",
    )


def test_a_thread_takes_three_maps_as_measured() -> None:
    """About 22,000 threads were the wall with vm.max_map_count at 65,530."""
    facts = Facts(maps=65_530)
    (limit,) = applicable(facts, Need(100_000).with_threads())
    assert 21_000 < limit.users < 22_000
    assert "`sysctl -w vm.max_map_count=524288`" in limit.remedy
    assert applicable(facts, Need(100_000)) == []


def test_several_processes_share_files_though_unequally() -> None:
    facts = Facts(files=20_000)
    allowed = [applicable(facts, Need(100_000, processes=count, client_processes=100))[0].users for count in (1, 2, 6)]
    assert allowed[0] == 19_936
    assert 1.9 * allowed[0] < allowed[1] < 2 * allowed[0]
    assert 5.7 * allowed[0] < allowed[2] < 6 * allowed[0]


def test_a_server_that_is_one_process_is_not_told_to_be_several() -> None:
    facts = Facts(files=20_000, maps=65_530)
    one, several = Need(100_000), Need(100_000, divisible=True)
    for need, is_told in ((one, False), (one.with_threads(), False), (several, True), (several.with_threads(), True)):
        assert ["PROCESSES=" in limit.remedy for limit in applicable(facts, need) if "client" not in limit.name] == [
            is_told
        ] * (1 + need.threads_per_user)


@pytest.mark.parametrize("users", [1, 19_936, 19_937, 39_000, 100_000])
def test_as_many_processes_as_are_needed_and_no_more(users: int) -> None:
    count = processes_for(users, 19_936)
    facts = Facts(files=20_000)

    def allowed(processes: int) -> int:
        return applicable(facts, Need(users, processes=processes, client_processes=100))[0].users

    assert allowed(count) >= users
    assert count == 1 or allowed(count - 1) < users


def test_where_loopback_is_one_address_its_ports_are_the_limit() -> None:
    assert tight(Facts(ports=16_384, many_loopbacks=False), Need(50_000))["source ports"].users == 16_384
    assert tight(Facts(ports=28_232), Need(100_000)) == {}
    two = tight(Facts(ports=28_232), Need(100_000, container=True, client_processes=2))["source ports"]
    assert two.users == 2 * 28_232
    assert "4 addresses" in two.remedy
    shared = Need(100_000, container=True, client_processes=20, client_containers=2)
    assert tight(Facts(ports=28_232, engine_files=10**6), shared)["source ports"].users == 2 * 28_232
    assert "open files of the client" not in tight(Facts(engine_files=20_000), shared)


def test_the_sentence_names_the_first_limit_and_the_one_after_it() -> None:
    limits = [Limit("b", 300, "B", "raise B"), Limit("a", 200, "A", "raise A"), Limit("c", 5000, "C", "raise C")]
    assert capped(1000, limits) == (200, "200 of 1,000 users can connect: A; raise A (next limit: b, at 300)")
    assert capped(250, limits) == (200, "200 of 250 users can connect: A; raise A")
    assert capped(200, limits) == (200, "")
    assert capped(1000, []) == (1000, "")


def test_more_memory_each_means_fewer_users() -> None:
    facts = Facts(memory_bytes=4 * 2**30)
    (loop,) = applicable(facts, Need(10**6))
    (threads,) = [limit for limit in applicable(facts, Need(10**6).with_threads()) if limit.name == "memory"]
    assert 1.5 * threads.users < loop.users < 4 * threads.users


def test_a_container_gets_what_its_users_need() -> None:
    loop, threads = container_limits(Need(10_000), PLENTY), container_limits(Need(10_000).with_threads(), PLENTY)
    assert loop.files == threads.files == 16_384
    assert loop.pids < 1000
    assert 10_000 < threads.pids < 11_000
    assert 2**29 < loop.memory_bytes < threads.memory_bytes < 4 * 2**30
    assert container_limits(Need(10_000, 4), PLENTY).files == 4096


def test_a_container_is_not_given_what_engine_and_machine_do_not_have() -> None:
    scarce = Facts(engine_files=4096, memory_bytes=2**29)
    assert container_limits(Need(10_000), scarce) == ContainerLimits(4096, 129, int(0.8 * 2**29))
    unknown = container_limits(Need(10_000), Facts())
    assert unknown == container_limits(Need(10_000), PLENTY)
