"""The rules of the story, each on the smallest log that needs it."""

import re

import pytest

from iolab.trace.clicks import KEPT_LINES_AFTER
from iolab.trace.decode import frame_kind, unescape
from iolab.trace.records import MAIN_THREAD
from iolab.trace.truth import as_json
from iolab.trace.words import of_line
from tests.trace.logs import CLICK, SERVER, recorded, story_of, truth


def at(text: str, part: str, nth: int = 0) -> int:
    """Return the number of the nth line with this part."""
    return [number for number, line in enumerate(text.splitlines(), 1) if part in line][nth]


def test_decoys_are_no_listeners() -> None:
    found = as_json(story_of(SERVER))
    assert [each["fd"] for each in found["listeners"]] == [7]
    assert found["listen_fd"] == 7


def test_a_click_is_followed_from_the_frame_to_the_answer() -> None:
    log = SERVER + CLICK
    (click,) = story_of(log).clicks
    assert click.status == "proved"
    assert (click.opened.cited.line, click.opened.tid) == (at(log, "balloons.py"), 20)
    assert [cited.line for cited, _ in click.lines] == [13, 14, 15, 16, 17]
    # The wait began at 2.000 and took 250 ms: the wake-up is when it ended.
    times = (click.read_ms, click.clone_ms, click.open_ms, click.answer_ms)
    assert times == pytest.approx((1, 3, 6, 8), abs=0.01)


def test_a_wait_that_the_log_tells_in_two_lines_ends_at_the_second() -> None:
    wait = CLICK.splitlines()[0]
    head, tail = wait.split("[{", 1)
    split = f"{head} <unfinished ...>\n10 1700000002.250000 <... epoll_wait resumed>[{{{tail}\n"
    found = as_json(story_of(SERVER + CLICK.replace(wait + "\n", split)))
    (opened,) = found["opens"]
    assert (opened["wake_start_line"], opened["wake_line"]) == (13, 14)


def test_a_pong_between_frame_and_clone_is_no_click() -> None:
    pong = (
        "10 1700000002.252000 epoll_wait(3, [{events=EPOLLIN, data={u32=8, u64=8}}], 3, 0) = 1 <0.000010>\n"
        '10 1700000002.252100 recvfrom(8, "\\212\\200abcd", 65536, 0, NULL, NULL) = 6 <0.000010>\n'
    )
    lines = CLICK.splitlines(keepends=True)
    (opened,) = as_json(story_of(SERVER + "".join(lines[:2]) + pong + "".join(lines[2:])))["opens"]
    assert (opened["wake_line"], opened["recv_line"]) == (13, 14)


def test_the_self_pipe_s_wake_ups_are_no_clicks() -> None:
    pipe = "10 1700000002.252000 epoll_wait(3, [{events=EPOLLIN, data={u32=4, u64=4}}], 3, 0) = 1 <0.000010>\n"
    lines = CLICK.splitlines(keepends=True)
    (opened,) = as_json(story_of(SERVER + "".join(lines[:2]) + pipe + "".join(lines[2:])))["opens"]
    assert opened["wake_fd"] == 8


def cut_short(log: str, characters: int) -> str:
    """Return a log as strace -s writes it: it cuts what was read and sent, and the lists of what epoll returned."""

    def string(match: re.Match[str]) -> str:
        data = re.findall(r"\\[0-7]{1,3}|\\.|[^\\]", match[1])
        return f'"{"".join(data[:characters])}"{"..." if len(data) > characters else ""}'

    def line(text: str) -> str:
        if "recvfrom" in text or "sendto" in text:
            return re.sub(r'"((?:[^"\\]|\\.)*)"', string, text)
        return re.sub(r"\[\{.*\}\]", "[...]", text) if "epoll_wait" in text and characters == 0 else text

    return "".join(line(each) for each in log.splitlines(keepends=True))


def test_without_data_the_read_tells_which_descriptor_woke_the_thread() -> None:
    """As strace -s 0 writes it: neither epoll's list nor the frame is there, so nothing is proved."""
    first, second = CLICK, CLICK.replace("= 20 <", "= 30 <").replace("[20]", "[30]").replace("20 17", "30 17")
    story = story_of(cut_short(SERVER + first + second, 0))
    assert "u32=8, u64=139637976727560}}], 3" not in cut_short(SERVER + CLICK, 0)
    assert [(each["wake_line"], each["wake_fd"]) for each in as_json(story)["opens"]] == [(13, 8), (19, 8)]
    assert [click.status for click in story.clicks] == ["inferred", "inferred"]
    assert story.clicks[0].open_ms == pytest.approx(6, abs=0.01)


