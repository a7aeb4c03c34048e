"""The tab Learn in a real browser, as a student uses it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iolab.learn.course import Learning
from tests.learn.students import put_log
from tests.waiting import wait_until
from tests.web.conftest import Served
from tests.web.handouts import put_handouts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.needs("browser"), pytest.mark.load]
LOG = "k2_recommended_seccomp_2click"
HOSTILE = "<img src=x onerror=\"document.title = 'owned'\">"
REASON = f"A watchdog timer. {HOSTILE}"


def shown(page: "Page") -> str:
    return page.locator("#learn-step h2").text_content() or ""


def verdict(page: "Page") -> str:
    return page.locator("#learn-result .result").get_attribute("data-verdict") or ""


def rung(page: "Page", step: str) -> str:
    return page.locator(f"[data-step='{step}']").get_attribute("data-verdict") or ""


def journal(root: Path) -> list[str]:
    lines = (root / "mylab" / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["what"] for line in lines]


@pytest.fixture
def learn(page: "Page", served: Served) -> Callable[..., None]:
    """Open the tab with a course that has begun, at a step."""
    put_handouts(served.root)

    def open_at(step: str, *, begun: bool = True) -> None:
        if begun:
            Learning.begin(served.root, "b10901001")
        page.goto(f"{served.url}/#learn/{step}")
        page.reload()
        page.locator("#learn-course" if begun else "#learn-begin").wait_for(timeout=60_000)

    return open_at


def test_a_student_begins_predicts_and_reads_a_log(page: "Page", served: Served, learn: Callable[..., None]) -> None:
    learn("", begun=False)
    page.get_by_label("Your student id").fill("b10901001")
    page.get_by_role("button", name="Begin").click()
    wait_until(lambda: shown(page) == "1.1 Predict the wakes", 20)
    assert (rung(page, "0.1"), rung(page, "1.1")) == ("agrees", "open")

    page.locator("#learn-answer input").fill("2.5")
    page.get_by_label("Why? One sentence").fill(REASON)
    page.get_by_role("button", name="Record").click()
    wait_until(lambda: verdict(page) == "agrees", 20)
    assert page.locator("#learn-answer form").count() == 0  # the first prediction counts
    assert page.locator("#learn-answer dd").text_content() == "2.5"

    page.get_by_role("link", name="Next: step 1.2").click()
    wait_until(lambda: shown(page) == "1.2 Run the app" and verdict(page) == "open", 20)
    truth = put_log(served.root, LOG)
    wait_until(lambda: verdict(page) == "agrees", 30)  # found by itself

    page.get_by_role("link", name="Next: step 1.3").click()
    wait_until(lambda: shown(page) == "1.3 Bind and listen", 20)
    for name, value in (("fd", truth["listen_fd"]), ("bind", 1), ("listen", truth["listen_line"])):
        page.locator(f"#learn-answer [name={name}]").fill(str(value))
    page.get_by_role("button", name="Record").click()
    wait_until(lambda: verdict(page) == "differs", 20)
    assert f"bind({truth['listen_fd']}" in (page.locator("#learn-result pre").text_content() or "")
    page.locator("#learn-answer [name=bind]").fill(str(truth["bind_line"]))
    page.get_by_role("button", name="Record").click()
    wait_until(lambda: verdict(page) == "agrees", 20)
    assert page.locator("#learn-result pre").count() == 0
    wait_until(lambda: "9 of " in (page.locator("#learn-said").text_content() or ""), 20)

    learning = Learning.open(served.root)
    assert learning.look().points == 9
    assert learning.student.journal.broken() is None
    assert journal(served.root) == ["begin", "answer", "evidence", "answer", "answer"]


def test_a_mistake_is_shown_until_the_next_try(browser: "Browser", served: Served) -> None:
    page = browser.new_page()  # its console says that the answer was 400
    page.goto(f"{served.url}/#learn")
    page.get_by_label("Your student id").fill("x")
    page.get_by_role("button", name="Begin").click(timeout=60_000)
    wait_until(lambda: "must match" in (page.locator("#problem").text_content() or ""), 20)
    page.evaluate("showLock()")  # as it does by itself every few seconds
    assert page.locator("#problem").is_visible()
    page.get_by_label("Your student id").fill("b10901001")
    page.get_by_role("button", name="Begin").click()
    wait_until(lambda: shown(page).startswith("1.1"), 20)
    assert page.locator("#problem").is_hidden()
    page.close()


def test_hints_come_one_by_one_and_are_recorded(page: "Page", served: Served, learn: Callable[..., None]) -> None:
    learn("1.3")
    for count in (1, 2):
        page.get_by_role("button", name="Next hint").click()
        wait_until(lambda count=count: page.locator(".hints > li").count() == count, 20)  # type: ignore[misc]
    assert page.get_by_role("button", name="Next hint").count() == 0
    page.reload()
    wait_until(lambda: page.locator(".hints > li").count() == 2, 20)
    assert journal(served.root) == ["begin", "hint", "hint"]


def test_what_others_wrote_is_text(page: "Page", served: Served, learn: Callable[..., None]) -> None:
    learning = Learning.begin(served.root, "b10901001")
    learning.answer(learning.plan.named("1.1"), {"wakes": 3}, REASON)
    put_log(served.root, LOG)
    log, address = served.root / "mylab" / "trace.log", 'htons(8079), sin_addr=inet_addr("127.0.0.1")'
    log.write_text(log.read_text().replace(address, f"{address}, {HOSTILE}"))
    learning.answer(learning.plan.named("1.3"), {"fd": 99, "bind": 9, "listen": 9}, "")
    learn("1.1")
    assert "<img src=x" in (page.locator("#learn-answer").text_content() or "")
    assert "<script>" in (page.locator("#learn-text").text_content() or "")
    assert page.locator("#learn-text a[href^='javascript']").count() == 0
    assert page.locator("#learn-text [id]").count() == 0
    page.goto(f"{served.url}/#learn/1.3")
    wait_until(lambda: "<img src=x" in (page.locator("#learn-result").text_content() or ""), 20)
    assert page.locator("#learn img, #learn script").count() == 0
    assert page.title() == "Event-Driven I/O Lab"


def test_new_evidence_leaves_a_form_that_is_being_filled_in(
    page: "Page", served: Served, learn: Callable[..., None]
) -> None:
    learn("1.3")
    page.locator("[name=bind]").fill("17")
    learning = Learning.open(served.root)
    learning.answer(learning.plan.named("1.1"), {"wakes": 3}, "as in a terminal")
    wait_until(lambda: rung(page, "1.1") == "agrees", 30)
    assert page.locator("[name=bind]").input_value() == "17"
    page.locator("[name=bind]").press("End")
    assert page.evaluate("document.activeElement.name") == "bind"


def test_the_language_is_switched_and_kept(page: "Page", served: Served, learn: Callable[..., None]) -> None:
    learn("1.1")
    page.get_by_role("button", name="繁體中文").click()
    wait_until(lambda: page.locator("#learn-title").text_content() == "學習", 20)
    assert page.locator("#learn").get_attribute("lang") == "zh-TW"
    assert page.locator("#learn-text div[lang=en]").count() == 1  # there is no translation of this section
    page.reload()
    page.locator("#learn-languages [aria-pressed=true]").wait_for()
    assert page.locator("#learn-title").text_content() == "學習"
    page.get_by_role("button", name="English").click()
    wait_until(lambda: page.locator("#learn").get_attribute("lang") == "en", 20)
    assert page.get_by_role("button", name="English").get_attribute("aria-pressed") == "true"


def test_a_phone_needs_no_sideways_scrolling(page: "Page", served: Served, learn: Callable[..., None]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    learn("", begun=False)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    learn("1.1")
    put_log(served.root, LOG)
    for step in ("1.1", "1.2", "1.3", "1.9"):
        page.goto(f"{served.url}/#learn/{step}")
        wait_until(lambda step=step: shown(page).startswith(step), 20)  # type: ignore[misc]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, step
    assert page.locator("[data-step='1.1']").is_hidden()
    page.locator("#learn-path summary").click()
    page.locator("[data-step='1.1']").click()
    wait_until(lambda: shown(page).startswith("1.1"), 20)
    assert page.evaluate("document.activeElement.tagName") == "H2"  # where a screen reader goes on
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_commands_are_copied(browser: "Browser", served: Served) -> None:
    put_handouts(served.root)
    Learning.begin(served.root, "b10901001")
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{served.url}/#learn/1.2")
    page.get_by_role("button", name="Copy").click(timeout=60_000)
    page.get_by_role("button", name="Copied").wait_for(timeout=20_000)
    assert page.evaluate("navigator.clipboard.readText()") == "make streamlit"
    page.goto(f"{served.url}/#learn/1.1")
    page.get_by_text("Keeps running").wait_for(timeout=20_000)
    assert page.locator(".handout pre").count() == 2
    assert page.get_by_role("button", name="Copy").count() == 1  # output is not copied
    context.close()


def test_the_keyboard_is_enough(page: "Page", served: Served, learn: Callable[..., None]) -> None:
    learn("", begun=False)

    def tab_to(what: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("(what) => document.activeElement.matches(what)", what):
                return
        pytest.fail(f"no way to {what}")

    tab_to("#learn-student")
    page.keyboard.type("b10901001")
    page.keyboard.press("Enter")
    wait_until(lambda: shown(page).startswith("1.1"), 20)
    tab_to("#learn-answer input")
    page.keyboard.type("3")
    page.keyboard.press("Tab")
    page.keyboard.type("Because of timers.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_until(lambda: page.evaluate("document.activeElement.textContent") == "Next: step 1.2", 20)
    page.keyboard.press("Enter")
    wait_until(lambda: shown(page).startswith("1.2"), 20)
    labels = page.evaluate("[...document.querySelectorAll('#learn input')].map((each) => each.labels.length)")
    assert 0 not in labels
