"""What a traced program is made of, according to the files that it opens."""

import re
from dataclasses import dataclass

_MADE_OF = re.compile(
    r"site-packages/(uvicorn|tornado|uvloop)/|site-packages/streamlit-([\d.]+)\.dist-info|/python(3\.\d+)/"
)


@dataclass
class Made:
    """The server, the loop and the versions; None if no opened file shows it."""

    server: str | None = None
    uvloop: bool = False
    streamlit: str | None = None
    python: str | None = None

    def learn(self, opened: str) -> None:
        """Take the arguments of an open, in plain text."""
        for match in _MADE_OF.finditer(opened):
            package, streamlit, python = match.groups()
            if package == "uvloop":
                self.uvloop = True
            elif package:
                self.server = "uvicorn" if package == "uvicorn" else self.server or package
            self.streamlit = self.streamlit or streamlit
            self.python = self.python or python