def test_the_first_byte_is_enough_to_know_a_frame() -> None:
    pong = (
        "10 1700000002.252000 epoll_wait(3, [{events=EPOLLIN, data={u32=8, u64=8}}], 3, 0) = 1 <0.000010>\n"
        '10 1700000002.252100 recvfrom(8, "\\212\\200abcd", 65536, 0, NULL, NULL) = 6 <0.000010>\n'
    )
    lines = CLICK.splitlines(keepends=True)
    log = cut_short(SERVER + "".join(lines[:2]) + pong + "".join(lines[2:]), 1)
    assert '"\\212"...' in log
    story = story_of(log)
    assert story.clicks[0].status == "proved"
    assert as_json(story)["opens"][0]["wake_line"] == 13


def test_a_frame_seen_long_ago_does_not_stand_for_one_that_is_hidden() -> None:
    second = CLICK.replace("= 20 <", "= 30 <").replace("[20]", "[30]").replace("20 17", "30 17")
    story = story_of(SERVER + CLICK + cut_short(second, 0))
    assert [click.status for click in story.clicks] == ["proved", "inferred"]
    assert [each["wake_line"] for each in as_json(story)["opens"]] == [13, 19]


@pytest.mark.parametrize(
    "data",
    ["{u32=8, u64=139637976727560}", "{u32=8, u64=8}", "0x7f0000000008", "0x8"],
    ids=["old", "old8", "new", "new8"],
)
def test_the_descriptor_is_the_lower_half_of_epoll_s_data(data: str) -> None:
    log = SERVER + CLICK.replace("{u32=8, u64=139637976727560}", data)
    assert as_json(story_of(log))["opens"][0]["wake_fd"] == 8


@pytest.mark.parametrize(
    ("line", "clicks"),
    [
        ('20 openat(AT_FDCWD, "/app/balloons.py", O_RDONLY|O_CLOEXEC) = 9', 1),
        ('20 openat(AT_FDCWD, "balloons.py", O_RDONLY) = 9', 1),
        ('20 open("/app/balloons.py", O_RDONLY) = 9', 1),
        ('20 openat(AT_FDCWD, "/app/balloons.py", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)', 0),
        ('20 openat(AT_FDCWD, "/app/balloons.py", O_WRONLY|O_CREAT, 0644) = 9', 0),
        ('20 openat(AT_FDCWD, "/x/site-packages/streamlit/balloons.py", O_RDONLY) = 9', 0),
        ('20 openat(AT_FDCWD, "/app/my_balloons.py", O_RDONLY) = 9', 0),
        ('20 openat(AT_FDCWD, "/app/balloons.py.bak", O_RDONLY) = 9', 0),
        ('10 openat(AT_FDCWD, "/app/balloons.py", O_RDONLY|O_CLOEXEC) = 9', 0),
    ],
)
def test_what_is_a_click_and_what_is_not(line: str, clicks: int) -> None:
    assert as_json(story_of(f"{SERVER}{line}\n"))["clicks_visible"] == clicks


REGISTERED = SERVER.splitlines(keepends=True)[6]
OTHER_CLICK = CLICK.replace("= 20 <", "= 30 <").replace("[20]", "[30]").replace("20 17", "30 17")


def test_a_story_is_proved_by_socket_registration_and_clicks_together() -> None:
    story = story_of(SERVER + CLICK)
    assert story.proved
    assert story_of(SERVER + CLICK + OTHER_CLICK).proved
    assert not story_of(SERVER).proved  # no click
    assert not story_of(CLICK).proved  # no socket


