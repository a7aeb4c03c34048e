from pathlib import Path

import pytest

from iolab.runtime import Denials, Snapshot
from iolab.runtime.cgroup import HostWatch, denials, snapshot

V1 = {
    "cpuacct.usage": "354150785\n",
    "cpu.stat": "nr_periods 53\nnr_throttled 7\nthrottled_time 1250000000\n",
    "memory.stat": "cache 1000\nrss 900\ntotal_cache 1000\ntotal_rss 9510912\ntotal_mapped_file 4096\n",
    "pids.current": "10\n",
}
V2 = {
    "cpu.stat": "usage_usec 354150\nuser_usec 300000\nnr_throttled 7\nthrottled_usec 1250000\n",
    "memory.stat": "anon 9510912\nfile 70000\nfile_mapped 4096\n",
    "pids.current": "10\n",
}
IDENTITY = "d" * 64


@pytest.mark.parametrize(("texts", "cpu_s"), [(V1, 0.354150785), (V2, 0.35415)], ids=["v1", "v2"])
def test_both_versions_say_the_same(texts: dict[str, str], cpu_s: float) -> None:
    assert snapshot(texts, tasks_of_others=1) == Snapshot(cpu_s, 1.25, 9, 9510912 + 4096)


def test_what_is_missing_is_none_and_never_zero() -> None:
    assert snapshot({}, 1) == Snapshot(None, None, None, None)
    assert snapshot({"cpu.stat": V2["cpu.stat"]}, 1) == Snapshot(0.35415, 1.25, None, None)
    assert snapshot({"cpu.stat": "usage_usec 354150\n"}, 1) == Snapshot(0.35415, None, None, None)


def test_what_a_group_was_refused_is_counted_on_both_versions() -> None:
    v1 = {"pids.events": "max 3\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"}
    v2 = {"pids.events": "max 3\n", "memory.events": "low 0\nhigh 0\nmax 9\noom 4\noom_kill 2\n"}
    assert denials(v1) == denials(v2) == Denials(tasks=3, kills=2)
    assert denials({}) == Denials(None, None)


def make(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_files_are_found_on_v1(tmp_path: Path) -> None:
    group = f"docker/{IDENTITY}"
    make(
        tmp_path / "proc" / "42",
        {"cgroup": f"5:cpu,cpuacct:/{group}\n4:memory:/{group}\n3:pids:/{group}\n0::/{group}\n", "net/netstat": "n"},
    )
    make(
        tmp_path / "cgroup",
        {
            f"cpu/{group}/cpu.stat": V1["cpu.stat"],
            f"cpuacct/{group}/cpuacct.usage": V1["cpuacct.usage"],
            f"memory/{group}/memory.stat": V1["memory.stat"],
            f"pids/{group}/pids.current": V1["pids.current"],
            f"pids/{group}/pids.events": "max 3\n",
            f"pids/{group}/cgroup.procs": "42\n43\n57\n",
        },
    )
    watch = HostWatch.find(IDENTITY, 42, tmp_path / "proc", tmp_path / "cgroup")
    assert watch
    assert watch.group() == V1
    assert watch.events() == {"pids.events": "max 3\n"}
    assert watch.pids() == [43, 57]  # 42 is docker-init
    assert watch.netstat() == "n"


def test_files_are_found_on_v2(tmp_path: Path) -> None:
    group = f"system.slice/docker-{IDENTITY}.scope"
    make(tmp_path / "proc" / "42", {"cgroup": f"0::/{group}\n", "net/netstat": "n"})
    make(tmp_path / "cgroup" / group, {**V2, "memory.events": "oom_kill 1\n", "cgroup.procs": "42\n43\n"})
    watch = HostWatch.find(IDENTITY, 42, tmp_path / "proc", tmp_path / "cgroup")
    assert watch
    assert watch.group() == V2
    assert watch.events() == {"memory.events": "oom_kill 1\n"}
    assert watch.pids() == [43]
    assert watch.netstat() == "n"


def test_a_process_of_somebody_else_is_not_watched(tmp_path: Path) -> None:
    """Where the engine runs in a virtual machine, its pid is another process here."""
    make(tmp_path / "proc" / "42", {"cgroup": "0::/user.slice/session-1.scope\n"})
    assert HostWatch.find(IDENTITY, 42, tmp_path / "proc", tmp_path / "cgroup") is None
    assert HostWatch.find(IDENTITY, 43, tmp_path / "proc", tmp_path / "cgroup") is None


def test_a_container_that_has_ended_raises_oserror(tmp_path: Path) -> None:
    make(tmp_path, {"gone": ""})
    watch = HostWatch({"cpu.stat": tmp_path / "gone"}, tmp_path / "netstat")
    (tmp_path / "gone").unlink()
    with pytest.raises(OSError, match="gone"):
        watch.group()


def test_a_process_that_is_another_container_s_is_not_watched(tmp_path: Path) -> None:
    """As where the engine runs in a virtual machine, whose pids are others than ours."""
    other = f"docker/{'e' * 64}"
    make(tmp_path / "proc" / "42", {"cgroup": f"0::/{other}\n", "net/netstat": "n"})
    make(tmp_path / "cgroup", {f"{other}/{name}": text for name, text in V2.items()})
    place = {"proc": tmp_path / "proc", "mount": tmp_path / "cgroup"}
    assert HostWatch.find(IDENTITY, 42, **place) is None
    assert HostWatch.find("e" * 64, 42, **place) is not None
