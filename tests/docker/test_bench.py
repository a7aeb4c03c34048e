"""`iolab bench` on a real engine."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from iolab.host import cores
from iolab.lab import Lab
from iolab.runtime import cgroup, probe
from iolab.runtime.compose import Engine
from iolab.runtime.docker import DockerRuntime
from iolab.runtime.images import image_id
from tests import own
from tests.conftest import Run, Start, copied_lab, undisturbed
from tests.contract import yours
from tests.docker.conftest import listed
from tests.integration.test_local import latest, trials, wait_for

pytestmark = pytest.mark.docker
SMALL = ("--runtime", "docker", "--repeats", "1")
BUILD_LIMIT_S = 200  # for a first trial: the images may have to be built before


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def containers(project: str) -> list[str]:
    """Return the names of those that Compose has made for the bench of this project."""
    return listed("--format", "{{.Names}}", project=f"{project}-bench")


def cells(results: Path) -> dict[tuple[str, int], dict[str, Any]]:
    return {(cell["model"], cell["concurrency"]): cell for cell in latest(results, "summary.json")["cells"]}


def ids(cell: dict[str, Any]) -> set[str]:
    return {finding["id"] for finding in cell["findings"]}


@pytest.mark.measures
def test_a_pool_behind_the_servers_makes_c_step_as_b_does(iolab: Run, results: Path, project: str) -> None:
    few = ("--concurrency", "4,16", "--requests", "320", "--models", "B,C,D", "--cpus", "1")
    done = iolab("bench", *SMALL, *few, "--downstream", "8")
    assert done.returncode == 0, done.stderr + done.stdout
    found = cells(results)
    for letter in "BCD":
        assert 1.6 < found[letter, 16]["median_ms"] / found[letter, 4]["median_ms"] < 2.6
        assert found[letter, 16]["predicted_median_ms"] == 40
    assert {letter for letter in "BCD" if "downstream_pool" in ids(found[letter, 16])} == {"C", "D"}
    assert containers(project) == []


def test_the_downstream_service_has_its_limits_and_ends_with_its_server(lab: Lab, engine: Engine) -> None:
    """It runs on the load generator's cores, and each server has one of its own."""
    (model,) = lab.select(["C"])
    with DockerRuntime(lab, engine, {"DOWNSTREAM": "2"}) as runtime:
        runtime.build([model], downstream=True)
        plan = cores.plan(1.0, range(engine.cores), None)
        with runtime.serve(model, plan) as server:
            (name,) = (each for each in containers(lab.project) if "downstream" in each)
            shown = ["docker", "inspect", "--format", "{{.HostConfig.NanoCpus}} {{.HostConfig.CpusetCpus}}", name]
            limits = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.split()
            assert limits == ["1000000000", ",".join(map(str, plan.loadgen))]
            probe.verify(server.address, 0.018, 10)
            assert server.snapshot().threads == 1  # no name had to be looked up, for which asyncio starts a thread
            subprocess.run(["docker", "kill", name], capture_output=True, check=True)
            assert probe.get(server.address, "/", 10)[0] == 502
            server.check_alive()
        assert containers(lab.project) == []
        with runtime.serve(model, plan, {"DOWNSTREAM": "0"}):
            assert not [each for each in containers(lab.project) if "downstream" in each]


@pytest.mark.measures
def test_a_bench_shows_what_the_lab_teaches(iolab: Run, results: Path) -> None:
    done = iolab("bench", *SMALL, "--cpus", "1")
    assert done.returncode == 0, done.stderr + done.stdout
    found = cells(results)
    median = {key: cell["median_ms"] for key, cell in found.items()}
    # A queues, B steps from one wait to two, C and D stay at one.
    assert 3 < median["A", 4] / median["C", 4] < 5
    assert 1.6 < median["B", 16] / median["B", 4] < 2.4
    assert median["C", 16] < 1.4 * median["C", 4]
    assert median["D", 16] < 1.4 * median["D", 4]
    # A's accept queue overflows at c = 16, and no other one does.
    assert "listen_overflow" in ids(found["A", 16])
    assert found["A", 16]["server"]["listen_overflows"] > 0
    assert all(cell["server"]["listen_overflows"] == 0 for key, cell in found.items() if key != ("A", 16))
    # What servers used was measured in their own control groups.
    assert found["A", 4]["server"]["threads_peak"] == 1
    assert found["B", 4]["server"]["threads_peak"] == 9
    assert found["D", 16]["server"]["threads_peak"] == 17
    for cell in found.values():
        assert cell["server"]["cpu_s"] > 0
        assert cell["server"]["rss_peak_bytes"] > 2**20
        assert cell["client"]["cpu_s"] > 0
        assert cell["ok"] == cell["requested"]
    assert latest(results, "run.json")["runtime"] == "docker"
    assert latest(results, "run.json")["generator"] == "hey"


