"""The page of a trace, in a real browser."""

import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from iolab.report import trace_html
from iolab.trace.story import tell
from iolab.trace.strace import Lines
from tests.trace.logs import CLICK, SERVER, recorded, story_of

OPEN_LIMIT_MS = 2000


def opened(browser: Browser, path: Path, log: bytes | str, **options: object) -> Page:
    """Return the page of a log; whatever the browser complains of is collected in `complaints`."""
    target = path / "trace.html"
    target.write_text(trace_html.render(story_of(log)), encoding="utf-8")
    page = browser.new_page(**options)  # type: ignore[arg-type]
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if "file:" not in request.url else None)
    page.goto(target.as_uri())
    assert complaints == []
    return page


def view(page: Page) -> tuple[float, float]:
    start, end = page.eval_on_selector("#timeline", "each => [each.dataset.start, each.dataset.end]")
    return float(start), float(end)


def pressed(page: Page, key: str) -> tuple[float, float]:
    page.focus("#timeline")
    page.keyboard.press(key)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    return view(page)


def test_six_steps_with_their_badges(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"))
    assert page.locator(".steps > li").count() == 6
    assert page.locator(".steps .badge").all_inner_texts() == ["✓ proved"] * 6
    assert "Which loop is this?" in page.inner_text("main")


def test_a_click_unfolds_by_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"))
    row = page.locator("#click-1")
    assert not row.locator(".lines").is_visible()
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    opens = row.locator("li", has_text="balloons.py").first
    assert opens.is_visible()
    assert "4060" in opens.inner_text()
    assert "the click has arrived" in opens.inner_text()
    for line in row.locator(".lines li").all():
        assert line.locator(".means").inner_text() or "resumed" in line.inner_text()


def test_zoom_pan_and_jumps(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"))
    start, end = view(page)
    nearer = pressed(page, "+")
    assert nearer[1] - nearer[0] == pytest.approx((end - start) / 2)
    moved = pressed(page, "ArrowRight")
    assert moved[0] > nearer[0]
    assert pressed(page, "0") == (start, end)
    first = pressed(page, "c")
    assert first[0] < 6.424  # seconds from the log's start: the wake-up
    assert first[1] > 6.436  # the open
    assert first[1] - first[0] < 0.1
    second = pressed(page, "c")
    assert second[0] > first[1]
    step = pressed(page, "2")
    assert step[0] < 0.9898 < step[1]
    page.get_by_role("button", name="All").click()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    page.mouse.move(900, 300)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(
        "([width]) => { const it = document.getElementById('timeline').dataset; return it.end - it.start < width; }",
        arg=[(end - start) * 0.9],
    )


def test_a_drag_moves_the_view(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"))
    before = pressed(page, "+")
    box = page.locator("#timeline").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 600, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 120, steps=4)
    page.mouse.up()
    page.wait_for_function("([start]) => document.getElementById('timeline').dataset.start > start", arg=[before[0]])


def test_a_mark_says_what_it_is(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"))
    pressed(page, ".")
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert "wake-up" in tip.inner_text()
    assert "line" in tip.inner_text()


def test_a_log_cannot_put_anything_into_its_page(browser: Browser, tmp_path: Path) -> None:
    evil = '</script><img src=x onerror="window.harmed=1"><script>window.harmed=1</script>'
    hostile = CLICK.replace("/app/balloons.py", "/app/" + evil.replace('"', '\\"') + "/balloons.py")
    page = opened(browser, tmp_path, SERVER.replace("Upgrade", evil.replace('"', '\\"')) + hostile)
    assert page.evaluate("() => window.harmed") is None
    assert page.locator("img").count() == 0
    assert page.locator("details.click").count() == 1


@pytest.mark.parametrize("name", ["a_classic_1click", "p_port_busy", "e_uvloop_1click", "m_nofollow"])
def test_any_log_has_a_page(browser: Browser, tmp_path: Path, name: str) -> None:
    page = opened(browser, tmp_path, recorded(name))
    assert page.locator(".steps > li").count() == 6
    page.wait_for_selector("html[data-ready=yes]")


def test_an_empty_log_has_a_page(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, "")
    assert "The log is empty" in page.inner_text("main")


def test_without_javascript_the_story_is_there(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"), java_script_enabled=False)
    assert "epoll_ctl put fd 6 on the interest list" in page.inner_text("main")
    page.locator("#click-1 summary").click()
    assert page.locator("#click-1 .lines").is_visible()


def test_print_shows_everything(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"))
    page.emulate_media(media="print")
    page.wait_for_function("() => [...document.querySelectorAll('details.click')].every(each => each.open)")
    assert page.locator("#click-2 .lines").is_visible()
    assert not page.locator(".controls").is_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_narrow_windows_do_not_scroll_sideways(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, recorded("k2_recommended_seccomp_2click"), viewport={"width": 600, "height": 900})
    assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_hundred_thousand_lines_open_within_two_seconds(browser: Browser, tmp_path: Path) -> None:
    name = "k2_recommended_seccomp_2click"
    once = recorded(name)
    log = once * (100_000 // once.count(b"\n") + 1)
    story = tell(Lines(io.BytesIO(log)), "a long log")
    assert story.lines > 100_000
    target = tmp_path / "long.html"
    target.write_text(trace_html.render(story), encoding="utf-8")
    page = browser.new_page()
    page.goto(target.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    took_ms = page.evaluate("() => performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < took_ms < OPEN_LIMIT_MS
    assert page.locator(".steps > li").count() == 6
    assert page.locator("details.click").count() == len(story.clicks) == 2 * (len(log) // len(once))
