"""One exhibition: the same games on every server."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from iolab.bench import Bench
from iolab.errors import LoadFailed, TrialFailed
from iolab.findings.generator import share_of_a_core
from iolab.host.activity import watching
from iolab.kind import Measured
from iolab.kinds.chess.plan import arithmetic
from iolab.kinds.chess.records import ChessRecord
from iolab.kinds.chess.settings import ChessExperiment
from iolab.lab import Model
from iolab.loadgen.boards import Boards
from iolab.loadgen.starting import running_generator
from iolab.results.records import ClientUsage, MachineUsage, ServerUsage
from iolab.runtime.usage import metering

if TYPE_CHECKING:
    from iolab.results.samples import Pair

START_S = 10.0
ANSWER_LIMIT_S = 20.0
PATIENCE = 3.0  # times the calculated maximum
DRIVER = "boards"


@dataclass(frozen=True)
class Trial:
    """One exhibition, on one server."""

    index: int
    model: Model


def run(experiment: ChessExperiment, trial: Trial, bench: Bench) -> Measured[ChessRecord]:
    """Play the exhibition on one server; an exhibition that fails is a record with a reason."""
    rules, boards, model, plan = experiment.chess, experiment.boards, trial.model, bench.plans[experiment.cpus[0]]
    expected = arithmetic(rules, boards, model.workers)
    least_s, most_s = (game_s * rules.scale_ms / 1000 for game_s in (expected.least_s, expected.most_s))
    pairs: tuple[Pair, ...] = ()
    usage, client, machine, reason = ServerUsage(), ClientUsage(), MachineUsage(), None
    started = datetime.now(UTC)
    bench.say(f"{boards} boards on {model.title}: {least_s:.0f} s or more")
    try:
        driver: Boards = bench.others.get(DRIVER, lambda: running_generator(Boards, bench.runtime, plan))
        with bench.runtime.serve(model, plan) as server:
            answer_limit_s = ANSWER_LIMIT_S + PATIENCE * most_s / rules.moves
            driver.play(server.url, min(boards, expected.boards_at_once), 1, answer_limit_s, START_S + most_s)
            with metering(server) as meter, watching() as watch:
                started = datetime.now(UTC)
                pairs = driver.play(server.url, boards, rules.moves, answer_limit_s, START_S + PATIENCE * most_s)
            usage, machine = meter.usage(), watch.usage()
            share = share_of_a_core(driver.cpu_s, machine.span_s)  # the driver is one process of Python
            client = ClientUsage(cpu_s=driver.cpu_s, busiest_share=share)
            server.check_alive()
    except TrialFailed as error:
        reason = str(error)
        if isinstance(error, LoadFailed):
            bench.others.discard(DRIVER)  # the next trial starts a new one
    record = ChessRecord(
        index=trial.index,
        model=model.letter,
        service=model.name,
        started=started,
        duration_s=round((datetime.now(UTC) - started).total_seconds(), 6),
        valid=reason is None,
        reason=reason,
        server=usage,
        client=client,
        machine=machine,
    )
    return Measured(record, {"pairs": pairs})
