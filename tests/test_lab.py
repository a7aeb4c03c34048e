import math
import re
import shutil
from pathlib import Path

import pytest

from iolab import lab, manifests
from iolab.errors import UsageError
from iolab.lab import Lab
from iolab.live import standing
from iolab.web.live.stage import Stage
from tests.conftest import ROOT

BLOCK = """
services:
  fast:
    build: {{ context: services/fast }}
    command: [python3, fast.py]
    environment: {{ PORT: 9000, WAIT_MS: "${{WAIT_MS:-20}}" }}
    ports: ["${{BIND:-127.0.0.1}}:${{FAST_PORT:-9000}}:9000"]
    labels: {{ iolab.model: {letter}, iolab.title: Fast, iolab.workers: "{workers}" }}
  aside:
    image: something
"""

PROFILED = BLOCK.format(letter="Z", workers="1").replace(
    'iolab.workers: "1" }', 'iolab.workers: "1" }\n    profiles: [aside]'
)


def parse(letter: str = "Z", workers: str = "inf", **variables: str) -> Lab:
    return Lab.parse(Path("/lab"), BLOCK.format(letter=letter, workers=workers), variables)


def test_the_real_lab_has_the_four_models() -> None:
    models = Lab.read(ROOT).models
    assert [(model.letter, model.name, model.workers) for model in models] == [
        ("A", "blocking", 1),
        ("B", "threadpool", 8),
        ("C", "asyncio", math.inf),
        ("D", "threadperconnection", math.inf),
    ]


def test_a_model_with_a_compose_profile_is_optional() -> None:
    plain, optional = parse(), Lab.parse(Path("/lab"), PROFILED, {})
    assert ([model.name for model in plain.models], plain.optional) == (["fast"], ())
    assert (optional.models, [model.name for model in optional.optional]) == ((), ["fast"])
    assert plain.measured[0].optional is False
    assert optional.measured[0].optional is True


def test_an_optional_model_is_measured_only_when_it_is_named() -> None:
    real = Lab.read(ROOT)
    assert [model.letter for model in real.optional] == ["E", "F", "G", "H", "J", "K", "Y"]
    assert [model.letter for model in real.select(["main"])] == ["A", "B", "C", "D"]
    assert [model.letter for model in real.select(["all"])] == ["A", "B", "C", "D", "E", "F", "G", "H", "J", "K"]
    assert [model.letter for model in real.select(["yours", "c"])] == ["C", "Y"]
    assert [model.letter for model in real.select(["Y", "all"])] == [*"ABCDEFGHJKY"]
    assert [model.letter for model in real.measured] == [*"ABCDEFGHJKY"]
    with pytest.raises(UsageError, match=r"D or threadperconnection, E or prefork, .*, Y or yours"):
        real.select(["nginx"])


def test_targets_manifests_and_the_standing_lab_leave_optional_models_out() -> None:
    real = Lab.read(ROOT)
    optional = {model.name for model in real.optional}
    assert not optional & {service.name for service in standing.standing(real)}
    assert not [name for name in optional if name.capitalize() in standing.targets(real, lambda model: model.name)]
    assert not [path for path in manifests.files(ROOT) if path.stem in optional]


def test_the_live_view_has_all_models_that_are_written() -> None:
    real = Lab.read(ROOT)
    assert {model.name for model in real.measured} - {model.name for model in Stage(real, theory=no_theory).models} == {
        "yours"
    }


async def no_theory(*_: object) -> dict[str, float | None]:
    return {}


def test_the_backlog_of_a_server_that_accepts_only_what_it_serves_is_its_own_default() -> None:
    """Others accept a connection before they can serve it: their accept queue says nothing about waiting."""
    models = Lab.read(ROOT).models
    assert {model.name: model.backlog for model in models if model.backlog} == {"blocking": 5}
    folder = models[0].service.folder
    assert folder is not None
    assert 'number("BACKLOG", 5, ' in (folder / "server.py").read_text()


def test_as_many_threads_compute_as_serve_and_an_event_loop_is_one() -> None:
    models = Lab.read_defaults(ROOT).models
    assert {model.letter: model.threads for model in models} == {"A": 1, "B": 8, "C": 1, "D": math.inf}


@pytest.mark.parametrize("backlog", ["0", "-1", "short", "", "\u0665"])
def test_a_wrong_backlog_is_named(backlog: str) -> None:
    block = BLOCK.format(letter="Z", workers="1").replace(
        'iolab.workers: "1"', f'iolab.workers: "1", iolab.backlog: "{backlog}"'
    )
    with pytest.raises(UsageError, match=r"service fast: iolab\.backlog"):
        Lab.parse(Path("/lab"), block, {})


def test_a_model_is_what_its_block_says() -> None:
    (model,) = parse().models
    assert (model.letter, model.title, model.name, model.workers) == ("Z", "Fast", "fast", math.inf)
    assert model.service.folder == Path("/lab/services/fast")
    assert model.service.command == ("python3", "fast.py")
    assert (model.port.address, model.port.host, model.port.container) == ("127.0.0.1", 9000, 9000)


def test_variables_are_put_in_as_compose_does() -> None:
    (model,) = parse(WAIT_MS="", FAST_PORT="9100", BIND="0.0.0.0").models
    assert model.service.environment["WAIT_MS"] == "20"
    assert (model.port.address, model.port.host) == ("0.0.0.0", 9100)


