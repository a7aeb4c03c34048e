"""Which cells of several runs are compared: those of the same settings, or of all settings but the one that differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iolab.errors import UsageError
from iolab.report.cells import Cell, RunCell
from iolab.report.numbers import listed

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
MOST_SIDES = len(ORDINALS)
WORDS = {"cpus": "CPUs", "concurrency": "users", "variant": "setting"}  # for parts of a key
TOGETHER = {"service": "model"}  # a model's service is no setting of its own
OF_A_MODEL = "utilisation_of"  # a plan is a share of what this model can serve: usually the model of the cell

Run = Sequence[RunCell]
Side = Sequence[Run]  # runs of one setting
Names = tuple[str, ...]
Values = tuple[Any, ...]
Cells = dict[Values, list[RunCell]]  # of a side, by the values of their key


@dataclass(frozen=True)
class Pair:
    """The cells of two settings that are compared, one for each run that has it; the first are those of the base.

    `against` says in which values they differ, if a cell of one side is compared with several of the other.
    """

    first: Sequence[RunCell]
    second: Sequence[RunCell]
    against: str = ""


@dataclass(frozen=True)
class Pairing:
    """The cells of the base and of side `second` (from 1) that are compared.

    `left_out` are the fields of the key in which they differ, `differs` says it in words; both are empty where all
    fields are the same. `alone` are the cells of the base that the side does not have.
    """

    second: int
    pairs: Sequence[Pair]
    left_out: Names = ()
    differs: str = ""
    alone: Sequence[Sequence[RunCell]] = ()


def paired(sides: Sequence[Side], key: Sequence[str]) -> list[Pairing]:
    """Return the cells of each other side that are compared with those of the first.

    If the two have no value in common in one part of the key, that part is left out; the cells of a side with one value
    are compared with those of each value of the other. Raises UsageError, in a line that names the parts, if there are
    several such parts, if both sides have several values, or if there is no cell.
    """
    cells = [_by_key(side, key) for side in sides]
    for number, found in enumerate(cells):
        if not found:
            raise UsageError(f"the {ORDINALS[number]} has no cell: no trial of it has ended")
    return [_paired(cells[0], cells[number], number, key) for number in range(1, len(cells))]


def _by_key(side: Side, key: Sequence[str]) -> Cells:
    found: Cells = {}
    for run in side:
        for cell in run:
            found.setdefault(tuple(_value(cell.values, name) for name in key), []).append(cell)
    return found


def _value(cell: Cell, name: str) -> Any:
    value = cell.get(name)
    return tuple(value) if isinstance(value, list) else value


def _paired(base: Cells, other: Cells, number: int, key: Sequence[str]) -> Pairing:
    apart = [part for part in _parts(key, base | other) if not _values(base, key, part) & _values(other, key, part)]
    if len(apart) > 1:
        raise UsageError(
            f"their cells differ in more than one setting, so no ratio has one cause:"
            f" {'; '.join(_differ(base, other, key, part, number) for part in apart)}: compare runs that differ in one"
        )
    left_out = apart[0] if apart else ()
    several = [side for side in (base, other) if left_out and len(_values(side, key, left_out)) > 1]
    if len(several) > 1:
        raise UsageError(
            f"{_differ(base, other, key, left_out, number)}: to compare them, one of them needs one value of it, or"
            " both the same"
        )
    kept = [at for at, name in enumerate(key) if name not in left_out]
    firsts, seconds = (_reduced(cells, kept) for cells in (base, other))
    pairs = [
        Pair(base[one], other[each], _against({one: []}, {each: []}, key, left_out) if several else "")
        for common in firsts
        for one in firsts[common]
        for each in seconds.get(common, ())
    ]
    if not pairs:
        words = ", ".join(_word(part) for part in _parts(key, base | other))
        raise UsageError(f"they have no cell in common: no combination of {words} is in both")
    differs = _against(base, other, key, left_out) if left_out else ""
    alone = [base[one] for common in firsts if common not in seconds for one in firsts[common]]
    return Pairing(number, pairs, left_out, differs, alone)


def _parts(key: Sequence[str], cells: Cells) -> list[Names]:
    """Return the settings that a key consists of; a model and its service are one, and its own capacity is, too."""
    together = dict(TOGETHER)
    if {"model", OF_A_MODEL} <= set(key) and all(
        model == of for model, of in _values(cells, key, ("model", OF_A_MODEL))
    ):
        together[OF_A_MODEL] = "model"
    return [
        (name, *(each for each, to in together.items() if to == name and each in key))
        for name in key
        if together.get(name) not in key
    ]


def _reduced(cells: Cells, kept: Sequence[int]) -> dict[Values, list[Values]]:
    """Return the keys of cells by what is kept of them."""
    found: dict[Values, list[Values]] = {}
    for each in cells:
        found.setdefault(tuple(each[at] for at in kept), []).append(each)
    return found


def _values(cells: Cells, key: Sequence[str], part: Names) -> set[Values]:
    places = [key.index(name) for name in part]
    return {tuple(each[at] for at in places) for each in cells}


def _word(part: Names) -> str:
    return WORDS.get(part[0], part[0].replace("_", " "))


def _named(cells: Cells, key: Sequence[str], part: Names) -> str:
    """Return the values of a part; those of a model are its letters."""
    values = sorted({_text(each[key.index(part[0])]) for each in cells})
    return listed(values)


def _against(base: Cells, other: Cells, key: Sequence[str], part: Names) -> str:
    return f"{_word(part)} {_named(base, key, part)} against {_named(other, key, part)}"


def _differ(base: Cells, other: Cells, key: Sequence[str], part: Names, number: int) -> str:
    which = ORDINALS[number]
    return f"{_word(part)} {_named(base, key, part)} in the first and {_named(other, key, part)} in the {which}"


def _text(value: object) -> str:
    return "not varied" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)
