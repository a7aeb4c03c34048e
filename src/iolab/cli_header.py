"""The header of a report: settings that were changed, the command that repeats the run, and experiments to run next."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from iolab import options
from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.kinds import registry
from iolab.lab import find_root
from iolab.options import Setting
from iolab.report.document import Document
from iolab.results.folder import RunFolder
from iolab.results.records import RunInfo


def headed(document: Document, folder: RunFolder) -> Document:
    """Return the report of a run with its header; without the experiment's file only with what to run next."""
    run = folder.read_run()
    changed, repeat = _compared(folder, run)
    following = [tuple(each.split(": ", 1)) for each in registry.KINDS[run.kind].following]
    others = [(command, what) for command, what in following if not f"{repeat} ".startswith(f"{command} ")]
    return replace(document, changed=changed, repeat=repeat, following=others)


def _compared(folder: RunFolder, run: RunInfo) -> tuple[list[tuple[str, str]], str]:
    """Return the settings of a run that differ from its file, and the command that repeats it; nothing without it."""
    settings = registry.kind(run.kind).settings
    file = run.file or f"experiments/{run.experiment['name']}.toml"
    try:
        path = find_root(Path.cwd()) / file
        default = registry.read(path, {}, settings, quick=run.quick)
    except UsageError:
        return [], ""
    measured: Experiment = registry.recorded(folder, run, settings)
    changed = [each for each in options.settings(settings) if each.typed(measured) != each.typed(default)]
    values = [(each.variable, each.typed(measured)) for each in changed]
    return values, _command(run, file, values) if _repeats(measured, changed, path, quick=run.quick) else ""


def _command(run: RunInfo, file: str, values: Sequence[tuple[str, str]]) -> str:
    entry = registry.KINDS[run.kind]
    targets = {f"experiments/{name}.toml": target for name, target in registry.TARGETS.items()}
    targets[f"experiments/{entry.experiment}.toml"] = entry.command
    variables = [*([] if file in targets else [("EXPERIMENT", file)]), *values]
    variables += [("QUICK", "1")] if run.quick else []
    variables += [("RUNTIME", run.runtime)] if "RUNTIME" in run.runtime_reason else []
    return " ".join(
        ["make", targets.get(file, entry.command), *(f"{name}={shlex.quote(value)}" for name, value in variables)]
    )


def _repeats(measured: Experiment, changed: Sequence[Setting], path: Path, *, quick: bool) -> bool:
    """Say whether the options alone make the file's experiment the one that was measured."""
    settings = type(measured)
    try:
        given = {each.name: each.word.read(each.typed(measured)) for each in changed}
        again = registry.read(path, settings.changes(given), settings, quick=quick)
    except (UsageError, ValueError):
        return False
    return again == measured.model_copy(update={"name": again.name, "question": again.question})
