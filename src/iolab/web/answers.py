"""The helper process of the page: answers that need numpy, the settings of experiments, or drawing.

A line of JSON in, [name, arguments], and a line of JSON out: {"answer": ...} or {"error": "one line"}.
"""

import base64
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iolab import comparing, experiment_file, options, planning
from iolab.errors import LabError, UsageError
from iolab.kinds import registry
from iolab.lab import find_root
from iolab.report import pages, prose
from iolab.results.folder import RunFolder
from iolab.theory.capacity import queue
from iolab.theory.closed_loop import behind_short_queue, closed_loop
from iolab.web.lessons import lesson
from iolab.web.questions import filled

MAIN = (
    *("MODELS", "CONCURRENCY", "USERS", "CPUS", "REPEATS", "REQUESTS", "UTILISATION", "SLO"),
    *("WAIT_MS", "CPU_MS", "THREADS", "BACKLOG", "DOWNSTREAM"),
)
OWN_COMMANDS = frozenset({"crosscheck", "running"})  # no single run, or no server of the lab
POINTS = 33
MOST_UTILISATION = 0.98


def theory(  # noqa: PLR0917 (arguments have names: they are an object of JSON)
    loop: str,
    users: int,
    rate_rps: float,
    wait_ms: float,
    cpu_ms: float,
    workers: float | None,
    backlog: int | None,
    queues: int = 1,
    interpreters: float = 1,
) -> dict[str, float | None]:
    """Return the predicted throughput, mean and median of a lane; a null is not known. `workers` None is any number.

    `backlog` is the server's, where its accept queue is the kernel's; its workers share `queues` of them.
    """
    servers, wait_s, cpu_s = math.inf if workers is None else workers, wait_ms / 1000, cpu_ms / 1000
    if loop == "closed":
        if queues > 1:
            return {"rps": None, "response_s": None, "utilisation": None}  # constant service times have no formula
        short = behind_short_queue(users, backlog, wait_s, cpu_s) if backlog is not None and servers == 1 else None
        found = short or closed_loop(users, servers, wait_s, cpu_s, interpreters, interpreters)
        return {"rps": found.throughput_rps, "response_s": found.latency_s, "utilisation": None}
    service_s = wait_s + cpu_s
    busy = max(rate_rps * service_s / servers, rate_rps * cpu_s / interpreters)
    if busy >= 1:
        return {
            "rps": min(servers / service_s, interpreters / cpu_s if cpu_s else math.inf),
            "response_s": None,
            "utilisation": busy,
        }
    response_s = queue("constant", rate_rps / queues, service_s, servers / queues).mean_s
    return {"rps": rate_rps, "response_s": response_s, "utilisation": busy}


def what_if(users: int, workers: int, wait_ms: float, cpu_ms: float, utilisation: float) -> dict[str, Any]:
    """Return the curves of theory for these values: response time over users, and over utilisation."""
    wait_s, cpu_s = wait_ms / 1000, cpu_ms / 1000
    service_s = wait_s + cpu_s
    counts = sorted({max(1, round(2 * users * step / POINTS)) for step in range(1, POINTS + 1)} | {users})
    closed = [(each, closed_loop(each, workers, wait_s, cpu_s)) for each in counts]
    here = closed_loop(users, workers, wait_s, cpu_s)
    shares = sorted({MOST_UTILISATION * step / POINTS for step in range(1, POINTS + 1)} | {utilisation})
    rates = [(share, share * workers / service_s) for share in shares]
    return {
        "closed": {
            "users": counts,
            "response_s": [found.latency_s for _, found in closed],
            "rps": [found.throughput_rps for _, found in closed],
            "here": {"response_s": here.latency_s, "rps": here.throughput_rps},
        },
        "open": {
            "utilisation": shares,
            "mmc_s": [queue("exponential", rate, service_s, workers).mean_s for _, rate in rates],
            "mdc_s": [queue("constant", rate, service_s, workers).mean_s for _, rate in rates],
            "rate_rps": utilisation * workers / service_s,
        },
    }


def points(results: str) -> list[dict[str, Any]]:
    """Return measured medians of the newest benchmark, for the curve over users."""
    for folder in RunFolder.newest_first(Path(results)):
        try:
            if not registry.kind_of(folder).explains_medians or not folder.has_trials():
                continue
            cells = registry.kind_of(folder).report(folder).cells
        except UsageError:
            continue
        return [
            {"run": folder.path.name, "model": each["model"], "users": each["concurrency"], "ms": each["median_ms"]}
            for each in cells
            if each.get("median_ms")
        ]
    return []


