"""The course as the page asks for it: the same as the commands, guarded, and never while the lab measures."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from iolab.errors import UsageError
from iolab.host import lock
from iolab.lab import Lab
from iolab.learn.course import Learning, Status
from iolab.web import guard, lessons
from iolab.web.site import Site
from iolab.web.study import mark_of, numbers_of
from tests.conftest import copied_lab
from tests.learn.students import put_log
from tests.web.handouts import HOSTILE_HINT, put_handouts

Act = Callable[..., Awaitable[Any]]
Look = Callable[[Act, TestClient[Any, Any]], Awaitable[None]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lab, in which no course has begun."""
    folder = copied_lab(tmp_path / "lab")
    put_handouts(folder)
    monkeypatch.chdir(folder)
    for name in ("LAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(lock, "_path", lambda: tmp_path / "lock")
    return folder


@pytest.fixture
def look(root: Path) -> Callable[[Look], None]:
    """Run a test's coroutine on the page of that lab."""

    async def serve(with_it: Look) -> None:
        site = Site(Lab.read(root), root / "results", {})
        async with TestClient(TestServer(site.application())) as client:

            async def act(action: str, status: int = 200, **given: Any) -> Any:
                headers = {guard.TOKEN_HEADER: site.token}
                answer = await client.post(f"/api/learn/{action}", data=json.dumps(given), headers=headers)
                assert answer.status == status, await answer.text()
                return await (answer.json() if status == 200 else answer.text())

            await with_it(act, client)

    return lambda with_it: asyncio.run(serve(with_it))


def test_a_course_is_begun_answered_and_read(look: Callable[[Look], None], root: Path) -> None:
    async def with_it(act: Act, _: TestClient[Any, Any]) -> None:
        before = await act("look")
        assert (before["begun"], before["language"]) == (False, "en")
        assert before["words"]["begin"] == "Begin"
        begun = await act("begin", student="b10901001")
        assert (begun["next"], begun["step"]["id"], begun["step"]["recorded"]) == ("1.1", "1.1", None)
        assert [each["verdict"] for each in begun["steps"][:2]] == ["agrees", "open"]
        answered = await act("answer", step="1.1", values={"wakes": 3, "other": 1}, text=" two\n words ")
        assert answered["step"]["recorded"] == {"values": {"wakes": 3}, "text": "two words"}
        assert (answered["points"]["points"], answered["next"]) == (2, "1.2")
        await act("answer", 400, step="1.1", values={"wakes": 5}, text="a better number")
        assert (await act("look", step="1.1"))["step"]["recorded"]["values"] == {"wakes": 3}  # the first counts
        Learning.open(root).student.journal.add("answer", step="1.1", values={"wakes": 5}, text="by another program")
        assert (await act("look", step="1.1"))["step"]["recorded"]["values"] == {"wakes": 3}
        truth = put_log(root, "k2_recommended_seccomp_2click")
        values = {"fd": truth["listen_fd"], "bind": 1, "listen": truth["listen_line"]}
        wrong = (await act("answer", step="1.3", values=values))["step"]
        assert wrong["shows"]
        assert f"bind({truth['listen_fd']}" in wrong["shows"][0]
        right = await act("answer", step="1.3", values={**values, "bind": truth["bind_line"]})
        assert [each["verdict"] for each in right["steps"][1:4]] == ["agrees", "agrees", "agrees"]
        assert right["step"]["shows"] == []
        learning = Learning.open(root)
        assert learning.look().points == right["points"]["points"] == 9
        assert learning.student.journal.broken() is None

    look(with_it)


def test_hints_are_recorded_and_stay_in_view(look: Callable[[Look], None], root: Path) -> None:
    async def with_it(act: Act, _: TestClient[Any, Any]) -> None:
        await act("begin", student="b10901001")
        for read in (1, 2, 2):
            step = (await act("hint", step="1.3"))["step"]
            assert (len(step["hints"]), step["more_hints"]) == (read, 2 - read)
        assert (await act("look", step="1.4"))["step"]["hints"] == []
        kept = [each["number"] for each in Learning.open(root).entries if each["what"] == "hint"]
        assert kept == [1, 2]

    look(with_it)


def test_only_texts_of_the_lab_are_html_and_html_in_them_is_text(look: Callable[[Look], None], root: Path) -> None:
    async def with_it(act: Act, _: TestClient[Any, Any]) -> None:
        await act("begin", student="b10901001")
        await act("answer", step="1.1", values={"wakes": 3}, text="<img src=x onerror=alert(1)>")
        found = (await act("look", step="1.1"))["step"]
        assert found["recorded"]["text"] == "<img src=x onerror=alert(1)>"  # which the page shows as text
        assert "<script" not in found["html"]
        assert "<img" not in found["html"]
        assert "&lt;script&gt;" in found["html"]
        assert "javascript:" not in found["html"].replace("[no](javascript:", "")
        assert 'href="/docs/lab.md"' in found["html"]
        assert 'data-about="server"' in found["html"]
        hint = (await act("hint", step="1.3"))["step"]["hints"][0]
        assert HOSTILE_HINT not in hint
        assert "&lt;b&gt;" in hint

    (root / "docs").mkdir()
    (root / "docs" / "lab.md").write_text("# The lab\n")
    look(with_it)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"step": "9.9"}, "there is no such step"),
    ({"step": "1.1", "values": {"wakes": 3}}, "a text is missing"),
    ({"step": "1.1", "text": "x"}, "a value is missing: wakes"),
    ({"step": "1.2", "text": "x"}, "nothing is asked in this step"),
    ({"step": ["1.1"]}, "step: must be a text"),
    ({"step": "1.1", "values": [3]}, "values: must be an object"),
    ({"step": "1.1", "values": {"wakes": "3"}}, "wakes: must be a number"),
    ({"language": "de"}, "must be en or zh-TW"),
]


