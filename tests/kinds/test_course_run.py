"""A run of the course: no report of any kind tells what theory predicts, or an answer, until that is asked for."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from iolab import options
from iolab.kinds import registry
from iolab.kinds.breaking import document as breaking_document
from iolab.kinds.chess import document as chess_document
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.freeze import document as freeze_document
from iolab.progress_file import headline
from iolab.report.answers import HIDDEN, SHOWN, unanswered
from iolab.report.document import Document, Figure, Section, Table
from iolab.results.differences import differing
from iolab.results.folder import RunFolder
from iolab.web import answers as of_the_page
from iolab.withheld import withheld
from tests import crowds
from tests.conftest import RECORDED, ROOT, Run
from tests.kinds.breaking import test_document as breaking
from tests.kinds.chess import test_document as chess
from tests.kinds.closed.test_findings import limited, overflowed
from tests.kinds.freeze import test_document as freeze
from tests.kinds.recordings import KINDS, recording
from tests.rendered import markdown, page, terminal

NOTHING = {"faults"}  # kinds whose reports have only what was measured
OF_THEORY = re.compile(
    r"theor|predict|calculat|M/[MD]/|same trace|ideal queue|the course expects|\boff\b", re.IGNORECASE
)
STYLES = re.compile(r"<style>.*?</style>|base64,[\w+/=\s]+", re.DOTALL)


def of_the_course(folder: RunFolder) -> RunFolder:
    """Make a run one of the course; return its folder."""
    run = folder.read_run()
    folder.write_run(run.model_copy(update={"experiment": {**run.experiment, "course": True}}))
    return folder


def rendered(document: Document) -> list[str]:
    """Return all that a reader sees of a document, without the sentence that names what is hidden."""
    texts = page(document), markdown(document), terminal(document, 200)
    return [re.sub(r"Predictions of theory.*?ANSWERS=1", "", STYLES.sub("", text), flags=re.DOTALL) for text in texts]


def told(document: Document) -> set[str]:
    """Return the words of theory that a reader sees."""
    return {found.lower() for text in rendered(document) for found in OF_THEORY.findall(text)}


def report_of(kind: str, results: Path) -> Document:
    folder = recording(kind, results)
    return registry.kind_of(folder).report(folder).document()


@pytest.mark.parametrize("kind", KINDS)
def test_a_course_run_tells_no_theory_and_another_run_all_of_it(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole = report_of(kind, tmp_path)
    shown = unanswered(whole)
    assert told(shown) == set()
    assert bool(told(whole)) == (kind not in NOTHING | {"crowd"})
    assert (shown is whole) == (kind in NOTHING)
    assert whole.course == ""
    if shown is not whole:
        assert shown.course == HIDDEN
        request.getfixturevalue("undrawn")  # from here on
        assert all(" ".join(HIDDEN.split()) in " ".join(text.split()) for text in (page(shown), markdown(shown)))
        assert "hidden until your own prediction" in terminal(shown)


@pytest.mark.parametrize("kind", KINDS)
def test_reports_of_other_runs_are_the_same_as_ever(kind: str, tmp_path: Path, inside: Run) -> None:
    """What the marks change is only seen in a run of the course, or of a checkout that withholds it."""
    folder = recording(kind, tmp_path / "results")
    assert inside("report", str(folder.path)).returncode == 0
    before = {name: (folder.path / name).read_bytes() for name in ("report.html", "report.md", "summary.json")}
    assert inside("report", str(folder.path), "--answers").returncode == 0
    assert before == {name: (folder.path / name).read_bytes() for name in before}
    assert HIDDEN[:40] not in before["report.md"].decode()
    assert SHOWN not in before["report.md"].decode()


def test_measured_values_stay_and_predicted_ones_go(recorded: Analysis) -> None:
    from iolab.kinds.closed.document import report  # noqa: PLC0415 (matplotlib)

    whole = report(recorded)
    shown = unanswered(whole)
    hidden, told_all = rendered(shown), rendered(whole)
    for text, full in zip(hidden, told_all, strict=True):
        for measured in ("81.0 ms", "142 ms", "49/s", "389/s", "2.19 s"):
            assert measured in text
        for predicted in ("80.0 ms", "140 ms", "50/s", "800/s", "-3%"):
            assert predicted in full
            assert not re.search(rf"(?<![\w.]){re.escape(predicted)}", text)
        assert "dropped 93 packets" in text
        for answer in ("explodes", "stays flat", "A thousand users", "users that circulate", "M/M/1"):
            assert answer not in text
    assert "question" in "".join(told_all)
    assert "Five questions" not in "".join(hidden)


def test_figures_without_theory_are_shown(recorded: Analysis) -> None:
    from iolab.kinds.closed import cpu_figures  # noqa: PLC0415 (matplotlib)
    from iolab.kinds.closed.document import report  # noqa: PLC0415 (matplotlib)

    documents = [
        report(recorded),
        breaking_document.report(breaking.analysis(breaking.ALL)),
        chess_document.report(chess.analysis(chess.ONE_BY_ONE, chess.CONVOY)),
    ]
    for document in documents:
        (figure,) = [each for each in _figures(document.answer) if each.instead]
        assert figure.instead in list(_figures(unanswered(document).answer))
        for narrow in (False, True):
            assert figure.instead
            assert 0 < figure.instead.draw(narrow).count("<path") < figure.draw(narrow).count("<path")
        assert not OF_THEORY.search(figure.instead.caption)
    full, without = (cpu_figures.cores(recorded, narrow=False, theory=theory) for theory in (True, False))
    assert len(without) < len(full)


def _figures(sections: Sequence[Section]) -> Iterator[Figure]:
    for section in sections:
        yield from (block for block in section.blocks if isinstance(block, Figure))


def test_conclusions_and_reasons_are_answers(tmp_path: Path) -> None:
    broke = unanswered(breaking_document.report(breaking.analysis(breaking.ALL, breaking.CULPRITS)))
    late = freeze.counted("closed loop", [0.02] * 99 + [2.0]), freeze.counted("planned", [0.02] * 80 + [1.0] * 20)
    frozen = unanswered(freeze_document.report(freeze.analysis(*late)))
    folder = crowds.run(tmp_path, (100, 1000))
    crowd = unanswered(registry.kind_of(folder).report(folder).document())
    for document, measured, answers in (
        (
            broke,
            "computing in the loop",
            ("blocks every connection", "interpreter lock", "server_broken.py", "which code"),
        ),
        (frozen, "20.0%", ("coordinated omission",)),
        (crowd, "breaks at 100 users: 8 of 100 are held, 92 waiting", ("and why", "in use", "(queue)")),
    ):
        assert measured in markdown(document)
        seen = rendered(document)
        assert [(answer, text) for answer in answers for text in seen if answer in text] == []


def test_findings_keep_what_was_counted() -> None:
    from iolab.kinds.closed.findings import findings  # noqa: PLC0415
    from iolab.report.answers import measured  # noqa: PLC0415
    from iolab.report.doubts import found  # noqa: PLC0415

    for evidence, kept, gone in (
        (overflowed(), "dropped 93 packets", "as predicted"),
        (overflowed(), "25 of 525 requests took 1 s or longer, the slowest 5.4 s; the median is 144 ms.", "RFC 6298"),
        (limited(), "accepts 98 connections, and there are 200 users. 106 requests got no answer.", "245 ms"),
    ):
        shown = found([("B", findings(evidence))], "every cell")
        assert kept in " ".join(each.message for each in measured(shown))
        assert gone in " ".join(each.message for each in shown)
        assert gone not in " ".join(each.message for each in measured(shown))


def test_commands_show_answers_when_they_are_asked_for(
    tmp_path: Path, inside: Run, request: pytest.FixtureRequest
) -> None:
    folder = of_the_course(recording("closed", tmp_path / "results"))
    done = inside("report", str(folder.path))
    text = (folder.path / "report.md").read_text()
    path = f"{folder.path.parent.name}/{folder.path.name}"
    assert f"make report RUN={path} ANSWERS=1" in text
    assert f"RUN={path}" in done.stdout
    for each in (done.stdout, text, STYLES.sub("", (folder.path / "report.html").read_text())):
        assert not OF_THEORY.search(each.replace("Predictions of theory and", "").replace("own prediction", ""))
    summary = json.loads((folder.path / "summary.json").read_text())
    assert (summary["verdict"], summary["cells"][0]["predicted_median_ms"]) == ("", 80.0)

    request.getfixturevalue("undrawn")  # from here on, only texts are read
    shown = inside("report", str(folder.path), variables={"ANSWERS": "1"})
    assert SHOWN in (folder.path / "report.md").read_text()
    assert SHOWN in " ".join(shown.stdout.split())
    assert "explodes" in json.loads((folder.path / "summary.json").read_text())["verdict"]
    assert inside("report", str(folder.path)).returncode == 0
    assert "explodes" not in (folder.path / "report.md").read_text()


CELLS = {
    "closed": "C16",
    "open": "A constant",
    "slo": "A",
    "crowd": "C websocket 100",
    "faults": "broadcast",
    "freeze": "planned",
    "break": "await",
    "chess": "A",
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_explanation_comes_after_the_prediction(kind: str, tmp_path: Path, inside: Run) -> None:
    folder = of_the_course(recording(kind, tmp_path / "results"))
    refused = inside("explain", str(folder.path), CELLS[kind])
    if not registry.kind(kind).theory:
        assert (refused.returncode, refused.stderr) == (0, "")
        return
    assert (refused.returncode, refused.stderr.count("\n"), refused.stdout) == (2, 1, "")
    assert "record your own prediction first (make learn), or show it now with ANSWERS=1" in refused.stderr
    shown = inside("explain", str(folder.path), CELLS[kind], "--answers")
    assert (shown.returncode, shown.stderr) == (0, "")


def test_a_cell_that_is_not_there_is_still_a_mistake_of_its_own(tmp_path: Path, inside: Run) -> None:
    folder = of_the_course(recording("closed", tmp_path / "results"))
    assert "CELL=C99: this run has" in inside("explain", str(folder.path), "C99").stderr


def test_an_export_has_what_was_measured(tmp_path: Path, inside: Run) -> None:
    folder = of_the_course(recording("closed", tmp_path / "results"))
    for more, theory in (((), False), (("--answers",), True)):
        done = inside("export", str(folder.path), *more)
        assert done.returncode == 0
        with (folder.path / "export" / "cells.csv").open() as file:
            (first, *_) = csv.DictReader(file)
        assert first["median_ms"]
        assert any(name.startswith("predicted") for name in first) == theory
        assert ("ANSWERS=1 adds them" in done.stderr) == (not theory)


@pytest.mark.parametrize("kind", KINDS)
def test_what_theory_tells_in_a_cell_is_named_by_its_kind(kind: str, tmp_path: Path) -> None:
    folder = recording(kind, tmp_path)
    of_kind = registry.kind_of(folder)
    (first, *_) = of_kind.report(folder).cells
    findings = {"off_the_trace", "short_plan"}
    assert set(of_kind.theory) - findings <= first.keys()
    suspect = [name for name in first if OF_THEORY.search(name) or name in ("same_trace", "m_d_c", "m_m_c")]
    assert set(suspect) <= set(of_kind.theory)


@pytest.mark.usefixtures("undrawn")
def test_two_runs_are_compared_by_what_was_measured(
    tmp_path: Path, inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = of_the_course(recording("closed", tmp_path / "results"))
    assert differing([[one.read_run()], [RunFolder.open(RECORDED).read_run()]]) == []
    done = inside("compare", str(one.path), str(RECORDED))
    assert done.returncode == 0
    assert "141.8" in done.stdout
    assert not OF_THEORY.search(done.stdout)
    assert "as predicted" in inside("compare", str(RECORDED), str(_copy(tmp_path))).stdout
    monkeypatch.chdir(ROOT)
    html = STYLES.sub("", of_the_page.compare([[str(one.path)], [str(RECORDED)]]))
    assert "93 packets" in html
    assert "as predicted" not in html


def _copy(tmp_path: Path) -> Path:
    return recording("closed", tmp_path / "other").path


def test_the_page_that_follows_a_run_shows_no_theory(tmp_path: Path) -> None:
    folder = recording("closed", tmp_path)
    assert "with median and prediction" in headline(folder)
    assert "with median" in headline(of_the_course(folder))
    assert "prediction" not in headline(folder)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_kind_has_the_setting(kind: str) -> None:
    settings = registry.kind(kind).settings
    (course,) = [each for each in options.settings(settings) if each.variable == "COURSE"]
    assert (course.path, course.flag, course.word.read("1")) == (("course",), "--course", True)
    assert settings.model_fields["course"].default is False


def test_the_decision_is_of_the_run_and_of_what_is_asked_for(tmp_path: Path) -> None:
    folder = recording("closed", tmp_path)
    assert not withheld(folder, ROOT)
    assert withheld(of_the_course(folder), ROOT)
    assert withheld(folder, None)
    assert not withheld(folder, ROOT, answers=True)


def test_a_run_of_the_course_goes_on_whether_or_not_that_is_said_again(tmp_path: Path, inside: Run) -> None:
    folder = of_the_course(recording("closed", tmp_path / "results"))
    for more in ((), ("--course", "1")):
        assert "is complete: there is nothing to resume" in inside("bench", "--resume", str(folder.path), *more).stderr
    assert "leave out what would change it" in inside("bench", "--resume", str(folder.path), "--models", "A").stderr


@pytest.mark.parametrize("kind", KINDS)
def test_no_column_of_theory_is_forgotten(kind: str, tmp_path: Path) -> None:
    document = report_of(kind, tmp_path)
    sections = [each for each in (*document.answer, *document.details) if not each.answer]
    tables = [block for section in sections for block in section.blocks if isinstance(block, Table)]
    assert tables
    for column in [column for each in tables for column in each.columns]:
        assert column.answer or not OF_THEORY.search(column.heading), column.heading
