"""The recorded logs and their truth: line numbers of bind, listen, registration, opens, wake-ups must agree exactly."""

import gzip
import json
from pathlib import Path

import pytest

from iolab.trace.truth import as_json
from tests.trace.logs import OF_THE_EXPERIMENT, TRUTHS, recorded, story_of, truth


@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.stem)
def test_a_recorded_log_tells_its_truth(path: Path) -> None:
    expected = truth(path.stem)
    found = as_json(story_of(recorded(path.stem), expected["port"]))
    assert {key: found.get(key) for key in expected if key not in OF_THE_EXPERIMENT} == {
        key: value for key, value in expected.items() if key not in OF_THE_EXPERIMENT
    }


def test_there_are_logs_to_agree_with() -> None:
    assert len(TRUTHS) >= 10


@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.stem)
def test_the_object_is_json(path: Path) -> None:
    text = gzip.decompress(path.with_suffix(".txt.gz").read_bytes())
    assert json.loads(json.dumps(as_json(story_of(text))))["lines"] > 0


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("k2_recommended_seccomp_2click", ["proved"] * 6),
        ("a_classic_1click", ["proved", "proved", "inferred", "inferred", "inferred", "proved"]),
        ("b_classic_noclick", ["proved", "proved", "inferred", "inferred", "missing", "proved"]),
        ("e_uvloop_1click", ["proved", "inferred", "missing", "missing", "inferred", "proved"]),
        ("p_port_busy", ["missing", "missing", "missing", "missing", "missing", "proved"]),
    ],
)
def test_each_step_says_how_sure_it_is(name: str, statuses: list[str]) -> None:
    assert [step.status for step in story_of(recorded(name)).steps] == statuses


@pytest.mark.parametrize(
    ("name", "step", "words"),
    [
        ("p_port_busy", 1, "EADDRINUSE"),
        ("e_uvloop_1click", 2, "uvloop"),
        ("b_classic_noclick", 5, "There was no click yet"),
        ("m_nofollow", 5, "without -f"),
        ("a3_classic_1click_import_pyc", 5, "only the compiled balloons.pyc"),
    ],
)
def test_what_is_missing_has_a_reason(name: str, step: int, words: str) -> None:
    assert words in story_of(recorded(name)).steps[step - 1].sentence


def test_asked_for_another_port_it_names_the_one_that_was_bound() -> None:
    step = story_of(recorded("a_classic_1click"), port=9999).steps[0]
    assert step.status == "missing"
    assert "8079" in step.sentence
    assert "--port 8079" in step.advice


def test_cut_anywhere_a_log_keeps_the_truth_of_what_is_left() -> None:
    """What lies before the cut stays as it was; nothing is made up behind it."""
    name = "k2_recommended_seccomp_2click"
    log, whole = recorded(name), truth(name)
    for part in range(1, 24):
        piece = log[: len(log) * part // 24]
        found = as_json(story_of(piece))
        lines = piece.count(b"\n")
        assert found["lines"] in (lines, lines + 1)
        for key in ("bind_line", "listen_line", "epoll_add_line"):
            assert found[key] == (whole[key] if whole[key] <= lines else found[key])
        assert [each["line"] for each in found["opens"]] == [
            each["line"] for each in whole["opens"] if each["line"] <= found["lines"]
        ][: len(found["opens"])]
        assert found["clicks_visible"] >= sum(each["line"] <= lines for each in whole["opens"])
