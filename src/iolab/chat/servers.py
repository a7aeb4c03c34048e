"""Finds the chat servers by their labels in docker-compose.yml, and how many users each can hold on this machine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from iolab.chat.entries import FORMS, Form, Transport
from iolab.errors import UsageError
from iolab.host import capacity
from iolab.host.capacity import Need
from iolab.host.limits import Facts
from iolab.lab import Model
from iolab.loadgen.users import clients, containers
from iolab.runtime import ServerCommand
from iolab.service import COMPOSE_FILE

CHAT, PROCESSES = "iolab.chat", "iolab.chat.processes"
USUAL: tuple[Form, ...] = ("usual",)
# KiB of a user in the server and in the client, measured (docs/crowd.md) and rounded up; of other forms: as usual. What
# zlib allocates for a compressed connection is used little by little, as messages come.
SERVER_KIB: Mapping[Form, float] = {"lean": 2.5, "compressed": 150.0}
CLIENT_KIB: Mapping[Form, float] = {"compressed": 20.0}
VARIABLES: Mapping[Form, Mapping[str, str]] = {"compressed": {"COMPRESS": "1"}}


@dataclass(frozen=True)
class ChatServer:
    """One chat server of a model: `script`, in the model's folder, serves `transport` in `processes` processes."""

    model: Model
    transport: Transport
    form: Form
    script: str
    processes: int
    thread_each: bool  # every user has a thread

    @property
    def title(self) -> str:
        """Its name in progress messages."""
        form = f", {self.form}" if self.form != "usual" else ""
        several = f", {self.processes} processes" if self.processes > 1 else ""
        return f"{self.model.letter} {self.transport}{form}{several}"

    @property
    def users(self) -> str:
        """The kind of users that connect to it (KINDS in loadtest/crowd_transports.py)."""
        return f"{self.transport}, {self.form}" if self.form == "compressed" else self.transport

    @property
    def threads(self) -> int | None:
        """How many threads its pool has; None if it serves any number of users at once."""
        return None if self.model.workers == float("inf") else int(self.model.workers)

    def need(self, users: int, client_processes: int, client_containers: int | None) -> Need:
        """Return what `users` users need; without client containers, the server is a local process, too."""
        need = Need(
            users,
            self.processes,
            client_processes=client_processes,
            container=client_containers is not None,
            client_containers=client_containers,
            divisible=self.transport in self.model.service.labels.get(PROCESSES, "").split(),
        )
        if self.thread_each:
            return need.with_threads()
        return replace(
            need,
            server_kib=SERVER_KIB.get(self.form, need.server_kib),
            client_kib=CLIENT_KIB.get(self.form, need.client_kib),
        )

    def command(self, users: int, facts: Facts, variables: Mapping[str, str]) -> ServerCommand:
        """Return how to start it, with room for `users` users."""
        room = capacity.container_limits(self.need(users, 1, None), facts)
        variables = {**variables, **VARIABLES.get(self.form, {})}
        return ServerCommand(("python3", self.script), variables, room.files, room.pids, room.memory_bytes)


def chat_servers(
    models: Sequence[Model], transports: tuple[Transport, ...], processes: int = 1, forms: tuple[Form, ...] = USUAL
) -> list[ChatServer]:
    """Return the chat servers of the models in the wanted transports and forms.

    Raises UsageError if there is no such server.
    """
    each = [(model, form) for model in models for form in FORMS if form in forms]
    found = [chat for model, form in each for chat in _of_a_form(model, form, transports, processes)]
    if not found:
        names = ", ".join(model.letter for model in models)
        form = "" if forms == USUAL else f" in the form {' or '.join(forms)}"
        raise UsageError(
            f"no chat server of {names}{form} supports {' or '.join(transports)}"
            f"{f' in {processes} processes' if processes > 1 else ''}: see {CHAT} in {COMPOSE_FILE}"
        )
    return found


def _of_a_form(model: Model, form: Form, transports: tuple[Transport, ...], processes: int) -> Iterator[ChatServer]:
    labels, label = model.service.labels, CHAT if form == "usual" else f"{CHAT}.{form}"
    for word in labels.get(label, "").split():
        transport, _, script = word.partition("=")
        if transport not in ("websocket", "poll") or not script:
            raise UsageError(f"{COMPOSE_FILE}: service {model.name}: {label} has {word!r}; it must be TRANSPORT=SCRIPT")
        can_share = transport in labels.get(PROCESSES, "").split()
        if transport in transports and (processes == 1 or can_share):
            yield ChatServer(model, transport, form, script, processes, model.thread_each)


def room(chat: ChatServer, asked: int, facts: Facts, *, docker: bool, more: int = 0) -> tuple[int, str]:
    """Return how many of `asked` users can connect, and a sentence that says why not all.

    `more` users connect besides them for a while. Raises UsageError if no user can connect.
    """
    need = chat.need(asked + more, len(clients(asked, facts, docker=docker)), containers(asked) if docker else None)
    users, sentence = capacity.capped(asked, capacity.applicable(facts, need))
    if users < 1:
        raise UsageError(f"USERS={asked}: no user can connect: {sentence}")
    return users, sentence
