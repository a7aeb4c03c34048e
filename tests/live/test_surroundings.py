"""What doctor says about each kind of machine: one fix, where there is something to fix."""

from pathlib import Path

import pytest

from iolab.errors import EngineMissing
from iolab.host import machine
from iolab.host.machine import Machine, on_windows_disk
from iolab.live import doctor, surroundings
from iolab.runtime import strace

HOME = Path("/home/student/lab")
WSL2 = "Linux version 5.15.153.1-microsoft-standard-WSL2 (root@builder) (gcc 11.2.0) #1 SMP"
WSL1 = "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) (gcc version 5.4.0) #1-Microsoft"
DEBIAN = "Linux version 6.12.41+deb13-amd64 (debian-kernel@lists.debian.org) #1 SMP"
SPACE = {"CODESPACES": "true", "CODESPACE_NAME": "fuzzy-lamp-42"}
REFUSED = "strace: test_ptrace_get_syscall_info: PTRACE_TRACEME: Operation not permitted"


def rows(place: Machine, folder: Path = HOME, refused: str = "") -> list[tuple[bool | None, str, str]]:
    return surroundings.rows(place, folder, refused)


def test_an_ordinary_machine_has_nothing_particular() -> None:
    assert rows(Machine(kernel=DEBIAN)) == [(True, "strace", "it can trace here (tried)")]


def test_a_codespace_is_known() -> None:
    (fine, name, text), _ = rows(Machine(variables=SPACE, kernel=DEBIAN, container=True))
    assert (fine, name) == (True, "Codespaces")
    assert text.startswith("fuzzy-lamp-42: ")
    assert "stop the codespace" in text
    assert len(rows(Machine(variables={"CODESPACES": "false"}))) == 1


def test_a_folder_of_windows_is_slow_and_has_one_fix() -> None:
    place = Machine(kernel=WSL2)
    assert rows(place)[0] == (True, "WSL2", "this folder is in the Linux file system")
    fine, name, text = rows(place, Path("/mnt/c/Users/An Na/lab"))[0]
    assert (fine, name) == (False, "WSL2")
    assert text.endswith("which is slow: copy it into the Linux file system: cp -r '/mnt/c/Users/An Na/lab' ~/")


@pytest.mark.parametrize(
    ("folder", "is_so"),
    [("/mnt/c", True), ("/mnt/d/lab", True), ("/mnt/data/lab", False), ("/mnt", False), ("/home/mnt/c/lab", False)],
)
def test_which_folders_are_of_windows(folder: str, is_so: bool) -> None:
    assert on_windows_disk(Path(folder)) == is_so


def test_the_first_wsl_must_be_converted() -> None:
    fine, name, text = rows(Machine(kernel=WSL1))[0]
    assert (fine, name) == (False, "WSL1")
    assert "wsl --set-version NAME 2" in text


def test_a_container_on_windows_is_not_wsl() -> None:
    assert [name for _, name, _ in rows(Machine(kernel=WSL2, container=True), Path("/mnt/c/lab"))] == ["strace"]


@pytest.mark.parametrize("processor", ["aarch64", "arm64"])
def test_arm64_is_fine_and_its_traces_differ(processor: str) -> None:
    fine, name, text = rows(Machine(processor=processor))[0]
    assert (fine, name) == (True, "processor")
    assert "epoll_pwait" in text


@pytest.mark.parametrize(
    ("place", "fix"),
    [
        (Machine(container=True), "start the container with --cap-add SYS_PTRACE --security-opt seccomp=unconfined"),
        (Machine(variables=SPACE, container=True), "rebuild the container of this codespace"),
        (Machine(ptrace_scope=2), "sudo sysctl kernel.yama.ptrace_scope=1"),
        (Machine(ptrace_scope=3), "set it to 1 in /etc/sysctl.d, and restart"),
        (Machine(ptrace_scope=3, container=True), "set it to 1 in /etc/sysctl.d, and restart"),
        (Machine(kernel=WSL1), "wsl --set-version NAME 2"),
        (Machine(ptrace_scope=1), "a seccomp profile or a sandbox forbids it"),
    ],
)
def test_where_ptrace_is_refused_there_is_one_fix(place: Machine, fix: str) -> None:
    said = strace.explain(REFUSED, strace.remedy(place))
    assert said is not None
    assert said.startswith(f"strace was refused ({REFUSED}): ")
    assert fix in said
    assert rows(place, refused=said)[-1] == (False, "strace", said)


def test_where_strace_is_missing_the_fix_is_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert strace.refusal(Machine()).startswith("strace is not installed: install it (sudo apt install strace")
    assert "Linux only" in strace.refusal(Machine(system="Darwin"))


@pytest.mark.needs("strace")
def test_ptrace_is_tried_on_this_machine() -> None:
    found = machine.read()
    assert found.system == "Linux"
    assert found.kernel.startswith("Linux version ")
    assert strace.refusal(found) == ""


def test_a_codespace_without_docker_has_what_it_needs() -> None:
    missing = EngineMissing("Docker is not installed", "install Docker Engine and Compose v2")
    assert doctor.no_docker(Machine(), missing) == (False, "Docker", str(missing))
    fine, _, text = doctor.no_docker(Machine(variables=SPACE), missing)
    assert fine
    assert "Event-Driven I/O Lab with Docker" in text
