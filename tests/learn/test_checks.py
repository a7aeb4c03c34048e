"""Checks: the same answers agree with the student's own evidence, and differ from another's."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from iolab.contract import outcome, suite
from iolab.contract.outcome import Outcome
from iolab.contract.promise import Kept
from iolab.errors import UsageError
from iolab.learn import plan
from iolab.learn.checks import Result, cited_facts
from iolab.learn.course import Learning
from iolab.learn.facts import Facts
from iolab.results.folder import RunFolder
from iolab.withheld import withheld
from tests.learn.students import BEGIN, begun, put_hey, put_log, put_run

LOG = "k2_recommended_seccomp_2click"


def result(learning: Learning, step: str) -> Result:
    return next(each for each in learning.look().results if each.step.id == step)


def answer(learning: Learning, step: str, *values: float, text: str = "") -> Result:
    wanted = learning.plan.named(step)
    learning.answer(wanted, {ask.name: value for ask, value in zip(wanted.asks, values, strict=True)}, text)
    return result(learning, step)


def test_readings_of_the_own_log_agree_and_a_wrong_one_shows_the_line(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    assert result(learning, "1.2").verdict == "open"
    truth = put_log(tmp_path, LOG)
    assert result(learning, "1.2").key == "run_before_prediction"
    answer(learning, "1.1", 10, text="A guess.")
    put_log(tmp_path, LOG)  # again, after the prediction
    assert result(learning, "1.2").verdict == "agrees"
    right = (truth["listen_fd"], truth["bind_line"], truth["listen_line"])
    assert answer(learning, "1.3", *right).verdict == "agrees"
    wrong = answer(learning, "1.3", right[0], right[1] + 1, right[2])
    assert (wrong.verdict, wrong.key, wrong.with_["name"]) == ("differs", "reading_differs", "bind")
    assert "bind(" in wrong.shows[0]
    assert answer(learning, "1.4", truth["epoll_add_line"], truth["epoll_fd"]).verdict == "agrees"


def test_the_parts_of_a_click_must_be_of_the_same_click(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    first, second = (each for each in put_log(tmp_path, LOG)["opens"] if each["by"] == "script thread")
    facts = result(learning, "1.7")
    assert facts.verdict == "open"
    answers = {each: learning_fact(learning, "answer")[place] for place, each in enumerate(("first", "second"))}
    chain = (first["wake_line"], first["recv_line"], first["clone_line"], first["line"], answers["first"])
    assert answer(learning, "1.7", *chain).verdict == "agrees"
    mixed = answer(learning, "1.7", *chain[:3], second["line"], chain[4])
    assert (mixed.verdict, mixed.key) == ("differs", "not_of_one_event")


def learning_fact(learning: Learning, name: str) -> tuple[float, ...]:
    fact = Facts(learning.place, learning.plan, learning.student.values).get(f"trace.click_{name}_line")
    assert fact
    return tuple(value for value in fact.values if value is not None)


@pytest.mark.parametrize("name", ["b_classic_noclick", "m_nofollow"])
def test_a_log_without_a_click_never_passes_the_step_of_the_click(tmp_path: Path, name: str) -> None:
    learning = begun(tmp_path)
    put_log(tmp_path, name)
    for number in (0, learning.student.values.clicks):
        for line in (0, 1, 2036):
            assert answer(learning, "1.6", number, line).verdict != "agrees"


def test_another_number_of_clicks_than_the_own_is_said(tmp_path: Path) -> None:
    learning = begun(tmp_path, "b10901003")
    assert learning.student.values.clicks != 2  # what the log has
    truth = put_log(tmp_path, LOG)
    found = answer(learning, "1.6", 2, truth["opens"][-1]["line"])
    assert (found.key, found.with_["is"]) == ("fact_is_not_yours", "2")


def test_the_answers_of_one_log_differ_from_another(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    truth = put_log(tmp_path, LOG)
    own = (truth["listen_fd"], truth["bind_line"], truth["listen_line"])
    assert answer(learning, "1.3", *own).verdict == "agrees"
    put_log(tmp_path, "d_tornado156_1click")
    assert result(learning, "1.3").verdict == "differs"


def test_a_reading_without_evidence_cannot_be_told(tmp_path: Path) -> None:
    found = answer(begun(tmp_path), "1.3", 6, 1005, 1006)
    assert (found.verdict, found.with_["fact"]) == ("cannot tell", "trace.listen_fd")


@pytest.mark.parametrize(("given", "verdict"), [(142.1, "agrees"), (147, "agrees"), (136, "agrees"), (150, "differs")])
def test_a_measured_reading_agrees_within_a_twentieth(tmp_path: Path, given: float, verdict: str) -> None:
    learning = begun(tmp_path)
    put_hey(tmp_path)
    assert answer(learning, "2.3", 192, given, 2050).verdict == verdict
    assert answer(learning, "2.3", 200, 142.1, 2050).verdict == "differs"  # counted, not measured


def test_a_prediction_counts_before_the_run_and_not_after_it(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    seed = learning.student.values.seed
    run = put_run(tmp_path, started=BEGIN, seed=seed, course=True)
    assert withheld(RunFolder(run), tmp_path)
    six = (80, 320, 20, 40, 20, 20)
    late = answer(learning, "2.1", *six, text="Four users wait for four turns.")
    assert (late.verdict, late.key) == ("differs", "predicted_after_run")
    assert result(learning, "2.5").key == "run_before_prediction"
    put_run(tmp_path, started=BEGIN + timedelta(hours=1), name="20261120T110000Z-bench", seed=seed)
    assert result(learning, "2.1").verdict == "agrees"
    assert result(learning, "2.5").verdict == "agrees"
    assert withheld(RunFolder(run), tmp_path)  # theory beside it would tell the next predictions
    for step in ("2.7", "2.10"):
        answer(learning, step, 20, text="A guess.")
    assert not withheld(RunFolder(run), tmp_path)
    other = put_run(tmp_path, started=BEGIN, name="20261120T130000Z-bench", seed=seed + 1, course=True)
    assert withheld(RunFolder(other), tmp_path)  # it belongs to no step
    assert not withheld(RunFolder(other), tmp_path, answers=True)


def test_a_wrong_prediction_has_its_points(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    found = answer(learning, "2.1", 1, 2, 3, 4, 5, 6, text="A guess.")
    assert (found.verdict, found.points) == ("agrees", 4)


def test_the_first_prediction_is_the_one_that_counts(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    answer(learning, "2.1", 1, 2, 3, 4, 5, 6, text="A guess.")
    put_run(tmp_path, started=BEGIN + timedelta(minutes=1), seed=learning.student.values.seed)
    learning.student.journal._clock.now = BEGIN + timedelta(hours=2)  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"STEP=2\.1: it is predicted already"):
        answer(learning, "2.1", 81, 142, 20, 40, 20, 20, text="I have seen it.")
    assert result(learning, "2.1").verdict == "agrees"


def test_a_table_of_another_seed_is_not_the_own(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    put_run(tmp_path, started=BEGIN + timedelta(hours=1), seed=learning.student.values.seed + 1)
    assert answer(learning, "3.1", 81, 142, 20.4, 40.3, 20.4, 20.7).verdict == "cannot tell"
    other = result(learning, "2.5")
    assert (other.key, other.with_["setting"]) == ("run_of_other_setting", "seed")
    put_run(tmp_path, started=BEGIN, name="20261120T120000Z-bench", seed=learning.student.values.seed)
    assert result(learning, "3.1").verdict == "agrees"


def test_a_text_must_cite_two_of_the_own_numbers(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    put_run(tmp_path, started=BEGIN, seed=learning.student.values.seed)
    few = answer(learning, "3.3", text="With 4 users there are 8 threads, and the median is 20.4 ms of 20.")
    assert (few.verdict, few.with_["number"]) == ("differs", "1")
    assert answer(learning, "3.3", text="The median is 20.4 ms, at 194 requests/s.").verdict == "agrees"
    invented = answer(learning, "3.3", text="The median is 33.3 ms, at 777 requests/s.")
    assert invented.verdict == "differs"


def test_numbers_are_cited_as_they_are_rounded_and_in_seconds() -> None:
    facts = {"bench.A.16.p99_ms": [2190.0], "bench.A.16.median_ms": [142.3], "bench.A.16.max_ms": [2200.0]}
    assert cited_facts("2.19 s, and 142 ms", facts) == ["bench.A.16.p99_ms", "bench.A.16.median_ms"]
    assert cited_facts("16 users, 8 threads, 20 ms", facts) == []
    assert cited_facts("142 and 142.3 and 142", facts) == ["bench.A.16.median_ms"]
    assert cited_facts("2,190 ms", facts) == ["bench.A.16.p99_ms"]


def test_numbers_in_chinese_are_cited_and_what_is_not_finite_is_not() -> None:
    facts = {"bench.A.16.median_ms": [341.5], "bench.B.16.median_ms": [83.25], "bench.C.16.max_ms": [float("inf")]}
    assert cited_facts("中位數是341.5毫秒,而B是83.25毫秒", facts) == ["bench.A.16.median_ms", "bench.B.16.median_ms"]
    assert cited_facts("x341.5 and 1.341.5", facts) == []


def test_a_run_with_another_setting_than_the_step_names_is_no_evidence_and_that_is_said(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    own = learning.student.values
    for step in ("2.1", "2.7"):
        answer(learning, step, *[20.0] * len(learning.plan.named(step).asks), text="A guess.")
    run = put_run(tmp_path, started=BEGIN + timedelta(hours=1), seed=own.seed, server__backlog=own.backlog)
    info = json.loads((run / "run.json").read_text())
    changed = {"BACKLOG": str(own.backlog), "SEED": str(own.seed)}
    (run / "run.json").write_text(json.dumps({**info, "changed": changed}))
    assert result(learning, "2.8").verdict == "agrees"
    other = result(learning, "2.5")
    said = (other.key, other.with_["setting"], other.with_["is"])
    assert said == ("run_of_other_setting", "server.backlog", str(own.backlog))


def test_each_of_two_late_predictions_is_late(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    path = tmp_path / "labs" / "plan.toml"
    path.write_text(path.read_text().replace('needs = ["2.10"]', 'needs = ["2.7", "2.10"]'))
    learning = Learning(tmp_path, learning.student, plan.read_plan(tmp_path), learning.course)
    own = learning.student.values
    put_run(tmp_path, started=BEGIN, seed=own.seed, server__threads=own.threads, concurrency=[4, 16, own.users])
    for step in ("2.7", "2.10"):
        assert answer(learning, step, 20, text="A guess.").key == "predicted_after_run"


def test_texts_that_are_packed_or_say_nothing_are_no_evidence(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    put_hey(tmp_path)
    for path in (tmp_path / "mylab").glob("hey-*.txt"):
        path.rename(f"{path}.gz")
    assert result(learning, "2.2").key == "files_missing"
    put_hey(tmp_path)
    (tmp_path / "mylab" / "hey-B-4.txt").write_text("Slowest: ... secs\n50% in 1.2.3 secs\n[403] 200 responses\n")
    found = result(learning, "2.2")
    assert (found.key, found.with_["text"]) == ("text_without_response", "mylab/hey-B-4.txt")


@pytest.mark.parametrize("users", [[[4], 16], 16, {"4": 1}, None])
def test_a_run_with_other_users_than_numbers_is_no_evidence(tmp_path: Path, users: object) -> None:
    learning = begun(tmp_path)
    put_run(tmp_path, started=BEGIN, seed=learning.student.values.seed, concurrency=users)
    assert result(learning, "2.5").verdict != "agrees"


def test_a_text_written_into_answers_is_found(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    put_log(tmp_path, LOG)
    path = tmp_path / "mylab" / "answers.md"
    path.write_text(path.read_text().replace("## 1.9\n", "## 1.9\n\nThe wake is line 12.\n<!-- note -->\n"))
    assert result(learning, "1.9").verdict == "differs"
    assert [each["text"] for each in learning.entries if each["what"] == "answer"] == ["The wake is line 12."]
    learning.look()
    assert len([each for each in learning.entries if each["what"] == "answer"]) == 1


@pytest.mark.parametrize(("broken", "verdict"), [([], "agrees"), (["pieces"], "differs")])
def test_a_server_that_keeps_its_promises_is_built(tmp_path: Path, broken: list[str], verdict: str) -> None:
    learning = begun(tmp_path)
    assert result(learning, "5.1").verdict == "open"
    promises = tuple(
        Kept(name=each.name, says="", kept=not each.extra and each.name not in broken, extra=each.extra)
        for each in suite.PROMISES
    )
    found = Outcome(model="yours", letter="Y", file="server_yours.py", sha256="", promises=promises)
    path = outcome.write(tmp_path / "results", found)
    assert result(learning, "5.1").verdict == verdict
    outcome.write(tmp_path / "results", found.model_copy(update={"promises": promises[:1]}))
    assert result(learning, "5.1").verdict == "differs"  # promises that were not tried are not kept
    path.write_text('{"promises": [{"name": "x", "kept": true}]}')
    assert result(learning, "5.1").verdict == "open"
