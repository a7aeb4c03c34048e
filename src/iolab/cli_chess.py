"""The command `iolab chess`: one chess master, many boards, and every server in turn."""

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import experiment, options, session
from iolab.errors import TrialFailed
from iolab.host.lock import only_bench
from iolab.kinds.chess import run as chess
from iolab.kinds.chess.run import Shown
from iolab.lab import find_root
from iolab.report import terminal
from iolab.results.folder import RunFolder
from iolab.runtime.choice import Place, Wanted, choose
from iolab.session import Plan


@click.command(name="chess")
@options.models
@click.option("--boards", envvar="BOARDS", type=click.IntRange(1, 500), help="Opponents.  [default: 24]")
@click.option("--moves", envvar="MOVES", type=click.IntRange(1, 500), help="Pairs of moves a game.  [default: 30]")
@click.option("--scale-ms", envvar="SCALE_MS", type=float, help="What a second of the story takes here.  [default: 1]")
@click.option("--threads", envvar="THREADS", type=int, help="Threads in the pool.  [default: 8]")
@options.runtime
@options.results
def exhibition(  # noqa: PLR0917 (each is an option of the command line)
    models: tuple[str, ...] | None,
    boards: int | None,
    moves: int | None,
    scale_ms: float | None,
    threads: int | None,
    runtime: Wanted,
    results: Path | None,
) -> int:
    """Let a chess master play 24 opponents, against every server."""
    from iolab.kinds.chess import page as chess_page  # noqa: PLC0415 (it draws)

    console = Console()
    plan = planned(
        find_root(Path.cwd()),
        {"models": models, "concurrency": boards and [boards]},
        {"moves": moves, "scale_ms": scale_ms},
        threads,
    )
    with only_bench(), terminal.busy(console) as say:
        place = choose(runtime, plan.lab, plan.models, plan.experiment, say)
        try:
            shown = chess.play(plan, place, say)
        except TrialFailed as failed:
            console.print(f"No result: {failed}", markup=False, highlight=False, soft_wrap=True)
            return 1
    folder = RunFolder.create(results or plan.lab.root / "results", "chess", newest=False)
    folder.write("chess.json", json.dumps(facts(plan, place, shown, folder), indent=1) + "\n")
    folder.write("chess.html", chess_page.render(shown, plan.experiment.concurrency[0], place.runtime.name))
    chess_page.show(console, shown, plan.experiment.concurrency[0])
    console.print(f"Timelines: {os.path.relpath(folder.path)}/chess.html", highlight=False, soft_wrap=True)
    return 0


def planned(root: Path, changes: dict[str, Any], rules: dict[str, Any], threads: int | None) -> Plan:
    """Return the plan, in which a request waits as long as an opponent thinks and computes as long as the master does.

    What is None is the experiment's own. Raises UsageError.
    """
    path = root / "experiments" / "chess.toml"
    changes = {**_given(changes), "chess": _given(rules)}
    wanted = chess.rules(experiment.read(path, changes))
    server = _given(
        {
            "wait_ms": wanted.opponent_s * wanted.scale_ms,
            "cpu_ms": wanted.master_s * wanted.scale_ms,
            "threads": threads,
        }
    )
    return session.plan(root, path, {**changes, "server": server})


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def facts(plan: Plan, place: Place, shown: list[Shown], folder: RunFolder) -> dict[str, Any]:
    """Return what chess.json says, and write each model's pairs of moves into the folder; times are the story's."""
    return {
        "schema": 1,
        "boards": plan.experiment.concurrency[0],
        **chess.rules(plan.experiment).model_dump(),
        "runtime": place.runtime.name,
        "models": [
            {
                "model": each.model.letter,
                "service": each.model.name,
                "boards_at_once": each.arithmetic.boards_at_once,
                "least_s": each.arithmetic.least_s,
                "most_s": each.arithmetic.most_s,
                "took_s": round(each.played.took_s, 1),
                "master_moved": round(each.played.busy, 4),
                "thought_in_step": round(each.played.in_step, 2),
                "server": each.usage.model_dump(),
                "rows": folder.write_rows(number, pairs=each.played.pairs),
            }
            for number, each in enumerate(shown)
        ],
    }