def test_a_story_is_not_proved_while_the_listener_is_not_registered() -> None:
    assert "EPOLL_CTL_ADD, 7," in REGISTERED
    woken = story_of(SERVER.replace(REGISTERED, "") + CLICK)
    assert [step.status for step in woken.steps[:2]] == ["proved", "inferred"]
    never = story_of(SERVER.replace(REGISTERED, "").replace("u32=7, u64=7", "u32=6, u64=6") + CLICK)
    assert [step.status for step in never.steps[:2]] == ["proved", "missing"]
    for story in (woken, never):
        assert [click.status for click in story.clicks] == ["proved"]
        assert not story.proved
        assert as_json(story)["proved"] is False


def test_one_click_that_is_inferred_keeps_the_others_from_being_the_proof() -> None:
    story = story_of(SERVER + CLICK + cut_short(OTHER_CLICK, 0))
    assert [click.status for click in story.clicks] == ["proved", "inferred"]
    assert story.steps[4].status == "inferred"
    assert not story.proved


def test_a_thread_never_sleeps_for_more_than_all_of_the_time() -> None:
    """A wait that began before the registration, or a clock that was set, is longer than the time of serving."""
    for duration, share in (("0.500000", 0.75 / 2.2574), ("90.000000", 1.0)):
        story = story_of(SERVER.replace("<0.500000>", f"<{duration}>") + CLICK)
        assert as_json(story)["waiting"]["share_asleep"] == pytest.approx(share, abs=1e-4)
        assert f"it was idle for {share:.1%} of the time" in story.steps[2].sentence


def test_the_share_asleep_is_of_the_time_from_the_registration_on() -> None:
    later = REGISTERED.replace("1700000000.000600", "1700000000.500000")
    waiting = as_json(story_of(SERVER.replace(REGISTERED, later) + CLICK))["waiting"]
    assert waiting["serving_s"] == pytest.approx(1.758, abs=1e-4)
    assert waiting["share_asleep"] == pytest.approx(0.75 / 1.758, abs=1e-4)


def test_a_check_without_waiting_is_no_sleep() -> None:
    check = "10 1700000002.252000 epoll_wait(3, [], 3, 0) = 0 <0.250000>\n"
    waiting = as_json(story_of(SERVER + CLICK + check))["waiting"]
    assert (waiting["polls"], waiting["slept_s"], waiting["longest_s"]) == (1, pytest.approx(0.75), 0.5)


def test_a_sleep_whose_end_the_log_does_not_show_is_inferred() -> None:
    log = "\n".join(line.rsplit(" <", 1)[0] for line in (SERVER + CLICK).splitlines()) + "\n"
    step = story_of(log).steps[2]
    assert step.status == "inferred"
    assert "at most" in step.sentence


def test_the_main_thread_is_the_file_watcher() -> None:
    story = story_of(SERVER + '10 openat(AT_FDCWD, "/app/balloons.py", O_RDONLY|O_CLOEXEC) = 9\n')
    assert [each["by"] for each in as_json(story)["opens"]] == [MAIN_THREAD]
    assert "file watcher" in story.steps[4].sentence


def test_a_filter_without_openat_does_not_prove_that_there_was_no_click() -> None:
    log = "".join(line for line in (SERVER + CLICK).splitlines(keepends=True) if "openat" not in line)
    step = story_of(log).steps[4]
    assert "The log has no openat: its filter leaves it out" in step.sentence
    assert "openat in the filter" in step.advice


def test_a_descriptor_of_a_loop_that_was_closed_may_be_a_connection_s_later() -> None:
    """A classic log, without accept4: a descriptor that was removed before the listener was added counts as new."""
    closed = "".join(f"10 epoll_ctl(3, EPOLL_CTL_{how}, 8, 0x7ffc) = 0 <0.000010>\n" for how in ("ADD", "DEL"))
    log = closed + "".join(line for line in (SERVER + CLICK).splitlines(keepends=True) if "accept4" not in line)
    found = as_json(story_of(log))
    assert [each["fd"] for each in found["connections"]] == [8]
    assert [each["wake_fd"] for each in found["opens"]] == [8]


def test_two_listeners_of_one_run() -> None:
    second = (
        "10 bind(9, {sa_family=AF_INET6, sin6_port=htons(8079), sin6_flowinfo=htonl(0),"
        ' inet_pton(AF_INET6, "::", &sin6_addr), sin6_scope_id=0}, 28) = 0\n'
        "10 listen(9, 128) = 0\n10 epoll_ctl(3, EPOLL_CTL_ADD, 9, {events=EPOLLIN, data={u32=9, u64=9}}) = 0\n"
    )
    story = story_of(SERVER + second)
    assert [(each["fd"], each["addr"]) for each in as_json(story)["listeners"]] == [(7, "0.0.0.0"), (9, "::")]
    assert len(story.watch.runs) == 1


