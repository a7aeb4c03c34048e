"""Which cells are compared: the same ones, or those that differ in one setting, which is named."""

from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.report.cells import RunCell
from iolab.report.pairing import paired

KEY = ("model", "service", "concurrency", "cpus", "variant")


def run(*cells: dict[str, Any]) -> list[RunCell]:
    whole = {"model": "A", "service": "blocking", "concurrency": 4, "cpus": 1.0, "variant": ""}
    return [RunCell({**whole, **cell}) for cell in cells]


A4, A16 = {"concurrency": 4}, {"concurrency": 16}
B4 = {"model": "B", "service": "threadpool", "concurrency": 4}


def test_cells_of_the_same_settings_are_compared() -> None:
    (found,) = paired([[run(A4, A16), run(A4)], [run(A16, B4)]], KEY)
    assert (found.second, found.left_out, found.differs) == (1, (), "")
    (pair,) = found.pairs
    assert [cell.values["concurrency"] for cell in (*pair.first, *pair.second)] == [16, 16]
    both = paired([[run(A4), run(A4)], [run(A4)]], KEY)[0].pairs[0]
    assert (len(both.first), len(both.second)) == (2, 1)


@pytest.mark.parametrize(
    ("first", "second", "left_out", "differs"),
    [
        ({"cpus": 0.25}, {"cpus": 1.0}, ("cpus",), "CPUs 0.25 against 1"),
        ({"variant": "backlog 5"}, {"variant": ""}, ("variant",), "setting backlog 5 against not varied"),
        ({"model": "A"}, B4, ("model", "service"), "model A against B"),
        ({"concurrency": 4}, {"concurrency": 16}, ("concurrency",), "users 4 against 16"),
    ],
)
def test_cells_that_differ_in_one_setting_are_compared_and_it_is_named(
    first: dict[str, Any], second: dict[str, Any], left_out: tuple[str, ...], differs: str
) -> None:
    (found,) = paired([[run(first)], [run(second)]], KEY)
    assert (found.left_out, found.differs, len(found.pairs)) == (left_out, differs, 1)


def test_other_settings_still_pair_the_cells() -> None:
    slow = [{**each, "cpus": 0.25} for each in (A4, A16)]
    (found,) = paired([[run(*slow)], [run(A16, A4)]], KEY)
    users = [(pair.first[0].values["concurrency"], pair.second[0].values["concurrency"]) for pair in found.pairs]
    assert users == [(4, 4), (16, 16)]


def test_one_value_is_compared_with_each_of_a_sweep_and_each_row_says_with_which() -> None:
    one = run({**A4, "cpus": 0.25}, {**A16, "cpus": 0.25})
    sweep = run(*({**each, "cpus": cpus} for each in (A4, A16) for cpus in (0.5, 1.0)))
    (found,) = paired([[one], [sweep]], KEY)
    assert (found.left_out, found.differs, found.alone) == (("cpus",), "CPUs 0.25 against 0.5 and 1", [])
    told = [(pair.first[0].values["concurrency"], pair.second[0].values["cpus"], pair.against) for pair in found.pairs]
    assert told == [
        (users, cpus, f"CPUs 0.25 against {cpus:g}") for users in (4, 16) for cpus in (0.5, 1.0)
    ]  # fmt: skip
    (turned,) = paired([[sweep], [one]], KEY)
    assert [pair.against for pair in turned.pairs] == ["CPUs 0.5 against 0.25", "CPUs 1 against 0.25"] * 2
    (models,) = paired([[run(A4, B4)], [run({"model": "C", "service": "asyncio"})]], KEY)
    assert [pair.against for pair in models.pairs] == ["model A against C", "model B against C"]


def test_each_side_is_paired_with_the_first() -> None:
    first, same, other = (run({"cpus": cpus}) for cpus in (0.25, 0.25, 1.0))
    assert [(each.second, each.left_out) for each in paired([[first], [same], [other]], KEY)] == [
        (1, ()),
        (2, ("cpus",)),
    ]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([], [A4], "the first has no cell: no trial of it has ended"),
        ([A4], [], "the second has no cell: no trial of it has ended"),
        (
            [{"cpus": 0.25}],
            [{"concurrency": 16}],
            "their cells differ in more than one setting, so no ratio has one cause: users 4 in the first and 16 in the"
            " second; CPUs 0.25 in the first and 1 in the second: compare runs that differ in one",
        ),
        (
            [A4, B4],
            [{"model": "C", "service": "asyncio"}, {"model": "D", "service": "threadperconnection"}],
            "model A and B in the first and C and D in the second: to compare them, one of them needs one value of it,"
            " or both the same",
        ),
        (
            [{"cpus": 1.0}, {"cpus": 2.0, "concurrency": 16}],
            [{"cpus": 2.0}, {"cpus": 1.0, "concurrency": 16}],
            "they have no cell in common: no combination of model, users, CPUs, setting is in both",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    first: list[dict[str, Any]], second: list[dict[str, Any]], why: str
) -> None:
    with pytest.raises(UsageError) as refused:
        paired([[run(*first)], [run(*second)]], KEY)
    assert str(refused.value) == why


OPEN_KEY = ("model", "service", "variant", "process", "planned_utilisation", "utilisation_of")


def planned(model: str, of: str | None, utilisation: float | None = 0.5) -> RunCell:
    cell = {"model": model, "service": f"server {model}", "variant": "", "process": "poisson"}
    return RunCell({**cell, "planned_utilisation": utilisation, "utilisation_of": of})


def test_two_models_at_shares_of_their_own_capacity_differ_in_the_model_alone() -> None:
    (found,) = paired(
        [[[planned("A", "A"), planned("A", "A", 0.9)]], [[planned("B", "B"), planned("B", "B", 0.9)]]], OPEN_KEY
    )
    assert (found.differs, len(found.pairs)) == ("model A against B", 2)
    assert set(found.left_out) == {"model", "service", "utilisation_of"}
    (at_one_rate,) = paired([[[planned("A", "A")]], [[planned("C", "A")]]], OPEN_KEY)
    assert (at_one_rate.differs, at_one_rate.left_out) == ("model A against C", ("model", "service"))
    (same,) = paired([[[planned("A", "A"), planned("C", "A")]], [[planned("A", "A"), planned("C", "A")]]], OPEN_KEY)
    assert (same.left_out, len(same.pairs)) == ((), 2)


def test_the_same_model_at_shares_of_two_others_differs_in_that() -> None:
    (found,) = paired([[[planned("C", "A")]], [[planned("C", "B")]]], OPEN_KEY)
    assert found.differs == "utilisation of A against B"
    with pytest.raises(UsageError, match="more than one setting"):
        paired([[[planned("A", "A")]], [[planned("C", "B")]]], OPEN_KEY)
