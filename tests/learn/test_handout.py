"""The English handout: a section for each step, commands that parse, searches that find what the text says."""

import gzip
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from iolab.learn import plan as plans
from iolab.learn.texts import HEADING, Texts
from iolab.learn.values import of
from iolab.live import app
from iolab.trace.source import open_log
from iolab.trace.story import tell
from tests.conftest import ROOT

LABS = ROOT / "labs" / "en"
LOGS = ROOT / "tests" / "data" / "strace"
WORKED = LOGS / "k2_recommended_seccomp_2click.txt.gz"  # the log of the hints
PLAN = plans.read_plan(ROOT)
TEXTS = Texts(ROOT, "en")
PARTS = {int(path.stem[-1]): path.read_text(encoding="utf-8") for path in sorted(LABS.glob("part?.md"))}
VALUES = of("2026-fall", "b12345678")
FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASKED = ("observe", "predict", "explain")


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a text: what stands after the fence, and the lines."""
    return [(match[1].strip(), match[2]) for match in FENCE.finditer(text)]


def commands(part: int) -> list[tuple[str, str]]:
    """Return the blocks of a part that are typed, with a student's values."""
    return [(kind, VALUES.fill(text)) for kind, text in blocks(PARTS[part]) if kind.startswith("sh")]


def search(line: str, text: str) -> list[str]:
    """Run a command of the handout on a log in place of the student's."""
    done = subprocess.run(
        ["sh", "-c", line.replace("mylab/trace.log", "-")], check=False, input=text, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def log(name: str) -> str:
    """Return a recorded log."""
    return gzip.decompress((LOGS / f"{name}.txt.gz").read_bytes()).decode(errors="replace")


def searches(step: str) -> list[str]:
    """Return the lines with grep of a step."""
    found = [line for kind, text in blocks(TEXTS.sections[step].text) if kind == "sh" for line in text.splitlines()]
    return [line for line in found if line.startswith("grep")]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_one_section_for_each_of_its_steps_in_their_order(part: int) -> None:
    assert re.match(rf"# Part {part}: .+ \(\d+ min\b.*\)\n\n\S", PARTS[part])
    assert [match[1] for match in HEADING.finditer(PARTS[part])] == [each.id for each in PLAN if each.part == part]
    assert re.findall(r"^##? .*", FENCE.sub("", PARTS[part]), re.MULTILINE)[1:] == [
        match[0] for match in HEADING.finditer(PARTS[part])
    ]


def test_every_part_of_the_plan_has_a_file() -> None:
    assert [*PARTS] == sorted({each.part for each in PLAN})


@pytest.mark.parametrize("step", [each.id for each in PLAN])
def test_a_step_that_asks_says_how_to_answer_and_has_prompts_and_three_hints(step: str) -> None:
    each, section = PLAN.named(step), TEXTS.sections[step]
    answers = re.findall(r"^make answer STEP=(\S+)$", section.text, re.MULTILINE)
    assert answers == ([step] if each.kind in ASKED or (step == "0.1" and answers) else [])
    assert all(TEXTS.prompt(step, ask.name) != ask.name for ask in each.asks)
    assert len(TEXTS.hints(step)) == (0 if step == "0.1" else 3)


def test_there_are_no_prompts_or_hints_of_steps_or_values_that_are_none() -> None:
    steps = {each.id: {ask.name for ask in each.asks} for each in PLAN}
    asks = tomllib.loads((LABS / "ui.toml").read_text(encoding="utf-8"))["asks"]
    assert {step: {*names} for step, names in asks.items()} == {step: names for step, names in steps.items() if names}
    assert {*tomllib.loads((LABS / "hints.toml").read_text(encoding="utf-8"))} == {*steps} - {"0.1"}


@pytest.mark.parametrize("part", PARTS)
def test_fences_are_known_and_every_command_parses(part: int) -> None:
    assert PARTS[part].count("```") == 2 * len(blocks(PARTS[part]))
    assert {kind for kind, _ in blocks(PARTS[part])} <= {"sh", "sh server", "text"}
    for kind, text in commands(part):
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
        assert kind == "sh" or len(text.splitlines()) == 1


@pytest.mark.parametrize("part", PARTS)
def test_a_section_with_a_server_names_the_terminal_and_its_end(part: int) -> None:
    for section in (each for each in TEXTS.sections.values() if each.step.startswith(f"{part}.")):
        if any(kind == "sh server" for kind, _ in blocks(section.text)):
            assert "second terminal" in section.text
            assert "Press Ctrl-C" in section.text


def test_placeholders_are_personal_values() -> None:
    texts = [*PARTS.values(), *(hint for each in PLAN for hint in TEXTS.hints(each.id))]
    for text in texts:
        outside = re.sub(r"`[^`]*`", "", FENCE.sub("", text))
        typed = "".join(lines for kind, lines in blocks(text) if kind.startswith("sh"))
        for name in re.findall(r"\{(\w+)\}", outside + typed):
            assert name in VALUES.texts()


def test_hints_have_no_value_of_the_student() -> None:
    assert not [hint for each in PLAN for hint in TEXTS.hints(each.id) if VALUES.fill(hint) != hint]


@pytest.mark.parametrize("step", [each for each in PLAN if each.evidence.settings or each.evidence.models], ids=str)
def test_the_command_of_a_run_has_the_settings_that_count(step: plans.Step) -> None:
    (line,) = [line for line in TEXTS.sections[step.id].text.splitlines() if line.startswith("make ") and "=1 " in line]
    assert line.startswith(f"make {'bench' if step.evidence.kind == 'closed' else step.evidence.kind} COURSE=1 ")
    given = dict(word.split("=") for word in line.split()[2:])
    names = {"yours": "Y"}
    assert [names.get(each, each) for each in given["MODELS"].split(",")] == [*step.evidence.models]
    variables = {"seed": "SEED", "server.backlog": "BACKLOG", "server.threads": "THREADS", "crowd.users": "USERS"}
    for name, value in step.evidence.settings.items():
        assert given[variables[name]] == (str(value) if isinstance(value, str) else ",".join(map(str, value)))
    users = given.get("CONCURRENCY", "4,16").split(",")
    assert {*map(str, step.evidence.users)} <= {*users}


def test_the_texts_of_hey_are_those_of_the_plan() -> None:
    typed = re.findall(r"tee (mylab/hey-\S+)$", PARTS[2], re.MULTILINE)
    assert typed == [name for each in PLAN for name in each.evidence.texts]
    ports = re.findall(r"-c (\d+) http://localhost:(\d+) \| tee mylab/hey-([ABC])-(\d+)", PARTS[2])
    assert [(users, {"A": "8080", "B": "8081", "C": "8082"}[model]) for _, _, model, users in ports] == [
        (users, port) for users, port, _, _ in ports
    ]


def test_the_app_is_started_from_the_environment_that_the_lab_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = tmp_path / "services" / "streamlit" / "requirements-uvicorn.txt"
    requirements.parent.mkdir(parents=True)
    requirements.touch()
    monkeypatch.setattr(app, "_do", lambda command, _: Path(command[-1]).mkdir(parents=True, exist_ok=True))
    python = app.environment(tmp_path, "uvicorn", lambda _: None)
    (typed,) = re.findall(r"\S+/bin/streamlit", PARTS[1])
    assert python.with_name("streamlit") == tmp_path / typed


PLAIN_LOGS = ("a_classic_1click", "b_classic_noclick", "i_unfinished_1click", "d_tornado156_1click")


@pytest.mark.parametrize("name", PLAIN_LOGS)
def test_the_searches_for_the_socket_find_it(name: str) -> None:
    port, bind, listen = searches("1.3")
    assert search(port, log(name)) == search(bind, log(name)) != []
    assert len(search(listen, log(name))) == (1 if "tornado" in name else 2)
    (add,) = searches("1.4")
    (line,) = search(add, log(name))
    assert "EPOLLIN" in line


@pytest.mark.parametrize(("name", "clicks"), [("a_classic_1click", 1), ("b_classic_noclick", 0), (WORKED.stem[:-4], 2)])
def test_the_name_of_the_script_has_one_hit_more_than_clicks_opened_by_the_main_thread(name: str, clicks: int) -> None:
    (line,) = searches("1.6")
    first, *others = search(line, log(name))
    assert "elements/__pycache__/balloons" in first
    assert len(others) == clicks

    def thread(hit: str) -> str:
        return hit.partition(":")[2].split()[0]

    assert thread(first) == log(name).split()[0]  # the main thread writes the first line
    assert thread(first) not in {thread(each) for each in others}


def test_the_searches_for_the_browser_and_the_chain_find_the_lines_of_the_story() -> None:
    name = WORKED.stem[:-4]
    accept, stream = searches("1.5")
    assert any(line.startswith("3808:") for line in search(accept, log(name)))
    assert [line.partition(":")[0] for line in search(stream, log(name))] == ["3815"]
    frames, chain = searches("1.7")
    found = [re.split("[-:]", line)[0] for line in search(frames, log(name))]
    for click in (["4045", "4046"], ["4436", "4437"]):
        at = found.index(click[0])
        assert found[at : at + 2] == click
    lines = [line.partition(":")[0] for line in search(chain.replace("streamlit/balloons", "balloons"), log(name))]
    assert {"4046", "4050", "4060", "4072", "4437", "4441", "4455"} <= {*lines}
    assert lines == sorted(lines, key=int)


def test_worked_lines_of_hints_are_in_the_recorded_log() -> None:
    lines = gzip.decompress(WORKED.read_bytes()).decode(errors="replace").splitlines()
    worked = [
        line.split(": ", 1)
        for each in PLAN
        for hint in TEXTS.hints(each.id)
        for kind, text in blocks(hint)
        for line in text.splitlines()
        if kind == "text"
    ]
    assert len(worked) > 15
    for number, text in worked:
        place, recorded = 0, lines[int(number) - 1]
        for piece in text.split(" ... "):
            assert piece.strip() in recorded[place:], f"line {number}: {piece}"
            place = recorded.index(piece.strip(), place) + len(piece.strip())


def test_the_worked_answers_of_hints_are_those_of_the_story() -> None:
    with open_log(WORKED) as lines:
        story = tell(lines, WORKED.name, draw=False)
    (listener,) = story.watch.runs[0].listeners
    assert listener.add
    first, second = (click.opened for click in story.clicks)
    browser = next(each for each in story.watch.runs[0].connections if first.wake and each.fd == first.wake.fd)
    assert first.wake
    assert first.wake.read
    assert first.clone
    assert first.answer
    assert browser.accept
    chain = [first.wake.line, first.wake.read.line, first.clone.line, first.cited.line]
    answers = {
        "1.3": f"{listener.fd}, {listener.bind.line} and {listener.listens[0].line}",
        "1.4": f"{listener.add.line} and {listener.epoll_fd}",
        "1.5": f"{browser.fd} and {browser.accept.line}",
        "1.6": f"{len(story.clicks)}, and {first.cited.line} or {second.cited.line}",
        "1.7": f"{', '.join(map(str, chain))} and {first.answer.line}",
    }
    for step, answer in answers.items():
        assert f"are {answer}" in TEXTS.hints(step)[2]
