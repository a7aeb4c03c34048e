"""`iolab trace LOG` as a user types it."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.trace.source import open_log
from tests.conftest import ROOT, Run
from tests.trace.logs import CLICK, FOLDER, SERVER, recorded, truth


def test_the_story_cites_its_lines(inside: Run) -> None:
    done = inside("trace", str(FOLDER / "k2_recommended_seccomp_2click.txt.gz"))
    assert done.returncode == 0, done.stderr
    for number in (1040, 1041, 1112, 4045, 4046, 4050, 4060, 4436):
        assert f"{number} 13" in done.stdout
    assert done.stdout.count("✓ proved") == 8  # six steps, two clicks
    assert "Event loop: Streamlit 1.67.0: Starlette and uvicorn on asyncio" in done.stdout


def test_a_log_may_come_from_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iolab", "trace", "-", "--json"],
        input=SERVER + CLICK,
        cwd=tmp_path,  # no lab around it
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["listen_fd"] == 7


def test_a_packed_log_may_come_from_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iolab", "trace", "-", "--json"],
        input=gzip.compress((SERVER + CLICK).encode()),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["clicks_visible"] == 1


def test_rubbish_in_which_something_looks_like_the_start_of_a_call_is_refused(inside: Run, tmp_path: Path) -> None:
    (tmp_path / "rubbish.bin").write_bytes(bytes(range(256)) * 40 + b"\nq(\xff\n" + bytes(range(256)))
    done = inside("trace", str(tmp_path / "rubbish.bin"))
    assert done.returncode == 2
    assert "is a system call as strace writes it" in done.stderr
    assert not done.stdout


def test_json_has_the_truth(inside: Run) -> None:
    done = inside("trace", str(FOLDER / "i_unfinished_1click.txt.gz"), "--json")
    found = json.loads(done.stdout)
    assert found["opens"] == truth("i_unfinished_1click")["opens"]
    assert [step["status"] for step in found["steps"]] == [
        "proved",
        "proved",
        "inferred",
        "inferred",
        "inferred",
        "proved",
    ]


def test_the_page_is_written_where_results_are(inside: Run, tmp_path: Path) -> None:
    done = inside("trace", str(FOLDER / "a_classic_1click.txt.gz"), "--html")
    assert "trace/trace.html" in done.stdout
    assert "The story, step by step" in (tmp_path / "results" / "trace" / "trace.html").read_text()


def test_a_log_without_a_click_says_so(inside: Run) -> None:
    done = inside("trace", str(FOLDER / "b_classic_noclick.txt.gz"))
    assert "There was no click yet" in done.stdout
    assert "CLICK=1" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.txt"], "no such log: nowhere.txt; start the app under strace with `make up`"),
        ([], "no such log"),
        (["src"], "src is a folder"),
        (["README.md", "--click", "1"], "leave out CLICK and LOOP, or the log"),
        (["--service", "nothing"], "SERVICE=nothing: no such model"),
        (["--service", "asyncio", "--click", "1"], "leave out the log, CLICK, LOOP and CMD"),
        (["--loop", "curio"], "'curio' is not one of"),
        (["--port", "0"], "0 is not in the range"),
    ],
)
def test_a_mistake_is_one_line(inside: Run, arguments: list[str], words: str) -> None:
    done = inside("trace", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_no_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root may read anything, so the refusal is acted."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with (
        pytest.raises(UsageError, match="may not be read by this user: make yourself its owner") as caught,
        open_log(tmp_path),
    ):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The log is empty"),
        (gzip.compress(recorded("a_classic_1click"))[:9000], "The log is damaged after line"),
        (gzip.compress(SERVER.encode())[:30] + b"rubbish" * 50, "The log is damaged"),
        (recorded("a_classic_1click")[:100_000], "The last line is incomplete"),
    ],
    ids=["empty", "half a gz", "broken gz", "cut"],
)
def test_what_is_wrong_with_a_log_is_said(inside: Run, tmp_path: Path, content: bytes, words: str) -> None:
    log = tmp_path / "log"
    log.write_bytes(content)
    done = inside("trace", str(log))
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


def test_rubbish_is_one_line_and_an_earlier_page_stays(inside: Run, tmp_path: Path) -> None:
    log, page = tmp_path / "log", tmp_path / "results" / "trace" / "trace.html"
    log.write_bytes(bytes(range(256)) * 500)
    page.parent.mkdir(parents=True)
    page.write_text("an earlier page")
    done = inside("trace", "--html", str(log))
    assert done.returncode == 2
    assert "is a system call as strace writes it" in done.stderr
    assert done.stderr.count("\n") == 1
    assert page.read_text() == "an earlier page"
    assert json.loads(inside("trace", "--json", str(log)).stdout)["error"] == "no bind to the port"


def test_half_a_gz_tells_all_that_can_be_unpacked(inside: Run, tmp_path: Path) -> None:
    whole = recorded("a_classic_1click")
    packed = gzip.compress(whole)
    log = tmp_path / "log.gz"
    log.write_bytes(packed[: len(packed) // 2])
    found = json.loads(inside("trace", "--json", str(log)).stdout)
    assert found["lines"] > 0.3 * whole.count(b"\n")


def test_a_log_that_is_being_written_is_read_as_far_as_it_is(inside: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            f"text = {SERVER!r}\n"
            "out = open(sys.argv[1], 'w', buffering=1)\n"
            "out.write(text)\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    out.write(text[:50])\n"  # lines that are cut, too
            "    time.sleep(0.001)\n",
            str(log),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        done = inside("trace", str(log), "--json")
    finally:
        writer.kill()
        writer.communicate()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["listen_fd"] == 7


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """Ten times the lines, and less than a third more memory at the peak: the story grows by clicks alone."""
    tick = "10 1700000003.000000 epoll_wait(3, [], 2, 100) = 0 <0.100000>\n" * 1000
    peaks = []
    for thousands in (8, 80):
        log = tmp_path / f"{thousands}.txt"
        with log.open("w") as file:
            file.write(SERVER + CLICK)
            for _ in range(thousands):
                file.write(tick)
        program = (
            "import resource, sys; from iolab.trace.source import open_log; from iolab.trace.story import tell\n"
            "from pathlib import Path\n"
            "with open_log(Path(sys.argv[1])) as lines: tell(lines, 'x')\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(log)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.33 * peaks[0]
