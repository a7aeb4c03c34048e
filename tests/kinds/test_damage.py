"""A run folder whose files are damaged, or do not belong together, is refused in a line, whatever its kind."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iolab.cli import compare as cli_compare
from iolab.cli import runs as cli_runs
from iolab.errors import UsageError
from iolab.kinds import registry
from iolab.report import pages
from iolab.results.folder import RunFolder
from tests.conftest import RECORDED, Run
from tests.kinds.recordings import KINDS, recording


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> RunFolder:
    """A run of the kind that is asked for."""
    return recording(request.param, tmp_path)


Damage = Callable[[RunFolder], None]


def change_run(**changes: Any) -> Damage:
    def change(folder: RunFolder) -> None:
        run = json.loads((folder.path / "run.json").read_text())
        (folder.path / "run.json").write_text(json.dumps({**run, **changes}))

    return change


def change_trial(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change the last trial that has rows."""

    def changed(folder: RunFolder) -> None:
        path = folder.path / "trials.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        change([line for line in lines if line["rows"]][-1])
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    return changed


def elsewhere(trial: dict[str, Any]) -> None:
    of = trial["way"] if isinstance(trial.get("way"), dict) else trial
    of["service"] = "nowhere"


def remove_rows(folder: RunFolder) -> None:
    for path in (folder.path / "samples").iterdir():
        path.unlink()


def remove_trials(folder: RunFolder) -> None:
    (folder.path / "trials.jsonl").write_text("")


DAMAGE: dict[str, tuple[Damage, set[str]]] = {  # what is done, and the kinds that do not look at that
    "no model": (change_run(models=[]), set()),
    "another model": (change_run(models=[{"letter": "Z", "title": "Z", "service": "z", "workers": 1}]), {"freeze", "break"}),
    "another service": (change_trial(elsewhere), set()),
    "no cores": (change_run(cpu_plans=[]), set()),
    "no file of rows": (remove_rows, {"slo"}),
    "no rows": (change_trial(lambda trial: trial.update(rows={})), {"faults", "crowd", "slo"}),
    "a value that is not a number": (change_trial(lambda trial: trial.update(duration_s=float("nan"))), set()),
    "another kind": (change_run(kind="sum"), set()),
    "no trial": (remove_trials, set()),
}  # fmt: skip


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_a_run_that_is_whole_can_be_reported(folder: RunFolder) -> None:
    assert registry.kind_of(folder).report(folder).cells


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_a_damage_is_one_line_that_names_the_file(
    folder: RunFolder, damage: str, request: pytest.FixtureRequest
) -> None:
    damaging, harmless = DAMAGE[damage]
    kind = request.node.callspec.params["folder"]
    damaging(folder)

    def report() -> None:
        made = registry.kind_of(folder).report(folder)
        if kind == "faults":
            pages.render(made.document())  # its curves alone are drawn of rows

    if kind in harmless:
        report()
        return
    with pytest.raises(UsageError, match=r"run\.json|trials\.jsonl|samples") as caught:
        report()
    assert "\n" not in str(caught.value)
    assert str(folder.path) in str(caught.value)


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_a_field_that_is_missing_is_named(folder: RunFolder) -> None:
    whole = (folder.path / "trials.jsonl").read_text()
    needed = [name for name, each in registry.kind_of(folder).record.model_fields.items() if each.is_required()]
    assert {"index", "valid"} <= set(needed)
    for name in needed:
        (folder.path / "trials.jsonl").write_text(whole)
        change_trial(lambda trial, name=name: trial.pop(name))(folder)  # type: ignore[misc]
        with pytest.raises(UsageError, match=rf"trials\.jsonl, line \d+: {name}: Field required"):
            registry.kind_of(folder).report(folder)


@pytest.mark.parametrize("folder", ["open"], indirect=True)
@pytest.mark.parametrize("changed", [{"rate_rps": 90.0}, {"variant": "another"}, {"sent": 3}])
def test_a_plan_that_cannot_be_is_refused(folder: RunFolder, changed: dict[str, Any]) -> None:
    change_trial(lambda trial: trial.update(changed))(folder)
    with pytest.raises(UsageError, match="trial 0"):
        registry.kind_of(folder).report(folder)


def experiment_of(path: Path) -> dict[str, Any]:
    return dict(RunFolder.open(path).read_run().experiment)


@pytest.mark.parametrize("folder", ["closed"], indirect=True)
def test_a_kind_that_is_not_that_of_the_trials_is_told_of_run_json(folder: RunFolder, inside: Run) -> None:
    todo = "it is damaged or of another version: take it from a copy, or measure again"
    for kind, of, said in (
        ("open", "closed", f"run.json: Value error, kind is open, and its experiment is of kind closed; {todo}"),
        ("sum", "sum", "run.json: kind = 'sum': there is no such kind of experiment; there are closed, open"),
    ):
        change_run(kind=kind, experiment={**experiment_of(RECORDED), "kind": of})(folder)
        for command in (
            ("export", str(folder.path)),
            ("report", str(folder.path)),
            ("explain", str(folder.path), "C16"),
        ):
            done = inside(*command)
            assert (done.returncode, done.stderr.count("\n")) == (2, 1)
            assert said in done.stderr
            assert todo in done.stderr
    with pytest.raises(UsageError, match=r"run\.json: kind = 'sum'"):
        cli_compare.compare.main([str(folder.path), str(RECORDED)], standalone_mode=False)


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_every_table_has_a_heading_and_its_rows_say_of_which_cell_they_are(
    folder: RunFolder, tmp_path: Path, *, measured: bool
) -> None:
    if not measured:
        change_run(status="running")(folder)
        remove_trials(folder)
    assert cli_runs.export.main([str(folder.path), "--to", str(tmp_path / "to")], standalone_mode=False) == 0
    kind = registry.kind_of(folder)
    tables = {path.stem: list(csv.reader(path.read_text().splitlines())) for path in (tmp_path / "to").iterdir()}
    assert set(tables) == {*kind.rows, "trials", "cells"}
    for name, (heading, *rows) in tables.items():
        if name in kind.rows:
            assert heading == ["trial", "repeat", *kind.key, "valid", *kind.rows[name]._fields]
            assert {len(row) for row in rows} <= {len(heading)}
        elif name == "trials":
            assert {"index", "valid", "server_cpu_s", "machine_busy_s"} <= set(heading)
        else:
            assert set(kind.key) <= set(heading)
        assert measured or not rows
