"""What every kind of experiment owes its readers; a new kind is tested as soon as it is in the registry.

Its recording (recordings.py) is disturbed, interrupted and made impossible, and its reports must say so.
"""

import html
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iolab import comparing
from iolab.cli.console import Console
from iolab.cli.run import write_reports
from iolab.kinds import registry
from iolab.report import brief
from iolab.results.folder import RunFolder
from iolab.results.possible import possible
from tests import quiet
from tests.conftest import Run
from tests.kinds.recordings import recording

every_kind = pytest.mark.parametrize("kind", list(registry.KINDS))
PYTHON = "3.13.5 experimental free-threading build (main, Jun 11 2026) [GCC 14.2.0]"
ENVIRONMENT = {
    "cores": 2, "memory_bytes": 8 * 2**30, "kernel": "Linux 6.12", "python of the lab": PYTHON, "GIL of the lab": False,
}  # fmt: skip


def changed(
    kind: str,
    results: Path,
    trial: Callable[[dict[str, Any]], None] = lambda _: None,
    run: Callable[[dict[str, Any]], None] = lambda _: None,
) -> RunFolder:
    """Return a run of that kind after changes of each line, and of run.json."""
    folder = recording(kind, results)
    lines = [json.loads(line) for line in (folder.path / "trials.jsonl").read_text().splitlines()]
    info = json.loads((folder.path / "run.json").read_text())
    for line in lines:
        trial(line)
    run(info)
    (folder.path / "trials.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder.path / "run.json").write_text(json.dumps(info))
    return folder


def reports(folder: RunFolder) -> tuple[dict[str, Any], dict[str, str]]:
    """Return summary.json, and the texts of terminal, Markdown and HTML."""
    console = Console(file=io.StringIO(), width=200)
    brief.show(console, write_reports(folder), "report.html")
    texts = {name: html.unescape((folder.path / name).read_text()) for name in ("report.md", "report.html")}
    printed: str = console.file.getvalue()  # type: ignore[attr-defined]
    return json.loads((folder.path / "summary.json").read_text()), {"terminal": printed, **texts}


def neighbour(line: dict[str, Any]) -> None:
    """Another program computes on the server's core all the time, and the hypervisor takes some of the other's."""
    span_s = max(line["duration_s"], 1.0)
    machine = quiet.machine(span_s, (span_s, 0.3), (0.0, 0.2 * span_s))
    line |= {"machine": machine.model_dump(), "server": {"cpu_s": 0.1}, "client": {"cpu_s": 0.1}}


@pytest.mark.usefixtures("undrawn")
@every_kind
def test_the_machine_s_findings_stand_in_every_report_and_summary(kind: str, tmp_path: Path) -> None:
    summary, texts = reports(changed(kind, tmp_path, neighbour))
    for cell in summary["cells"]:
        assert {"busy_machine", "stolen_time"} <= {each["id"] for each in cell["findings"]}
    assert summary["trust"]["level"] != "good"
    for name in ("report.md", "report.html"):
        assert "of core 0 (the server's)" in texts[name]
        assert "of the CPU time of core 1 (the load generator's)" in texts[name]
    assert "Trust: limited." in texts["terminal"] or "Trust: poor." in texts["terminal"]


@pytest.mark.usefixtures("undrawn")
@every_kind
def test_what_could_not_be_looked_at_is_never_fine(kind: str, tmp_path: Path) -> None:
    """As on macOS: nothing of the machine is known."""
    summary, texts = reports(changed(kind, tmp_path, lambda line: line.update(machine={})))
    for cell in summary["cells"]:
        assert "not_checked" in {each["id"] for each in cell["findings"]}
    assert summary["trust"]["level"] != "good"
    for name in ("report.md", "report.html"):
        assert "were not checked" in texts[name]


@pytest.mark.usefixtures("undrawn")
@every_kind
def test_environment_date_and_seed_stand_in_every_report_and_summary(kind: str, tmp_path: Path) -> None:
    folder = changed(kind, tmp_path, run=lambda info: info.update(environment=ENVIRONMENT))
    run = folder.read_run()
    summary, texts = reports(folder)
    assert summary["started"] == run.started.isoformat(timespec="seconds")
    assert summary["environment"] == ENVIRONMENT
    assert summary["seed"] == run.experiment.get("seed")
    seed = "nothing in this kind" if summary["seed"] is None else f"seed {summary['seed']}"
    for name in ("report.md", "report.html"):
        for text in (f"{run.started:%Y-%m-%d %H:%M} UTC", seed, PYTHON, "Linux 6.12", "8.0 GiB"):
            assert text in texts[name], (name, text)


@pytest.mark.usefixtures("undrawn")
@every_kind
@pytest.mark.parametrize(
    ("status", "said"),
    [("partial", "This run was interrupted"), ("failed", "This run failed"), ("running", "not ended")],
)
def test_a_run_that_is_not_whole_says_so_first(kind: str, status: str, said: str, tmp_path: Path) -> None:
    folder = changed(kind, tmp_path, run=lambda info: info.update(status=status))
    summary, texts = reports(folder)
    assert (summary["status"], said in summary["lacks"]) == (status, True)
    assert said in texts["terminal"].splitlines()[0]
    assert said in texts["report.md"].splitlines()[0]
    body = texts["report.html"].partition("<body>")[2]
    assert body.index(said) < body.index("<h1>")


@pytest.mark.usefixtures("undrawn")
@every_kind
def test_compare_and_export_of_a_run_that_is_not_whole_say_so_first(kind: str, inside: Run, tmp_path: Path) -> None:
    def planned(info: dict[str, Any], status: str) -> None:
        info.update(status=status, trials_planned=number)

    number = recording(kind, tmp_path / "count").count_trials()
    whole = changed(kind, tmp_path / "one", run=lambda info: planned(info, "complete"))
    partial = changed(kind, tmp_path / "other", run=lambda info: planned(info, "partial"))
    again = changed(kind, tmp_path / "again", run=lambda info: planned(info, "complete"))
    done = inside("compare", str(whole.path), str(partial.path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{partial.path.name} (second): This run was interrupted: it has ")
    lacks = [
        comparing.judged([[whole.path], [other.path]], None, None, None).document().lacks for other in (partial, again)
    ]
    assert lacks[0].startswith(f"{partial.path.name} (second): This run was interrupted")
    assert lacks[1] == ""
    exported = inside("export", str(partial.path), "--to", str(tmp_path / "tables"))
    assert exported.stderr.startswith("This run was interrupted: it has ")
    heading, *rows = (tmp_path / "tables" / "cells.csv").read_text().splitlines()
    assert heading.startswith("run_status,")
    assert rows
    assert all(row.startswith("partial,") for row in rows)


IMPOSSIBLE = {"cpu_s": 1e6, "throttled_s": 1e6, "threads_peak": 0, "rss_peak_bytes": 2**50, "listen_overflows": -1}


@every_kind
def test_values_that_cannot_be_are_not_known_in_any_kind(kind: str, tmp_path: Path) -> None:
    def change(line: dict[str, Any]) -> None:
        line |= {"server": dict(IMPOSSIBLE), "client": {"cpu_s": -1.0, "busiest_share": 3.0}}

    folder = changed(kind, tmp_path, change, lambda info: info.update(environment=ENVIRONMENT))
    records = folder.read_trials(registry.kind(kind).record)
    for record in records:
        found = possible(record, folder.read_run())
        assert set(found.server.model_dump().values()) == {None}
        assert set(found.client.model_dump().values()) == {None}
        assert found.valid == record.valid
    _, texts = reports(folder)
    for text in texts.values():
        assert "1,048,576.0 GiB" not in text
        assert "throttled the server" not in text