def experiments() -> list[dict[str, Any]]:
    """Return the experiments of the lab, each with the settings that matter most."""
    found = []
    for path in sorted((find_root(Path.cwd()) / "experiments").glob("*.toml")):
        if path.stem in OWN_COMMANDS:
            continue
        try:
            found.append(_experiment(path))
        except UsageError as mistake:
            found.append({"name": path.stem, "error": str(mistake)})
    return found


def _experiment(path: Path) -> dict[str, Any]:
    kind = experiment_file.kind_of(path)
    settings = registry.kind(kind).settings
    experiment = registry.read(path, {}, settings)
    shown = [each for each in options.settings(settings) if each.variable in MAIN]
    return {
        "name": path.stem,
        "kind": kind,
        "title": registry.KINDS[kind].title if registry.KINDS[kind].experiment == path.stem else "",
        "target": registry.KINDS[kind].command,
        "question": filled(experiment.question, experiment.model_dump(mode="json", by_alias=True)),
        "quick": "quick" in experiment_file.document(path),
        "settings": [
            {
                "variable": each.variable,
                "value": each.typed(experiment),
                "help": each.option.help,
                "bounds": each.bounds,
            }
            for each in sorted(shown, key=lambda each: MAIN.index(each.variable))
        ],
    }


def plan(name: str, variables: Mapping[str, str], quick: bool) -> dict[str, Any]:
    """Return the target and variables of make that measure an experiment, its options, and what it takes.

    Raises UsageError.
    """
    root = find_root(Path.cwd())
    path = root / "experiments" / f"{name}.toml"
    kind = experiment_file.kind_of(path)
    entry, settings = registry.KINDS[kind], registry.kind(kind).settings
    known = {each.variable: each for each in options.settings(settings)}
    given: dict[str, Any] = {}
    for variable, text in variables.items():
        if variable not in known or known[variable].path[0] == "target":  # a page does not choose a server to load
            raise UsageError(f"{variable}: {name} has no such setting")
        word = known[variable].word
        try:
            given[known[variable].name] = word.read(text)
        except ValueError:
            raise UsageError(f"{variable}={text}: must be {word.must}") from None
    planned = planning.plan(root, path, settings.changes(given), settings, quick=quick)
    own = {} if entry.experiment == name else {"EXPERIMENT": f"experiments/{name}.toml"}
    found = registry.kind(kind)
    return {
        "target": entry.command,
        "variables": {**own, **planned.changed, **({"QUICK": "1"} if quick else {})},
        "expected_s": found.expected_s(planned.experiment, planned.models),
        "trials": found.count(planned.experiment, planned.models),
        "options": sorted(known),
    }


def compare(sides: list[list[str]]) -> str:
    """Return the page that compares the runs of all sides with the first; raises UsageError."""
    judged = comparing.judged([[Path(run) for run in side] for side in sides], find_root(Path.cwd()))
    return pages.render(judged.document())


def document(name: str) -> str:
    """Return a text of docs/ as a page; raises UsageError where there is no such text."""
    folder = find_root(Path.cwd()) / "docs"
    texts = {path.name: path for path in folder.glob("*.md")}
    if name not in texts:
        raise UsageError("there is no such page")

    def link(address: str) -> str | None:
        other = address.partition("#")[0]
        return address if other in {"", *texts} or address.startswith("https://") else None

    def picture(address: str) -> str | None:
        path = folder / address
        if path.parent != folder or path.suffix != ".png" or not path.is_file():
            return None
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"

    return prose.page(texts[name].read_text(encoding="utf-8"), link, picture)


ANSWERS = {each.__name__: each for each in (theory, what_if, points, experiments, plan, compare, document, lesson)}


def main() -> None:
    """Answer until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing else may write into the answers
    for line in sys.stdin:
        name, given = json.loads(line)
        try:
            found = {"answer": ANSWERS[name](**given)}
        except (LabError, OSError, ValueError, OverflowError) as mistake:
            found = {"error": " ".join(str(mistake).split()) or type(mistake).__name__}
        out.write(f"{json.dumps(found)}\n")
        out.flush()


if __name__ == "__main__":
    main()
