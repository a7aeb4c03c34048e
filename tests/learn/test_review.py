"""review.html in a browser: keys set marks, which stay on the page and are exported."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iolab.learn import gradebook, grading, marks
from iolab.learn.texts import Texts
from tests.conftest import ROOT
from tests.learn.pupils import pupil, two_clicks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

NAMES = two_clicks(2)
UNANSWERED = """
const query = navigator.locks.query.bind(navigator.locks), getItem = Storage.prototype.getItem;
const answered = new Promise((answer) => { window.answer = answer; });
navigator.locks.query = async () => { await answered; return query(); };
window.reads = 0;
Storage.prototype.getItem = function (name) { window.reads += 1; return getItem.call(this, name); };
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> grading.Graded:
    """What was found in the zips of two students, with a text of each."""
    folder = tmp_path_factory.mktemp("review")
    for name in NAMES:
        each = pupil(folder / "checkouts", name)
        each.begin()
        each.log()
        each.look()
        each.learning.answer(each.plan.named("1.9"), {}, f"I, {name}, saw <b>1106</b> and 1107.")
        each.submit(folder / "zips")
    return grading.grade(folder / "zips", grading.rules_of(ROOT))


@pytest.fixture
def review(graded: grading.Graded, tmp_path: Path) -> Path:
    gradebook.write(graded, tmp_path, Texts(ROOT, "en"), {})
    return tmp_path / "review.html"


@pytest.fixture
def context(browser: "Browser") -> "Iterator[BrowserContext]":
    opened = browser.new_context(offline=True)
    yield opened
    opened.close()


def press(page: "Page", *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def stored(page: "Page") -> None:
    """Return when what was marked is stored: `storage` is the promise on which review.js waits before it stores."""
    page.evaluate("storage")


def exported(page: "Page") -> str:
    return page.locator("#marks").input_value()


def is_done(page: "Page") -> bool:
    return page.locator("#done").inner_text() == "2 / 2"


def test_keys_set_marks_that_stay_and_are_exported(
    context: "BrowserContext", graded: grading.Graded, review: Path, tmp_path: Path
) -> None:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(review.as_uri())
    press(page, "ArrowDown", "3", "1", "ArrowUp", "Backspace", "2")
    assert exported(page) == f"id,step,mark\n{NAMES[0]},1.9,2\n{NAMES[1]},1.9,1\n"
    stored(page)
    page.reload()
    stored(page)
    assert is_done(page)
    page.locator("article").nth(1).locator("button").nth(0).click()
    (tmp_path / "marks.csv").write_text(exported(page))
    assert marks.read(tmp_path) == {(NAMES[0], "1.9"): 2, (NAMES[1], "1.9"): 0}
    assert "<b>1106</b>" in page.locator(".said").first.inner_text()
    stored(page)
    gradebook.write(graded, tmp_path, Texts(ROOT, "en"), {(NAMES[0], "1.9"): 1, (NAMES[1], "1.9"): 0})
    page.reload()
    stored(page)
    assert exported(page) == f"id,step,mark\n{NAMES[0]},1.9,1\n{NAMES[1]},1.9,0\n"  # marks.csv is newer
    assert errors == []


def test_marks_are_stored_once_the_browser_process_knows_the_page(context: "BrowserContext", review: Path) -> None:
    """Before that, Chromium gives a page storage that is lost with it, now and then; a mark set meanwhile counts."""
    page = context.new_page()
    page.goto(review.as_uri())
    press(page, "ArrowDown", "3", "1")
    stored(page)
    slow = context.new_page()
    slow.add_init_script(UNANSWERED)
    slow.goto(review.as_uri())
    press(slow, "ArrowDown", "2")
    assert slow.evaluate("window.reads") == 0
    assert exported(slow) == f"id,step,mark\n{NAMES[0]},1.9,2\n"
    slow.evaluate("window.answer()")
    stored(slow)
    assert exported(slow) == f"id,step,mark\n{NAMES[0]},1.9,2\n{NAMES[1]},1.9,1\n"
    page.reload()
    stored(page)
    assert is_done(page)
    assert exported(page) == exported(slow)
