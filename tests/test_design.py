"""Who may import whom: the rules that keep the structure visible."""

import ast
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.cli import main as cli
from tests.conftest import ROOT

SOURCE = ROOT / "src" / "iolab"


@functools.cache
def imports(path: Path) -> set[str]:
    """Return what a module imports of ours, as "records" or "runtime.docker", and of others by their first name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return {name.removeprefix("iolab.") for name in found}


def at_the_top(path: Path) -> set[str]:
    """Return the modules of ours that a module imports as it is imported itself."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "iolab":
            module = (node.module or "").removeprefix("iolab").lstrip(".")
            found |= {module} | {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    """Return what a module imports of ours: the name of a package or module, and the shapes of rows by themselves."""
    names = {
        node
        for node in imports(path)
        if (SOURCE / node.split(".")[0]).is_dir() or (SOURCE / f"{node.split('.')[0]}.py").exists()
    }
    shapes = ("results.records", "results.run_info", "results.samples")
    return {next((each for each in shapes if name.startswith(each)), name.split(".")[0]) for name in names}


@pytest.mark.parametrize("path", sorted((SOURCE / "theory").glob("*.py")), ids=lambda path: path.name)
def test_theory_imports_nothing_of_ours_but_theory_and_the_shapes_of_rows(path: Path) -> None:
    assert ours(path) <= {"theory", "results.records", "results.samples"}


@pytest.mark.parametrize("path", sorted((SOURCE / "host").glob("*.py")), ids=lambda path: path.name)
def test_the_host_knows_neither_servers_nor_experiments(path: Path) -> None:
    assert ours(path) <= {"host", "errors", "lab", "service", "results.records", "results.run_info"}


@pytest.mark.parametrize("path", sorted((SOURCE / "report").glob("*.py")), ids=lambda path: path.stem)
def test_reports_know_neither_servers_nor_kinds(path: Path) -> None:
    assert not ours(path) & {"runtime", "loadgen", "bench", "kinds", "kind", "session"}


@pytest.mark.parametrize("path", sorted((SOURCE / "contract").glob("*.py")), ids=lambda path: path.stem)
def test_the_contract_talks_to_processes_and_knows_neither_kinds_nor_runtimes(path: Path) -> None:
    assert ours(path) <= {"address", "contract", "experiment", "host", "errors", "lab", "results", "service"}


@pytest.mark.parametrize("name", ["findings", "chat", "loadgen", "runtime"])
def test_what_kinds_are_made_of_knows_no_kind(name: str) -> None:
    for path in (SOURCE / name).glob("*.py"):
        assert not ours(path) & {"kinds", "kind", "session"}, path


@pytest.mark.parametrize("kind", sorted(path.name for path in (SOURCE / "kinds").iterdir() if path.is_dir()))
def test_kinds_do_not_import_each_other(kind: str) -> None:
    for path in (SOURCE / "kinds" / kind).glob("*.py"):
        others = {
            name
            for name in imports(path)
            if name.startswith("kinds.") and (SOURCE / "kinds" / name.split(".")[1]).is_dir()
        }
        assert {name.split(".")[1] for name in others} <= {kind}, path


def test_the_page_is_small_because_its_helper_alone_imports_what_is_large() -> None:
    script = "import sys, iolab.cli.main, iolab.cli.lab; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "matplotlib", "pydantic", "rich", "jinja2", "docker"} & set(done.stdout.split())


def test_the_page_knows_no_kind_and_nothing_imports_the_page_but_commands() -> None:
    for path in (SOURCE / "web").rglob("*.py"):
        kinds = {name for name in imports(path) if name.startswith("kinds.") and not name.startswith("kinds.registry")}
        assert not kinds, path
    for path in SOURCE.rglob("*.py"):
        if not {"web", "cli"} & set(path.relative_to(SOURCE).parts):
            assert "web" not in ours(path), path


def test_no_kind_makes_html_or_tables_of_the_terminal() -> None:
    for path in (SOURCE / "kinds").rglob("*.py"):
        names = {name for name in imports(path) if name.split(".")[0] in ("rich", "jinja2", "markupsafe")}
        assert names <= {"rich.console", "rich.console.Console"}, path


def test_there_is_one_template_for_reports_of_all_kinds() -> None:
    assert {path.name for path in (SOURCE / "report" / "templates").glob("*.j2")} == {
        *("report.html.j2", "index.html.j2", "trace.html.j2", "prose.html.j2"),
        "review.html.j2",  # of texts of students, no report
    }


@pytest.mark.parametrize(
    "name", ["unzip", "evidence", "facts", "checks", "flags", "impossible", "oral", "near", "sheet"]
)
def test_what_reads_a_zip_can_execute_nothing_of_it(name: str) -> None:
    path = SOURCE / "learn" / f"{name}.py"
    found = imports(path)
    assert not [
        each for each in found if each.split(".")[0] in ("subprocess", "importlib", "runpy", "pickle", "marshal")
    ]
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id in ("eval", "exec", "__import__")]


def test_only_the_zip_reader_opens_zips_and_it_knows_nothing_of_the_lab() -> None:
    readers = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if "zipfile" in imports(path)}
    assert readers == {"learn/unzip.py", "learn/bundle.py"}
    assert ours(SOURCE / "learn" / "unzip.py") == set()


