"""The header of a report: settings that were changed, the command that repeats the run, and experiments to run next."""

import os
import shlex
from dataclasses import replace

from iolab import planning
from iolab.kinds import registry
from iolab.report import run_report
from iolab.report.answers import RUN
from iolab.report.document import Document
from iolab.results.folder import RunFolder
from iolab.results.run_info import RunInfo

COURSE = "COURSE"  # changes what reports show, nothing that is measured


def headed(document: Document, folder: RunFolder, place: RunFolder | None = None) -> Document:
    """Return the report of a run with its header, which run.json and the registry have.

    It is written to `place`: if that is another folder, the report names the run folder.
    """
    run = folder.read_run()
    repeat = _command(run)
    asked = run.changed.get("URL", "")
    following = [tuple(each.split(": ", 1)) for each in registry.KINDS[run.kind].following]
    if run.runtime == "url":
        following = [(f"make contract URL={shlex.quote(asked)}", "check which promises of the lab's servers it keeps")]
    others = [(command, what) for command, what in following if not f"{repeat} ".startswith(f"{command} ")]
    lacks = " ".join(filter(None, [document.lacks, _resume(folder, run)]))
    raw = document.raw
    if place and place.path != folder.path:
        raw = raw.replace(run_report.HERE, os.path.relpath(folder.path), 1)
    return replace(
        document,
        raw=raw,
        changed=[(name, value) for name, value in run.changed.items() if name != COURSE],
        repeat=repeat,
        following=others,
        lacks=lacks,
        course=document.course.replace(RUN, f"RUN={_path(folder)}"),
    )


def _path(folder: RunFolder) -> str:
    """Return the path of a run folder in the lab, as a shell reads it."""
    return shlex.quote(f"{folder.path.parent.name}/{folder.path.name}")


def _resume(folder: RunFolder, run: RunInfo) -> str:
    """Return how to measure the rest of a run that has ended early; "" if it has not, or cannot go on."""
    if run.status not in ("partial", "failed") or registry.kind(run.kind).not_resumable:
        return ""
    return f"To measure what is missing or not valid: make {registry.KINDS[run.kind].command} RESUME={_path(folder)}"


def _command(run: RunInfo) -> str:
    entry = registry.KINDS[run.kind]
    file = run.file or f"experiments/{run.experiment['name']}.toml"
    targets = {f"experiments/{name}.toml": target for name, target in registry.TARGETS.items()}
    targets[f"experiments/{entry.experiment}.toml"] = entry.command
    targets[f"experiments/{planning.RUNNING}.toml"] = entry.command  # a URL chooses it
    variables = [*([] if file in targets else [("EXPERIMENT", file)]), *run.changed.items()]
    variables += [("QUICK", "1")] if run.quick else []
    variables += [("RUNTIME", run.runtime)] if "RUNTIME" in run.runtime_reason else []
    return " ".join(
        ["make", targets.get(file, entry.command), *(f"{name}={shlex.quote(value)}" for name, value in variables)]
    )
