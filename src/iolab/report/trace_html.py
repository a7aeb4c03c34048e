"""The story of a trace as one HTML file that needs no other file."""

import json
from typing import Any

from markupsafe import Markup

from iolab.report import trace_terminal
from iolab.report.pages import script, template
from iolab.trace import loops
from iolab.trace.page import page_data
from iolab.trace.story import Story

# Names of the kinds of marks in the legend; kinds without a name are drawn pale.
LEGEND = {
    "wake": "wake-up",
    "read": "read",
    "write": "write",
    "accept": "accept",
    "register": "epoll_ctl",
    "listen": "bind, listen",
    "clone": "new thread",
    "open": "open a file",
    "other": "other calls",
}
BARS = (("wait", "waiting"), ("sleep", "sleeping"), ("lock", "waiting for a lock"))


def render(story: Story, title: str = "What the log shows", focus_s: tuple[float, float] | None = None) -> str:
    """Return trace.html; it first shows the part between the two times of `focus_s`, by the log's own clock."""
    data, facts = page_data(story, focus_s), loops.facts(story)
    present = {mark[1] for mark in data["marks"]}
    return template("trace.html.j2").render(
        title=title,
        source=story.source,
        facts=trace_terminal.size(story),
        label=loops.label(facts),
        which=loops.sentence(facts),
        steps=data["steps"],
        clicks=data["clicks"],
        more_clicks=data["clicks_left_out"],
        requests=data["requests"],
        more_requests=data["requests_left_out"],
        folded=sum(lane["folded"] for lane in data["lanes"]),
        times=trace_terminal.CLICK_TIMES.items(),
        bars=[(kind, name) for kind, name in BARS if any(bar[1] == kind for bar in data["bars"])],
        legend={kind: name for kind, name in LEGEND.items() if kind in present},
        unit=data["unit"],
        left_out=data["lanes_left_out"],
        notes=trace_terminal.notes(story),
        data=_embedded(data),
        script=script("trace.js"),
    )


def _embedded(data: dict[str, Any]) -> Markup:
    """Return JSON that no text in it can break out of: a log may hold `</script>`."""
    text = json.dumps(data, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 (what could end the element is escaped above)