def test_threads_changes_environment_and_label_together() -> None:
    model = Lab.read(ROOT, {"THREADS": "3"}).select(["B"])[0]
    assert (model.service.environment["THREADS"], model.workers) == ("3", 3)


def test_dotenv_is_read_and_the_environment_stands_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("BLOCKING_PORT=9080\nASYNCIO_PORT=9082\n")
    monkeypatch.setenv("ASYNCIO_PORT", "9999")
    monkeypatch.delenv("BLOCKING_PORT", raising=False)
    found = {model.name: model.port.host for model in Lab.read(tmp_path).models}
    assert (found["blocking"], found["asyncio"]) == (9080, 9999)


@pytest.mark.parametrize("workers", ["0", "-1", "many", ""])
def test_a_wrong_number_of_workers_is_named(workers: str) -> None:
    with pytest.raises(UsageError, match=r"service fast: iolab\.workers"):
        parse(workers=workers)


@pytest.mark.parametrize("text", ["", "services: [", "services: 3", "other: {}", "services: {a: {ports: [80]}}"])
def test_a_compose_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"docker-compose\.yml"):
        Lab.parse(Path("/lab"), text, {})


def test_two_models_with_one_letter_are_refused() -> None:
    block = BLOCK.format(letter="Z", workers="1")
    twin = block.split("services:\n")[1].split("  aside:")[0].replace("fast:", "twin:", 1)
    with pytest.raises(UsageError, match="two services"):
        Lab.parse(Path("/lab"), block + twin, {})


def test_models_are_selected_by_letter_or_name() -> None:
    real = Lab.read(ROOT)
    assert [model.letter for model in real.select(["asyncio", "a"])] == ["A", "C"]
    assert real.select(["main"]) == real.select(["a", "main"]) == real.models
    assert real.select(["all"]) == real.select(["a", "all"]) == real.family
    with pytest.raises(UsageError, match="MODELS=nginx: no such model; the models are A or blocking"):
        real.select(["nginx"])


def test_the_root_is_found_from_below(tmp_path: Path) -> None:
    assert lab.find_root(ROOT / "services" / "asyncio") == ROOT
    with pytest.raises(UsageError, match="inside the lab's folder"):
        lab.find_root(tmp_path)


def named(name: str, text: str) -> bool:
    """Return whether a text names a model; setblocking and non-blocking are other words."""
    return bool(re.search(rf"(?<![\w-]){name}(?!\w)", text))


def test_only_the_compose_file_lists_models() -> None:
    """Adding a model is one folder and one block: no code of the lab names one."""
    names = [model.name for model in Lab.read(ROOT).models if model.name != "asyncio"]  # a library's name too
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("loadtest/*.py"), ROOT / "Makefile"]
    assert not [f"{source}: {name}" for source in sources for name in names if named(name, source.read_text())]


def test_a_server_that_is_only_shown_is_no_model_unless_it_is_named_where_it_may_be(lab: Lab) -> None:
    (shown,) = lab.shown
    assert shown not in lab.models
    assert shown not in lab.select(["all"], shown_too=True)
    assert lab.select([shown.name], shown_too=True) == (shown,)
    assert [model.letter for model in lab.select([shown.letter, "C"], shown_too=True)] == ["C", shown.letter]
    with pytest.raises(UsageError, match="no such model"):
        lab.select([shown.name])


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_port_that_there_is_not_is_refused_in_a_line(port: str) -> None:
    with pytest.raises(UsageError, match=f"service asyncio: port {port}: must be from 1 to 65535"):
        Lab.read(ROOT, {"ASYNCIO_PORT": port})


def test_the_project_s_name_is_that_of_compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    text = (ROOT / "docker-compose.yml").read_text()
    (tmp_path / "docker-compose.yml").write_text(text)
    assert Lab.read(tmp_path).project == "iolab"
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=mine\n")
    assert Lab.read(tmp_path).project == "mine"
    assert Lab.read(tmp_path, {"COMPOSE_PROJECT_NAME": "other"}).project == "other"


def test_a_server_with_connections_to_the_downstream_service_has_no_more_places() -> None:
    def places(downstream: str) -> dict[str, tuple[float, int | None]]:
        models = Lab.parse(ROOT, (ROOT / "docker-compose.yml").read_text(), {"DOWNSTREAM": downstream}).family
        return {model.letter: (model.places, model.connections) for model in models}

    for unused in ("0", ""):
        assert {each for _, each in places(unused).values()} == {None}
        assert places(unused)["C"] == (math.inf, None)
    bound = places("3")
    assert (bound["A"], bound["B"], bound["C"], bound["D"]) == ((1, 3), (3, 3), (3, 3), (3, 3))
    assert (bound["E"], bound["F"], bound["G"], bound["H"]) == ((8, None), (3, 3), (math.inf, None), (3, 3))
    assert [each.name for each in Lab.read(ROOT, {"DOWNSTREAM": "3"}).models if not each.can_wait_downstream] == []
    for wrong in ("-1", "x", "2.5", "1001"):
        with pytest.raises(UsageError, match=f"DOWNSTREAM={wrong}: must be a whole number from 0 to 1,000"):
            places(wrong)


def test_the_downstream_service_stands_only_where_servers_use_it() -> None:
    def names(downstream: str) -> list[str]:
        return [service.name for service in standing.standing(Lab.read(ROOT, {"DOWNSTREAM": downstream}))]

    assert "downstream" not in names("0")
    assert "downstream" in names("8")
    with pytest.raises(UsageError, match="has no service downstream"):
        parse().downstream  # noqa: B018 (it raises)
