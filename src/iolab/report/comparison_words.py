"""The sentences of a comparison: what was shown, what could have been shown, and what the runs cannot say."""

from collections.abc import Sequence

from iolab.report import numbers, run_report
from iolab.report.cells import label
from iolab.report.compared import Compared, Comparison, Lost, Row
from iolab.report.pairing import ORDINALS
from iolab.results.differences import Setting, uneven
from iolab.results.folder import RunFolder

NAMED = 3  # figures that a sentence names; more are counted


def of(found: Comparison, above: float | None) -> list[str]:
    """Return the sentences of a comparison; `above` is the share of FAIL_ABOVE."""
    said = [
        *(f"Cells are paired without that setting: {each.differs}." for each in found.pairings if each.differs),
        *_changes(found),
        *_unknown(found),
        *_unit(found),
        _smallest(found),
        *_not_valid(found),
        *_lost(found),
    ]
    return [*said, *_failing(found, above)] if above is not None else said


def could_show(smallest: float | None) -> str:
    """Return the smallest difference that a comparison could have shown, as a share."""
    if smallest is None:
        return numbers.NOT_KNOWN
    more = smallest - 1
    return f"{more:.1%}" if more < 1 else f"{smallest:.1f} times" if smallest < 1000 else "over 1,000 times"


def interval(ends: tuple[float, float]) -> str:
    """Return the interval of a ratio as a text: "2.241 to 2.322"."""
    low, high = ends
    return f"{low:.3f} to {'over 1,000' if high >= 1000 else f'{high:.3f}'}"


def method(found: Comparison) -> list[str]:
    """Return how the comparison was made."""
    holm = (
        f"p values are adjusted for all {found.comparisons} comparisons (Holm), and a figure differs if its own is"
        f' below 5%. "Could show" is the smallest difference that would have been shown whatever the other comparisons'
        " show."
    )
    of_runs = (
        "The unit is the run: the logarithm of each run's figure is one observation, and the interval of a ratio is"
        " Welch's."
    )
    of_one = (
        "The interval of a ratio of two single runs is made of the repeats within each of them. It does not contain"
        " what differs from run to run."
    )
    return [*([of_one] if found.single else []), *([of_runs] if max(found.runs) > 1 else []), holm]


def lacks(sides: Sequence[Sequence[RunFolder]], settings: Sequence[Setting]) -> str:
    """Say which runs are not complete, and in what runs of one side differ; "" if there is nothing to say."""
    said = [
        f"{folder.path.name} ({ORDINALS[number]}): {missing}"
        for number, side in enumerate(sides)
        for folder in side
        if (missing := run_report.what_is_missing(folder.read_run(), folder.count_trials()))
    ]
    for each in uneven(settings):
        where = [f"{ORDINALS[at]}: {' / '.join(side)}" for at, side in enumerate(each.values) if len(side) > 1]
        said.append(
            f"Runs of one side differ in {each.name} ({'; '.join(where)}): they are no repetitions of each other."
        )
    return " ".join(said)


def _changes(found: Comparison) -> list[str]:
    return [f"{_of_row(row, found)}, {row.verdict}: {_listed(row.changes)}." for row in found.rows if row.changes]


def _of_row(row: Row | Lost, found: Comparison) -> str:
    return f"{row.name}, {ORDINALS[row.second]}" if len(found.runs) > 2 else row.name


def _listed(changes: Sequence[Compared]) -> str:
    """Return "median ms better (0.430 to 0.440 times), p99 ms worse (...)"."""
    return ", ".join(
        f"{label(each.metric)} {each.verdict}" + (f" ({interval(each.interval)} times)" if each.interval else "")
        for each in changes
    )


def _unknown(found: Comparison) -> list[str]:
    """Say of how many figures no interval is known, and why."""
    unknown = [each for row in found.rows for each in row.figures if each.difference is None]
    if not unknown:
        return []
    whys = "; or ".join(dict.fromkeys(map(_why_unknown, unknown)))
    every = sum(len(row.figures) for row in found.rows)
    return [f"No interval for {len(unknown)} of {numbers.counted(every, 'figure')}: {whys}."]


def _why_unknown(each: Compared) -> str:
    if each.ratio is None:
        return "a value is 0 or never ended, so there is no ratio"
    if len(each.firsts) == len(each.seconds) == 1:
        return "one run a side, with too few repeats"
    return "too few runs have it, or their values show no spread"


def _unit(found: Comparison) -> list[str]:
    """Say what the runs can tell about differences from run to run."""
    said = []
    if found.single:
        share = _share(found.noise)
        said.append(
            "One run a side does not show how much runs of the same settings differ. A difference up to"
            f" NOISE={share} is taken to be within the noise that runs of the same settings show; a larger one is a"
            f" difference if runs vary by less than {share}. To measure it, take several runs a side:"
            ' RUNS="a1 a2 a3 : b1 b2 b3", or make ab.'
        )
    if max(found.runs) > 1 and min(found.runs) == 1:
        said.append("A side with a single run is taken to vary from run to run as the other side does.")
    return said


def _smallest(found: Comparison) -> str:
    """Say which difference would have been shown."""
    known = [(each.smallest, row, each) for row in found.rows for each in row.figures if each.smallest is not None]
    if not known:
        return "No difference could have been shown, however large: no figure has an interval."
    (least, row, best), (most, other, worst) = (choose(known, key=lambda each: each[0]) for choose in (min, max))
    if len(known) == 1:
        return f"The smallest difference that could have been shown is {could_show(least)}."
    return (
        f"The smallest difference that could have been shown lies between {could_show(least)}"
        f" ({_of_row(row, found)}, {label(best.metric)}) and {could_show(most)}"
        f" ({_of_row(other, found)}, {label(worst.metric)})."
    )


def _not_valid(found: Comparison) -> list[str]:
    return [
        f"(!) {_of_row(row, found)}: not valid in {_which(row.not_valid)}, so its ratio says nothing about the servers."
        " See the report."
        for row in found.rows
        if row.not_valid
    ]


def _lost(found: Comparison) -> list[str]:
    """Name the cells that cannot be compared any more: all of a kind in one sentence."""
    said = []
    for second in sorted({each.second for each in found.lost}):
        side = ORDINALS[second]
        for is_there, where in ((True, f"Without a figure in the {side}"), (False, f"Not in the {side}")):
            names = [each.name for each in found.lost if (each.second, each.is_there) == (second, is_there)]
            if names:
                said.append(f"(!) {where}, so not compared: {_some(names)}.")
    return said


def _which(sides: Sequence[str]) -> str:
    return "both" if len(sides) == 2 else f"the {sides[0]}"


def _failing(found: Comparison, above: float) -> list[str]:
    """Say which figures are worse than allowed, and in how many that could not have been shown."""
    share, failing, broken = _share(above), found.failing(above), found.broken()
    said = []
    if failing:
        names = [f"{_of_row(row, found)}, {label(each.metric)}" for row, each in failing]
        said.append(f"FAIL_ABOVE={share}: worse by more than that: {_some(names)}.")
    if broken:
        said.append(f"FAIL_ABOVE={share}: not valid any more: {_some([_of_row(each, found) for each in broken])}.")
    if not failing and not broken:
        said.append(f"FAIL_ABOVE={share}: no figure is shown to be worse by more than that.")
    if blind := found.blind(above):
        every = sum(len(row.figures) for row in found.rows)
        said.append(
            f"A difference of {share} could not have been shown in {len(blind)} of {numbers.counted(every, 'figure')}:"
            " measure more runs a side."
        )
    return said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more


def _share(value: float) -> str:
    return f"{value * 100:g}%"
