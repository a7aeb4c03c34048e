"""Clicks the button of the traced app in a browser, some seconds apart: python -m tests.learn.click PORT CLICKS.

A process of its own: the browser's library runs an event loop, which a process can have only once.
"""

import sys

from playwright.sync_api import sync_playwright

from tests import needs

PAUSE_MS = 2000


def main() -> None:
    """Open the app, click, and close the browser."""
    port, clicks = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"http://localhost:{port}")
        for _ in range(int(clicks)):
            page.get_by_role("button", name="Give me a lucky number").click()
            page.wait_for_timeout(PAUSE_MS)  # as a user does: each click is one of its own in the log
        browser.close()


if __name__ == "__main__":
    main()
