"""Several Locust workers generate one load together, on this machine or on others.

The master (locust_driver.py) sends each worker its stream of the plan. A worker plays it in a process of the client
for planned arrivals (arrivals_client.py), and forwards its rows meanwhile. Apart from that they exchange only Locust's
own heartbeats: clocks are not compared, because each worker counts from when its client is ready. A worker without a
message for three seconds is lost, and its rows up to then are kept.
"""

import time
from collections.abc import Callable
from typing import Any

import gevent
from arrivals_process import Client, ClientFailed, together
from locust.env import Environment
from locust.event import Events
from locust.rpc.protocol import Message
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

POLL_S = 0.05
GRACE_S = 5.0  # in addition to the worker's own time limit


def enlist(runner: object, **_: Any) -> None:
    """Make a Locust worker ready for jobs; a master of the web page ignores its message."""
    if isinstance(runner, WorkerRunner):
        Hand(runner)
    elif isinstance(runner, MasterRunner):
        runner.register_message("hired", lambda **_: None)


class Hand:
    """A worker's side."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._client: Client | None = None
        self._under_way: gevent.Greenlet[..., None] | None = None
        runner.register_message("get_ready", self._get_ready)
        runner.register_message("load", self._load)
        runner.register_message("leave_off", self._leave_off)
        runner.send_message("hired")

    def _get_ready(self, **_: Any) -> Client:
        """Start the client before the first plan: else workers begin as far apart as a start of Python takes."""
        self._client = self._client or Client()
        return self._client

    def _load(self, msg: Message, **_: Any) -> None:
        self._leave_off()
        self._under_way = gevent.spawn(self._play, **msg.data)

    def _leave_off(self, **_: Any) -> None:
        """End a job that is played; the next one gets a new client."""
        if self._under_way and not self._under_way.dead:
            self._under_way.kill(timeout=1.0)
            self._stop()

    def _stop(self) -> None:
        if self._client:
            self._client.stop()
        self._client = None

    def _play(self, number: int, job: dict[str, Any]) -> None:
        ended: dict[str, Any] = {"error": "it was stopped"}
        try:
            ended = self._get_ready().alone(job, lambda rows: self._send("rows", number, {"rows": rows}))
        except ClientFailed as error:
            self._stop()
            ended = {"error": str(error)}
        finally:
            self._send("ended", number, ended)

    def _send(self, name: str, number: int, facts: dict[str, Any]) -> None:
        self._runner.send_message(name, {"job": number, **facts})


class Crew:
    """The master's side: `port` 0 takes any free port."""

    def __init__(self, host: str, port: int, say: Callable[[dict[str, Any]], None]) -> None:
        self._say = say
        events = Events()  # type: ignore[no-untyped-call]
        self._runner: MasterRunner = Environment(events=events).create_master_runner(host, port)
        self._runner.register_message("hired", self._hired)
        self._runner.register_message("rows", self._rows)
        self._runner.register_message("ended", self._ended)
        self._hands: list[str] = []
        self._job = 0
        self._playing: dict[str, dict[str, Any] | None] = {}
        self._heard: dict[str, float] = {}

    @property
    def port(self) -> int:
        """The port on which the master listens."""
        return int(self._runner.server.port)

    def here(self) -> list[str]:
        """Return the connected workers, in the order in which they joined."""
        return [hand for hand in self._hands if self._is_here(hand)]

    def gather(self, count: int, timeout_s: float) -> dict[str, Any]:
        """Wait until `count` workers have joined; return how many have."""
        deadline = time.monotonic() + timeout_s
        while len(self.here()) < count and time.monotonic() < deadline:
            gevent.sleep(POLL_S)
        return {"workers": len(self.here())}

    def play(self, number: int, job: dict[str, Any]) -> dict[str, Any]:
        """Play a job: an open loop with one stream for each worker, a closed loop on the first worker."""
        self._job = number
        hands = self.here() if "arrivals" in job else self.here()[:1]
        self._playing, self._heard = dict.fromkeys(hands), dict.fromkeys(hands, 0.0)
        self._began = time.monotonic()
        for stream, hand in enumerate(hands):
            mine = {"stream": stream, "streams": len(hands)} if "arrivals" in job else {}
            self._runner.send_message("load", {"number": number, "job": {**job, **mine}}, client_id=hand)
        lost = self._wait(time.monotonic() + job["timeout_s"] + GRACE_S)
        ended = [facts for facts in self._playing.values() if facts is not None]
        errors = {facts["error"] for facts in ended if "error" in facts}
        return {
            **together(ended),
            "workers": len(hands),
            "lost": [*lost, *(f"a load worker failed: {error}" for error in errors)],
        }

    def quit(self) -> None:
        """Stop the workers."""
        self._runner.quit()

    def _wait(self, deadline: float) -> list[str]:
        """Wait for all workers; return a sentence about each that was lost."""
        lost: list[str] = []
        while waiting := [hand for hand, facts in self._playing.items() if facts is None]:
            late = time.monotonic() > deadline
            for hand in waiting:
                if late or not self._is_here(hand):
                    del self._playing[hand]
                    self._runner.send_message("leave_off", client_id=hand)
                    worker = f"load worker {self._hands.index(hand)} ({_host(hand)})"
                    lost.append(f"{worker} was lost: its last rows arrived {self._heard[hand]:.1f} s after the start")
            gevent.sleep(POLL_S)
        return lost

    def _is_here(self, hand: str) -> bool:
        clients = self._runner.clients
        return hand in clients.keys() and clients[hand].state != STATE_MISSING  # noqa: SIM118 (no mapping, quite)

    def _hired(self, msg: Message, **_: Any) -> None:
        if msg.node_id not in self._hands:
            self._hands.append(msg.node_id)
            self._runner.send_message("get_ready", client_id=msg.node_id)

    def _rows(self, msg: Message, **_: Any) -> None:
        if msg.data["job"] == self._job and msg.node_id in self._playing:
            worker = self._hands.index(msg.node_id)
            self._heard[msg.node_id] = time.monotonic() - self._began
            self._say({"job": self._job, "rows": msg.data["rows"], "worker": worker, "more": True})

    def _ended(self, msg: Message, **_: Any) -> None:
        if msg.data["job"] == self._job and msg.node_id in self._playing:
            self._playing[msg.node_id] = msg.data


def _host(hand: str) -> str:
    return hand.rpartition("_")[0]
