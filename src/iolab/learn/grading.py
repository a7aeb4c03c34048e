"""Grades any number of zips: each by itself, in several processes, then all of them side by side."""

import multiprocessing
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from iolab.errors import UsageError
from iolab.host.cores import available
from iolab.learn.bundle import sources
from iolab.learn.flags import Flag
from iolab.learn.plan import read_course, read_plan
from iolab.learn.sheet import Refusal, Rules, Sheet, graded

MOST_S = 60  # for one zip, which takes a tenth of a second: a zip may be made to take long
FEW = 6  # zips: processes take longer to start than to grade so many


@dataclass(frozen=True)
class Graded:
    """The results of a folder: a sheet for each zip that could be read, and refusals; both in the order of names."""

    rules: Rules
    sheets: tuple[Sheet, ...]
    refused: tuple[Refusal, ...]


def rules_of(root: Path) -> Rules:
    """Return the rules of a checkout; raises UsageError where a file of labs/ cannot be read."""
    return Rules(read_plan(root), read_course(root), sources(root))


def grade(folder: Path, rules: Rules) -> Graded:
    """Grade all zips in a folder and in its folders; raises UsageError where there is none."""
    zips = found_in(folder)
    named = [(path, path.relative_to(folder).as_posix(), rules) for path in zips]
    results = [_in_time(*each) for each in named] if len(named) <= FEW else _in_processes(named)
    sheets = [each for each in results if isinstance(each, Sheet)]
    return Graded(rules, tuple(side_by_side(sheets)), tuple(each for each in results if isinstance(each, Refusal)))


def _in_processes(named: Sequence[tuple[Path, str, Rules]]) -> "list[Sheet | Refusal]":
    """Grade zips in several processes; where one of these dies, each zip in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(min(len(available()), len(named)), spawning) as pool:
            return list(pool.map(_in_time, *zip(*named, strict=True)))
    except BrokenProcessPool:
        return [_alone(*each) for each in named]


def _alone(path: Path, name: str, rules: Rules) -> Sheet | Refusal:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_in_time, path, name, rules).result()
        except BrokenProcessPool:
            return Refusal(name, "the process that read it has died, perhaps for lack of memory")


def found_in(folder: Path) -> list[Path]:
    """Return the zips in a folder, sorted; raises UsageError where there is no folder, or no zip in it."""
    if not folder.is_dir():
        raise UsageError(f"FOLDER={folder}: is no folder: give the one that has the zips")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".zip" and not path.is_dir())
    if not found:
        raise UsageError(f"FOLDER={folder}: there is no zip in it")
    return found


def side_by_side(sheets: Sequence[Sheet]) -> list[Sheet]:
    """Return the sheets with flags of what several students have handed in; both of two have it."""
    holders: dict[str, list[Sheet]] = defaultdict(list)
    for sheet in sheets:
        for print_ in sheet.prints:
            holders[print_].append(sheet)
    times = Counter(sheet.student for sheet in sheets)
    return [sheet.with_flags([*_copies(sheet, holders), *_again(sheet, times)]) for sheet in sheets]


def _copies(sheet: Sheet, holders: Mapping[str, Sequence[Sheet]]) -> Iterator[Flag]:
    """Yield a flag for each run, log or text that another student has, too: it names the student."""
    shared: dict[tuple[str, str], int] = Counter()
    for print_, name in sheet.prints.items():
        for other in {each.student for each in holders[print_]} - {sheet.student}:
            shared[name.partition("/samples/")[0], other] += 1
    for (name, other), number in shared.items():
        yield Flag("copied", f"{name} ({other})", {"name": name, "other": other, "number": str(number)})


def _again(sheet: Sheet, times: Mapping[str, int]) -> Iterator[Flag]:
    if times[sheet.student] > 1:
        yield Flag("handed_in_twice", sheet.student, {"number": str(times[sheet.student])})


def _in_time(path: Path, name: str, rules: Rules) -> Sheet | Refusal:
    try:
        with _limited(MOST_S):
            return graded(path, name, rules)
    except _TooLong:
        return Refusal(name, f"it takes longer than {MOST_S} s")


class _TooLong(BaseException):
    """Not an Exception: code that handles these must not handle it."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise _TooLong in the block after so many seconds."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
