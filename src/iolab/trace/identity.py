"""Which server and which event loop a log shows; only what the log names, each with what shows it."""

from dataclasses import dataclass

from iolab.trace.decode import ACCEPTS, EPOLL_WAITS
from iolab.trace.program import Program
from iolab.trace.records import Run

SERVERS = {  # by their parts; the first that is there is the one that accepts connections
    "uvicorn": "uvicorn",
    "gunicorn": "gunicorn",
    "tornado": "Tornado",
    "aiohttp": "aiohttp",
    "waitress": "waitress",
    "uwsgi": "uWSGI",
    "nginx": "nginx",
    "redis": "redis",
    "valkey": "Valkey",
    "node": "node",
    "libnode": "node",
    "java": "Java",
    "libjvm": "Java",
    "php-fpm": "PHP-FPM",
    "thttpd": "thttpd",
    "lighttpd": "lighttpd",
    "apache2": "Apache",
    "httpd": "Apache",
    "haproxy": "HAProxy",
    "caddy": "Caddy",
}
_LOOPS = {"uvloop": "uvloop", "gevent": "gevent", "node": "libuv", "libnode": "libuv", "libuv": "libuv"}
_KINDS = {"epoll": "an epoll loop", "io_uring": "a loop on io_uring", "accept": "a server that waits in accept"}
_ON_ASYNCIO = ("uvicorn", "tornado", "aiohttp")


@dataclass(frozen=True)
class Identity:
    """`loop` and `server` are None where nothing names them; `kind` is how the loop waits: "epoll", "poll" ...

    `evidence` says what shows the names.
    """

    server: str | None = None
    loop: str | None = None
    kind: str | None = None
    starlette: bool = False
    evidence: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name them: "Starlette and uvicorn on asyncio"; "an epoll loop" where nothing names them."""
        server = SERVERS.get(self.server or "", "")
        if server and self.starlette:
            server = f"Starlette and {server}"
        if server and self.loop and self.loop.startswith(server):
            return self.loop
        if server and self.loop:
            return f"{server} on {self.loop}"
        return server or self.loop or ""

    @property
    def unnamed(self) -> str:
        """Say which kind of loop it is."""
        return _KINDS.get(self.kind or "", f"a loop on {self.kind}" if self.kind else "")


def identify(program: Program, run: Run | None, *, sockets_only_go: bool) -> Identity:
    """Say what a program is; `sockets_only_go`: it calls epoll_pwait with a mask of 0 bytes, as Go's runtime does."""
    parts = program.parts
    server = next((name for name in SERVERS if name in parts), None)
    kind = _kind(run)
    loop, shown = _loop(program, run, server, kind, sockets_only_go=sockets_only_go)
    names = [name for name in (server, shown) if name]
    evidence = tuple(dict.fromkeys(parts[name] for name in names if name in parts))
    starlette = "starlette" in parts and server == "uvicorn"
    return Identity(server, loop, kind, starlette, evidence)


def _loop(
    program: Program, run: Run | None, server: str | None, kind: str | None, *, sockets_only_go: bool
) -> tuple[str | None, str | None]:
    """Return the loop's name, and the part that shows it."""
    parts = program.parts
    registered = bool(run and any(each.add or each.woke for each in run.listeners))
    for part, name in _LOOPS.items():
        if part in parts:
            return name, part
    if "libjvm" in parts or "java" in parts:
        return ("Java NIO", "libnio") if "libnio" in parts and registered and kind == "epoll" else (None, None)
    if "huge pages" in parts and sockets_only_go:
        return "Go's netpoller", "huge pages"
    on_asyncio = "asyncio" in parts and (server in _ON_ASYNCIO or (registered and server is None))
    return ("asyncio", "asyncio") if on_asyncio else (None, None)


def _kind(run: Run | None) -> str | None:
    task = run.main if run else None
    name = task.waits_in if task else None
    if name is None:
        return None
    if name in ACCEPTS:
        return "accept"
    if name in EPOLL_WAITS:
        return "epoll"
    return {"io_uring_enter": "io_uring", "ppoll": "poll", "pselect6": "select", "_newselect": "select"}.get(name, name)
