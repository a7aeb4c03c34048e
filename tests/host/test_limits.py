import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.host import limits as allowances
from iolab.host.limits import Facts, read

LIMITS = "Limit                     Soft Limit           Hard Limit           Units\nMax processes             100  200  processes\nMax open files            1024                 20000                files\n"
TEXTS = {
    "sys/fs/file-nr": "636\t0\t2466174\n",
    "sys/fs/file-max": "2466174\n",
    "sys/fs/nr_open": "1048576\n",
    "sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
    "sys/net/ipv4/ip_local_reserved_ports": "40000,50000-50009,8080\n",
    "sys/net/ipv4/tcp_mem": "100\t200\t300\n",
    "sys/net/netfilter/nf_conntrack_max": "262144\n",
    "sys/net/netfilter/nf_conntrack_count": "144\n",
    "sys/net/core/somaxconn": "4096\n",
    "sys/kernel/threads-max": "192729\n",
    "sys/kernel/pid_max": "32768\n",
    "sys/vm/max_map_count": "65530\n",
    "loadavg": "0.10 0.20 0.30 1/268 12345\n",
    "meminfo": "MemTotal:  2000 kB\nMemAvailable:  1000 kB\n",
    "net/sockstat": "TCP: inuse 1 orphan 0 tw 44 alloc 1 mem 100\n",
}


def write(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def engine(comm: str, capabilities: str, uid: str = "0") -> dict[str, str]:
    status = f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{capabilities}\n"
    return {"77/comm": f"{comm}\n", "77/status": status, "77/limits": LIMITS}


def test_of_what_others_use_too_it_is_what_is_left(tmp_path: Path) -> None:
    facts = read(write(tmp_path, TEXTS), tmp_path / "none")
    assert facts.files_machine == 2466174 - 636
    assert facts.ports == 60999 - 32768 + 1 - 11  # 8080 is not in the range
    assert (facts.threads_max, facts.pid_max) == (192729 - 268, 32768 - 268)
    assert (facts.maps, facts.backlog, facts.tracked) == (65530, 4096, 262000)
    assert facts.memory_bytes == 1000 * 1024
    assert facts.buffers_bytes == 200 * os.sysconf("SC_PAGE_SIZE")
    assert (facts.group_tasks, facts.group_memory_bytes, facts.engine_files) == (None, None, None)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "150000 100000\n", "shell/cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "50000 100000\n", "shell/cpu.max": "max 100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/shell/cpu.cfs_quota_us": "200000\n", "cpu/shell/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({}, None),
    ],
)
def test_the_lowest_quota_of_the_control_groups_counts(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    v1 = any(name.startswith("cpu/") for name in files)
    proc = write(tmp_path / "proc", {"self/cgroup": "4:cpu,cpuacct:/shell\n" if v1 else "0::/shell\n"})
    assert allowances.cpu_quota(proc, write(tmp_path / "groups", files)) == quota


def test_what_the_platform_does_not_tell_is_none(tmp_path: Path) -> None:
    facts = read(tmp_path, tmp_path)
    only = {"files", "many_loopbacks", "user_tasks"} | ({"ports"} if sys.platform == "darwin" else set())
    assert {name for name, value in facts.__dict__.items() if value is not None} <= only


@pytest.mark.parametrize(
    ("capabilities", "uid", "files"),
    [("000001fffeffffff", "0", 20_000), ("000001ffffffffff", "0", 1_048_576), ("000001ffffffffff", "1000", 20_000)],
    ids=["may not raise", "may raise", "rootless"],
)
def test_a_container_gets_what_its_engine_has_or_may_raise(
    tmp_path: Path, capabilities: str, uid: str, files: int
) -> None:
    proc = write(tmp_path, {**TEXTS, **engine("containerd", capabilities, uid)})
    assert read(proc, tmp_path / "none").engine_files == files
    write(tmp_path, engine("bash", capabilities, uid))
    assert read(proc, tmp_path / "none").engine_files is None


@pytest.mark.parametrize(("engine_files", "given"), [(None, 65_536), (20_000, 20_000), (1_048_576, 65_536)])
def test_a_container_is_given_what_the_engine_can_whatever_it_gives_by_itself(
    engine_files: int | None, given: int
) -> None:
    assert allowances.container_files(Facts(engine_files=engine_files)) == given


def test_the_tightest_group_around_this_process_counts_on_v1(tmp_path: Path) -> None:
    proc = write(tmp_path / "proc", {"self/cgroup": "8:pids:/a/b\n4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n"})
    groups = write(
        tmp_path / "groups",
        {
            "pids/a/b/pids.max": "max\n",
            "pids/a/b/pids.current": "5\n",
            "pids/a/pids.max": "100\n",
            "pids/a/pids.current": "30\n",
            "memory/a/b/memory.limit_in_bytes": "1000000\n",
            "memory/a/b/memory.usage_in_bytes": "400000\n",
            "memory/a/b/memory.stat": "inactive_file 7\ntotal_inactive_file 100000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/memory.usage_in_bytes": "400000\n",
        },
    )
    facts = read(proc, groups)
    assert (facts.group_tasks, facts.group_memory_bytes) == (70, 700_000)


def test_the_tightest_group_around_this_process_counts_on_v2(tmp_path: Path) -> None:
    proc = write(tmp_path / "proc", {"self/cgroup": "0::/user.slice/session\n"})
    groups = write(
        tmp_path / "groups",
        {
            "user.slice/session/pids.max": "300\n",
            "user.slice/session/pids.current": "1\n",
            "user.slice/pids.max": "100\n",
            "user.slice/pids.current": "30\n",
            "user.slice/memory.max": "1000000\n",
            "user.slice/memory.current": "400000\n",
            "user.slice/memory.stat": "anon 5\ninactive_file 100000\n",
            "user.slice/session/memory.max": "max\n",
            "user.slice/session/memory.current": "400000\n",
        },
    )
    facts = read(proc, groups)
    assert (facts.group_tasks, facts.group_memory_bytes) == (70, 700_000)


@pytest.mark.needs("linux")
def test_this_machine_tells_its_limits() -> None:
    facts = read()
    known = (facts.files_machine, facts.ports, facts.threads_max, facts.pid_max, facts.maps, facts.memory_bytes)
    assert all(value and value > 0 for value in known), facts
    assert facts != Facts()


RAISED = """
import resource, subprocess, sys
from iolab.host.limits import raise_soft_limits
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
print(raise_soft_limits())
print(raise_soft_limits())
child = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
subprocess.run([sys.executable, "-c", child], check=True)
"""


def test_soft_limits_are_raised_for_this_process_and_what_it_starts() -> None:
    done = subprocess.run([sys.executable, "-u", "-c", RAISED], capture_output=True, text=True, check=True)
    first, second, child = done.stdout.splitlines()
    assert "open files: 100 -> 200" in first
    assert second == "[]"
    assert child == "(200, 200)"


def test_where_a_limit_may_not_be_raised_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "getrlimit", lambda which: (100, 200))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert allowances.raise_soft_limits() == []
