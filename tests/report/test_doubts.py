"""Findings of a report: each cause once, the gravest first, and one verdict of trust made of them."""

from datetime import UTC, datetime

import pytest

from iolab.report import doubts
from iolab.report.doubts import Found
from iolab.results.records import ClientUsage, Finding, ServerUsage, TrialRecord
from iolab.results.run_info import CpuPlanInfo, RunInfo
from tests import quiet


def finding(message: str, severity: str = "warning", remedy: str = "RUN=1: again") -> Finding:
    return Finding.model_validate({"id": "x", "severity": severity, "message": message, "remedy": remedy})


def test_a_finding_that_cells_share_is_said_once_and_the_gravest_stand_first() -> None:
    found = doubts.found(
        [("A", [finding("late")]), ("B", [finding("late"), finding("down", "error")]), ("C", [finding("late")])],
        "every cell",
    )
    assert [(each.severity, each.place) for each in found] == [("error", "B"), ("warning", "every cell")]


def test_a_cause_with_several_messages_is_said_by_its_worst() -> None:
    each = [
        Finding(id="busy", severity="warning", message=f"{value} of 2 cores", remedy="stop it", value=value)
        for value in (0.5, 1.8, 1.2)
    ]
    (found,) = doubts.found([(name, [one]) for name, one in zip("ABC", each, strict=True)], "every cell")
    assert (found.place, found.message) == ("every cell", "1.8 of 2 cores (the worst of 3)")
    (found,) = doubts.found([("A", each[:1]), ("B", []), ("C", each[2:])], "every cell")
    assert (found.place, found.message) == ("A; C", "1.2 of 2 cores (the worst of 2)")


def test_what_to_doubt_of_a_trial_is_that_it_is_not_valid_and_what_the_machine_did() -> None:
    run = RunInfo(
        kind="made",
        experiment={"name": "made"},
        models=(),
        runtime="local",
        runtime_reason="a test",
        generator="hey",
        cpu_plans=(CpuPlanInfo(cpus=2.0, server=(0, 1), loadgen=(0, 1), shared=True, pinned=True),),
        environment={},
        trials_planned=2,
        started=datetime.now(UTC),
    )
    busy = quiet.machine(10.0, (10.0, 5.0))
    of_its_own = {"server": ServerUsage(cpu_s=1.0), "client": ClientUsage(cpu_s=1.0)}
    one = TrialRecord(index=0, started=run.started, duration_s=10, valid=True, reason=None, machine=busy, **of_its_own)
    other = TrialRecord(index=1, started=run.started, duration_s=10, valid=False, reason="the server died")
    places = doubts.of_trials(run, [("one", one), ("other", other)], 2.0)
    doubted = doubts.found(places, "every trial")
    assert [(each.severity, each.place, each.message.split(" ", maxsplit=3)[:3]) for each in doubted] == [
        ("error", "other", ["this", "trial", "is"]),
        ("warning", "every trial", ["CPUS=2", "left", "no"]),
        ("warning", "one", ["other", "programs", "or"]),
    ]
    assert doubted[0].message.endswith("the server died")


def test_many_findings_are_condensed_by_what_to_do() -> None:
    many = [Found("warning", f"A at {number}", "late", f"RUN={number}: again") for number in range(3)]
    many = [each._replace(remedy="again: soon") for each in many] + [Found("error", "B", "down", "start it")]
    assert doubts.condensed(many, 4) == many
    short = doubts.condensed(many, 3)
    assert [each.place for each in short] == ["A at 0, and 2 more like it", "B"]


def test_numbers_without_a_warning_can_be_trusted_and_notes_do_not_count() -> None:
    assert doubts.trust([("A", []), ("B", [finding("slow", "note")])], "cell").level == "good"
    assert doubts.trust([], "cell").level == "good"


@pytest.mark.parametrize(
    ("places", "level", "text"),
    [
        (
            [("A", [finding("93 were dropped. Wait.")]), ("B", [])],
            "limited",
            "1 of 2 cells is in doubt: 93 were dropped.",
        ),
        ([("A", [finding("late"), finding("down", "error")])], "poor", "The cell is in doubt: down."),
        ([("A", [finding("late")]), ("B", [finding("late")])], "limited", "2 of 2 cells are in doubt: late."),
    ],
)
def test_trust_says_how_many_cells_are_in_doubt_and_why(
    places: list[tuple[str, list[Finding]]], level: str, text: str
) -> None:
    assert doubts.trust(places, "cell") == (level, text)


def test_trust_counts_further_reasons() -> None:
    other = Finding(id="busy", severity="warning", message="busy", remedy="stop it")
    assert doubts.trust([("A", [finding("late"), other])], "cell").text.endswith("late; 1 more reason in the findings.")


def test_a_finding_of_many_places_names_the_first_and_counts_the_others() -> None:
    def where(number: int, of: int) -> str:
        places = [(f"cell {each}", [finding("late")] if each < number else []) for each in range(of)]
        (found,) = doubts.found(places, "every cell")
        return found.place

    assert where(3, 20) == "cell 0; cell 1; cell 2"
    assert where(9, 20) == "cell 0; cell 1; and 7 more"
    assert where(20, 20) == "every cell"
