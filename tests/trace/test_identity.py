"""Which server and loop a log names: only by what it shows, and with that named."""

from dataclasses import replace

import pytest

from iolab.trace.loops import facts, sentence
from iolab.trace.truth import as_json
from tests.trace.logs import SERVER, story_of

PLAIN = SERVER.replace("/_stcore/stream", "/x").replace("Upgrade: websocket", "")


def opened(*paths: str) -> str:
    return "".join(f'10 1699999999.0 openat(AT_FDCWD, "{path}", O_RDONLY|O_CLOEXEC) = 3 <0.1>\n' for path in paths)


def executed(*words: str) -> str:
    quoted = ", ".join(f'"{word}"' for word in words[1:])
    return f'10 1699999998.0 execve("{words[0]}", [{quoted}], 0x7ffd /* 9 vars */) = 0 <0.1>\n'


ASYNCIO = "/usr/lib/python3.12/asyncio/__pycache__/base_events.cpython-312.pyc"
VENV = "/venv/lib/python3.12/site-packages/"
GO_WAIT = "10 1700000001.600000 epoll_pwait(3, [], 128, 0, NULL, 0) = 0 <0.000010>\n"


@pytest.mark.parametrize(
    ("before", "after", "server", "loop"),
    [
        ("", "", None, None),
        ("", GO_WAIT, None, None),
        (opened("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"), "", None, None),
        (opened("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"), GO_WAIT, None, "Go's netpoller"),
        (opened("/usr/lib/jvm/java-21/lib/server/libjvm.so", "/x/hpage_pmd_size"), GO_WAIT, "libjvm", None),
        (
            opened("/usr/lib/jvm/java-21/lib/server/libjvm.so", "/usr/lib/jvm/java-21/lib/libnio.so"),
            "",
            "libjvm",
            "Java NIO",
        ),
        (opened(ASYNCIO), "", None, "asyncio"),
        (opened(ASYNCIO, VENV + "uvicorn/main.py"), "", "uvicorn", "asyncio"),
        (opened(ASYNCIO, VENV + "uvicorn/main.py", VENV + "uvloop/loop.cpython-312.so"), "", "uvicorn", "uvloop"),
        (opened(VENV + "tornado/ioloop.py"), "", "tornado", None),
        (opened(ASYNCIO, VENV + "tornado/ioloop.py"), "", "tornado", "asyncio"),
        (opened(ASYNCIO, VENV + "gunicorn/arbiter.py"), "", "gunicorn", None),
        (opened(VENV + "gunicorn/arbiter.py", VENV + "gevent/_gevent_cqueue.so"), "", "gunicorn", "gevent"),
        (executed("/usr/bin/node", "node", "server.js"), "", "node", "libuv"),
        (opened("/usr/lib/x86_64-linux-gnu/libuv.so.1"), "", None, "libuv"),
        (executed("/usr/sbin/nginx", "nginx", "-c", "x.conf"), "", "nginx", None),
        (executed("/usr/bin/redis-server", "redis-server"), "", "redis", None),
        (executed("/usr/sbin/php-fpm8.2", "php-fpm8.2"), "", "php-fpm", None),
        (executed("/usr/bin/python3", "python3", "/venv/bin/gunicorn", "app:app"), "", "gunicorn", None),
        (executed("/usr/bin/python3", "python3", "app.py"), "", None, None),
        ("", "10 1700000001.7 io_uring_setup(8, {flags=0}) = 9 <0.1>\n", None, None),
    ],
)
def test_a_name_needs_evidence(before: str, after: str, server: str | None, loop: str | None) -> None:
    found = as_json(story_of(before + PLAIN + after))
    assert (found["server"], found["loop"], found["loop_kind"]) == (server, loop, "epoll")
    assert bool(found["loop_evidence"]) == bool(server or loop)


def test_the_server_s_own_words_name_it() -> None:
    read = '10 1700000002.0 recvfrom(8, "GET / HTTP/1.1\\r\\n", 99, 0, NULL, NULL) = 16 <0.1>\n'
    for said, server in (
        ("nginx/1.22.1", "nginx"),
        ("gunicorn", "gunicorn"),
        ("TornadoServer/6.4", "tornado"),
        ("x", None),
    ):
        answer = f'10 1700000003.0 sendto(8, "HTTP/1.1 200 OK\\r\\nServer: {said}\\r\\n", 99, 0, NULL, 0) = 99 <0.1>\n'
        plain = "".join(PLAIN.splitlines(keepends=True)[:10])
        assert as_json(story_of(plain + read + answer))["server"] == server


def test_what_another_program_opened_says_nothing_of_the_server() -> None:
    """A shell script runs Python first, then another program listens."""
    log = opened(ASYNCIO, VENV + "uvicorn/main.py") + executed("/usr/local/bin/server", "server") + PLAIN
    found = as_json(story_of(log))
    assert (found["server"], found["loop"]) == (None, None)


def test_uvicorn_is_no_starlette() -> None:
    base = opened(ASYNCIO, VENV + "uvicorn/main.py")
    assert facts(story_of(base + PLAIN)).server == "uvicorn"
    assert facts(story_of(base + opened(VENV + "starlette/routing.py") + PLAIN)).server == "Starlette and uvicorn"


def test_a_loop_without_a_name_is_told_by_what_it_waits_in() -> None:
    assert sentence(facts(story_of(PLAIN))).startswith("An epoll loop: it waits in epoll_wait")
    polls = PLAIN.replace("epoll_wait(3, [{events=EPOLLIN, data={u32=7, u64=7}}], 2, -1)", "poll([{fd=7}], 1, -1)")
    told = sentence(facts(story_of(polls)))
    assert told.startswith("A loop on poll: it waits in poll")
    assert "Nothing in the log shows a server or an event loop that the lab knows by name." in told


def test_a_loop_that_wakes_by_a_slow_timer_is_not_said_to_sleep_until_an_event() -> None:
    polling = replace(facts(story_of(PLAIN)), idle_wakeups_per_s=1.8)
    assert "Before the first connection it woke only 1.8 times a second." in sentence(polling)
    assert "until an event" not in sentence(polling)


def test_the_evidence_is_in_the_sentence() -> None:
    told = sentence(facts(story_of(executed("/usr/sbin/nginx", "nginx") + PLAIN)))
    assert told.startswith("nginx: it waits in epoll_wait")
    assert "What shows it: execve of /usr/sbin/nginx." in told
