"""What Docker's images have: their ids, their Python, and the network settings of a container."""

import subprocess
from collections.abc import Mapping
from contextlib import ExitStack

from iolab.host import proc, processes, python
from iolab.host.processes import run
from iolab.host.python import Python


def image_id(image: str) -> str:
    """Return the id of an image, without the name of its hash; "" if the engine does not have the image."""
    return run(["docker", "image", "inspect", "--format", "{{.Id}}", image], timeout_s=20).stdout.strip()[7:]


def image_pythons(images: Mapping[str, str]) -> dict[str, Python]:
    """Return the Python of each image by its key, without those that cannot be asked.

    All are asked at the same time, because starting a container takes half a second; an image of several keys is asked
    once.
    """
    container = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "python3")
    with ExitStack() as stack:
        asked = {
            image: stack.enter_context(
                processes.running(
                    [*container, image, "-c", python.ASK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            )
            for image in set(images.values())
        }
        answers = {image: python.told(_answer(process)) for image, process in asked.items()}
    return {name: found for name, image in images.items() if (found := answers[image])}


def _answer(process: subprocess.Popen[bytes]) -> str:
    """Return what a process prints until it ends; "" if that takes too long."""
    try:
        return process.communicate(timeout=python.LIMIT_S)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        return ""


def network_settings(image: str) -> dict[str, int]:
    """Return the network settings in a container of that image; nothing where it cannot be started.

    A container's network namespace has the kernel's defaults, whatever its host is set to.
    """
    paths = [str(proc.setting_path(name)) for name in proc.NETWORK_SETTINGS]
    container = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "grep", image]
    return proc.network_settings(run([*container, "-H", ".", *paths], timeout_s=20).stdout)
