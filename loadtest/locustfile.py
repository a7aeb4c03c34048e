"""The users of Locust's web page: a class for each model, made from TARGETS (Name=URL, separated by spaces).

Names are in capitals and without underscores: the page's class picker changes others, and then does not find them.
"""

import os

from locust import FastHttpUser, task


class Person(FastHttpUser):
    """Asks, waits for the answer, asks again at once: a closed loop, as in the benchmark."""

    abstract = True

    @task
    def ask(self) -> None:
        """GET /, which takes the server's wait."""
        self.client.get("/", name=type(self).__name__)


TARGETS = [target.partition("=") for target in os.environ.get("TARGETS", "").split()]
for name, _, url in TARGETS:
    # A trailing slash would make every request fail without being counted as one.
    globals()[name] = type(name, (Person,), {"host": url.rstrip("/"), "__doc__": f"A person at {url}"})

if not TARGETS:  # started without `make up`, which knows the models: the page asks for the host

    class AnyServer(Person):
        """A person at the host that you type in."""
