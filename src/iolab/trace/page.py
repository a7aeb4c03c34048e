"""The story as plain values for its page: what is drawn, what is unfolded, and the sentence for each line."""

from collections import Counter
from typing import Any

from iolab.trace.facts import identity, loop_of
from iolab.trace.lanes import NO_PROCESS, fd_names, lanes_of, process_of
from iolab.trace.records import Cited, Request
from iolab.trace.steps_served import request_lines
from iolab.trace.story import Story
from iolab.trace.telling import Click
from iolab.trace.timeline import Lane, Mark
from iolab.trace.words import of_line

MOST_LINES = 24  # of a step
MOST_CLICK_LINES = 160
MOST_CLICKS = 40  # with their lines, 28 KB each: further ones are counted
LONGEST = 1000  # characters of a line: strace -s 256 writes fewer


def page_data(story: Story, focus_s: tuple[float, float] | None = None) -> dict[str, Any]:
    """Return what the page needs; times are seconds from the log's first stamp, or lines where it has no stamps.

    `focus_s` is what it shows at first, by the log's own clock: everything otherwise.
    """
    timeline = story.timeline
    names = fd_names(story)
    lanes = lanes_of(story, names)
    index = {each["lane"]: number for number, each in enumerate(lanes)}
    several = len({each["pid"] for each in lanes} - {NO_PROCESS}) > 1
    return {
        "source": story.source,
        "port": story.port,
        "unit": timeline.unit,
        "end": timeline.end,
        "focus": _focus(story, focus_s),
        "lines": story.lines,
        "loop": loop_of(story.watch),
        "server": identity(story.watch).server,
        "streamlit": story.watch.made.streamlit,
        "lanes": [
            {
                "kind": each["lane"][0],
                "number": story.thread(each["lane"][1]) if each["lane"][0] == "thread" else each["lane"][1],
                "process": story.thread(each["pid"]) if several and each["pid"] != NO_PROCESS else None,
                "name": each["name"],
                "calls": each["calls"],
                "folded": each["folded"],
            }
            for each in lanes
        ],
        "lanes_left_out": sum(1 for lane in timeline.seen if lane not in index),
        "bars": [_bar(bar, index) for bar in timeline.bars if bar.lane in index],
        "marks": [_mark(mark, index) for mark in timeline.marks if mark.lane in index],
        "steps": [
            {
                "number": step.number,
                "title": step.title,
                "status": step.status,
                "sentence": step.sentence,
                "advice": step.advice,
                "lines": [_cited(cited, means, story, index) for cited, means in step.lines[:MOST_LINES]],
                "lines_left_out": max(0, len(step.lines) - MOST_LINES),
            }
            for step in story.steps
        ],
        "clicks": [_click(click, story, index, names) for click in story.clicks[:MOST_CLICKS]],
        "requests": (requests := _requests(story, index)),
        "requests_left_out": story.watch.run.requests.count - len(requests) if story.watch.run and requests else 0,
        "clicks_left_out": Counter(click.status for click in story.clicks[MOST_CLICKS:]),
    }


def _focus(story: Story, focus_s: tuple[float, float] | None) -> list[float] | None:
    """Return what the page shows at first: the given time, else the first click, else the first request."""
    origin_s = story.timeline.origin_s
    if focus_s:
        return [_round(each - origin_s) for each in focus_s] if origin_s else None
    opened = story.clicks[0].opened if story.clicks else None
    run = story.watch.run
    request = next((each for each in run.requests.first if each.answer), None) if run else None
    if opened:
        last = opened.answer or opened.cited
        begin = opened.wake.end_s if opened.wake else opened.cited.time_s
        begin_line = opened.wake.line if opened.wake else opened.cited.line
    elif request and request.answer:
        last, begin, begin_line = request.answer, request.from_s, request.read.line
    else:
        return None
    if origin_s is None:
        return [float(begin_line - 20), float(last.line + 20)]
    if begin is None or last.time_s is None:
        return None
    room = max((last.time_s - begin) * 0.5, 0.005)
    return [_round(begin - origin_s - room), _round(last.time_s - origin_s + room)]