@pytest.mark.measures
def test_a_longer_backlog_takes_the_overflow_away(iolab: Run, results: Path) -> None:
    done = iolab("bench", *SMALL, "--models", "A", "--concurrency", "16", "--backlog", "128")
    assert done.returncode == 0, done.stderr
    cell = cells(results)["A", 16]
    assert cell["server"]["listen_overflows"] == 0
    assert 0.9 < cell["median_ms"] / cell["predicted_median_ms"] < 1.2
    assert undisturbed(ids(cell)) == set()


@pytest.mark.measures
def test_a_fraction_of_a_cpu_throttles_what_computes(iolab: Run, results: Path) -> None:
    done = iolab("bench", *SMALL, "--models", "asyncio", "--cpus", "0.25", "--concurrency", "4", "--cpu-ms", "5")
    assert done.returncode == 0, done.stderr
    (cell,) = cells(results).values()
    assert cell["cpus"] == 0.25
    assert cell["server"]["throttled_s"] > 0.2
    assert undisturbed(ids(cell)) == {"throttled"}
    assert cell["throughput_rps"] == pytest.approx(cell["predicted_throughput_rps"], rel=0.25)  # 50 a second, not 160


def test_all_cpus_leave_none_to_the_load_generator_and_every_cell_says_so(
    iolab: Run, results: Path, engine: Engine
) -> None:
    small = ("--requests", "40", "--concurrency", "4")
    done = iolab("bench", *SMALL, "--models", "B,C", *small, "--cpus", str(engine.cores))
    assert done.returncode == 0, done.stderr
    assert all("shared_cores" in ids(cell) for cell in cells(results).values())


@pytest.mark.measures
def test_locust_makes_the_load_in_a_container(iolab: Run, results: Path) -> None:
    done = iolab("bench", *SMALL, "--models", "B", "--loadgen", "locust")
    assert done.returncode == 0, done.stderr
    assert latest(results, "run.json")["generator"] == "locust"
    median = {key: cell["median_ms"] for key, cell in cells(results).items()}
    assert 1.6 < median["B", 16] / median["B", 4] < 2.4


def test_more_cpus_than_the_engine_has_are_refused(iolab: Run, results: Path, engine: Engine) -> None:
    done = iolab("bench", *SMALL, "--cpus", str(engine.cores + 1))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"this machine has {engine.cores}" in done.stderr
    assert not results.exists()


def test_an_interruption_removes_the_containers_and_keeps_the_trials(start: Start, results: Path, project: str) -> None:
    process = start("bench", "--runtime", "docker", "--models", "C", "--concurrency", "4", "--requests", "400")
    wait_for(lambda: (results / "latest").exists() and trials(results), process, BUILD_LIMIT_S)
    assert containers(project)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert containers(project) == []
    assert latest(results, "run.json")["status"] == "partial"


def loads(project: str) -> bool:
    """Say whether hey is sending the 400 requests of a trial just now; a warm-up has fewer."""
    for name in containers(project):
        if "loadgen" in name:
            command = ["docker", "top", name, "-eo", "pid,args"]
            return "hey -n 400" in subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return False


