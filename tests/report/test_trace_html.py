"""The page of a trace: what it says without a browser, and what it does in one."""

import contextlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from iolab.report import trace_html
from iolab.trace.page import page_data
from tests.trace.logs import CLICK, SERVER, recorded, story_of

K2 = "k2_recommended_seccomp_2click"
CLASSIC = "a_classic_1click"  # no time stamps
BUSY = "p_port_busy"  # no listener
OPENS_IN_MS = 2000  # a log of 100,000 lines
Open = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open the page of a log from a file, and fail where the page complains or asks for anything else."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    without_script = browser.new_context(java_script_enabled=False)

    def opened(log: bytes | str, *, script: bool = True, width: int = 1280) -> Page:
        path = tmp_path / "trace.html"
        path.write_text(trace_html.render(story_of(log)), encoding="utf-8")
        page = (context if script else without_script).new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda asked: None if asked.url == path.as_uri() else complaints.append(asked.url))
        page.goto(path.as_uri())
        if script:
            page.wait_for_selector("html[data-ready=yes]", state="attached")
        return page

    yield opened
    context.close()
    without_script.close()
    assert complaints == []


def visible(page: Page) -> tuple[float, float]:
    """What part of the log the timeline shows, once it is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    canvas = page.locator("#timeline")
    return float(canvas.get_attribute("data-start") or "nan"), float(canvas.get_attribute("data-end") or "nan")


def press(page: Page, key: str) -> tuple[float, float]:
    page.locator("#timeline").press(key)
    return visible(page)


def span(view: tuple[float, float]) -> float:
    return view[1] - view[0]


def hundred_thousand_lines() -> bytes:
    """The recorded server, then its waits again and again while the clock goes on."""
    lines = recorded(K2).splitlines()
    stamp = re.compile(rb"^(\d+) (\d+\.\d+) ")
    waits = [line for line in lines[1200:] if b"epoll_wait(" in line and b"= 0 <" in line and stamp.match(line)]
    last_s = max(float(found[2]) for line in lines if (found := stamp.match(line)))
    idle = [
        stamp.sub(lambda found, at=last_s + 0.1 * turn: found[1] + f" {at:.6f} ".encode(), waits[turn % len(waits)])  # type: ignore[misc]
        for turn in range(1, 100_001 - len(lines))
    ]
    return b"\n".join([*lines, *idle]) + b"\n"


def hostile(text: str) -> str:
    return SERVER + CLICK.replace("/app/balloons.py", f"/app/{text}/balloons.py")


@pytest.mark.parametrize("name", [K2, CLASSIC, BUSY, "e_uvloop_1click", "m_nofollow"])
def test_six_steps_each_with_its_badge_in_words(show: Open, name: str) -> None:
    story = story_of(recorded(name))
    page = show(recorded(name))
    steps = page.locator(".steps > li")
    assert steps.count() == 6
    for step, shown in zip(story.steps, steps.all(), strict=True):
        assert step.status in shown.locator(".badge").inner_text()
        assert step.sentence in shown.inner_text()
        assert step.advice in shown.inner_text()
        assert shown.locator(".lines li").count() == len(step.lines)


def test_story_and_lines_are_there_without_javascript(show: Open) -> None:
    page = show(recorded(K2), script=False)
    assert "Event loop:" in page.inner_text("main")
    assert "fd 13 became the websocket" in page.locator("#step-4").inner_text()
    page.locator("#click-1 summary").click()
    assert "the click has arrived" in page.locator("#click-1").inner_text()


def test_a_click_unfolds_by_keyboard_and_the_timeline_goes_there(show: Open) -> None:
    page = show(recorded(K2))
    everything = press(page, "0")
    row = page.locator("#click-1")
    line = row.locator("li", has_text="4060")
    assert not line.is_visible()
    for key in ("Enter", "Space"):
        row.locator("summary").press(key)
        assert line.is_visible() == (key == "Enter")
    row.locator("summary").press("Enter")
    assert "openat" in line.inner_text()
    assert "Thread 13350 opens balloons.py: the click has arrived." in line.inner_text()
    assert "key" in (line.get_attribute("class") or "")
    assert span(visible(page)) < span(everything) / 100
    for each in row.locator(".lines li").all():
        assert each.locator(".means").inner_text() or "resumed" in each.inner_text()
    page.get_by_role("button", name="All").click()
    assert visible(page) == pytest.approx(everything)


def test_zoom_and_pan(show: Open) -> None:
    page = show(recorded(K2))
    everything = press(page, "0")
    half = press(page, "+")
    assert span(half) == pytest.approx(span(everything) / 2)
    right = press(page, "ArrowRight")
    assert right[0] > half[0]
    assert span(right) == pytest.approx(span(half))
    assert press(page, "ArrowLeft") == pytest.approx(half)
    assert press(page, "-") == pytest.approx(everything)
    for _ in range(60):
        page.locator("#timeline").press("+")
    assert span(visible(page)) > 0
    assert press(page, "0") == pytest.approx(everything)
    page.get_by_role("button", name="+", exact=True).click()
    assert visible(page) == pytest.approx(half)
    assert press(page, "Home") == pytest.approx(everything)


def test_wheel_and_drag(show: Open) -> None:
    page = show(recorded(K2))
    everything = press(page, "0")
    box = page.locator("#timeline").bounding_box()
    assert box
    page.mouse.move(box["x"] + 600, box["y"] + 100)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    wider = "([width]) => { const it = document.getElementById('timeline').dataset; return it.end - it.start < width; }"
    page.wait_for_function(wider, arg=[span(everything) / 2])
    zoomed = visible(page)
    assert span(zoomed) < span(everything) / 2
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 100, steps=4)
    page.mouse.up()
    assert visible(page)[0] > zoomed[0]


def test_keys_jump_to_steps_and_clicks(show: Open) -> None:
    page = show(recorded(K2))
    data = json.loads(page.locator("#data").inner_text())
    for number in (1, 2, 4, 5):
        start, end = press(page, str(number))
        places = [line["at"] for line in data["steps"][number - 1]["lines"]] or [data["clicks"][0]["at"]]
        assert all(start <= at <= end for at in places)
    page.locator("#timeline").press("0")
    for click, key in zip((*data["clicks"], data["clicks"][0]), "cnc", strict=True):
        start, end = press(page, key)
        assert start < click["wake_at"] < click["at"] < end
        assert end - start < 0.2


def test_hover_and_keys_say_what_a_mark_is(show: Open) -> None:
    page = show(recorded(K2))
    page.locator("#timeline").press("c")
    page.locator("#timeline").press(".")
    assert re.search(r"wake-up, thread 13190 .*6\.\d{6} s, line \d+", page.locator("#tip").inner_text())
    page.locator("#timeline").press("Escape")
    assert page.locator("#tip").is_hidden()
    page.locator("#timeline").press("0")
    page.locator("#timeline").hover(position={"x": 800, "y": 82})
    assert "thread 13190 wait" in page.locator("#tip").inner_text()


@pytest.mark.parametrize(
    "text",
    [
        "</script><img src=x onerror=window.harmed=1><script>window.harmed=1</script>",
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "{{ 7 * 7 }}",
        "' onmouseover='alert(1)",
        "\\342\\200\\250",
        "\x80\xff",
    ],
)
def test_text_of_a_log_is_text(show: Open, text: str) -> None:
    page = show(hostile(text))
    page.locator("#click-1 summary").click()
    lines = page.locator("#click-1 .lines")
    assert "balloons.py" in lines.inner_text()
    if text.isascii():
        assert text in lines.inner_text()
    lines.locator("li").last.hover()
    assert page.locator("img, iframe, object, [onerror], [onmouseover]").count() == 0
    assert page.evaluate("() => window.harmed") is None
    assert page.locator("script").count() == 2


def test_a_log_cannot_end_its_own_script() -> None:
    page = trace_html.render(story_of(hostile("</script><script>alert(1)</script><!--")))
    assert page.count("</script>") == 2  # that of the data, and our own
    assert "<script>alert" not in page


def test_text_that_was_received_is_text(show: Open) -> None:
    evil = "</script><img src=x onerror=window.harmed=1><script>window.harmed=1</script>"
    page = show(SERVER.replace("Upgrade", evil) + CLICK)
    assert page.evaluate("() => window.harmed") is None
    assert page.locator("img").count() == 0
    assert page.locator("details.click").count() == 1


def test_every_click_of_a_long_log_is_a_row(show: Open) -> None:
    log = recorded(K2) * 3
    assert show(log).locator("details.click").count() == len(story_of(log).clicks) == 6


def test_a_log_without_time_stamps_is_drawn_over_its_lines(show: Open) -> None:
    page = show(recorded(CLASSIC))
    assert "no time stamps" in page.locator("figcaption").inner_text()
    assert visible(page)[1] > 2000
    start, end = press(page, "c")
    assert 0 < start < 2036 < end
    for _ in range(20):
        page.locator("#timeline").press("+")
    assert span(visible(page)) >= 4


@pytest.mark.parametrize("log", [recorded(BUSY), b""])
def test_a_log_without_a_server_has_a_page(show: Open, log: bytes) -> None:
    page = show(log)
    assert ("The log is empty" in page.inner_text("main")) == (not log)
    assert page.locator("details.click").count() == 0
    assert page.get_by_role("button", name="Next click").count() == 0
    assert "missing" in page.locator("#step-1 .badge").inner_text()
    for key in ("1", "5", "c", "n", ".", ",", "+", "ArrowLeft", "0"):
        assert span(press(page, key)) > 0


def test_on_paper_every_line_is_there_and_no_control(show: Open) -> None:
    page = show(recorded(K2), width=718)
    data = json.loads(page.locator("#data").inner_text())
    page.emulate_media(media="print")
    page.locator("#click-2 .lines li").last.wait_for(state="visible")
    assert page.locator(".click .lines li:visible").count() == sum(len(click["lines"]) for click in data["clicks"])
    assert page.locator("#timeline").is_visible()
    assert page.locator("button:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    page.emulate_media(media="screen")
    page.locator("#click-2 .lines li").last.wait_for(state="hidden")


def test_nothing_is_cut_in_a_narrow_window(show: Open) -> None:
    page = show(recorded(K2), width=600)
    page.locator("#click-1 summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


@pytest.mark.measures
def test_a_hundred_thousand_lines_with_many_clicks_open_at_once(show: Open) -> None:
    log = recorded(K2)
    times = 100_000 // log.count(b"\n") + 1
    page = show(log * times)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") < OPENS_IN_MS
    assert page.locator("details.click").count() == 40 < 2 * times
    assert f"{2 * times - 40} further clicks are not shown here" in page.locator("main").inner_text()


@pytest.mark.measures
def test_a_hundred_thousand_lines_open_at_once(show: Open) -> None:
    page = show(hundred_thousand_lines())
    assert "100,000 lines" in page.locator("main").inner_text()
    assert page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") < OPENS_IN_MS
    assert page.evaluate("document.querySelectorAll('*').length") < 5000
    assert page.evaluate("document.documentElement.outerHTML.length") < 1_500_000


def test_paper_keeps_the_proportions_of_the_timeline(show: Open) -> None:
    """Chromium prints the canvas as vectors: a scale that differs by axis in the PDF is a squashed drawing."""
    pdf = show(recorded(K2)).pdf(format="A4")
    scales = set()
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            scales |= set(re.findall(rb"(-?[\d.]+) 0 0 (-?[\d.]+) -?[\d.]+ -?[\d.]+ cm", zlib.decompress(stream)))
    assert scales
    for across, down in scales:
        assert abs(float(across)) == pytest.approx(abs(float(down)), rel=0.01)


def test_no_other_script_may_run(show: Open) -> None:
    page = show(recorded(K2))
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'")
    assert "script-src 'sha256-" in policy


def test_without_javascript_there_is_no_dead_control(show: Open) -> None:
    page = show(recorded(K2), script=False)
    assert page.locator("button:visible").count() == 0
    assert page.locator("#timeline").is_hidden()


def test_a_row_says_its_columns_to_who_cannot_see_them(show: Open) -> None:
    page = show(recorded(K2))
    assert re.search(r"file opened:\s*11\.3", page.locator("#click-1 summary").inner_text())


def many() -> bytes:
    """A server of 64 processes and 200 threads that answers 100 requests."""
    lines = [
        '10 1700000000.0 bind(6, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0.1>',
        "10 1700000000.1 listen(6, 511) = 0 <0.1>",
    ]
    for process in range(100, 163):
        lines.append(f"10 1700000000.2 clone(child_stack=NULL, flags=SIGCHLD) = {process} <0.1>")
        lines += [
            f"{process} 1700000000.3 clone3({{flags=CLONE_VM|CLONE_FILES|CLONE_THREAD}}, 88) = {1000 + 2 * process + nth} <0.1>"
            for nth in range(2)
        ]
        lines.append(f"{process} 1700000000.4 epoll_ctl(8, EPOLL_CTL_ADD, 6, {{events=EPOLLIN, data=0x6}}) = 0 <0.1>")
        lines += [
            f"{process} 1700000000.5 epoll_ctl(8, EPOLL_CTL_ADD, {fd}, {{events=EPOLLIN}}) = 0 <0.1>" for fd in (3, 4)
        ]
    for number in range(100):
        at, process = 1700000001 + number / 10, 100 + number % 63
        worker = 1000 + 2 * process
        lines += [
            f"{process} {at:.6f} epoll_wait(8, [{{events=EPOLLIN, data=0x6}}], 9, -1) = 1 <0.01>",
            f"{process} {at + 0.02:.6f} accept4(6, NULL, NULL, 0) = 10 <0.001>",
            f'{worker} {at + 0.03:.6f} recvfrom(10, "GET /{number} HTTP/1.1", 99, 0, NULL, NULL) = 20 <0.001>',
            f'{worker} {at + 0.04:.6f} sendto(10, "HTTP/1.1 200 OK", 15, 0, NULL, 0) = 15 <0.001>',
        ]
    return "\n".join(lines).encode()


def test_the_page_opens_at_the_first_click_or_request(show: Open) -> None:
    page = show(recorded(K2))
    click = json.loads(page.locator("#data").inner_text())["clicks"][0]
    start, end = visible(page)
    assert start < click["wake_at"] < click["at"] < end
    assert end - start < 0.2
    page = show(many())
    request = json.loads(page.locator("#data").inner_text())["requests"][0]
    start, end = visible(page)
    assert start < request["wake_at"] < request["at"] < end
    assert end - start < 0.5
    everything = press(page, "0")
    assert everything[1] - everything[0] > 10
    start, end = press(page, "c")
    assert start < request["wake_at"] < end


def test_many_threads_and_processes_stay_readable(show: Open) -> None:
    page = show(many(), width=1280)
    lanes = json.loads(page.locator("#data").inner_text())["lanes"]
    assert len({lane["process"] for lane in lanes}) == 64
    unfolded = [lane for lane in lanes if not lane["folded"]]
    assert len(unfolded) <= 48
    assert {(1200, 100), (100, 100)} <= {(lane["number"], lane["process"]) for lane in unfolded}  # of the first request
    height = page.locator("#timeline").evaluate("it => it.clientHeight")
    button = page.get_by_role("button", name="more lanes")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator("#timeline").evaluate("it => it.clientHeight") > 2 * height
    button.click()
    assert page.locator("#timeline").evaluate("it => it.clientHeight") == height
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_descriptors_without_reads_and_writes_are_folded(show: Open) -> None:
    lanes = json.loads(show(many()).locator("#data").inner_text())["lanes"]
    quiet = [lane["folded"] for lane in lanes if lane["kind"] == "fd" and lane["number"] in (3, 4)]
    assert quiet
    assert all(quiet)


def test_the_find_box_finds_lanes_and_lines(show: Open) -> None:
    page = show(recorded(K2))
    box, found = page.locator("#find"), page.locator("#found")
    box.fill("13350")
    assert re.fullmatch(r"1 lane, \d+ lines", found.inner_text())
    box.fill("EPOLL_CTL_ADD")
    assert found.inner_text().startswith("0 lanes, ")
    assert page.locator("#step-2 .lines li:visible").count() == 1
    assert page.locator("#step-1 .lines li:visible").count() == 0
    before = visible(page)
    box.press("Enter")
    assert visible(page) != before
    box.press("Escape")
    assert found.inner_text() == ""
    assert page.locator("#step-1 .lines li:visible").count() == 3


def test_two_tabs_have_two_websockets_and_the_clicks_came_on_one() -> None:
    tab = SERVER[SERVER.index("10 1700000001.500100") :].replace("= 8 <", "= 12 <", 1).replace("(8,", "(12,")
    tab = tab.replace("ADD, 8,", "ADD, 12,").replace("u32=8", "u32=12").replace("1700000001.500", "1700000001.600")
    story = story_of(
        SERVER + tab + CLICK.replace("u32=8, u64=139637976727560", "u32=12, u64=12").replace("(8,", "(12,")
    )
    names = {(lane["number"]): lane["name"] for lane in page_data(story)["lanes"] if lane["kind"] == "fd"}
    assert (names[12], names[8]) == ("the websocket", "another websocket")
    assert "fd 12 became the websocket that carries the clicks" in story.steps[3].sentence


def test_on_paper_the_story_comes_first(show: Open) -> None:
    page = show(many(), width=718)
    page.emulate_media(media="print")
    page.locator("#timeline").wait_for(state="visible")
    tops = [page.locator(place).evaluate("it => it.getBoundingClientRect().top") for place in ("#step-1", "#timeline")]
    assert tops[0] < tops[1]
    assert tops[0] < 400
    page.emulate_media(media="screen")
    tops = [page.locator(place).evaluate("it => it.getBoundingClientRect().top") for place in ("#step-1", "#timeline")]
    assert tops[0] > tops[1]


def test_a_thread_of_which_the_log_shows_only_the_end_has_no_process() -> None:
    lanes = page_data(story_of(recorded("a_classic_1click")))["lanes"]
    assert 3997 in {lane["number"] for lane in lanes if lane["kind"] == "thread"}
    assert {lane["process"] for lane in lanes} == {None}, "one process is known, so no lane needs its number"


def test_descriptors_have_their_names() -> None:
    lanes = page_data(story_of(recorded(K2)))["lanes"]
    names = {lane["number"]: lane["name"] for lane in lanes if lane["kind"] == "fd"}
    assert (names[4], names[6], names[13]) == ("the loop's self-pipe", "the listening socket", "the websocket")
