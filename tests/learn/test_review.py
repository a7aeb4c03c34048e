"""review.html in a browser: keys set marks, which stay on the page and are exported."""

from pathlib import Path
from typing import TYPE_CHECKING

from iolab.learn import gradebook, grading, marks
from iolab.learn.texts import Texts
from tests.conftest import ROOT
from tests.learn.pupils import pupil, two_clicks
from tests.waiting import reload_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_keys_set_marks_that_stay_and_are_exported(browser: "Browser", tmp_path: Path) -> None:
    names = two_clicks(2)
    for name in names:
        each = pupil(tmp_path / "checkouts", name)
        each.begin()
        each.log()
        each.look()
        each.learning.answer(each.plan.named("1.9"), {}, f"I, {name}, saw <b>1106</b> and 1107.")
        each.submit(tmp_path / "zips")
    found = grading.grade(tmp_path / "zips", grading.rules_of(ROOT))
    gradebook.write(found, tmp_path / "grades", Texts(ROOT, "en"), {})
    page = browser.new_context(offline=True).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto((tmp_path / "grades/review.html").as_uri())
    exported = page.locator("#marks")
    for key in ("ArrowDown", "3", "1", "ArrowUp", "Backspace", "2"):
        page.keyboard.press(key)
    assert exported.input_value() == f"id,step,mark\n{names[0]},1.9,2\n{names[1]},1.9,1\n"
    reload_until(page, lambda: page.locator("#done").inner_text() == "2 / 2")
    page.locator("article").nth(1).locator("button").nth(0).click()
    (tmp_path / "zips/marks.csv").write_text(exported.input_value())
    assert marks.read(tmp_path / "zips") == {(names[0], "1.9"): 2, (names[1], "1.9"): 0}
    assert "<b>1106</b>" in page.locator(".said").first.inner_text()
    assert errors == []