@pytest.mark.parametrize(
    ("accident", "reason"),
    [
        # Its last words follow the status.
        (("kill",), "the server ended with status 137: asyncio server, port 8082"),
        (("rm", "-f"), "the server's container is gone"),
    ],
    ids=["killed", "removed"],
)
def test_a_container_that_is_lost_in_mid_trial_spoils_that_trial_alone(
    start: Start, results: Path, project: str, accident: tuple[str, ...], reason: str
) -> None:
    process = start("bench", "--runtime", "docker", "--models", "C", "--concurrency", "4", "--requests", "400")
    wait_for(lambda: (results / "latest").exists() and trials(results), process, BUILD_LIMIT_S)
    wait_for(lambda: loads(project), process)
    (victim,) = [name for name in containers(project) if "asyncio" in name]
    subprocess.run(["docker", *accident, victim], check=True, capture_output=True)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stderr
    assert [record["valid"] for record in trials(results)].count(False) == 1
    (spoiled,) = [record for record in trials(results) if not record["valid"]]
    assert spoiled["reason"].startswith(reason)


def test_a_container_of_an_image_of_this_project_is_not_taken_for_a_server_of_the_bench(
    lab: Lab, engine: Engine, project: str
) -> None:
    """It has the labels of that image: project and service."""
    (model,) = lab.select(["C"])
    labels = (f"--label=com.docker.compose.project={project}-bench", "--label=com.docker.compose.service=asyncio")
    other = f"{project}-other"
    command = ["docker", "run", "-d", "--rm", "--network=none", f"--name={other}", "--entrypoint=sleep", *labels]
    with DockerRuntime(lab, engine, {}) as runtime:
        runtime.build([model])
        subprocess.run([*command, model.service.image, "60"], capture_output=True, check=True)
        try:
            with runtime.serve(model, cores.plan(1.0, range(engine.cores), None)) as server:
                probe.verify(server.address, 0.018, 10)
            assert containers(project) == []
            subprocess.run(["docker", "exec", other, "true"], check=True)  # it was not removed either
        finally:
            subprocess.run(["docker", "rm", "-f", other], capture_output=True, check=True)


def test_what_a_killed_bench_has_left_is_removed_by_the_next(
    start: Start, iolab: Run, results: Path, project: str
) -> None:
    first = start("bench", "--runtime", "docker", "--models", "C", "--concurrency", "4", "--requests", "400")
    wait_for(lambda: (results / "latest").exists() and trials(results), first, BUILD_LIMIT_S)
    first.kill()
    first.communicate()
    assert containers(project)
    done = iolab("bench", *SMALL, "--models", "C", "--concurrency", "4", "--requests", "40")
    assert done.returncode == 0, done.stderr
    assert containers(project) == []


def test_an_image_that_cannot_be_pulled(iolab: Run, tmp_path: Path) -> None:
    copy = copied_lab(tmp_path / "lab")
    compose = copy / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("image: iolab-", f"image: {own.mine().name}-never-built-"))
    variables = {"BASE_IMAGE": "iolab.invalid/no-such-image:1"}
    asked = iolab("bench", *SMALL, "--models", "A", variables=variables, cwd=copy)
    assert asked.returncode == 2
    (line,) = asked.stderr.splitlines()
    assert line.startswith("iolab: the image iolab.invalid/no-such-image:1 cannot be pulled: set BASE_IMAGE in .env")
    small = ("--repeats", "1", "--models", "C", "--requests", "40", "--concurrency", "4")
    auto = iolab("bench", *small, variables=variables, cwd=copy)
    assert auto.returncode == 0
    assert "Servers run as local processes: the image iolab.invalid/no-such-image:1 cannot be pulled.\n" in auto.stdout
    fraction = iolab("bench", "--cpus", "0.25", variables=variables, cwd=copy)
    assert fraction.returncode == 2
    assert (
        "a fraction of a CPU needs Docker (the image iolab.invalid/no-such-image:1 cannot be pulled)" in fraction.stderr
    )


def test_a_container_is_seen_alike_from_the_host_and_from_inside(lab: Lab, engine: Engine) -> None:
    """The engine may run in a virtual machine, where only the second way works."""
    runtime = DockerRuntime(lab, engine, {})
    model = lab.select(["B"])[0]
    runtime.build([model])
    with runtime, runtime.serve(model, cores.plan(1, range(engine.cores))) as server:
        inside = cgroup.ExecWatch(str(server._container.id))
        try:
            for _ in range(3):
                seen = cgroup.snapshot(inside.group(), inside.tasks)
                assert seen.cpu_s
                assert seen.threads == 9
                assert "TcpExt: " in inside.netstat()
            outside = server.snapshot()
            assert outside.cpu_s == pytest.approx(seen.cpu_s, rel=0.2)
            assert outside.rss_bytes == pytest.approx(seen.rss_bytes, rel=0.2)
        finally:
            inside.close()
        assert server.listen_counters().overflows is not None


