"""From the settings to trials: increasing numbers of users on each chat server, as long as it holds them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iolab.chat import servers
from iolab.chat.servers import ChatServer
from iolab.host.limits import Facts
from iolab.kinds.crowd.records import CrowdRecord
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.lab import Model


@dataclass(frozen=True)
class CrowdTrial:
    """A trial with `users` users: as many as `asked`, or as many as the machine allows (`capped` says why)."""

    index: int
    chat: ChatServer
    asked: int
    users: int
    capped: str


def wanted(experiment: CrowdExperiment) -> tuple[int, ...]:
    """Return the numbers of users to try on each server; the last is `most`, if it is set."""
    crowd = experiment.crowd
    return tuple(dict.fromkeys((*crowd.users, *([crowd.most] if crowd.most else []))))


def chats(experiment: CrowdExperiment, models: Sequence[Model]) -> list[ChatServer]:
    """Return the chat servers of the experiment; raises UsageError if there is none."""
    crowd = experiment.crowd
    return servers.chat_servers(models, crowd.transports, crowd.processes, crowd.forms)


def trials(
    experiment: CrowdExperiment,
    models: Sequence[Model],
    records: Sequence[CrowdRecord],
    facts: Facts,
    *,
    docker: bool,
) -> Iterator[CrowdTrial]:
    """Yield the trials that are not among the `records`, which grow meanwhile, with as many users as can connect.

    `most` is tried only if the trial before held all of its users. Raises UsageError if no user can connect.
    """
    asked_for = wanted(experiment)
    for number, chat in enumerate(chats(experiment, models)):
        last: CrowdRecord | None = None
        for index, asked in enumerate(asked_for, number * len(asked_for)):
            done = _find(records, chat, asked)
            if done is None:
                users, sentence = servers.room(chat, asked, facts, docker=docker)
                if asked == experiment.crowd.most and not _worth_more(users, last):
                    continue
                yield CrowdTrial(index, chat, asked, users, sentence)
                done = _find(records, chat, asked)
            last = done


def _find(records: Sequence[CrowdRecord], chat: ChatServer, asked: int) -> CrowdRecord | None:
    key = (chat.model.letter, chat.transport, chat.form, asked)
    return next(
        (record for record in records if (record.model, record.transport, record.form, record.asked) == key), None
    )


def _worth_more(users: int, last: CrowdRecord | None) -> bool:
    """Return whether to try as many as the machine allows: not if the server has not held fewer."""
    return last is None or (last.valid and last.held == last.users and users > last.users)
