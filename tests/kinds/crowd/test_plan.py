"""Which chat servers there are, and what an experiment's [crowd] may say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.chat.entries import FORMS, Form, Transport
from iolab.chat.servers import chat_servers
from iolab.errors import UsageError
from iolab.host.limits import Facts
from iolab.kinds import registry
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.lab import Lab, Model
from iolab.loadgen.users import containers, room, shares
from tests.conftest import ROOT

FILE = ROOT / "experiments" / "crowd.toml"
MODELS = Lab.read(ROOT).models
BOTH: tuple[Transport, ...] = ("websocket", "poll")


def labelled(model: Model, labels: Mapping[str, str]) -> Model:
    return replace(model, service=replace(model.service, labels={**model.service.labels, **labels}))


def test_every_model_has_a_chat_server_in_its_folder() -> None:
    found = chat_servers(MODELS, BOTH)
    assert [(chat.model.letter, chat.transport) for chat in found] == [
        ("A", "poll"),
        ("B", "poll"),
        ("C", "websocket"),
        ("C", "poll"),
        ("D", "poll"),
    ]
    for chat in found:
        assert chat.model.service.folder
        assert (chat.model.service.folder / chat.script).is_file()
    assert [chat.model.letter for chat in found if chat.thread_each] == ["D"]


def test_several_processes_are_for_servers_that_can_be_several() -> None:
    several = chat_servers(MODELS, BOTH, 6)
    assert [(chat.model.letter, chat.transport, chat.processes) for chat in several] == [("C", "websocket", 6)]
    assert several[0].title == "C websocket, 6 processes"
    with pytest.raises(UsageError, match="no chat server of A supports websocket or poll in 6 processes"):
        chat_servers(MODELS[:1], BOTH, 6)


def test_forms_are_asked_for_and_stand_beside_the_usual_server() -> None:
    every: tuple[Form, ...] = ("compressed", "lean", "usual")
    found = [chat for chat in chat_servers(MODELS, BOTH, 1, every) if chat.model.letter == "C"]
    assert [(chat.transport, chat.form, chat.script, chat.title, chat.users) for chat in found] == [
        ("websocket", "usual", "chat.py", "C websocket", "websocket"),
        ("poll", "usual", "chat_poll.py", "C poll", "poll"),
        ("websocket", "lean", "chat_lean.py", "C websocket, lean", "websocket"),
        ("websocket", "compressed", "chat.py", "C websocket, compressed", "websocket, compressed"),
    ]
    assert set(every) == set(FORMS)
    usual, _, lean, compressed = (chat.need(10_000, 2, None) for chat in found)
    assert lean.server_kib < usual.server_kib < compressed.server_kib
    assert usual.client_kib == lean.client_kib < compressed.client_kib
    (packed,) = chat_servers(MODELS, BOTH, 1, ("compressed",))
    command, facts = packed.command(1000, Facts(), {"HOLD_S": "60"}), Facts()
    assert command.variables == {"HOLD_S": "60", "COMPRESS": "1"}
    assert found[0].command(1000, facts, {}).variables == {}
    assert (
        (command.memory_bytes or 0)
        > 1000 * compressed.server_kib * 1024
        > (found[0].command(1000, facts, {}).memory_bytes or 0) - 2**29
    )
    with pytest.raises(UsageError, match=r"^no chat server of A in the form lean or compressed supports websocket or"):
        chat_servers(MODELS[:1], BOTH, 1, ("lean", "compressed"))


def test_a_way_that_is_not_spoken_or_a_label_that_says_nothing_ends_in_a_line() -> None:
    with pytest.raises(UsageError, match="no chat server of A supports websocket: see"):
        chat_servers(MODELS[:1], ("websocket",))
    wrong = labelled(MODELS[0], {"iolab.chat": "smoke=signals.py"})
    odd = labelled(MODELS[0], {"iolab.chat.lean": "chat_lean.py"})
    with pytest.raises(UsageError, match="iolab\\.chat\\.lean has 'chat_lean\\.py'; it must be TRANSPORT=SCRIPT"):
        chat_servers([odd], BOTH, 1, ("lean",))
    with pytest.raises(UsageError, match="has 'smoke=signals\\.py'; it must be TRANSPORT=SCRIPT"):
        chat_servers([wrong], BOTH)


def test_a_thread_for_each_user_needs_more_of_everything() -> None:
    *_, loop, threads = chat_servers(MODELS, BOTH)
    small, large = loop.need(1000, 1, None), threads.need(1000, 1, None)
    assert (small.threads_per_user, large.threads_per_user) == (0, 1)
    assert large.server_kib + large.kernel_kib > small.server_kib + small.kernel_kib


@pytest.mark.parametrize("users", [1, 4_999, 5_000, 5_001, 26_000, 100_000])
def test_processes_of_the_client_share_users_evenly(users: int) -> None:
    found = shares(users, room(20_000))
    assert sum(found) == users
    assert max(found) <= 5_000
    assert max(found) - min(found) <= 1
    assert containers(users) * 10_000 >= users
    assert len(found) <= 2 * containers(users)


def test_a_process_of_the_client_holds_no_more_than_it_may_open() -> None:
    assert [room(files) for files in (None, 1_048_576, 1064, 64)] == [5000, 5000, 1000, 1]
    assert len(shares(10_000, room(1064))) == 10


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"users": [0]}, "USERS=0"),
        ({"users": [100_001]}, "USERS=100001"),
        ({"users": []}, "USERS=[]"),
        ({"processes": 65}, "PROCESSES=65"),
        ({"forms": ["thin"]}, "CHAT="),
        ({"patience_s": 0}, "PATIENCE_S=0"),
        ({"laps": 3}, "crowd.laps is not a setting of kind crowd: [crowd] has transports, connect_rps,"),
    ],
)
def test_a_crowd_that_cannot_be_ends_in_a_line(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        registry.read(FILE, {"crowd": change}, CrowdExperiment)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_experiment_in_the_folder_is_one(tmp_path: Path) -> None:
    found = registry.read(FILE, {}, CrowdExperiment)
    assert found.crowd.users == (100, 1000, 10_000)
    assert found.crowd.variables(2)["PROCESSES"] == "2"
    assert found.variables() == {"THREADS": "8"}
