"""The page in a real browser: what a teacher, a student and an engineer do with it."""

import functools
import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.kinds.recordings import recording
from tests.waiting import wait_until
from tests.web.conftest import Served
from tests.web.test_runs import HOSTILE, run_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.needs("browser"), pytest.mark.load]
USERS = 16


def figures(page: "Page") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = page.evaluate(
        "Object.fromEntries([...lanes].map(([key, lane]) => [key, lane.figures]))"
    )
    return found


def act(page: "Page", action: str, **given: Any) -> None:
    page.evaluate("([action, given]) => ask(`/api/live/${action}`, given)", [action, given])


def in_service(page: "Page") -> dict[str, tuple[int, int]]:
    return {letter: (each.get("served", 0), each.get("in_flight", 0)) for letter, each in figures(page).items()}


def shows(page: "Page", expected: dict[str, tuple[int, int]]) -> bool:
    return in_service(page) == expected


@pytest.mark.bounds
def test_sixteen_users_wait_in_one_eight_and_sixteen_seats(page: "Page", served: Served) -> None:
    act(page, "set", users=USERS, wait_ms=300)
    page.get_by_role("button", name="Start").click()
    expected = {"A": (1, USERS), "B": (8, USERS), "C": (USERS, USERS)}
    wait_until(lambda: in_service(page) == expected, 30)
    wait_until(lambda: figures(page)["C"]["done"] >= 2 * USERS and figures(page)["A"]["done"] >= 2, 30)
    shown = {name: page.locator(f"[data-lane={name}] .counts dd").all_text_contents() for name in "ABC"}
    assert shown["A"][2] == "1"
    assert shown["B"][2] == "8"
    wait_until(lambda: page.locator("[data-lane=B] .values td").nth(3).text_content() == "600 ms", 30)  # theory
    page.get_by_role("button", name="Pause").click()
    wait_until(lambda: all(each["in_flight"] == 0 for each in figures(page).values()), 60)
    for letter in "ABC":
        rows = page.evaluate(
            "(letter) => fetch(`/api/live/rows?lane=${letter}`).then((answer) => answer.json())", letter
        )
        counted = page.evaluate("(letter) => lanes.get(letter).counts", letter)
        assert counted["done"] == len([row for row in rows if row["status"] == 200]) > 0, letter
    page.get_by_role("button", name="End servers").click()
    wait_until(lambda: not page.locator(".lane").count(), 20)
    assert not [
        child for child in psutil.Process(served.process.pid).children() if "server" in " ".join(child.cmdline())
    ]


@pytest.mark.bounds
def test_prefork_has_eight_seats_behind_one_queue_or_a_queue_for_each(page: "Page") -> None:
    """With one queue no seat is free while a user waits; with a queue each, the kernel says how long each one is."""
    act(page, "set", models=["E"], users=USERS, wait_ms=1000)
    page.get_by_role("button", name="Start").click()
    wait_until(lambda: in_service(page) == {"E": (8, USERS)}, 30)
    assert (figures(page)["E"]["workers"], figures(page)["E"]["queues"]) == (8, 1)
    wait_until(lambda: figures(page)["E"]["threads"] == 9, 10)  # of eight processes, and of the one that started them
    page.get_by_text("More settings of the servers").click()
    page.get_by_label("E: an accept queue for each process").check()
    wait_until(lambda: page.locator("[data-lane=E]").get_attribute("data-queues") == "8", 30)

    def has_a_queue_beside_an_idle_seat() -> bool:
        shown = figures(page)["E"]
        return shown["served"] < 8 and sum(shown["lengths"]) > 0 and len(shown["lengths"]) == 8

    wait_until(has_a_queue_beside_an_idle_seat, 30)
    places = page.evaluate("lanes.get('E').places(900, 200)")
    assert (len(places["lines"]), len(places["seats"])) == (8, 8)
    assert [seat[1] for seat in places["seats"]] == places["lines"]  # a seat at the end of each queue
    page.get_by_role("button", name="End servers").click()
    wait_until(lambda: not page.locator(".lane").count(), 20)


@pytest.mark.bounds
def test_a_blocked_loop_serves_one_and_a_killed_server_can_be_restarted(page: "Page") -> None:
    act(page, "set", users=4, models=["C", "D"], wait_ms=500)
    page.get_by_role("button", name="Start").click()
    wait_until(lambda: in_service(page) == {"C": (4, 4), "D": (4, 4)}, 30)
    page.get_by_role("button", name="Block the loop").click()
    wait_until(lambda: in_service(page).get("C") == (1, 4), 30)
    assert "Broken" in (page.locator("[data-lane=C] h2").text_content() or "")
    page.get_by_role("button", name="Free the loop").click()
    wait_until(lambda: in_service(page).get("C") == (4, 4), 30)
    page.get_by_role("button", name="One user more").click()
    wait_until(lambda: in_service(page) == {"C": (5, 5), "D": (5, 5)}, 30)
    page.locator("[data-lane=D]").get_by_role("button", name="Kill server").click()
    wait_until(lambda: figures(page)["D"]["failed"] > 0, 20)
    assert "killed" in (page.locator("[data-lane=D] .state").text_content() or "")
    assert in_service(page)["C"][1] == 5
    page.locator("[data-lane=D]").get_by_role("button", name="Restart it").click()
    wait_until(lambda: in_service(page).get("D") == (5, 5), 30)
    page.locator("input[value=open]").check()
    wait_until(lambda: figures(page)["C"]["sent"] > 0 and page.locator("text=Arrivals a second").is_visible(), 20)