@pytest.mark.parametrize(
    "name", ["session", "planning", "bench", "experiment", "kind", "context_cache", "generator_ceilings"]
)
def test_the_lifecycle_names_no_kind(name: str) -> None:
    found = imports(SOURCE / f"{name}.py")
    assert not [each for each in found if each.startswith("kinds.") and not each.startswith("kinds.registry")]


def test_no_module_imports_in_circles() -> None:
    """What is imported inside of functions is left aside: it is imported when all modules are there."""
    modules = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCE.rglob("*.py")
    }
    graph = {
        name: {each for each in at_the_top(path) if each in modules and each != name} for name, path in modules.items()
    }
    left = dict(graph)
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left


@pytest.mark.parametrize("path", sorted((SOURCE / "trace").glob("*.py")), ids=lambda path: path.stem)
def test_a_log_is_read_without_what_made_it(path: Path) -> None:
    strangers = ("runtime", "loadgen", "live", "report", "lab", "host", "kinds")
    assert not [name for name in imports(path) if name.split(".")[0] in strangers]


def test_only_the_runtime_knows_docker() -> None:
    modules = [path for path in SOURCE.rglob("*.py") if any(name.split(".")[0] == "docker" for name in imports(path))]
    assert {str(path.relative_to(SOURCE)) for path in modules} == {"runtime/container.py", "runtime/docker.py"}


def test_only_the_lab_reads_the_compose_file() -> None:
    assert [path.stem for path in SOURCE.rglob("*.py") if "yaml" in imports(path)] == ["lab"]


def test_no_test_sleeps_and_hopes() -> None:
    """A pause belongs to waiting for a condition, or is itself what is done to a server; data are servers, not tests."""
    sleepers = set()
    for path in set((ROOT / "tests").rglob("*.py")) - set((ROOT / "tests" / "data").rglob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if any(isinstance(call, ast.Attribute) and call.attr in ("sleep", "wait_for_timeout") for call in calls):
            sleepers.add(str(path.relative_to(ROOT / "tests")))
    # The student of the walk has to leave the app alone, and pauses between clicks.
    assert sleepers <= {
        "waiting.py",
        "integration/test_findings.py",
        "docker/test_up.py",
        "learn/walk.py",
        "learn/click.py",
    }


def test_only_the_command_line_prints() -> None:
    for path in SOURCE.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


def test_no_command_imports_at_its_start_what_takes_long() -> None:
    loaded = modules_after("[cli.commands.get_command(None, each) for each in cli.commands.list_commands(None)]")
    assert {"iolab.cli.trace", "iolab.kinds.closed.kind"} <= loaded
    assert not {"docker", "scipy", "matplotlib", "locust"} & loaded


def test_the_list_of_commands_imports_no_command() -> None:
    loaded = modules_after("cli.commands.main(['--help'], standalone_mode=False)")
    assert "iolab.cli.main" in loaded
    assert not {"pydantic", "numpy", "rich"} & loaded
    assert not {name for name in loaded if name.startswith("iolab.kinds.") and name != "iolab.kinds.registry"}


def test_a_command_of_a_run_reads_nothing_of_the_course() -> None:
    loaded = modules_after("cli.commands.main(['bench', '--help'], standalone_mode=False)")
    assert "numpy" in loaded
    assert not {name for name in loaded if name.startswith("iolab.learn")}


@pytest.mark.needs("linux")
def test_a_command_starts_no_threads_for_matrices_and_what_it_starts_may_have_them() -> None:
    script = """
import gc, os
from iolab.cli import main
main.commands.get_command(None, "bench")
print(len(os.listdir("/proc/self/task")), gc.isenabled(), os.environ.get(main.MATRIX_THREADS))
"""
    for given, left in ((None, "None"), ("2", "2")):
        environment = {name: value for name, value in os.environ.items() if name != cli.MATRIX_THREADS}
        environment |= {cli.MATRIX_THREADS: given} if given else {}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        threads, *rest = done.stdout.split()
        assert rest == ["True", left]
        assert threads == "1" or given


def modules_after(call: str) -> set[str]:
    """Return what Python has imported after a call of the command line."""
    script = f"import sys; from iolab.cli import main as cli; {call}; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize("path", sorted((SOURCE / "results").glob("*.py")), ids=lambda path: path.name)
def test_the_store_knows_no_kind_of_experiment(path: Path) -> None:
    assert ours(path) <= {"results", "results.records", "results.run_info", "errors"}


def test_the_client_for_planned_arrivals_needs_only_the_standard_library() -> None:
    """Its processes start at once, and nothing of Locust or gevent is beside its loop."""
    folder = ROOT / "loadtest"
    beside = {path.stem for path in folder.glob("*.py")}
    for path in (*folder.glob("arrivals_*.py"), folder / "http_framing.py"):
        names = {name.split(".")[0] for name in imports(path)}
        others = names - beside - set(sys.stdlib_module_names)
        assert not others, path
        assert not names & {"crew", "loads", "locustfile", "open_user"}, path


def test_framing_knows_no_socket() -> None:
    assert {name.split(".")[0] for name in imports(ROOT / "loadtest" / "http_framing.py")} <= {
        "re",
        "collections",
        "typing",
    }
