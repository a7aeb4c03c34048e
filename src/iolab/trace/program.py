"""What a traced program is, from what the log shows of it: files opened, libraries mapped, execve, its own words."""

import re
from dataclasses import dataclass, field

from iolab.trace.decode import first_string, readable
from iolab.trace.events import Syscall

_PACKAGES = frozenset(
    ("uvicorn", "tornado", "uvloop", "gunicorn", "gevent", "starlette", "streamlit", "uwsgi", "waitress", "aiohttp")
)
_STREAMLIT = re.compile(r"streamlit-([\d.]+)\.dist-info")
_PYTHON = re.compile(r"/python(3\.\d+)/")
_LIBRARY = re.compile(r"/(libjvm|libnio|libnode|libuv|libevent|libev)\b[-\w.]*\.so|/(nginx|redis)[\w./-]*\.conf\"")
_WORDS = re.compile(r"\r\n[Ss]erver: ([A-Za-z][\w.+-]{1,30})(?:/[\w.]+)?")
_EXECUTED = {
    "nginx": "nginx",
    "redis-server": "redis",
    "valkey-server": "valkey",
    "node": "node",
    "nodejs": "node",
    "java": "java",
    "gunicorn": "gunicorn",
    "uvicorn": "uvicorn",
    "uwsgi": "uwsgi",
    "php-fpm": "php-fpm",
    "thttpd": "thttpd",
    "streamlit": "streamlit",
    "caddy": "caddy",
    "lighttpd": "lighttpd",
    "apache2": "apache2",
    "httpd": "httpd",
    "haproxy": "haproxy",
}
_SAID = {name.lower(): name for name in ("nginx", "uvicorn", "gunicorn", "lighttpd", "thttpd", "caddy")}
_SAID |= {"tornadoserver": "tornado", "gevent": "gevent", "apache": "apache2"}


@dataclass(eq=False)
class Program:
    """The parts of a program: part -> what shows it, such as "gevent" -> "it opened .../gevent/_abc.so"."""

    parts: dict[str, str] = field(default_factory=dict)
    streamlit: str | None = None
    python: str | None = None
    command: str | None = None

    def learn(self, opened: str) -> None:
        """Take the arguments of an open, in plain text."""
        at = opened.find("-packages/")
        if at > 0:
            package = opened[at + 10 : at + 60].partition("/")[0]
            if package in _PACKAGES:
                if package not in self.parts:
                    self._shows(package, opened)
            elif package.startswith("streamlit-") and self.streamlit is None and (version := _STREAMLIT.match(package)):
                self.streamlit = version[1]
                self._shows("streamlit", opened)
        elif "/asyncio/" in opened and "asyncio" not in self.parts and "/python" in opened:
            self._shows("asyncio", opened)
        elif ".so" in opened or ".conf" in opened or "hpage_pmd_size" in opened:
            if match := _LIBRARY.search(opened):
                self._shows(match[1] or match[2], opened)
            elif 'hpage_pmd_size"' in opened:
                self._shows("huge pages", opened)
        if self.python is None and "/python3." in opened and (version := _PYTHON.search(opened)):
            self.python = version[1]

    def _shows(self, part: str, opened: str) -> None:
        self.parts.setdefault(part, f"it opened {_short(first_string(opened) or part)}")

    def execute(self, call: Syscall) -> None:
        """Take the execve that began it."""
        text = readable(call.rest)
        path = first_string(text)
        if not path:
            return
        self.command = path.rsplit("/", 1)[-1]
        for word in [path, *re.findall(r'"((?:[^"\\]|\\.){1,200})"', text[:2000])[1:6]]:
            name = word.rsplit("/", 1)[-1]
            name = "php-fpm" if name.startswith("php-fpm") else name
            if name in _EXECUTED:
                self.parts.setdefault(_EXECUTED[name], f"execve of {_short(word)}")

    def said(self, sent: str) -> None:
        """Take what it sent on a connection: a response may name its server."""
        match = _WORDS.search(sent.replace("\\r\\n", "\r\n")[:1000])
        if match and (name := _SAID.get(match[1].lower())):
            self.parts.setdefault(name, f'it answers "Server: {match[1]}"')


def _short(path: str) -> str:
    return path if len(path) <= 60 else f".../{'/'.join(path.rsplit('/', 3)[1:])}"
