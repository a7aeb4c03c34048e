"""The lab's own experiments, made short: what a test runs is what a user runs, only less of it."""

from collections.abc import Mapping
from pathlib import Path

EXPERIMENTS = Path(__file__).parents[1] / "experiments"

CROWD = {"patience_s = 10.0": "patience_s = 2.0", "quiet_s = 5.0": "quiet_s = 0.5", "busy_s = 20.0": "busy_s = 2.0"}
FREEZE = {"after_s = 4.0": "after_s = 0.5", "for_s = 2.0": "for_s = 0.5", "run_s = 10.0": "run_s = 1.5"}
NEWCOMERS, STUCK = 30, 5
FAULTS = {
    "hold_s = 20": "hold_s = 2",
    "dead_after_s = 15": "dead_after_s = 10",
    "click_rps = 50.0": "click_rps = 100.0",
    "least_s = 8.0": "least_s = 1.0",
    "broadcasts = 10": "broadcasts = 6",
    "broadcast_every_s = 0.8": "broadcast_every_s = 0.1",
    "stuck = 10": f"stuck = {STUCK}",
    "half_open = 5000": "half_open = 1000",
    "newcomers = 200": f"newcomers = {NEWCOMERS}",
}
BREAK = {"seconds = 3.0": "seconds = 0.5"}


def shortened(name: str, folder: Path, changes: Mapping[str, str]) -> Path:
    """Write experiments/NAME.toml into `folder` with these lines changed, each of which it must have once."""
    text = (EXPERIMENTS / f"{name}.toml").read_text()
    for line, shorter in changes.items():
        assert text.count(line) == 1, f"{name}.toml has {line!r} {text.count(line)} times"
        text = text.replace(line, shorter)
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path
