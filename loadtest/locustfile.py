"""The users of Locust's web page: three classes for each model, made from TARGETS (Name=URL, separated by spaces).

The page shows the closed loops, with that of model C ticked; LOADS=all adds open loops and chat users. Workers have all
classes, whatever the page of their master shows. Class names have no underscores: the page's class picker changes other
names, and then does not find the class. A worker that runs this file also takes the jobs of `iolab queue` (`crew.py`).
"""

import os
from argparse import ArgumentParser

import crew
import open_user
import page_guard
from locust import FastHttpUser, constant, events, task
from locust.env import Environment

THINKING_S = 10.0
TICKED = "C"  # the model whose class is ticked at start
events.init.add_listener(crew.enlist)  # type: ignore[no-untyped-call]


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def options(parser: ArgumentParser) -> None:
    """Add further fields to the page: it shows every option that has a help text."""
    kinds = ["poisson", "constant"]
    parser.add_argument("--rate", type=float, default=10.0, help="Open users: arrivals a second of each")
    parser.add_argument("--arrivals", choices=kinds, default="poisson", help="Open users: how arrivals are spread")


@events.init.add_listener  # type: ignore[untyped-decorator]
def guarded(environment: Environment, **_: object) -> None:
    """Guard the page against requests of other pages."""
    if environment.web_ui and environment.web_ui.app:
        page_guard.guard(environment.web_ui.app)


@events.init.add_listener  # type: ignore[untyped-decorator]
def simple_picker(environment: Environment, **_: object) -> None:
    """Let the page's class picker show what LOADS asks for, and tick one class: Locust itself ticks all that it has."""
    page = environment.web_ui
    if page is None or not environment.available_user_classes:
        return
    others = tuple(filter(None, KINDS))
    closed = {name: user for name, user in environment.available_user_classes.items() if not name.endswith(others)}
    if os.environ.get("LOADS") != "all":
        environment.available_user_classes = closed
    ticked = next((name for name in closed if name.startswith(TICKED)), min(closed))
    update = page.update_template_args

    def updated() -> None:
        update()  # type: ignore[no-untyped-call]
        page.template_args["available_user_classes"] = [ticked]  # the page ticks these; it lists `users`

    page.update_template_args = updated  # type: ignore[method-assign]


class ClosedUser(FastHttpUser):
    """Sends a request, waits for the response, sends the next one at once: a closed loop, as in the benchmark."""

    abstract = True

    @task
    def ask(self) -> None:
        """GET /, which takes the server's wait."""
        self.client.get("/", name=type(self).__name__)


class ChatUser(ClosedUser):
    """Waits for ten seconds between a response and the next request: mostly idle, like a chat user."""

    abstract = True
    wait_time = constant(THINKING_S)


class OpenUser(open_user.OpenUser):
    """A stream of arrivals, which are sent whether or not the server keeps up: an open loop."""

    abstract = True


KINDS = {"": ClosedUser, "Open": OpenUser, "Chat": ChatUser}
TARGETS = [target.partition("=") for target in os.environ.get("TARGETS", "").split()]
for name, _, url in TARGETS:
    for suffix, kind in KINDS.items():
        # A trailing slash would make every request fail without being counted as one.
        facts = {"host": url.rstrip("/"), "__doc__": f"{kind.__doc__} At {url}."}
        globals()[name + suffix] = type(name + suffix, (kind,), facts)

if not TARGETS:  # started without `make up`, which sets TARGETS: the page asks for the host

    class AnyServer(ClosedUser):
        """A closed loop for the host that you type in."""

    class AnyServerOpen(OpenUser):
        """An open loop for the host that you type in."""
