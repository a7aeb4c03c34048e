"""The story as plain values for its page: what is drawn, what is unfolded, and the sentence for each line."""

from collections import Counter
from typing import Any

from iolab.trace.facts import loop_of
from iolab.trace.records import Cited
from iolab.trace.steps import Click
from iolab.trace.story import Story
from iolab.trace.timeline import Lane, Mark
from iolab.trace.words import of_line

MOST_LANES = 24  # of each kind: 16 connections and what else a server holds
MOST_CLICK_LINES = 160
MOST_CLICKS = 40  # with their lines, 28 KB each: further ones are counted
LONGEST = 1000  # characters of a line: strace -s 256 writes fewer


def page_data(story: Story, focus_s: tuple[float, float] | None = None) -> dict[str, Any]:
    """Return what the page needs; times are seconds from the log's first stamp, or lines where it has no stamps.

    `focus_s` is what it shows at first, by the log's own clock: everything otherwise.
    """
    timeline = story.timeline
    lanes = _lanes(story)
    index = {lane: number for number, (lane, _, _) in enumerate(lanes)}
    names = fd_names(story)
    return {
        "source": story.source,
        "port": story.port,
        "unit": timeline.unit,
        "end": timeline.end,
        "focus": [_round(each - timeline.origin_s) for each in focus_s] if focus_s and timeline.origin_s else None,
        "lines": story.lines,
        "loop": loop_of(story.watch),
        "server": story.watch.made.server,
        "streamlit": story.watch.made.streamlit,
        "lanes": [{"kind": lane[0], "number": lane[1], "name": name, "calls": calls} for lane, name, calls in lanes],
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
                "lines": [_cited(cited, means, story, index) for cited, means in step.lines],
            }
            for step in story.steps
        ],
        "clicks": [_click(click, story, index, names) for click in story.clicks[:MOST_CLICKS]],
        "clicks_left_out": Counter(click.status for click in story.clicks[MOST_CLICKS:]),
    }


def main_name(story: Story) -> str:
    """Name the thread that listens after what it does."""
    loops = any(listener.add or listener.woke for run in story.watch.runs for listener in run.listeners)
    return "the event loop" if loops or loop_of(story.watch) else "the listening thread"


def fd_names(story: Story) -> dict[int, str]:
    """Say what each descriptor of the story is."""
    names: dict[int, str] = {}
    for run in story.watch.runs:
        for connection in run.connections:
            names[connection.fd] = "the websocket" if connection.websocket else "a connection"
        for listener in run.listeners:
            names[listener.fd] = "the listening socket"
            if listener.epoll_fd is not None:
                names[listener.epoll_fd] = "epoll"
        for click in run.opens:
            if click.wake:
                names[click.wake.fd] = "the websocket"
        for fd in run.early:
            names.setdefault(fd, "the loop's self-pipe")
    return names


def _lanes(story: Story) -> list[tuple[Lane, str, int]]:
    """Return the lanes to draw: (lane, name, calls); the story's own first, then the busiest."""
    watch, names, seen = story.watch, fd_names(story), story.timeline.seen
    mains = {run.tid for run in watch.runs}
    scripts = {click.opened.tid for click in story.clicks}

    def weight(lane: Lane) -> tuple[bool, int]:
        important = lane[1] in (mains | scripts) if lane[0] == "thread" else lane[1] in names
        return important, seen[lane]

    chosen: list[tuple[Lane, str, int]] = []
    for kind in ("thread", "fd"):
        lanes = [lane for lane in seen if lane[0] == kind and lane[1] >= 0]
        kept = set(sorted(lanes, key=weight, reverse=True)[:MOST_LANES])
        for lane in lanes:
            if lane not in kept:
                continue
            if kind == "fd":
                name = names.get(lane[1], "")
            elif lane[1] in mains:
                name = main_name(story)
            else:
                name = "script thread" if lane[1] in scripts else ""
            chosen.append((lane, name, seen[lane]))
    # The event loop above the other threads; within a kind, in the order of their first call.
    return sorted(
        chosen, key=lambda each: (each[0][0] != "thread", not (each[0][0] == "thread" and each[0][1] in mains))
    )


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
        "lane": index.get(("thread", cited.tid)),
    }


def _click(click: Click, story: Story, index: dict[Lane, int], names: dict[int, str]) -> dict[str, Any]:
    steps = {cited.line: (cited, means) for cited, means in click.lines}
    opened = click.opened
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
                **_cited(*(steps.get(each.line) or (each, of_line(each.text, names))), story, index),
                "step": each.line in steps,
                "thread": story.thread(each.tid),
            }
            for each in kept
        ],
    }
