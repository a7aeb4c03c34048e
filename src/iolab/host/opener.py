"""Opens a page in the browser of the user, where there is one."""

import os
import sys
import webbrowser


def opened(url: str) -> bool:
    """Open an address in a browser, and say whether that was possible; a browser in the terminal is not used."""
    return _has_display() and webbrowser.open(url)


def _has_display() -> bool:
    """Say whether this machine has a screen; a browser that shows a codespace cannot read its files."""
    if "CODESPACES" in os.environ:
        return False
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
