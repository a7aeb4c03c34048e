"""The same games against every server: who must wait for whom?"""

from collections.abc import Callable
from dataclasses import dataclass

from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.kinds.chess.plan import Arithmetic, Played, Rules, arithmetic
from iolab.lab import Model
from iolab.loadgen.boards import Boards
from iolab.loadgen.opening import opening
from iolab.results.records import ServerUsage
from iolab.runtime.choice import Place
from iolab.runtime.usage import metering
from iolab.session import Plan

START_S = 10.0
ANSWER_LIMIT_S = 20.0
PATIENCE = 3.0  # times what the arithmetic says at most


@dataclass(frozen=True)
class Shown:
    """An exhibition beside its arithmetic, and what the server used."""

    model: Model
    arithmetic: Arithmetic
    played: Played
    usage: ServerUsage


def rules(experiment: Experiment) -> Rules:
    """Return the rules; raises UsageError for an experiment that has none."""
    if experiment.chess is None:
        raise UsageError(f"experiment {experiment.name} has no [chess]: take experiments/chess.toml")
    return experiment.chess


def play(plan: Plan, place: Place, say: Callable[[str], None]) -> list[Shown]:
    """Play the exhibition against each model of the plan. Raises TrialFailed where a server or a move fails."""
    wanted, boards = rules(plan.experiment), plan.experiment.concurrency[0]
    cpus = place.plans[plan.experiment.cpus[0]]
    shown = []
    with place.runtime as runtime, opening(Boards, Boards.driver_script, runtime, cpus) as driver:
        for model in plan.models:
            expected = arithmetic(wanted, boards, model.workers)
            here_s = expected.most_s * wanted.scale_ms / 1000
            say(f"{boards} boards against {model.title}: {expected.least_s * wanted.scale_ms / 1000:.0f} s or more")
            with runtime.serve(model, cpus) as server:
                answer_limit_s = ANSWER_LIMIT_S + PATIENCE * here_s / wanted.moves
                driver.play(server.url, min(boards, expected.boards_at_once), 1, answer_limit_s, START_S + here_s)
                with metering(server) as meter:
                    pairs = driver.play(server.url, boards, wanted.moves, answer_limit_s, START_S + PATIENCE * here_s)
                server.check_alive()
            shown.append(Shown(model, expected, Played(wanted, pairs), meter.usage()))
    return shown
