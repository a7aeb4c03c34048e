"""Writes what a student hands in: lab-<id>.zip, with the files of the evidence under the names that they have here."""

import gzip
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import iolab
from iolab.errors import UsageError
from iolab.learn.evidence import DIGESTED, MYLAB, STUDENT, Found, Place, contract_file, sha256
from iolab.learn.near import near
from iolab.learn.plan import COURSE, Plan
from iolab.learn.student import ANSWERS, JOURNAL
from iolab.learn.values import Values
from iolab.results import files
from iolab.results.folder import RunFolder

MANIFEST, SCHEMA = "manifest.json", 1
MOST_BYTES = 5_000_000  # of a zip: mail and learning platforms take it
FOLDERS, COMPOSE, OWN = ("services", "labs"), "docker-compose.yml", "services/yours"
PASSED_OVER = re.compile(r"(.*/)?(\.|__pycache__/).*|.*(\.pyc|~)")
BEGIN_OF_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say: it must not depend on the time
REMEDIES = {
    ".log.gz": "record again, end strace soon after the last click, and trace only the calls of the handout",
    ".csv.gz": "measure again with fewer requests",
}


def write(root: Path, plan: Plan, values: Values) -> Path:
    """Write lab-<id>.zip into the checkout, and return its path; an older one of other content gets another name.

    Raises UsageError where it would be too large, or a file cannot be read.
    """
    content = zipped(root, plan, values)
    path = root / f"lab-{values.student}.zip"
    if path.is_symlink() or path.exists():
        if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
            return path
        path.rename(_unused(path))
    files.write(path, content)
    return path


def zipped(root: Path, plan: Plan, values: Values) -> bytes:
    """Return the zip; the same files make the same bytes. Raises UsageError as `write` does."""
    found = dict(sorted(collected(root, plan, values)))
    manifest = {
        "schema": SCHEMA,
        "iolab": iolab.__version__,
        "commit": commit(root),
        "student": values.student,
        "term": values.term,
        "files": {name: {"sha256": sha256(content), "bytes": len(content)} for name, content in found.items()},
        "sources": sources(root),
    }
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {MANIFEST: json.dumps(manifest, indent=1).encode(), **found}.items():
            member = zipfile.ZipInfo(name, BEGIN_OF_TIME)
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED, 9)
    if len(memory.getvalue()) > MOST_BYTES:
        raise UsageError(_too_large(len(memory.getvalue()), found))
    return memory.getvalue()


def collected(root: Path, plan: Plan, values: Values) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of every file that is handed in; raises UsageError for one that cannot be read."""
    place = Place(root)
    for name in (STUDENT, JOURNAL, ANSWERS):
        if (root / MYLAB / name).exists():
            yield f"{MYLAB}/{name}", files.read(root / MYLAB / name)
    for name in sorted({name for step in plan for name in (step.evidence.log, *step.evidence.texts) if name}):
        path = place.path(name)
        if path.exists():
            content = files.read(path)
            yield from [(name, content)] if not _is_log(name, plan) else [(f"{name}.gz", _packed(path, content))]
    for folder in runs(place, plan, values).values():
        yield from of_run(root, folder)
    for name in sorted({step.evidence.contract for step in plan if step.evidence.contract}):
        if place.contract(name):
            yield contract_file(name), files.read(root / contract_file(name))
    for path in _files(root / OWN):
        yield path.relative_to(root).as_posix(), files.read(path)


def runs(place: Place, plan: Plan, values: Values) -> Mapping[str, RunFolder]:
    """Return the runs that belong to steps, by name: those that are evidence, and near misses where there is none."""
    wanted = [step for step in plan if step.evidence.kind]
    found: list[Found | None] = [place.find(step, values) for step in wanted]
    found += [near(place, step, values) for step, each in zip(wanted, found, strict=True) if each is None]
    return {each.names[0]: each.run for each in found if each and each.run}


def of_run(root: Path, folder: RunFolder) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a run in which something was measured; its reports can be made again."""
    for path in sorted(folder.path.rglob("*")):
        if DIGESTED.fullmatch(path.relative_to(folder.path).as_posix()):
            yield path.relative_to(root).as_posix(), files.read(path)


def sources(root: Path) -> Mapping[str, str]:
    """Return the SHA-256 of what was measured and asked: docker-compose.yml, services/ and labs/.

    services/yours is the student's own, and labs/course.toml the teacher's.
    """
    paths = [root / COMPOSE, *(path for folder in FOLDERS for path in _files(root / folder))]
    named = {path.relative_to(root).as_posix(): path for path in paths if path.is_file()}
    return {
        name: sha256(path.read_bytes())
        for name, path in sorted(named.items())
        if not name.startswith(f"{OWN}/") and name != f"labs/{COURSE}"
    }


def commit(root: Path) -> str:
    """Return the commit of the checkout; "" where git cannot tell."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = done.stdout.strip()
    return found if done.returncode == 0 and re.fullmatch(r"[0-9a-f]{40,64}", found) else ""


def _files(folder: Path) -> list[Path]:
    paths = sorted(folder.rglob("*")) if folder.is_dir() and not folder.is_symlink() else []
    return [
        path
        for path in paths
        if path.is_file() and not path.is_symlink() and not PASSED_OVER.fullmatch(path.relative_to(folder).as_posix())
    ]


def _is_log(name: str, plan: Plan) -> bool:
    return any(step.evidence.log == name for step in plan)


def _packed(path: Path, content: bytes) -> bytes:
    return content if path.suffix == ".gz" else gzip.compress(content, 9, mtime=0)


def _unused(path: Path) -> Path:
    names = (path.with_name(f"{path.stem}-{number}.zip") for number in range(1, 100_000))
    return next(each for each in names if not each.is_symlink() and not each.exists())


def _too_large(size: int, found: Mapping[str, bytes]) -> str:
    name, content = max(found.items(), key=lambda item: len(item[1]))
    remedy = next((remedy for suffix, remedy in REMEDIES.items() if name.endswith(suffix)), "make that file smaller")
    return (
        f"the zip would have {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:g}: {name} has {len(content) / 1e6:.1f}"
        f" MB: {remedy}"
    )
