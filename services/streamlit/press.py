"""Presses the app's button without a browser, by Streamlit's own websocket protocol: press.py [URL] [--clicks N].

It needs only the standard library and the protobuf classes of the installed Streamlit.
"""

import argparse
import base64
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import streamlit
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

LIMIT_S = 15.0
BINARY, CLOSE = 2, 8


def connect(url: str) -> socket.socket:
    """Return a socket that has become a websocket (RFC 6455, 4.1)."""
    to = urlsplit(url)
    connection = socket.create_connection((to.hostname or "127.0.0.1", to.port or 80), timeout=LIMIT_S)
    key = base64.b64encode(os.urandom(16)).decode()
    # "Upgrade" comes first: strace shows the beginning of what is sent.
    connection.sendall(
        f"GET {to.path.rstrip('/')}/_stcore/stream HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Host: {to.netloc}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Protocol: streamlit\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):  # byte by byte: the bytes after it belong to the first frame
        answer += receive(connection, 1)
    status = answer.decode(errors="replace").splitlines()[0]
    if " 101 " not in status:
        raise ConnectionError(f"no websocket there: {status}")
    return connection


def receive(connection: socket.socket, count: int) -> bytes:
    """Return exactly `count` bytes."""
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("the app closed the connection")
        data += part
    return data


def send(connection: socket.socket, message: BackMsg) -> None:
    """Send a message as a browser does: one binary frame, masked (RFC 6455, 5.3)."""
    data, mask = message.SerializeToString(), os.urandom(4)
    length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(data))
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    connection.sendall(bytes([0x80 | BINARY]) + length + mask + masked)


def messages(connection: socket.socket) -> Iterator[ForwardMsg]:
    """Yield the app's messages until the script has finished."""
    while True:
        first, length = receive(connection, 2)
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(receive(connection, size), "big")
        data = receive(connection, length)
        if first & 0x0F == CLOSE:
            raise ConnectionError("the app closed the connection")
        if first & 0x0F == BINARY:
            message = ForwardMsg.FromString(data)
            yield message
            if message.WhichOneof("type") == "script_finished":
                return


def button_id(connection: socket.socket) -> str:
    """Request the page, as a browser does after it connects, and return the id of its button."""
    send(connection, BackMsg(rerun_script={"query_string": ""}))
    found = [message.delta.new_element.button.id for message in messages(connection)]
    buttons = [identity for identity in found if identity]
    if not buttons:
        raise ConnectionError("the page has no button")
    return buttons[0]


def main() -> int:
    """Click the given number of times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8079")
    parser.add_argument("--clicks", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds before each click")
    asked = parser.parse_args()
    try:
        with connect(asked.url) as connection:
            button = button_id(connection)
            for _ in range(asked.clicks):
                time.sleep(asked.pause)
                state = {"widgets": [{"id": button, "trigger_value": True}]}
                send(connection, BackMsg(rerun_script={"query_string": "", "widget_states": state}))
                for _ in messages(connection):
                    pass
    except (OSError, ValueError) as error:
        print(f"the button at {asked.url} could not be pressed: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"clicks": asked.clicks, "streamlit": streamlit.__version__}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
