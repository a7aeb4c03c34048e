"""Flags: what a teacher should look at in a zip. Not one is a verdict: they follow from files that a student can edit.

A flag is the name of a sentence of ui.toml, flag_<id>, and what that is filled with.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from iolab.errors import UsageError
from iolab.learn.bundle import MANIFEST, OWN
from iolab.learn.checks import Result
from iolab.learn.evidence import MYLAB, Place, contract_file, digest
from iolab.learn.journal import Entry, Journal, at
from iolab.learn.near import strangers
from iolab.learn.plan import Course, Plan
from iolab.learn.student import JOURNAL
from iolab.learn.unzip import LONGEST, Unpacked
from iolab.learn.values import Values
from iolab.results import files

EARLY = ("run_before_prediction", "predicted_after_run")
SHOWN = 3  # names in one flag


@dataclass(frozen=True, order=True)
class Flag:
    """A flag: `id` names the sentence, `about` is a file or a step, `with_` what else is in the sentence."""

    id: str
    about: str = ""
    with_: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def filled(self) -> Mapping[str, str]:
        """What the sentence is filled with."""
        return {"about": self.about, **self.with_}


@dataclass(frozen=True)
class Handed:
    """A zip that was handed in: its files, the place of its evidence, its journal and its student's values."""

    zip: Unpacked
    place: Place
    entries: Sequence[Entry]
    values: Values
    manifest: Mapping[str, Any]
    given: Mapping[str, str]  # what student.toml says: student, term


def manifest_of(found: Unpacked) -> Mapping[str, Any]:
    """Return the manifest of a zip; {} where it has none that can be read."""
    try:
        read = json.loads(files.read(found.folder / MANIFEST))
    except (OSError, UsageError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def of_files(handed: Handed) -> Iterator[Flag]:
    """Yield what the manifest says of the files: changed, missing, or added after `make submit`."""
    listed = handed.manifest.get("files")
    if not isinstance(listed, dict) or not listed:
        yield Flag("manifest_missing", MANIFEST)
        return
    there = {name: found for name, found in handed.zip.files.items() if name != MANIFEST}
    said = {name: entry.get("sha256") if isinstance(entry, dict) else None for name, entry in listed.items()}
    changed = [name for name in sorted(there.keys() & said.keys()) if there[name] != said[name]]
    for name in changed:
        yield Flag("file_changed", name)
    if missing := sorted(said.keys() - there.keys()):
        yield Flag("file_missing", _some(missing))
    if added := sorted(name for name in there.keys() - said.keys() if not name.startswith("__MACOSX/")):
        yield Flag("file_added", _some(added))


def of_sources(handed: Handed, sources: Mapping[str, str]) -> Iterator[Flag]:
    """Yield which files of services/ and of the plan are not those of the teacher's checkout."""
    said = handed.manifest.get("sources")
    if not isinstance(said, dict):
        return
    names = sorted(name for name in said.keys() | sources.keys() if _counts(str(name)))
    if differing := [str(name) for name in names if said.get(name) != sources.get(name)]:
        yield Flag("services_changed", _some(differing), {"version": str(handed.manifest.get("iolab", "?"))[:40]})


def _counts(name: str) -> bool:
    """Return whether a source has a part in what is measured and asked: handouts have none."""
    return name == "labs/plan.toml" or not name.startswith(("labs/", f"{OWN}/"))


def of_journal(handed: Handed, course: Course) -> Iterator[Flag]:
    """Yield whether the chain of the journal is broken, whose journal it is, and whether it ends after the deadline."""
    journal = Journal(handed.place.root / MYLAB / JOURNAL)
    if (line := journal.broken()) is not None:
        yield Flag("chain_broken", f"{MYLAB}/{JOURNAL}", {"line": str(line)})
    if not handed.entries:
        yield Flag("journal_missing", f"{MYLAB}/{JOURNAL}")
        return
    for entry in handed.entries:
        if entry["what"] == "begin" and entry.get("student") != handed.values.student:
            yield Flag("journal_of_another", f"{MYLAB}/{JOURNAL}", {"student": str(entry.get("student"))[:60]})
            break
    if handed.given.get("term") != course.term:
        yield Flag("other_term", str(handed.given.get("term"))[:60], {"term": course.term})
    times = [moment for entry in handed.entries if (moment := at(entry))]
    if course.deadline and max(times) > datetime.fromisoformat(course.deadline):
        yield Flag("late", max(times).isoformat(timespec="minutes"), {"deadline": course.deadline})


def of_checks(results: Sequence[Result]) -> Iterator[Flag]:
    """Yield the runs that began before their prediction was recorded."""
    for result in results:
        if result.key in EARLY:
            yield Flag("early", result.with_.get("run") or result.step.id, {"step": result.step.id})


def of_evidence(handed: Handed, plan: Plan) -> Iterator[Flag]:
    """Yield evidence that is not what the journal saw: of a run that it saw first, of a file that it saw last.

    A file such as a log may be recorded again; a run has a folder of its own.
    """
    for step in plan:
        found = None if step.evidence.student else handed.place.find(step, handed.values)
        for name in found.names if found else ():
            seen = [
                str(each.get("sha256"))
                for each in handed.entries
                if each["what"] == "evidence" and each.get("step") == step.id and each.get("name") == name
            ]
            if not seen:
                yield Flag("evidence_unseen", name, {"step": step.id})
                continue
            now = {digest(found.run)} if found and found.run else _hashes(handed.zip, name)
            if (seen[0] if found and found.run else seen[-1]) not in now:
                yield Flag("evidence_changed", name, {"step": step.id})


def _hashes(found: Unpacked, name: str) -> set[str]:
    """Return the hashes of a file, as it is and unpacked: a log is packed when it is handed in."""
    names = (name, f"{name}.gz")
    return {each for key in names for each in (found.files.get(key), found.inner.get(key)) if each}


def of_strangers(handed: Handed, plan: Plan) -> Iterator[Flag]:
    """Yield runs with other settings than the student's own."""
    for name, (step, differing) in strangers(handed.place, plan, handed.values).items():
        if not differing:
            yield Flag("foreign_load", name)
            continue
        setting, (is_, must) = min(differing.items(), key=lambda item: item[0] != "seed")
        yield Flag(
            "foreign_setting", name, {"step": step.id, "setting": setting, "is": str(is_)[:60], "must": str(must)}
        )


def of_contract(handed: Handed, plan: Plan) -> Iterator[Flag]:
    """Yield an outcome of `make contract` that is of another program than the one that was handed in."""
    for name in (step.evidence.contract for step in plan if step.evidence.contract):
        outcome = handed.place.contract(name)
        if outcome and outcome.sha256 != handed.zip.files.get(outcome.file):
            yield Flag("contract_of_another", contract_file(name))


def _some(names: Sequence[str]) -> str:
    more = f" (+{len(names) - SHOWN})" if len(names) > SHOWN else ""
    return ", ".join(name[:LONGEST] for name in names[:SHOWN]) + more
