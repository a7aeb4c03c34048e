"""The application as a browser, and as an attacker, asks it."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from iolab.errors import UsageError
from iolab.host import lock
from iolab.lab import Lab
from iolab.web import guard
from iolab.web.site import Site
from tests.kinds.recordings import recording
from tests.web.test_runs import HOSTILE, run_of

Client = TestClient[Any, Any]
Look = Callable[[Site, Client], Awaitable[None]]


@asynccontextmanager
async def client_of(site: Site) -> AsyncIterator[Client]:
    async with TestClient(TestServer(site.application())) as client:
        yield client


@pytest.fixture
def look(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Look], None]:
    """Run a test's coroutine on an application whose results are in tmp_path."""
    monkeypatch.setattr(lock, "_path", lambda: tmp_path / "lock")

    async def serve(with_it: Look) -> None:
        site = Site(lab, tmp_path / "results", {})
        async with client_of(site) as client:
            await with_it(site, client)

    return lambda with_it: asyncio.run(serve(with_it))


def test_the_page_brings_its_token_and_may_load_nothing_from_elsewhere(look: Callable[[Look], None]) -> None:
    async def with_it(site: Site, client: Client) -> None:
        answer = await client.get("/")
        text = await answer.text()
        assert f'content="{site.token}"' in text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "http://" not in text.replace("http://www.w3.org", "")
        for name in ("lab.css", "lab.js", "learn.css", "learn.js"):
            found = await client.get(f"/{name}")
            assert (found.status, found.headers["X-Content-Type-Options"]) == (200, "nosniff")
        for name in ("lab.js", "learn.js"):
            script = (await (await client.get(f"/{name}")).text()).replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?:", script)
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML", script)

    look(with_it)


@pytest.mark.parametrize(
    "path",
    ["/api/live/start", "/api/start", "/api/stop", "/api/plan", "/api/what-if", "/api/learn/look", "/api/learn/answer"],
)
def test_nothing_starts_without_the_token(look: Callable[[Look], None], path: str) -> None:
    async def with_it(site: Site, client: Client) -> None:
        for headers in (
            {},
            {guard.TOKEN_HEADER: ""},
            {guard.TOKEN_HEADER: site.token + "x"},
            {guard.TOKEN_HEADER: "é"},
        ):
            assert (await client.post(path, data="{}", headers=headers)).status == 403
        foreign = {guard.TOKEN_HEADER: site.token, "Origin": "http://evil.example"}
        assert (await client.post(path, data="{}", headers=foreign)).status == 403
        assert not site.jobs.running
        assert not site.stage.is_open

    look(with_it)


def test_a_foreign_name_gets_nothing(look: Callable[[Look], None]) -> None:
    async def with_it(_: Site, client: Client) -> None:
        for path in ("/", "/api/state", "/api/runs", "/lab.js"):
            answer = await client.get(path, headers={"Host": "evil.example"})
            assert answer.status == 403
            assert "ALLOWED_HOSTS=evil.example" in await answer.text()

    look(with_it)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"name": "bench"}', b'{"name": "../../etc", "variables": {}}', b"{" * 60_000,
             b'{"name": "bench", "variables": {"REPEATS": 1}}', b'{"name": "bench", "variables": {"NOPE": "1"}}',
             b'{"name": "bench", "variables": {"REPEATS": "many"}}', b"\xff", b'{"users": "x"}', b'{"users": 1e999}'],
    ids=range(13),
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/start", "/api/what-if", "/api/live/nonsense", "/api/live/kill"])
def test_a_mistake_is_one_line(look: Callable[[Look], None], path: str, body: bytes) -> None:
    async def with_it(site: Site, client: Client) -> None:
        async def refuse(what: str, **_: Any) -> Any:
            raise UsageError(f"{what}: no")

        site.helper.ask = refuse  # type: ignore[method-assign]
        answer = await client.post(path, data=body, headers={guard.TOKEN_HEADER: site.token})
        text = await answer.text()
        assert (answer.status, text.count("\n")) == (400, 1), text

    look(with_it)


