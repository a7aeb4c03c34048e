"""The parts of a report that are the same for every kind: the run, what is missing, trust, the machine."""

import re
from collections.abc import Mapping, Sequence

from iolab.report import doubts, numbers
from iolab.report.document import Cards, Document, Section
from iolab.report.doubts import Places, Trust
from iolab.results.run_info import RunInfo

PYTHON = "python of the lab"
QUICK = "Quick run: fewer requests, wider intervals."
NO_TRIAL = Trust("poor", "No trial has ended: there are no numbers.")
HERE = "the folder of this file"  # of a report that is written to the run folder
NAMES = {"iolab": "the lab's client for planned arrivals"}  # of load generators, where the name says too little
MOST_SAID = 6  # cards: beyond that their verdicts are no sentence


def report(
    run: RunInfo,
    trials: int,
    *,
    question: str,
    answer: Sequence[Section],
    findings: Places,
    rows: str,
    noun: str = "cell",
    verdict: str = "",
    details: Sequence[Section] = (),
    method: Sequence[str] = (),
    load: str = "",
    lacks: str = "",
    closing: Sequence[str] = (),
) -> Document:
    """Return the report of a run of which `trials` trials are on disk.

    `findings` are those of each place, which is a `noun`; `rows` says what samples/ contains, `load` what made the load
    if that is not the run's generator, and `lacks` what else is missing if the run is not complete. Without a
    `verdict`, the verdicts of the cards are used.
    """
    places = [(place, list(found)) for place, found in findings]
    doubted = [(place, [each for each in found if not each.expected]) for place, found in places]
    expected = [(place, [each for each in found if each.expected]) for place, found in places]
    return Document(
        question=question,
        verdict=verdict or _said(answer),
        trust=doubts.trust(doubted, noun, some_expected=any(found for _, found in expected)) if trials else NO_TRIAL,
        about=about(run, trials, load or NAMES.get(run.generator, run.generator)),
        lacks=" ".join(filter(None, [what_is_missing(run, trials), lacks])),
        answer=answer,
        expected=doubts.found(expected, f"every {noun}"),
        findings=doubts.found(doubted, f"every {noun}"),
        details=details,
        method=[*filter(None, [*method[:1], cpu_plan(run), *method[1:]])],
        facts=[
            ("date", f"{run.started:%Y-%m-%d %H:%M:%S} UTC"),
            ("seed", "none: nothing in this kind of experiment is random" if seed(run) is None else str(seed(run))),
            *machine(run.environment),
        ],
        raw=f"The raw data are in {HERE}: run.json, trials.jsonl with one line"
        f" per trial, summary.json, and in samples/ {rows}. make report RUN= with this folder rebuilds this page.",
        closing=closing,
    )


def _said(answer: Sequence[Section]) -> str:
    """Return the verdicts of the first cards of an answer as a sentence; "" if there are too many."""
    cards = next((block.cards for section in answer for block in section.blocks if isinstance(block, Cards)), ())
    return f"{'; '.join(f'{card.title}: {card.verdict}' for card in cards)}." if 0 < len(cards) <= MOST_SAID else ""


def about(run: RunInfo, trials: int, load: str) -> str:
    """Return which run a report is of: experiment, date, trials, what made the load, where servers ran, the machine."""
    count = f"{trials} of {run.trials_planned} trials" if run.trials_planned else f"{trials} trials"
    name, began = str(run.experiment["name"]), f"{run.started:%Y-%m-%d %H:%M} UTC"
    parts = [name, began, count, f"load by {load}", *([] if seed(run) is None else [f"seed {seed(run)}"])]
    texts = [f"Experiment {', '.join(parts)}.", QUICK if run.quick else ""]
    texts += [f"Servers ran {numbers.PLACES[run.runtime]}: {run.runtime_reason}.", _briefly(run.environment)]
    return " ".join(filter(None, texts))


def seed(run: RunInfo) -> int | None:
    """Return the seed of a run's random choices; None if its kind makes none."""
    value = run.experiment.get("seed")
    return value if isinstance(value, int) else None


def _briefly(environment: Mapping[str, object]) -> str:
    """Return the machine and its Python in a sentence, as far as they are known."""
    known = {name: environment.get(name) for name in ("cores", "cpu", "kernel", PYTHON)}
    written = str(known["cores"])
    cores = numbers.counted(int(written), "core") if re.fullmatch("[1-9][0-9]{0,8}", written) else ""
    processor = " of ".join(filter(None, [cores, str(known["cpu"] or "")]))
    python = f"Python {str(known[PYTHON]).split()[0]}" if known[PYTHON] else ""
    parts = [each for each in (processor, str(known["kernel"] or ""), python) if each]
    return f"Machine: {', '.join(parts)}." if parts else ""


def cpu_plan(run: RunInfo) -> str:
    """Return the cores of servers and load generator, for each CPU limit."""
    lines = []
    for plan in run.cpu_plans:
        if not plan.server:
            loadgen = numbers.cores(", ".join(map(str, plan.loadgen)))
            lines.append(f"Load generator on {loadgen}; the server's cores are not known")
            continue
        server, loadgen = (numbers.cores(", ".join(map(str, cores))) for cores in (plan.server, plan.loadgen))
        lines.append(f"CPUS={plan.cpus:g}: servers on {server}, load generator on {loadgen}")
    return f"{'; '.join(lines)}." if lines else ""


def what_is_missing(run: RunInfo, trials: int) -> str:
    """Return a sentence about missing trials; "" if the run is complete."""
    number = f"{trials} of {run.trials_planned} trials" if run.trials_planned else f"{trials} trials"
    if run.status == "complete":
        return f"trials.jsonl lacks lines: it has {number}." if trials < run.trials_planned else ""
    return {
        "partial": f"This run was interrupted: it has {number}.",
        "failed": f"This run failed: it has {number}; the findings say what is wrong.",
        "running": f"This run has not ended: it has {number} so far.",
    }[run.status]


def machine(environment: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the facts of run.json's environment as names and texts."""
    return [(name.removesuffix("_bytes").replace("_", " "), _text(name, value)) for name, value in environment.items()]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text('', version)}" for key, version in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return numbers.memory(int(str(value))) if name.endswith("_bytes") else str(value)
