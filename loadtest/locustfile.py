"""The users of Locust's web page: a class for each model, made from TARGETS (name=URL, separated by spaces)."""

import os
import sys

from locust import FastHttpUser, constant, task


class Person(FastHttpUser):
    """Asks, waits for the answer, thinks for a second, asks again."""

    abstract = True
    wait_time = constant(1)

    @task
    def ask(self) -> None:
        """GET /, which takes the server's wait."""
        self.client.get("/", name=type(self).__name__)


TARGETS = [target.partition("=") for target in os.environ.get("TARGETS", "").split()]
if not TARGETS:
    sys.exit("TARGETS is empty: start the lab with `make up`, or set TARGETS='C_asyncio=http://asyncio:8082'")
for name, _, url in TARGETS:
    # A trailing slash would make every request fail without being counted as one.
    globals()[name] = type(name, (Person,), {"host": url.rstrip("/"), "__doc__": f"A person at {url}"})