def test_an_appended_run_has_its_own_click_and_its_own_wake() -> None:
    first = SERVER + CLICK
    second = first.replace("\n10 ", "\n50 ").replace("\n20 ", "\n60 ").replace("= 20 <", "= 60 <")
    second = "50" + second[2:].replace("[20]", "[60]")
    found = as_json(story_of(first + second))
    offset = first.count("\n")
    assert [each["bind_line"] for each in found["listeners"]] == [5, 5 + offset]
    assert [each["tid"] for each in found["listeners"]] == [10, 50]
    assert [each["wake_line"] for each in found["opens"]] == [13, 13 + offset]
    assert [each["clone_line"] for each in found["opens"]] == [15, 15 + offset]


def test_an_appended_run_without_pids_knows_its_own_self_pipe() -> None:
    """Thread 0 lives twice; the descriptors of its first life say nothing about the second."""
    start = 'openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3\n'
    bare = "".join(line.split(" ", 1)[1] for line in SERVER.splitlines(keepends=True))
    found = as_json(story_of(start + bare + "+++ exited with 0 +++\n" + start + bare))
    assert len(found["listeners"]) == 2
    assert found["main_tid"] == 0


def test_two_tabs_each_wake_by_their_own_connection() -> None:
    tab = (
        "10 1700000001.600000 accept4(7, {sa_family=AF_INET, sin_port=htons(6)}, [16], 0) = 12 <0.000010>\n"
        "10 1700000001.600100 epoll_ctl(3, EPOLL_CTL_ADD, 12, {events=EPOLLIN, data={u32=12, u64=12}}) = 0 <0.000010>\n"
    )
    other = CLICK.replace("u32=8", "u32=12").replace("recvfrom(8", "recvfrom(12").replace("sendto(8", "sendto(12")
    other = other.replace("20 17", "30 17").replace("[20]", "[30]").replace("= 20 <", "= 30 <")
    log = SERVER + tab + CLICK + other
    assert [each["wake_fd"] for each in as_json(story_of(log))["opens"]] == [8, 12]


def test_without_durations_a_wait_ends_when_its_thread_goes_on() -> None:
    log = "\n".join(line.rsplit(" <", 1)[0] for line in (SERVER + CLICK).splitlines()) + "\n"
    (click,) = story_of(log).clicks
    assert click.read_ms == pytest.approx(0)
    assert click.open_ms == pytest.approx(5, abs=0.01)


def test_without_times_there_are_no_milliseconds() -> None:
    log = "".join(
        " ".join(part for place, part in enumerate(line.split(" ")) if place != 1) + "\n"
        for line in (SERVER + CLICK).splitlines()
    )
    story = story_of(log)
    assert story.clicks[0].status == "proved"
    assert story.clicks[0].open_ms is None
    assert "-ttt -T" in story.steps[2].sentence


@pytest.mark.parametrize("durations", [True, False], ids=["-t -T", "-t"])
def test_whole_seconds_are_no_milliseconds(durations: bool) -> None:
    def coarse(line: str) -> str:
        line = re.sub(r"17000000(\d\d)\.\d+", r"12:00:\1", line)
        return line if durations else re.sub(r" <\d+\.\d+>$", "", line)

    story = story_of("".join(coarse(line) + "\n" for line in (SERVER + CLICK).splitlines()))
    (click,) = story.clicks
    assert click.status == "proved"
    assert (click.read_ms, click.clone_ms, click.open_ms, click.answer_ms) == (None,) * 4
    assert story.steps[4].sentence == "A script thread opened balloons.py once."
    assert ("It slept for 0.75 s" in story.steps[2].sentence) == durations
    assert ("not in the log" in story.steps[2].sentence) == (not durations)


def test_durations_without_times_tell_how_long_it_slept_but_not_what_share_that_is() -> None:
    log = re.sub(r"(?m)^(\d+) \d+\.\d+ ", r"\1 ", SERVER + CLICK)
    step = story_of(log).steps[2]
    assert "It slept for 0.75 s; how long it served is not in the log" in step.sentence
    assert step.status == "proved"


