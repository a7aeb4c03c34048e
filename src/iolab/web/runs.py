"""The runs in results/, as the list shows them; a run folder may be damaged, hostile, or vanish at any moment."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from iolab.errors import UsageError
from iolab.host import lock
from iolab.kinds.registry import KINDS
from iolab.results import files
from iolab.results.differences import NO_CONDITIONS
from iolab.web.questions import filled

NAME = re.compile(r"[0-9A-Za-z][\w.+-]{0,200}")  # of a run folder; nothing that leads elsewhere
OURS = frozenset({"trace", "latest"})
MOST_NUMBER = 1e15  # of trials or seconds
LONGEST = 600  # characters of a text from a run
CLOCK_S = 2.0  # moments in run.json may be rounded
STATUSES = ("running", "complete", "partial", "failed")
LEVELS = ("good", "limited", "poor")
FILES = re.compile(
    r"report\.(html|md)|run\.json|summary\.json|trials\.jsonl|samples/\d+-[a-z]+(-\d+)?\.csv\.gz|export/[\w-]+\.csv"
)
FIGURE = re.compile(r'<div class="form wide-form">\s*(<svg\b.*?</svg>)', re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """A run in the list; `status` is running, complete, partial, failed, killed or damaged."""

    name: str
    kind: str = ""
    experiment: str = ""
    docs: str = ""
    started: str = ""
    resumed: str = ""
    question: str = ""
    verdict: str = ""
    trust: str = ""
    why: str = ""
    models: tuple[str, ...] = ()
    status: str = "damaged"
    quick: bool = False
    lacks: str = ""
    report: bool = False
    planned: int = 0
    settings: str = ""  # the same for runs of the same settings


class Runs:
    """The list of a folder; what did not change since the last time is not read again."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self._known: dict[str, tuple[tuple[float, ...], Entry]] = {}

    def entries(self) -> list[dict[str, Any]]:
        """Return all runs, the newest first, as JSON has them."""
        found = {}
        for path in self._folders():
            signature = tuple(_changed(path / name) for name in ("run.json", "summary.json", "report.html"))
            known = self._known.get(path.name)
            entry = known[1] if known and known[0] == signature else _entry(path)
            found[path.name] = (signature, entry)
        self._known = found
        entries = sorted(
            (entry for _, entry in found.values()), key=lambda each: (each.started, each.name), reverse=True
        )
        return [asdict(each) | {"status": _status(each)} for each in entries]

    def _folders(self) -> list[Path]:
        try:
            there = list(self.results.iterdir())
        except OSError:
            return []
        return [each for each in there if NAME.fullmatch(each.name) and each.name not in OURS and _is_run(each)]

    def file(self, run: str, name: str) -> Path:
        """Return a file of a run; raises UsageError for any other file, and FileNotFoundError."""
        if not NAME.fullmatch(run) or run in OURS or not FILES.fullmatch(name):
            raise UsageError("there is no such file")
        path = self.results / run / name
        for folder in (self.results / run, path.parent):
            files.check_folder(folder)
        files.check_regular(path)
        return path

    def rows(self, run: str) -> list[dict[str, Any]]:
        """Return the files of a run's raw rows, each with its size in bytes."""
        folder = self.file(run, "run.json").parent / "samples"
        try:
            files.check_folder(folder)
            found = sorted(folder.iterdir())
        except OSError:
            return []
        return [
            {"name": f"samples/{each.name}", "bytes": each.stat().st_size}
            for each in found
            if FILES.fullmatch(f"samples/{each.name}") and not each.is_symlink()
        ]

    def figure(self, run: str) -> str:
        """Return the headline figure of a run's report, in colours of its own; "" if it has none."""
        page = files.read(self.file(run, "report.html")).decode(errors="replace")
        found = FIGURE.search(page)
        return standing_alone(found[1]) if found else ""


def standing_alone(svg: str) -> str:
    """Return a drawing as a file of its own: a page's colours are not there, so it brings them."""
    style = (
        "<style>svg{--ink:#1d1f22;--muted:#63676d;--line:#dcdcd6;--paper:#fdfdfc;background:#fdfdfc}"
        "@media(prefers-color-scheme:dark){svg{--ink:#eceae4;--muted:#a3a7ad;--line:#373b41;--paper:#16181b;"
        "background:#16181b}}</style>"
    )
    head, end, rest = svg.partition(">")
    if "xmlns=" not in head:
        head += ' xmlns="http://www.w3.org/2000/svg"'
    return f"{head}{end}{style}{rest}"


def number(value: object) -> float | None:
    """Return a finite number of a run's files; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST_NUMBER:
        return None
    return float(value)


def _is_run(path: Path) -> bool:
    try:
        files.check_folder(path)
        files.check_regular(path / "run.json")
    except (OSError, UsageError):
        return False
    return True


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _entry(path: Path) -> Entry:
    """Return what a run's files say; those of a damaged run are left out."""
    run, summary = _read(path / "run.json"), _read(path / "summary.json")
    experiment = _table(run.get("experiment"))
    started = _text(run.get("started"))
    try:
        begun_s(started)
    except (ValueError, OverflowError, OSError):
        return Entry(path.name)
    kind = _text(run.get("kind"))
    trust, models = _table(summary.get("trust")), run.get("models")
    letters = [_text(_table(each).get("letter")) for each in models] if isinstance(models, list) else []
    return Entry(
        name=path.name,
        kind=kind,
        docs=KINDS[kind].docs if kind in KINDS else "",
        experiment=_text(experiment.get("name")),
        started=started,
        resumed=_text(run.get("resumed")),
        question=_text(summary.get("question")) or filled(_text(experiment.get("question")), experiment),
        verdict=_text(summary.get("verdict")),
        trust=trust["level"] if trust.get("level") in LEVELS else "",
        why=_text(trust.get("text")),
        models=tuple(filter(None, letters[:16])),
        status=run["status"] if run.get("status") in STATUSES else "damaged",
        quick=run.get("quick") is True,
        lacks=_text(summary.get("lacks")),
        report=bool(_changed(path / "report.html")),
        planned=int(number(run.get("trials_planned")) or 0),
        settings=_settings(run),
    )


def _settings(run: Mapping[str, Any]) -> str:
    """Return a digest of what a run measures, and where: runs that have the same are repetitions of each other."""
    experiment = {name: value for name, value in _table(run.get("experiment")).items() if name not in NO_CONDITIONS}
    where = [run.get(name) for name in ("kind", "runtime", "generator", "models", "quick")]
    told = json.dumps([experiment, where], sort_keys=True)
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return _table(json.loads(files.read(path)))
    except (OSError, ValueError, RecursionError, UsageError):
        return {}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value[:LONGEST] if isinstance(value, str) else ""


def _status(entry: Entry) -> str:
    """Return the status: a run that says it runs was killed if it is not the experiment that runs now."""
    return (
        "killed"
        if entry.status == "running" and not is_measured(entry.experiment, entry.resumed or entry.started)
        else entry.status
    )


def is_measured(experiment: str, begun: str) -> bool:
    """Return whether a run of this experiment that began then is measured by the process that holds the lock."""
    holder = lock.holder()
    try:
        return holder is not None and holder.what == experiment and begun_s(begun) >= holder.since_s - CLOCK_S
    except ValueError:
        return False


def begun_s(text: str) -> float:
    """Return a moment of run.json in seconds of the epoch; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
