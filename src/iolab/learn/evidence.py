"""Where a student's evidence is: files in mylab/, runs in results/. It is only read."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

from iolab.contract import outcome
from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.learn.plan import Evidence, Step
from iolab.learn.values import Values
from iolab.results import files
from iolab.results.folder import RunFolder
from iolab.results.run_info import RunInfo

MYLAB, STUDENT, RESULTS = "mylab", "student.toml", "results"
LOG = ".log"  # what is packed when it is handed in
DIGESTED = re.compile(r"run\.json|trials\.jsonl|samples/[\w.-]+\.csv\.gz")
OFTEN = 400  # runs that are looked at, the newest first


def contract_file(model: str) -> str:
    """Return the file of the outcome of `make contract` for a model."""
    return outcome.place(Path(RESULTS), model).as_posix()


@dataclass(frozen=True)
class Found:
    """What a step needs: its files as paths in the folder, and the run that it is, if it is one."""

    names: tuple[str, ...]
    run: RunFolder | None = None
    began: datetime | None = None


class Place:
    """A folder with evidence: a checkout, or a zip that was handed in and unpacked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Return the path of a file; that of a log is the packed one, if only that is there."""
        path = self.root / name
        packed = path.with_name(f"{path.name}.gz")
        return packed if name.endswith(LOG) and not path.exists() and packed.exists() else path

    def find(self, step: Step, values: Values) -> Found | None:
        """Return the evidence of a step; None if it is not there, or not whole."""
        wanted = step.evidence
        if wanted.student:
            return Found((f"{MYLAB}/{STUDENT}",))
        if wanted.contract:
            return Found((contract_file(wanted.contract),)) if self.contract(wanted.contract) else None
        names = (wanted.log,) if wanted.log else wanted.texts
        if names:
            there = all(_is_file(self.path(name)) for name in names)
            return Found(names) if there else None
        return next((found for found in self.runs if matches(found.info, wanted, values)), None)

    def broken_off(self, step: Step, values: Values) -> "FoundRun | None":
        """Return the newest run for a step that is not whole; None if there is none."""
        wanted = step.evidence
        runs = (each for each in self._readable if wanted.kind and not each.whole)
        return next((found for found in runs if matches(found.info, wanted, values)), None)

    def contract(self, model: str) -> outcome.Outcome | None:
        """Return the last outcome of `make contract` for a model; None if there is none that can be read."""
        return outcome.read(self.root / RESULTS, model)

    @cached_property
    def runs(self) -> "list[FoundRun]":
        """The complete runs, the newest first."""
        return [each for each in self._readable if each.whole]

    @cached_property
    def _readable(self) -> "list[FoundRun]":
        return list(self._read())

    def _read(self) -> "Iterator[FoundRun]":
        for folder in RunFolder.newest_first(self.root / RESULTS)[:OFTEN]:
            try:
                info = folder.read_run()
            except (UsageError, OSError):
                continue
            yield FoundRun((f"{RESULTS}/{folder.path.name}",), folder, info.started, info)


@dataclass(frozen=True)
class FoundRun(Found):
    """A run, and its run.json."""

    info: RunInfo = None  # type: ignore[assignment]

    @property
    def whole(self) -> bool:
        """Whether all of its trials are valid."""
        return self.info.status == "complete"


def matches(run: RunInfo, wanted: Evidence, values: Values) -> bool:
    """Return whether a run is what a step asks for."""
    return of_same_load(run, wanted, values) and not differing(run, wanted, values)


def of_same_load(run: RunInfo, wanted: Evidence, values: Values) -> bool:
    """Return whether a run has the kind, the models and the users that a step asks for, whatever its settings."""
    users = run.experiment.get("concurrency")
    return (
        run.kind == wanted.kind
        and {*wanted.models} <= {model.letter for model in run.models}
        and all(isinstance(users, list) and each in users for each in values.filled(wanted.users))
    )


def differing(run: RunInfo, wanted: Evidence, values: Values) -> Mapping[str, tuple[Any, Any]]:
    """Return the settings in which a run differs from what a step asks for: those of the run, and those asked for.

    A setting of the servers that a step does not name must not have been changed.
    """
    asked = {name: values.filled(value) for name, value in wanted.settings.items()}
    found = {name: (setting(run, name), value) for name, value in asked.items() if setting(run, name) != value}
    for name in ServerSettings.model_fields:
        if f"server.{name}" not in asked and name.upper() in run.changed:
            found[f"server.{name}"] = (run.changed[name.upper()], "(default)")
    return found


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


def digest(folder: RunFolder) -> str:
    """Return a hash of all that a run has measured."""
    parts = sorted(each.relative_to(folder.path).as_posix() for each in folder.path.rglob("*") if each.is_file())
    lines = [f"{sha256(files.read(folder.path / name))} {name}" for name in parts if DIGESTED.fullmatch(name)]
    return sha256("\n".join(lines).encode())


def setting(run: RunInfo, name: str) -> Any:
    """Return a setting of a run by its path, such as server.backlog; None where there is none."""
    try:
        value = reduce(lambda table, key: table[key], name.split("."), dict(run.experiment))
    except (KeyError, TypeError):
        return None
    return list(value) if isinstance(value, tuple) else value


def _is_file(path: Path) -> bool:
    try:
        files.check_regular(path)
    except (OSError, UsageError):
        return False
    return path.stat().st_size > 0
