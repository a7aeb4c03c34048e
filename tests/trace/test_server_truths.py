"""The truth files of other servers' logs: each line that they name is what they say, in the log beside them.

This reads the text of the log, not events of the reader: it checks what the reader is tested with.
"""

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.trace.logs import FOLDER

TRUTHS = sorted((FOLDER / "servers").glob("*.json"))
WAITS = "epoll_wait|epoll_pwait2?|p?poll|select|pselect6|io_uring_enter"


def log_and_truth(path: Path) -> tuple[list[str], dict[str, Any]]:
    raw = gzip.decompress(path.with_suffix(".txt.gz").read_bytes())
    truth = json.loads(path.read_text())
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (truth["sha256"], truth["bytes"])
    return ["", *raw.decode("latin-1").splitlines()], truth


def test_there_are_logs_of_many_kinds_of_servers() -> None:
    loops = [json.loads(path.read_text())["which_loop"] for path in TRUTHS]
    assert {name for loop in loops for name in loop["waits_in"]} == {
        *("accept4", "epoll_wait", "io_uring_enter", "poll", "pselect6")
    }
    assert {"apache2", "gunicorn", "java", "nginx", "node", "uvicorn"} <= {loop["server"] for loop in loops}


@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.stem)
def test_each_line_is_what_the_truth_says(path: Path) -> None:
    lines, truth = log_and_truth(path)
    assert len(lines) - 1 == truth["lines"]

    def begins(line: int, tid: int, text: str) -> bool:
        return re.match(rf"{tid} +\d+\.\d+ {text}", lines[line]) is not None

    (listener,) = truth["listeners"]
    assert begins(listener["bind_line"], listener["tid"], rf"bind\({listener['fd']}<TCP.*htons\({truth['port']}\)")
    assert all(f" listen({listener['fd']}<TCP" in lines[line] for line in listener["listen_lines"])
    for add in truth["epoll_adds"]:
        assert begins(add["line"], add["tid"], rf"epoll_ctl\({add['epoll_fd']}<.*_ADD, {listener['fd']}<TCP")
    assert all("EPOLL_CTL_DEL" in lines[line] for line in truth["epoll_dels"])
    for accept in truth["accepts"]:
        assert begins(accept["line"], accept["tid"], rf"{truth['accept_call']}\({listener['fd']}<TCP")
        assert f"= {accept['fd']}<TCP" in lines[accept["end_line"]]
        assert f":{accept['peer_port']}]>" in lines[accept["end_line"]]
    assert {each["tid"] for each in truth["accepts"]} <= set(truth["accepting"])
    for request in truth["requests"]:
        assert begins(request["read_line"], request["tid"], rf"{request['read_call']}\({request['fd']}<TCP")
        assert begins(request["answer_line"], request["answer_tid"], rf"{request['answer_call']}\(.*HTTP/1.1 200 OK")
    for each in truth["processes"][1:]:
        assert re.match(rf"{each['parent']} +\d+\.\d+ (clone3?|v?fork)\(", lines[each["born_line"]])
    for evidence in truth["which_loop"]["evidence"]:
        assert evidence["line"] <= truth["lines"]


@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.stem)
def test_waits_and_what_is_unfinished_are_counted(path: Path) -> None:
    lines, truth = log_and_truth(path)
    text = "\n".join(lines)
    begun = re.findall(rf"^(\d+) +\d+\.\d+ ({WAITS})\(", text, re.MULTILINE)
    counted = {(tid, name): each for tid, names in truth["waits_by_thread"].items() for name, each in names.items()}
    assert {key: begun.count(key) for key in set(begun)} == {key: each["calls"] for key, each in counted.items()}
    assert {name: sum(each[1] == name for each in begun) for _, name in begun} == truth["waits"]
    for each in counted.values():
        assert each["calls"] == sum(each.get(how, 0) for how in ("zero", "timed", "forever", "unknown"))
    assert len(re.findall(r"<unfinished \.\.\.>$", text, re.MULTILINE)) == truth["unfinished_lines"]
    assert text.count('"GET / HTTP/1.1') == len(truth["requests"])
