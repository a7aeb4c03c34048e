"""Made-up machines: the files of /proc, /sys and the control groups, as far as the lab reads them."""

from collections.abc import Mapping
from pathlib import Path

from iolab.host.activity import Places

TICKS = 100  # a second, of the made-up machines and of this one


def stat(busy_s: Mapping[int, float], cores: int, steal_s: Mapping[int, float] | None = None) -> str:
    """Return /proc/stat of a machine with so many cores, of which some were busy, or stolen."""
    stolen = steal_s or {}
    lines = [
        f"cpu{core} {int(busy_s.get(core, 0) * TICKS)} 0 0 9000 0 3 4 {int(stolen.get(core, 0) * TICKS)} 0 0"
        for core in range(cores)
    ]
    total = f"cpu  {int(sum(busy_s.values()) * TICKS)} 0 0 9000 0 3 4 {int(sum(stolen.values()) * TICKS)} 0 0"
    return "\n".join([total, *lines, "intr 5 0", ""])


def write(folder: Path, texts: Mapping[str, str]) -> Path:
    """Write files into a folder, and return it."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def topology(pairs: Mapping[int, str]) -> dict[str, str]:
    """Return the files of /sys that say which cores are threads of one physical core."""
    return {f"devices/system/cpu/cpu{core}/topology/thread_siblings_list": f"{text}\n" for core, text in pairs.items()}


def machine(
    folder: Path,
    *,
    proc: Mapping[str, str] | None = None,
    sys: Mapping[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
) -> Places:
    """Return a made-up machine that has these files alone."""
    for name in ("proc", "sys", "groups"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Places(
        write(folder / "proc", proc or {}), write(folder / "sys", sys or {}), write(folder / "groups", groups or {})
    )