def test_a_body_has_a_bound(look: Callable[[Look], None]) -> None:
    async def with_it(site: Site, client: Client) -> None:
        answer = await client.post("/api/plan", data=b"x" * 70_000, headers={guard.TOKEN_HEADER: site.token})
        assert answer.status == 413

    look(with_it)


def test_files_of_runs_can_do_nothing_here(look: Callable[[Look], None], tmp_path: Path) -> None:
    folder = run_of(
        tmp_path / "results", "20261121T1-b", {"verdict": HOSTILE, "trust": {"level": "good", "text": HOSTILE}}
    )
    (folder / "report.html").write_text(
        '<script>alert(1)</script><div class="form wide-form"><svg onload="alert(1)"/><svg></svg></div>'
    )
    (folder / "secret.txt").write_text("secret")

    async def with_it(_: Site, client: Client) -> None:
        report = await client.get("/runs/20261121T1-b/report.html")
        assert "sandbox" in report.headers["Content-Security-Policy"]
        assert "allow-same-origin" not in report.headers["Content-Security-Policy"]
        figure = await client.get("/runs/20261121T1-b/figure.svg")
        assert "sandbox" in figure.headers["Content-Security-Policy"]
        assert "script" not in figure.headers["Content-Security-Policy"]
        for path in ("secret.txt", "..%2f..%2flock", "%2e%2e/secret.txt", "samples/..%2frun.json"):
            assert (await client.get(f"/runs/20261121T1-b/{path}")).status in (400, 403, 404)
        assert (await client.get("/trace/..%2Fresults")).status == 404
        for path in ("/docs/..%2FREADME.md", "/docs/none.md"):
            assert (await client.get(path)).status == 400
        listed = await (await client.get("/api/runs")).json()
        assert listed[0]["verdict"] == HOSTILE  # text, which the page shows as text

    look(with_it)


def test_the_raw_rows_of_a_run_are_listed_and_nothing_else(look: Callable[[Look], None], tmp_path: Path) -> None:
    folder = run_of(tmp_path / "results", "20261121T1-b", {})
    (folder / "samples").mkdir()
    (folder / "samples" / "0000-requests.csv.gz").write_bytes(b"12345")
    (folder / "samples" / "other.txt").write_text("no rows")
    (folder / "samples" / "0001-requests.csv.gz").symlink_to("/etc/hostname")
    run_of(tmp_path / "results", "20261121T2-none", {})

    async def with_it(_: Site, client: Client) -> None:
        found = await (await client.get("/api/runs/20261121T1-b/files")).json()
        assert found == [{"name": "samples/0000-requests.csv.gz", "bytes": 5}]
        assert (await client.get(f"/runs/20261121T1-b/{found[0]['name']}")).status == 200
        assert await (await client.get("/api/runs/20261121T2-none/files")).json() == []
        assert (await client.get("/api/runs/20261122T1-x/files")).status == 404

    look(with_it)


def test_the_live_view_and_a_benchmark_exclude_each_other(look: Callable[[Look], None]) -> None:
    async def with_it(site: Site, client: Client) -> None:
        headers = {guard.TOKEN_HEADER: site.token}
        with lock.only_bench("bench", 60.0):
            answer = await client.post("/api/live/start", data="{}", headers=headers)
            assert answer.status == 400
            assert "another benchmark is running (bench" in await answer.text()
            state = await (await client.get("/api/state")).json()
            assert state["lock"]["what"] == "bench"
        assert not site.stage.is_open
        assert (await (await client.get("/api/state")).json())["lock"] is None

    look(with_it)