def _requests(story: Story, index: dict[Lane, int]) -> list[dict[str, Any]]:
    """Return the first requests with their lines; none where the story is about clicks."""
    run = story.watch.run
    if story.clicks or run is None or story.steps[4].title == "The click":
        return []
    return [_request(request, story, index) for request in run.requests.first]


def _request(request: Request, story: Story, index: dict[Lane, int]) -> dict[str, Any]:
    lines = request_lines(request, story.names)
    at = _at(request.read, story)
    origin_s = story.timeline.origin_s
    return {
        "number": request.number,
        "thread": story.thread(request.tid),
        "fd": request.connection.fd,
        "text": request.text,
        "status": request.status,
        "took_ms": request.took_ms,
        "wake_at": at if request.from_s is None or origin_s is None else _round(request.from_s - origin_s),
        "at": at if request.answer is None else _at(request.answer, story),
        "lines": [{**_cited(cited, means, story, index), "step": True} for cited, means in lines],
    }


def _bar(bar: Mark, index: dict[Lane, int]) -> list[Any]:
    return [index[bar.lane], bar.kind, _round(bar.start), _round(bar.end), bar.count, bar.line, bar.last_line]


def _mark(mark: Mark, index: dict[Lane, int]) -> list[Any]:
    return [index[mark.lane], mark.kind, _round(mark.start), mark.count, mark.line, mark.last_line]


def _round(value: float) -> float:
    return round(value, 6)


def _at(cited: Cited, story: Story) -> float | None:
    origin_s = story.timeline.origin_s
    if origin_s is None:
        return float(cited.line)
    return None if cited.time_s is None else _round(max(0.0, cited.time_s - origin_s))


def _cited(cited: Cited, means: str, story: Story, index: dict[Lane, int]) -> dict[str, Any]:
    return {
        "line": cited.line,
        "name": cited.name,
        "text": cited.text if len(cited.text) <= LONGEST else f"{cited.text[:LONGEST]} ...",
        "means": means,
        "at": _at(cited, story),
        "lane": index.get(("thread", cited.tid, 0)),
    }


def _click(click: Click, story: Story, index: dict[Lane, int], names: dict[tuple[int, int], str]) -> dict[str, Any]:
    steps = {cited.line: (cited, means) for cited, means in click.lines}
    opened = click.opened
    pid = process_of(story, opened.wake.tid if opened.wake else opened.tid)
    of_process = {fd: name for (owner, fd), name in names.items() if owner == pid}
    lines = opened.lines
    if len(lines) > MOST_CLICK_LINES:
        half = MOST_CLICK_LINES // 2
        kept = [*lines[:half], *(each for each in lines[half:-half] if each.line in steps), *lines[-half:]]
    else:
        kept = lines
    known = {each.line for each in kept}
    kept = sorted([*kept, *(cited for cited, _ in click.lines if cited.line not in known)], key=lambda each: each.line)
    return {
        "number": click.number,
        "status": click.status,
        "thread": story.thread(opened.tid),
        "fd": opened.wake.fd if opened.wake else None,
        "wake_at": _round(opened.wake.end_s - (story.timeline.origin_s or 0.0))
        if opened.wake and opened.wake.end_s is not None
        else None,
        "at": _at(opened.cited, story),
        "read_ms": click.read_ms,
        "clone_ms": click.clone_ms,
        "open_ms": click.open_ms,
        "answer_ms": click.answer_ms,
        "left_out": len(lines) - len(kept) if len(lines) > len(kept) else 0,
        "lines": [
            {
                **_cited(*(steps.get(each.line) or (each, of_line(each.text, of_process))), story, index),
                "step": each.line in steps,
                "thread": story.thread(each.tid),
            }
            for each in kept
        ],
    }