def test_a_mistake_is_one_line(look: Callable[[Look], None], root: Path) -> None:
    async def with_it(act: Act, _: TestClient[Any, Any]) -> None:
        await act("begin", student="b10901001")
        for given, said in MISTAKES:
            text = await act("answer", status=400, **given)
            assert said in text
            assert text.count("\n") == 1
        assert len(Learning.open(root).entries) == 1

    look(with_it)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -1e16, True, None, "3", 10**400],
    ids=["nan", "inf", "small", "bool", "null", "text", "huge"],
)
def test_values_are_numbers(value: Any) -> None:
    with pytest.raises(UsageError, match="wakes: must be a number"):
        numbers_of({"values": {"wakes": value}})
    with pytest.raises(UsageError, match="wakes: must be a number"):
        numbers_of({"values": {"wakes": -0.5}})
    assert numbers_of({"values": {"wakes": 0.5}}) == {"wakes": 0.5}


def test_an_id_that_cannot_be_begins_nothing(look: Callable[[Look], None], root: Path) -> None:
    async def with_it(act: Act, _: TestClient[Any, Any]) -> None:
        assert "must match" in await act("begin", status=400, student="../x")
        assert not (root / "mylab").exists()
        assert "no such action" in await act("remove", status=400)

    look(with_it)


def test_the_language_is_that_of_the_request(look: Callable[[Look], None]) -> None:
    async def with_it(act: Act, _: TestClient[Any, Any]) -> None:
        english = await act("begin", student="b10901001")
        chinese = await act("look", language="zh-TW")
        assert (english["language"], chinese["language"]) == ("en", "zh-TW")
        assert english["steps"][1]["word"] == "open"
        assert chinese["steps"][1]["word"] == "未完成"
        assert chinese["words"].keys() == english["words"].keys()
        assert chinese["step"]["stale"]  # these handouts are English only

    look(with_it)


def test_evidence_changes_the_mark_and_nothing_is_marked_while_the_lab_measures(
    look: Callable[[Look], None], root: Path
) -> None:
    async def with_it(act: Act, client: TestClient[Any, Any]) -> None:
        async def mark() -> str | None:
            found: str | None = (await (await client.get("/api/learn/mark")).json())["mark"]
            return found

        await act("begin", student="b10901001")
        first = await mark()
        assert first
        assert first == await mark() == (await act("look"))["mark"]
        put_log(root, "a_classic_1click")
        second = await mark()
        assert second not in (first, None)
        with lock.only_bench("bench", 60.0):
            assert await mark() is None
        with lock.only_bench("the live view"):
            assert await mark() == second
        (root / "results" / "20261120T100000Z-bench").mkdir(parents=True)
        assert await mark() == second  # a run without files
        (root / "results" / "20261120T100000Z-bench" / "run.json").write_text("{}")
        assert await mark() not in (first, second)

    look(with_it)


def test_a_mark_reads_no_file_and_needs_no_folder(tmp_path: Path) -> None:
    empty = mark_of(tmp_path)
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "trace.log").symlink_to("/nowhere")
    assert mark_of(tmp_path) != empty
    shutil.rmtree(tmp_path / "mylab")
    assert mark_of(tmp_path) == empty


def test_what_has_not_changed_is_not_checked_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Learning] = []
    real = Learning.look

    def counted(self: Learning) -> Status:
        looks.append(self)
        return real(self)

    monkeypatch.setattr(Learning, "look", counted)

    def ask(action: str, mark: str, **given: Any) -> dict[str, Any]:
        usual = {"wanted": "en", "name": "", "student": "b10901001", "values": {}, "text": ""}
        return lessons.lesson(action=action, mark=mark, **{**usual, **given})

    ask("begin", "1")
    for mark, most in (("1", 2), ("1", 2), ("2", 3)):
        ask("look", mark)
        assert len(looks) == most
    ask("answer", "2", name="1.1", values={"wakes": 3}, text="why")
    assert ask("look", "2")["next"] == "1.2"