def test_a_uvloop_whose_waits_the_filter_left_out_is_told_so() -> None:
    assert "uvloop waits in epoll_pwait" in story_of(recorded("e_uvloop_1click")).steps[2].sentence


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", "The log is empty"),
        ("what is this\n", "None of the 1 lines"),
        ('10 openat(AT_FDCWD, "x", O_RDONLY) = 3\n', "The log has no bind:"),
        ("10 bind(3, {sa_family=AF_NETLINK}, 12) = 0\n", "No bind to port 8079 was followed by listen"),
        (
            '10 bind(3, {sa_family=AF_INET, sin_port=htons(8501), sin_addr=inet_addr("0.0.0.0")}, 16) = 0\n',
            "Nothing was bound to port 8079, but to 8501",
        ),
        (
            '10 bind(3, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16)'
            " = -1 EADDRINUSE (Address already in use)\n",
            "EADDRINUSE",
        ),
    ],
)
def test_why_nothing_listens(log: str, words: str) -> None:
    story = story_of(log)
    assert words in story.steps[0].sentence
    assert as_json(story)["error"] == "no bind to the port"


LISTEN = "10 1700000000.000500 listen(7, 2048) = 0 <0.000010>\n"
BUSY = (
    '10 bind(7, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16)'
    " = -1 EADDRINUSE (Address already in use)\n"
)


def test_a_log_that_ends_between_bind_and_listen_says_so() -> None:
    decoy = '10 bind(4, {sa_family=AF_INET, sin_port=htons(4444), sin_addr=inet_addr("127.0.0.1")}, 16) = 0\n'
    step = story_of(decoy + SERVER[: SERVER.index(LISTEN)]).steps[0]
    assert step.status == "missing"
    assert "bound to port 8079, but no listen follows" in step.sentence
    assert [cited.line for cited, _ in step.lines] == [6]


def test_a_server_that_finds_its_port_taken_may_take_another() -> None:
    step = story_of(BUSY + SERVER.replace("8079", "8080")).steps[0]
    assert "EADDRINUSE, and the server took port 8080 instead" in step.sentence
    assert "--port 8080" in step.advice


def test_the_port_may_turn_out_to_be_taken_when_it_is_listened_on() -> None:
    refused = LISTEN.replace("= 0 <", "= -1 EADDRINUSE (Address already in use) <")
    step = story_of(SERVER[: SERVER.index(LISTEN)] + refused).steps[0]
    assert "listen failed with EADDRINUSE, and the server gave up" in step.sentence
    assert [cited.line for cited, _ in step.lines] == [6]


def test_a_later_start_that_finds_the_port_taken_is_told_beside_the_run() -> None:
    step = story_of(SERVER + CLICK + BUSY.replace("10 ", "50 ", 1)).steps[0]
    assert step.status == "proved"
    assert "EADDRINUSE, line 19" in step.sentence
    assert step.lines[-1][0].line == 19
    assert "EADDRINUSE" not in story_of(BUSY + SERVER).steps[0].sentence


@pytest.mark.parametrize("name", ["a3_classic_1click_import_pyc", "a_classic_1click"])
def test_the_file_watcher_is_known_on_the_wrong_port_too(name: str) -> None:
    found = as_json(story_of(recorded(name), port=9999))
    assert [each["by"] for each in found["opens"]] == [each["by"] for each in truth(name)["opens"]]
    assert found["clicks_visible"] == truth(name)["clicks_visible"]


def test_of_several_runs_the_newest_is_said_to_have_waited() -> None:
    second = (SERVER + CLICK).replace("\n10 ", "\n50 ").replace("\n20 ", "\n60 ").replace("= 20 <", "= 60 <")
    steps = story_of(SERVER + CLICK + "50" + second[2:].replace("[20]", "[60]")).steps
    assert steps[2].sentence.startswith("In the newest run the listening thread waited twice")
    assert "In the newest run the listening thread woke" in steps[5].sentence