def test_two_cpu_limits_in_one_run_and_the_engine_stand_in_run_json(iolab: Run, results: Path, engine: Engine) -> None:
    limits = {"CPUS": f"0.5 {engine.cores}"}  # as make gives it
    done = iolab(
        "bench", *SMALL, "--models", "C", "--concurrency", "4", "--requests", "40", "--repeats", "2", variables=limits
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found = latest(results, "summary.json")["cells"]
    assert [(cell["cpus"], cell["ok"]) for cell in found] == [(0.5, 80), (float(engine.cores), 80)]
    run = latest(results, "run.json")
    assert run["environment"]["engine"] == engine.version
    assert run["environment"]["packages"]["aiohttp"]
    assert [plan["cpus"] for plan in run["cpu_plans"]] == [0.5, float(engine.cores)]
    assert run["cpu_plans"][0]["server"] == [0]


def test_a_server_that_dies_at_its_start_is_told_with_its_last_words(
    lab: Lab, iolab: Run, results: Path, tmp_path: Path
) -> None:
    copy, image = copied_lab(tmp_path / "lab"), f"{own.mine().name}-broken"
    compose = copy / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("image: iolab-blocking", f"image: {image}"))
    (copy / "services" / "blocking" / "server.py").write_text("raise SystemExit('no cheese')\n")
    try:
        done = iolab("bench", *SMALL, "--models", "A,C", "--concurrency", "4", "--requests", "40", cwd=copy)
    finally:
        subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True, check=True)
    assert done.returncode == 1, done.stderr
    reasons = {record["model"]: record["reason"] for record in trials(results)}
    assert reasons["C"] is None
    assert "the server ended with status 1: no cheese" in reasons["A"]


def test_an_optional_model_is_built_and_measured_only_when_it_is_named(
    iolab: Run, results: Path, tmp_path: Path
) -> None:
    copy, image = copied_lab(tmp_path / "lab"), f"{own.mine().name}-yours"
    compose = copy / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("image: iolab-yours", f"image: {image}"))
    (copy / "services" / "yours" / "server_yours.py").write_text(yours.SOLUTION)
    small = ("--concurrency", "4", "--requests", "40")
    try:
        done = iolab("bench", *SMALL, *small, "--models", "C", cwd=copy)
        assert done.returncode == 0, done.stderr
        assert image_id(image) == ""
        done = iolab("bench", *SMALL, *small, "--models", "C,yours", cwd=copy)
        assert done.returncode == 0, done.stderr
        assert image_id(image)
    finally:
        subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True, check=False)
    assert {key: cell["ok"] for key, cell in cells(results).items()} == {("C", 4): 40, ("Y", 4): 40}


def test_images_that_were_built_before_serve_where_they_cannot_be_built_now(
    iolab: Run, lab: Lab, engine: Engine, results: Path
) -> None:
    small = (*SMALL, "--models", "C", "--concurrency", "4", "--requests", "40")
    DockerRuntime(lab, engine, {}).build(lab.select(["C"]))
    done = iolab("bench", *small, variables={"BASE_IMAGE": "iolab.invalid/no-such-image:1"})
    assert done.returncode == 0, done.stderr
    assert "older images are used, because the image iolab.invalid/no-such-image:1 cannot be pulled" in done.stdout
    assert latest(results, "run.json")["runtime"] == "docker"


def test_relatives_run_in_containers_like_the_other_models(iolab: Run, results: Path) -> None:
    """G needs packages, J and K programs that a local run may lack; E and F have A's code in their images."""
    done = iolab("bench", *SMALL, "--models", "E,F,G,H,J,K", "--concurrency", "4", "--requests", "40")
    assert done.returncode == 0, done.stderr
    assert {key: cell["ok"] for key, cell in cells(results).items()} == {(letter, 4): 40 for letter in "EFGHJK"}
