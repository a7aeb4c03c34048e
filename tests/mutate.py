"""Break the code on purpose, one line at a time, and see whether its tests notice: scripts/mutate [WORD ...].

tests/mutations.toml names each mutation, its file and its tests: files, of which the fast tier runs, or the names of
tests, of any tier. Words choose mutations by name or file. A mutation
that no test notices has survived, which is a hole in the tests unless the file says why. A developer's tool: it takes
some minutes, and is not part of the gate.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LIMIT_S, WHOLE_LIMIT_S = 300, 1200  # of the tests of one mutation, and of all tests without any
PASSED, FAILED, TROUBLE = 0, 1, 3  # pytest's exit statuses; any other is trouble of its own


class Mutation(NamedTuple):
    """A text of a file, what takes its place, and the tests that must fail then."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    survives: str = ""


class Verdict(NamedTuple):
    """What the tests said of a mutation."""

    mutation: Mutation
    fate: str
    detail: str = ""


def read(words: list[str]) -> list[Mutation]:
    """Return the mutations that were asked for; ends the program where one does not fit the code any more."""
    table = tomllib.loads((ROOT / "tests" / "mutations.toml").read_text(encoding="utf-8"))
    found = [Mutation(**one) for one in table["mutations"]]
    for one in found:
        count = (ROOT / one.file).read_text(encoding="utf-8").count(one.old) if (ROOT / one.file).is_file() else 0
        if count != 1:
            sys.exit(f"tests/mutations.toml: {one.name}: {one.file} has its text {count} times, and must have it once")
    return [one for one in found if not words or any(word in one.name or word in one.file for word in words)]


def copied(folder: Path) -> Path:
    """Copy what the tests need: the files that git has or would add."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def status(folder: Path, tests: str, limit_s: float = LIMIT_S) -> tuple[int, str]:
    """Run tests in a copy; return pytest's exit status and its last line.

    Of files, the fast tier alone; a mutation of what another tier proves names the test.
    """
    tier = [] if "::" in tests else ["-m", "not docker and not load"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tier]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *tests.split()],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=limit_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return FAILED, f"not within {limit_s:g} s"
    if "test processes run already" in done.stdout:
        return TROUBLE, "too many test processes at once"
    return done.returncode, (done.stdout.strip().splitlines() or [""])[-1]


def judged(mutation: Mutation) -> Verdict:
    """Apply a mutation to a copy of its own, and run its tests."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = copied(Path(name))
        path = folder / mutation.file
        path.write_text(path.read_text(encoding="utf-8").replace(mutation.old, mutation.new), encoding="utf-8")
        found, detail = status(folder, mutation.tests)
    fates = {FAILED: "killed", PASSED: "survived"}
    return Verdict(mutation, fates.get(found, "broken"), detail)


def main(words: list[str]) -> int:
    """Print a line a mutation, then the sum; return 1 where one survived without a reason."""
    mutations = read(words)
    tests = sorted({test for one in mutations for test in one.tests.split()})
    for some in ([test for test in tests if "::" not in test], [test for test in tests if "::" in test]):
        found, detail = status(ROOT, " ".join(some), WHOLE_LIMIT_S) if some else (PASSED, "")
        if found != PASSED:
            sys.exit(f"the tests fail without any mutation: {detail}")
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        verdicts = []
        for verdict in pool.map(judged, mutations):
            reason = f" ({verdict.mutation.survives or verdict.detail})" if verdict.fate != "killed" else ""
            print(f"{verdict.fate:9} {verdict.mutation.file}: {verdict.mutation.name}{reason}", flush=True)
            verdicts.append(verdict)
    killed = sum(one.fate == "killed" for one in verdicts)
    holes = [one for one in verdicts if one.fate != "killed" and not one.mutation.survives]
    print(f"{killed} killed, {len(verdicts) - killed} not, {len(holes)} of these without a reason")
    return int(bool(holes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