def test_a_benchmark_is_started_watched_and_read_and_two_are_compared(page: "Page", served: Served) -> None:
    recording("closed", served.results).path.rename(served.results / "20261120T100000Z-bench")
    page.goto(f"{served.url}/#start")
    page.locator("[name=REPEATS]").fill("1")
    page.locator("[name=MODELS]").fill("C")
    page.locator("[name=CONCURRENCY]").fill("2,4")
    wait_until(
        lambda: (
            page.locator("#plan-line").text_content() == "make bench MODELS=C CONCURRENCY=2,4 REPEATS=1 RUNTIME=local"
        ),
        30,
    )
    page.locator("#plan button[type=submit]").click()
    watch = page.get_by_role("link", name="Watch it while it is measured")
    wait_until(lambda: watch.count() or page.get_by_role("link", name="Open it").count(), 60)
    (watch if watch.count() else page.get_by_role("link", name="Open it")).first.click()
    report = page.frame_locator("#run-report")
    report.locator("h1").wait_for(timeout=120_000)
    assert "concurrent users" in (report.locator("h1").text_content() or "")
    runs = sorted(path.name for path in served.results.iterdir() if path.name[0] == "2")
    assert len(runs) == 2
    assert json.loads((served.results / runs[1] / "run.json").read_text())["status"] == "complete"
    page.goto(f"{served.url}/#runs")
    page.locator(".entry input").first.check()
    page.locator(".entry input").last.check()
    page.get_by_role("button", name="Compare ticked runs").click()
    page.frame_locator("#run-report").get_by_text("Distributions").wait_for(timeout=60_000)


def test_an_experiment_whose_page_is_killed_ends_cleanly(browser: "Browser", served: Served) -> None:
    page = browser.new_page()
    page.goto(f"{served.url}/#start")
    page.locator("[name=REPEATS]").fill("50")
    wait_until(lambda: "REPEATS=50" in (page.locator("#plan-line").text_content() or ""), 30)
    page.locator("#plan button[type=submit]").click()

    def trials() -> int:
        found = list(served.results.glob("*-bench/trials.jsonl"))
        return found[0].read_bytes().count(b"\n") if found else 0

    wait_until(lambda: trials() >= 1, 60)
    children = psutil.Process(served.process.pid).children(recursive=True)
    served.process.kill()
    wait_until(lambda: not [child for child in children if child.is_running() and child.status() != "zombie"], 30)
    (folder,) = served.results.glob("*-bench")
    assert json.loads((folder / "run.json").read_text())["status"] in ("partial", "running")
    for line in (folder / "trials.jsonl").read_text().splitlines():
        json.loads(line)
    wait_until(lambda: "start it again with make lab" in (page.locator("#problem").text_content() or ""), 20)
    page.close()


def test_runs_of_every_state_hostile_names_and_a_phone(page: "Page", served: Served) -> None:
    hostile = {"question": HOSTILE, "verdict": HOSTILE, "trust": {"level": "poor", "text": HOSTILE}}
    folder = run_of(served.results, "20261120T1-hostile", hostile, models=[{"letter": HOSTILE}], kind=HOSTILE)
    script = "try { parent.document.title = 'owned' } catch { document.querySelector('h1').textContent = 'refused' }"
    (folder / "report.html").write_text(f"<h1>hostile</h1><script>{script}</script>")
    run_of(served.results, "20261121T1-partial", status="partial")
    (run_of(served.results, "20261122T1-damaged") / "run.json").write_text("{")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{served.url}/#runs")
    wait_until(lambda: page.locator(".entry").count() == 3, 20)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert HOSTILE[:25] in (page.locator(".entry.poor").text_content() or "")
    page.locator(".entry.poor h2 a").click()
    page.frame_locator("#run-report").get_by_text("refused").wait_for(timeout=20_000)
    assert page.title() == "Event-Driven I/O Lab"
    (served.results / "trace").mkdir()
    (served.results / "trace" / "log.html").write_text("<h1>a trace</h1>")
    page.goto(f"{served.url}/#runs")
    page.get_by_role("link", name="log.html").click()
    page.frame_locator("#run-report").get_by_text("a trace").wait_for(timeout=20_000)
    for part in ("live", "start", "what-if"):
        page.goto(f"{served.url}/#{part}")
        page.locator(f"#{part} h1").wait_for(timeout=20_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, part


def test_the_keyboard_is_enough_and_movement_is_not_needed(browser: "Browser", served: Served) -> None:
    context = browser.new_context(reduced_motion="reduce", color_scheme="dark")
    page = context.new_page()
    page.goto(f"{served.url}/?present")
    wait_until(lambda: page.locator("#models input").count() >= 4, 20)
    names: list[str] = []
    for _ in range(30):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.id"))
        if names[-1] == "go":
            break
    assert names[-1] == "go", names
    page.keyboard.press("Enter")
    wait_until(lambda: page.locator(".lane").count() == 3, 30)
    wait_until(lambda: page.locator("[data-lane=B] .bars span:last-child").last.text_content() == "8", 30)
    assert page.locator("[data-lane=A] canvas").is_hidden()
    assert "1 in service" in (page.locator("[data-lane=A] canvas").get_attribute("aria-label") or "")
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 20
    context.close()


def test_a_reload_and_a_second_page_show_the_same(page: "Page", browser: "Browser", served: Served) -> None:
    act(page, "set", users=3, models=["C"])
    act(page, "start")
    other = browser.new_page()
    other.goto(served.url)
    page.reload()
    for each in (page, other):
        wait_until(functools.partial(shows, each, {"C": (3, 3)}), 30)
    wait_until(
        lambda: page.evaluate("lanes.get('C').counts.done") == other.evaluate("lanes.get('C').counts.done") > 0, 30
    )
    other.close()
