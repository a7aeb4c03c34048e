"""Runs a server once for each environment that it is given, in a child of one process that has imported its libraries.

A line of JSON in: {"folder": "...", "script": "server.py", "cases": [{"PORT": "0"}, ...]}. For each case, one line of
JSON out: {"status": 2 or null, "stdout": "...", "stderr": "...", "seconds": 0.01}; a server that has announced itself
is ended, and its status is null. A fork takes milliseconds, where a process that imports aiohttp takes half a second.
"""

import gc
import importlib
import importlib.metadata
import json
import os
import select
import signal
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

STANDARD = ("asyncio", "concurrent.futures.process", "ctypes", "email.parser", "http.server", "random")
LIBRARIES = (
    "aiohttp.web", "waitress", "uvicorn", "uvloop",
    *(f"gevent.{each}" for each in (
        "monkey", "server", "pywsgi", "os", "time", "thread", "threading", "local", "socket", "ssl", "select", "selectors",
        "subprocess", "builtins", "signal", "queue", "contextvars",
    )),
)  # fmt: skip
LIMIT_S = 20.0


def child(folder: str, code: CodeType, variables: dict[str, str], out: int, err: int) -> NoReturn:
    """Be the server: with these variables, in its own folder and session."""
    os.setsid()
    warnings.filterwarnings("ignore", "Monkey-patching")  # what gevent patches was imported before, by this process
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(folder)
    os.environ.update(variables)
    sys.path.insert(0, folder)
    sys.argv = [code.co_filename]
    status = 0
    sys.modules["__main__"] = main_module = ModuleType("__main__")
    main_module.__file__ = code.co_filename
    try:
        exec(code, main_module.__dict__)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except Exception:  # noqa: BLE001  # as the interpreter does
        sys.excepthook(*sys.exc_info())
        status = 1
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def run(folder: str, code: CodeType, variables: dict[str, str]) -> dict[str, object]:
    """Run the server until it ends or has printed its line."""
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(folder, code, variables, out_end, err_end)
    os.close(out_end)
    os.close(err_end)
    texts, open_ones, announced = {out: b"", err: b""}, [out, err], False
    while open_ones:
        left_s = begin + LIMIT_S - time.monotonic()
        ready, _, _ = select.select(open_ones, [], [], max(0.0, left_s))
        for one in ready:
            texts[one] += (data := os.read(one, 65_536))
            if not data:
                open_ones.remove(one)
        announced = b"\n" in texts[out]
        if announced or not ready:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            break
    for one in open_ones:  # until the server's own processes, which have the port, too, have ended
        while os.read(one, 65_536):
            pass
    _, status = os.waitpid(pid, 0)
    os.close(out)
    os.close(err)
    return {
        "status": None if announced else os.waitstatus_to_exitcode(status),
        "stdout": texts[out].decode(errors="backslashreplace"),
        "stderr": texts[err].decode(errors="backslashreplace"),
        "seconds": time.monotonic() - begin,
    }


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        # What a server does not use is left out: the less this process has, the faster it forks.
        texts = "".join(path.read_text() for path in Path(job["folder"]).glob("*.py"))
        for name in (*STANDARD, *(each for each in LIBRARIES if each.partition(".")[0] in texts)):
            importlib.import_module(name)
        # gevent's patching asks 25 times for the entry points of all installed packages, each time from their files.
        importlib.metadata.entry_points = importlib.metadata.entry_points().select
        code = compile((Path(job["folder"]) / job["script"]).read_bytes(), job["script"], "exec")
        gc.freeze()  # a collection in a child would copy what it shares with this process
        for case in job["cases"]:
            sys.stdout.write(f"{json.dumps(run(job['folder'], code, case))}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
