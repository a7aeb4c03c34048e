"""The live view: its lanes, what a page asks of them, and the messages to all pages that look."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from iolab.errors import UsageError
from iolab.host.lock import only_bench
from iolab.host.processes import temporary_folder
from iolab.lab import Lab, Model
from iolab.web.events import Audience
from iolab.web.live.lane import Lane
from iolab.web.live.settings import LIVE_VIEW, Settings

EVENTS_S, FIGURES_S = 1 / 30, 0.5
LONELY_S = 30.0  # without a page that looks, the servers end
Theory = Callable[[Settings, Lane], Awaitable[Mapping[str, float | None]]]


class Stage:
    """Lanes under the same load. While any server runs, the machine's benchmark lock is held."""

    def __init__(self, lab: Lab, theory: Theory) -> None:
        self.audience = Audience()
        self.settings = Settings()
        self.paused = True
        self.lanes: dict[str, Lane] = {}
        self._models = {model.letter: model for model in lab.models}
        self._broken = next((model for model in lab.shown if model.name == "broken"), None)
        self._theory = theory
        self._theories: dict[str, Mapping[str, float | None]] = {}
        self._held = ExitStack()
        self._turn = asyncio.Lock()
        self._pulse: asyncio.Task[None] | None = None
        self._prediction: asyncio.Task[None] | None = None
        self._output = Path()

    @property
    def models(self) -> list[Model]:
        """The models that a page can choose."""
        return list(self._models.values())

    @property
    def is_open(self) -> bool:
        """Whether servers run."""
        return bool(self.lanes)

    async def act(self, action: str, given: Mapping[str, Any]) -> None:
        """Do what a page asks: start, pause, stop, set, more, kill or restart; raises UsageError."""
        async with self._turn:
            if action == "start":
                await self._start()
            elif action == "pause":
                self._pause(paused=True)
            elif action == "stop":
                await self._close()
            elif action == "set":
                await self._set(self.settings.changed(given, frozenset(self._models)))
            elif action == "more":
                await self._set(self.settings.changed({"users": self.settings.users + 1}, frozenset(self._models)))
            elif action in ("kill", "restart"):
                await self._server(action, str(given.get("lane")))
            else:
                raise UsageError(f"{action[:40]}: the live view cannot do this")
        self.show()

    async def close(self) -> None:
        """End users and servers."""
        async with self._turn:
            await self._close()
        self.show()

    async def _start(self) -> None:
        if not self.lanes:
            self._hold()
            try:
                await self._fill()
            except BaseException:
                await self._close()
                raise
        self._pause(paused=False)

    def _hold(self) -> None:
        self._held.enter_context(only_bench(LIVE_VIEW))
        self._output = self._held.enter_context(temporary_folder())
        self._pulse = asyncio.create_task(self._beat())

    async def _close(self) -> None:
        self.paused = True
        lanes, self.lanes = self.lanes, {}
        await asyncio.gather(*(lane.stop() for lane in lanes.values()))
        if self._pulse:
            self._pulse.cancel()
            self._pulse = None
        self._held.close()

    def _pause(self, *, paused: bool) -> None:
        self.paused = paused
        for lane in self.lanes.values():
            lane.pause(paused)

    async def _set(self, settings: Settings) -> None:
        before, self.settings = self.settings, settings
        if not self.lanes:
            return
        if settings.needs_new_servers(before):
            await self._renew(list(self.lanes))
        await self._fill()
        for lane in self.lanes.values():
            await lane.load(settings)

    async def _renew(self, letters: list[str]) -> None:
        """End lanes; `_fill` starts them with the settings of now."""
        await asyncio.gather(*(self.lanes.pop(letter).stop() for letter in letters))

    async def _fill(self) -> None:
        """Have a running lane for each chosen model, and no other."""
        wrong = [
            letter
            for letter, lane in self.lanes.items()
            if letter not in self.settings.models or lane.broken != self._is_broken(letter)
        ]
        await self._renew(wrong)
        new = [letter for letter in self.settings.models if letter not in self.lanes]
        for letter in new:
            self.lanes[letter] = self._lane(letter)
        self.lanes = {letter: self.lanes[letter] for letter in self.settings.models}
        self.show()
        await asyncio.gather(*(self.lanes[letter].start(self.settings) for letter in new))
        for letter in new:
            self.lanes[letter].pause(self.paused)
            await self.lanes[letter].load(self.settings)
        self._prediction = asyncio.create_task(self._predict())  # the first one takes seconds

    async def _predict(self) -> None:
        settings = self.settings
        with suppress(UsageError):  # without it, the lanes show what is measured
            found = {letter: await self._theory(settings, lane) for letter, lane in list(self.lanes.items())}
            if settings == self.settings:
                self._theories = found
                self.show()

    def _is_broken(self, letter: str) -> bool:
        return self.settings.blocked and letter == "C" and self._broken is not None

    def _lane(self, letter: str) -> Lane:
        broken = self._is_broken(letter)
        model = self._broken if broken and self._broken else self._models[letter]
        return Lane(model, self._output / f"{letter}.log", broken=broken)

    async def _server(self, action: str, letter: str) -> None:
        if letter not in self.lanes:
            raise UsageError(f"lane {letter[:40]}: it is not shown")
        if action == "kill":
            await self.lanes[letter].kill()
        else:
            await self._renew([letter])
            await self._fill()

    def state(self) -> dict[str, Any]:
        """Return all that a page shows, in one message; events until now are part of it."""
        self._send_moves()
        return {
            "settings": vars(self.settings),
            "paused": self.paused,
            "lanes": [self._shown(letter, lane) for letter, lane in self.lanes.items()],
        }

    def _shown(self, letter: str, lane: Lane) -> dict[str, Any]:
        return {
            "letter": letter,
            "title": lane.model.title,
            "broken": lane.broken,
            "in_kernel": lane.model.backlog is not None,  # its queue is that of the kernel
            "thread_each": lane.model.thread_each,
            "theory": self._theories.get(letter, {}),
            **lane.snapshot(),
            "figures": lane.figures(),
        }

    def show(self) -> None:
        """Send the whole state to every page."""
        self.audience.send("state", self.state())

    def _send_moves(self) -> None:
        events = {letter: found for letter, lane in self.lanes.items() if (found := lane.events())}
        if events:
            self.audience.send("moves", events)

    async def _beat(self) -> None:
        """Send events thirty times a second, and figures twice; end the servers when no page looks."""
        lonely_s = 0.0
        for turn in itertools.count():
            await asyncio.sleep(EVENTS_S)
            self._send_moves()
            if turn % round(FIGURES_S / EVENTS_S) == 0:
                self.audience.send("figures", {letter: lane.figures() for letter, lane in self.lanes.items()})
            lonely_s = 0.0 if self.audience.size else lonely_s + EVENTS_S
            if lonely_s > LONELY_S:
                asyncio.create_task(self.close())  # noqa: RUF006 (it cancels this task)
                return
