"""The plan, the personal values, the texts, and where a student is."""

import shutil
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.learn import plan, values
from iolab.learn.course import Learning
from iolab.learn.texts import Texts, language, section_hash
from iolab.results.folder import RunFolder
from iolab.withheld import withheld
from tests.learn.students import BEGIN, ROOT, begun, checkout, put_hey, put_run

COURSE = plan.read_course(ROOT)


def test_personal_values_follow_from_term_and_id_and_make_sense() -> None:
    many = [values.of("2026-fall", f"b{number:08d}") for number in range(2000)]
    assert values.of("2026-fall", "b00000007") == many[7]
    assert values.of("2027-spring", "b00000007") != many[7]
    assert len({each.seed for each in many}) > 1500
    for each in many:
        assert 2 <= each.clicks <= 4
        assert each.backlog + 2 < 16  # the accept queue is short for 16 users
        assert each.users % each.threads == 0
        assert each.users > each.threads
        assert each.webhooks_in_flight == each.rate * each.handling_ms / 1000


def test_values_are_filled_in_and_other_braces_stay() -> None:
    own = values.of("t", "s")
    assert own.fill("make bench SEED={seed} # {other} ${HOME} bind(6, {") == (
        f"make bench SEED={own.seed} # {{other}} ${{HOME}} bind(6, {{"
    )
    assert own.filled(["{users}", 4, "x"]) == [own.users, 4, "x"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("points = 2", "points = -1"), "step.1.points"),
        (('needs = ["1.1"]', 'needs = ["9.9"]'), "step 1.2 needs 9.9"),
        (('id = "1.2"', 'id = "1.1"'), "step 1.1 is there twice"),
        (('kind = "predict"', 'kind = "guess"'), "step.1.kind"),
        (("together = true", "apart = true"), "apart"),
        (("schema = 1", "schema = ["), "cannot be read"),
        (('kind = "predict"', 'kind = "explain"'), "step 1.1 (explain) must have cites"),
    ],
)
def test_a_mistake_in_the_plan_is_one_line(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    root = checkout(tmp_path)
    path = root / "labs" / "plan.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        plan.read_plan(root)
    assert says in str(raised.value)
    assert str(raised.value).startswith("labs/plan.toml")


@pytest.mark.parametrize(
    "line", ['deadline = "2026-12-18"', 'deadline = "soon"', 'student_id = "["', 'term = ""', "tolerance = 5", "x = 1"]
)
def test_a_mistake_in_the_course_is_one_line(tmp_path: Path, line: str) -> None:
    root = checkout(tmp_path)
    path = root / "labs" / "course.toml"
    name = line.partition(" ")[0]
    kept = [each for each in path.read_text(encoding="utf-8").splitlines() if not each.startswith(f"{name} =")]
    path.write_text("\n".join([line, *kept]), encoding="utf-8")
    with pytest.raises(UsageError, match=r"labs/course\.toml"):
        plan.read_course(root)


def test_a_weight_of_nothing_leaves_a_step_out_of_the_sum(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    most = learning.look().most
    path = tmp_path / "labs" / "course.toml"
    path.write_text(path.read_text() + '"1.2" = 0\n')
    assert Learning.open(tmp_path).look().most == most - 4
    path.write_text(path.read_text() + '"2.99" = 0\n')
    with pytest.raises(UsageError, match=r"weights: there is no step 2\.99"):
        Learning.open(tmp_path)


@pytest.mark.parametrize("student", ["", "a b", "x" * 41, "../x", "b\n1", 'a"b'])
def test_an_id_that_cannot_be_begins_nothing(tmp_path: Path, student: str) -> None:
    root = checkout(tmp_path)
    with pytest.raises(UsageError, match="STUDENT="):
        Learning.begin(root, student)
    assert not (root / "mylab").exists()


def test_another_student_cannot_go_on_in_the_same_folder(tmp_path: Path) -> None:
    begun(tmp_path, "b1-first")
    with pytest.raises(UsageError, match="mylab/ is that of b1-first"):
        Learning.begin(tmp_path, "b1-second")
    Learning.begin(tmp_path, "b1-first")


def test_what_is_not_asked_cannot_be_answered(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    with pytest.raises(UsageError, match=r"STEP=1\.2: nothing is asked"):
        learning.answer(learning.plan.named("1.2"), {}, "x")
    with pytest.raises(UsageError, match=r"STEP=1\.3: a value is missing: bind, listen"):
        learning.answer(learning.plan.named("1.3"), {"fd": 6}, "")
    with pytest.raises(UsageError, match=r"STEP=1\.1: a text is missing"):
        learning.answer(learning.plan.named("1.1"), {"wakes": 6}, " ")
    with pytest.raises(UsageError, match=r"STEP=9\.9: there is no such step"):
        learning.plan.named("9.9")


@pytest.mark.parametrize(
    ("text", "says"),
    [("mine\n## 3.2\nother", "a line begins with ## and a step"), ("\udcff why", "no text in UTF-8")],
)
def test_what_cannot_be_kept_as_it_is_is_refused(tmp_path: Path, text: str, says: str) -> None:
    learning = begun(tmp_path)
    before = learning.student.journal.path.read_bytes()
    with pytest.raises(UsageError, match=says):
        learning.answer(learning.plan.named("2.4"), {}, text)
    with pytest.raises(UsageError, match=r"STEP=1\.1: wakes: must be a number such as 20"):
        learning.answer(learning.plan.named("1.1"), {"wakes": -5}, "A guess.")
    assert learning.student.journal.path.read_bytes() == before


def test_a_new_answer_replaces_the_whole_section_of_its_step(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    path = tmp_path / "mylab" / "answers.md"
    path.write_text("# Answers\n\n## 2.4\n\nold\n\n## Notes\n\nmore\n\n## 3.2\n\nkept\n")
    learning.answer(learning.plan.named("2.4"), {}, "new text")
    learning.look()
    assert learning.student.answers() == {"2.4": "new text", "3.2": "kept"}
    texts = [each["text"] for each in learning.entries if each["what"] == "answer" and each["step"] == "2.4"]
    assert texts == ["new text"]


def test_an_id_that_would_break_its_own_file_is_refused_whatever_the_pattern(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    path = root / "labs" / "course.toml"
    path.write_text(path.read_text().replace("[A-Za-z0-9_.-]{3,40}", ".+"))
    for student in ('O"Neil', "dept/1", "a\\b", "a\nb"):
        with pytest.raises(UsageError, match="STUDENT="):
            Learning.begin(root, student)
    (root / "mylab").write_text("a file")
    with pytest.raises(UsageError, match="mylab is a file, not a folder"):
        Learning.begin(root, "s123")


def test_steps_that_are_left_out_are_not_next_and_hide_no_theory(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    path = tmp_path / "labs" / "course.toml"
    path.write_text(path.read_text() + '"1.1" = 0\n"2.10" = 0\n')
    learning = Learning(tmp_path, learning.student, learning.plan, plan.read_course(tmp_path))
    following = learning.look().next
    assert following
    assert following.id == "1.2"
    for step in ("2.1", "2.7"):
        wanted = learning.plan.named(step)
        learning.answer(wanted, {ask.name: 20.0 for ask in wanted.asks}, "A guess.")
    run = put_run(tmp_path, started=BEGIN, seed=learning.student.values.seed, course=True)
    assert not withheld(RunFolder(run), tmp_path)


def test_hints_are_given_one_by_one_and_recorded(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    step = learning.plan.named("1.3")
    found = [learning.hint(step, ["where", "what", "line"]) for _ in range(4)]
    assert found == [(1, "where"), (2, "what"), (3, "line"), None]
    assert [each["number"] for each in learning.entries if each["what"] == "hint"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, "en"),
        ({"LANG": "zh_TW.UTF-8"}, "zh-TW"),
        ({"LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANG": "zh_TW.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LAB_LANG": "zh_tw", "LANG": "C"}, "zh-TW"),
        ({"LAB_LANG": "en", "LANG": "zh_TW"}, "en"),
    ],
)
def test_the_language_is_that_of_the_locale_unless_it_is_given(variables: dict[str, str], wanted: str) -> None:
    assert language(variables) == wanted


def test_a_value_has_the_name_by_which_it_is_asked_for(tmp_path: Path) -> None:
    learning = begun(tmp_path)
    put_hey(tmp_path)
    step = learning.plan.named("2.3")
    learning.answer(step, {"responses": 200, "median": 142.1, "slowest": 2050}, "")
    found = next(each for each in learning.look().results if each.step == step)
    said = Texts(tmp_path, "en").result(found)
    assert said.startswith(f"{Texts(tmp_path, 'en').prompt('2.3', 'responses')}: 200")


def test_a_language_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="LAB_LANG=fr: must be en or zh-TW"):
        language({"LAB_LANG": "fr"})


def test_a_section_older_than_the_english_one_is_replaced_and_said(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    for name in ("en", "zh-TW"):
        shutil.rmtree(root / "labs" / name)
        (root / "labs" / name).mkdir()
    english = root / "labs" / "en" / "part1.md"
    english.write_text("# Part 1\n\nIntro.\n\n## 1.1 First\n\nText.\n\n## 1.2 Second\n\nMore.\n", encoding="utf-8")
    own = {step: section_hash(section) for step, section in Texts(root, "en").sections.items()}
    (root / "labs" / "zh-TW" / "part1.md").write_text(
        f"# 第一部分\n\n## 1.1 第一\n<!-- en: {own['1.1']} -->\n\n文字。\n\n## 1.2 第二\n<!-- en: 000000000000 -->\n\n舊。\n",
        encoding="utf-8",
    )
    found = Texts(root, "zh-TW").sections
    assert (found["1.1"].text, found["1.1"].stale) == ("文字。", False)
    assert (found["1.2"].text, found["1.2"].stale) == ("More.", True)
    english.write_text(english.read_text(encoding="utf-8").replace("Text.", "Other text."), encoding="utf-8")
    assert Texts(root, "zh-TW").sections["1.1"].stale