def test_how_much_it_slept() -> None:
    story = story_of(SERVER + CLICK)
    sleep = story.watch.runs[0].sleep
    assert (sleep.calls, sleep.wakes) == (2, 2)
    assert sleep.slept_s == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("\\202\\376\\0", "binary"),
        ("\\x82\\xfe", "binary"),
        ("\\202", "binary"),
        ("\\212", "pong"),
        ("\\212\\200abcd", "pong"),
        ("\\212\\200abcd\\202\\376\\0", "binary"),
        ("\\210\\202\\32", "close"),
        ("GET / HTTP/1.1", "other"),
        ("", "other"),
    ],
)
def test_frames_are_known_by_their_first_byte(data: str, kind: str) -> None:
    assert frame_kind(data) == kind


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("7 epoll_wait(3, [], 9, 0) = 0", "A check without waiting"),
        ("7 epoll_wait(3, [], 9, 100) = 0", "Slept until the timeout"),
        ("7 epoll_wait(3, [{events=EPOLLIN, data=0x7f0000000005}], 9, 100) = 1", "fd 5 is ready"),
        ('7 recvfrom(5, "GET /x HTTP/1.1\\r\\n", 9, 0, NULL, NULL) = 9', "a request for /x from fd 5"),
        ('7 sendto(5, "HTTP/1.1 200 OK\\r\\n", 9, 0, NULL, 0) = 9', "a response with status 200 to fd 5"),
        ('7 recvfrom(5, "", 9, 0, NULL, NULL) = 0', "has closed"),
        ("7 +++ exited with 0 +++", "The thread ends"),
        ("not a line of strace", ""),
    ],
)
def test_a_line_in_plain_words(line: str, words: str) -> None:
    assert words in of_line(line)


def test_a_long_log_keeps_every_step_and_few_marks() -> None:
    """The memory of the drawing is bounded, and the click behind 100,000 ticks is in the story."""
    tick = "10 17000{:05d}.000000 epoll_wait(3, [], 2, 100) = 0 <0.100000>\n"
    log = SERVER + "".join(tick.format(10 + number) for number in range(90_000)) + CLICK.replace("17000000", "17000900")
    story = story_of(log)
    assert [step.status for step in story.steps] == ["proved"] * 6
    assert len(story.timeline.bars) + len(story.timeline.marks) < 10_000
    assert sum(bar.count for bar in story.timeline.bars) >= 90_000


def test_a_script_that_is_opened_again_and_again_costs_no_more_a_line() -> None:
    """All those opens come from one wake-up: its lines are kept once, not with each."""
    opened = CLICK.splitlines(keepends=True)[3]
    story = story_of(SERVER + CLICK + opened * 3000)
    assert len(story.clicks) == 3001
    kept = [len(click.opened.lines) for click in story.clicks]
    assert max(kept[1:]) <= KEPT_LINES_AFTER + 2
    assert kept[0] > 4


def test_marks_are_joined_not_lost() -> None:
    name = "k2_recommended_seccomp_2click"
    story = story_of(recorded(name) * 12)
    counted = sum(mark.count for mark in story.timeline.marks if mark.lane[0] == "thread" and mark.kind == "open")
    assert counted == sum(calls["openat"] for calls in story.watch.calls.values())
    assert len(story.timeline.marks) <= 6001


def test_strings_in_hexadecimal_are_read() -> None:
    """As strace -xx writes them: addresses and paths too."""

    def hexadecimal(match: re.Match[str]) -> str:
        return '"' + "".join(f"\\x{byte:02x}" for byte in unescape(match[1])) + '"'

    made = '10 openat(AT_FDCWD, "/lib/python3.13/site-packages/uvicorn/main.py", O_RDONLY) = 3\n'
    log = re.sub(r'"((?:[^"\\]|\\.)*)"', hexadecimal, made + SERVER + CLICK)
    story = story_of(log)
    assert not re.search("balloons|uvicorn|0\\.0\\.0\\.0", log)
    assert story.proved
    assert as_json(story)["listeners"][0]["addr"] == "0.0.0.0"
    assert as_json(story)["connections"][0]["peer"] == "9.9.9.9:5"
    assert (as_json(story)["server"], as_json(story)["python_version"]) == ("uvicorn", "3.13")
    assert of_line(next(line for line in log.splitlines() if line.startswith("20 "))) == "Opens /app/balloons.py."
    assert story.watch.runs[0].connections[0].upgrade
    assert story.watch.runs[0].connections[0].switched
