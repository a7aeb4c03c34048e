"""What a promise is, and what is recorded about it."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from iolab.contract.server import Launcher


@dataclass(frozen=True)
class Promise:
    """One promise of every server; `holds` starts the server, talks to it, and raises Broken.

    `hint` says where to look. An `extra` one need not be kept. One that is `timed` is tried again before it counts as
    broken, because another program may have delayed the server.
    """

    name: str
    says: str
    holds: Callable[[Launcher], None]
    hint: str
    extra: bool = False
    timed: bool = False


class Kept(BaseModel):
    """The result of one promise; the last four fields are empty if it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    says: str
    kept: bool
    extra: bool = False
    sent: str = ""
    expected: str = ""
    seen: str = ""
    hint: str = ""