def test_a_run_that_vanishes_ends_its_events(look: Callable[[Look], None], tmp_path: Path) -> None:
    run_of(tmp_path / "results", "20261121T1-b", status="complete")

    async def with_it(_: Site, client: Client) -> None:
        answer = await client.get("/api/runs/20261121T1-b/events")
        assert (await answer.text()).count("event: progress") == 1
        assert (await client.get("/api/runs/20261122T1-x/events")).status == 404

    look(with_it)


def test_helpers_answers_are_those_of_the_labs_own_functions(
    look: Callable[[Look], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    monkeypatch.chdir(lab.root)
    first = recording("closed", tmp_path / "results").path.rename(tmp_path / "results" / "20261120T1-a")
    second = recording("closed", tmp_path / "results").path.rename(tmp_path / "results" / "20261121T1-b")

    async def with_it(site: Site, client: Client) -> None:
        headers = {guard.TOKEN_HEADER: site.token}

        async def post(path: str, given: dict[str, Any]) -> Any:
            answer = await client.post(path, data=json.dumps(given), headers=headers)
            assert answer.status == 200, await answer.text()
            return await answer.json()

        planned = await post("/api/plan", {"name": "cores", "variables": {"CPUS": "2"}, "quick": True})
        results = f"RESULTS={tmp_path / 'results'}"
        assert planned["line"] == f"make bench EXPERIMENT=experiments/cores.toml CPUS=2 QUICK=1 {results}"
        planned = await post("/api/plan", {"name": "bench", "variables": {"REPEATS": "1"}})
        assert (planned["line"], planned["trials"]) == (f"make bench REPEATS=1 {results}", 8)
        bad = await post("/api/plan", {"name": "bench", "variables": {"CPUS": "x"}})
        assert bad == {"error": "CPUS=x: must be a number, or several with commas between them"}
        listed = await (await client.get("/api/experiments")).json()
        names = {path.stem for path in (lab.root / "experiments").glob("*.toml")}
        assert {each["name"] for each in listed} == names - {
            "crosscheck",
            "running",
        }  # no single run; no server of the lab
        assert not [each["question"] for each in listed if "{" in each["question"]]
        assert "4 and 16 concurrent users" in next(each["question"] for each in listed if each["name"] == "bench")
        answers = await post(
            "/api/what-if", {"users": 16, "workers": 8, "wait_ms": 20, "cpu_ms": 0, "utilisation": 0.8}
        )
        assert answers["closed"]["here"] == pytest.approx({"response_s": 0.04, "rps": 400})
        assert answers["open"]["rate_rps"] == pytest.approx(320)
        assert answers["open"]["mmc_s"][0] == pytest.approx(0.02, rel=0.01)
        assert {each["model"] for each in answers["points"]} == {"A", "B", "C", "D"}
        page = await client.get(f"/compare?run={first.name}&run={second.name}")
        text = await page.text()
        assert "within the noise" in text
        assert text.count("<svg") == 2  # wide and narrow
        assert (await client.get(f"/compare?run={first.name}")).status == 400
        runs = await (await client.get("/api/runs")).json()
        settings = {each["name"]: each["settings"] for each in runs}
        assert settings[first.name] == settings[second.name]
        third = first.with_name(f"{first.name}-3")
        shutil.copytree(first, third)
        page = await client.get(f"/compare?run={first.name},{third.name}&run={second.name}")
        assert "2 and 1 runs" in await page.text()
        document = await client.get("/docs/experiments.md")
        assert "sandbox" in document.headers["Content-Security-Policy"]
        assert '<h2 id="the-broken-winner">' in await document.text()

    look(with_it)


def test_two_pages_see_the_same_and_a_lost_one_does_not_stop_the_other(look: Callable[[Look], None]) -> None:
    async def with_it(site: Site, client: Client) -> None:
        async def first_event(session: ClientSession) -> bytes:
            async with session.get(client.make_url("/api/live/events")) as answer:
                return await answer.content.readuntil(b"\n\n")

        async with ClientSession() as one, ClientSession() as other:
            assert await first_event(one) == await first_event(other)
        site.stage.show()

    look(with_it)
