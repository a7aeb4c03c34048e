"""A click on a server of polls comes through a connection of its own, which must not stay: it would cost a file."""

import socket

import psutil
import pytest

from iolab.chat.servers import ChatServer, chat_servers
from iolab.lab import Lab
from tests.conftest import ROOT
from tests.own import free_ports
from tests.runtime.scripts import model, running
from tests.waiting import wait_until

CHATS = [chat for chat in chat_servers(Lab.read(ROOT).models, ("poll",)) if chat.threads != 1]


def said(address: tuple[str, int], request: str, stays: str = "keep-alive") -> tuple[socket.socket, str]:
    """Send a request; return its connection and the first words of the answer."""
    connection = socket.create_connection(address, timeout=5)
    head = f"Host: here\r\nContent-Length: 0\r\nConnection: {stays}\r\n"
    connection.sendall(f"{request} HTTP/1.1\r\n{head}\r\n".encode())
    return connection, connection.recv(1000).decode()


@pytest.mark.parametrize("chat", CHATS, ids=lambda chat: chat.title)
def test_a_click_leaves_no_connection(chat: ChatServer) -> None:
    folder = chat.model.service.folder
    assert folder
    with running(model(folder, free_ports(1)[0], "python3", chat.script)) as server:
        poll, hello = said(server.address, "GET /poll?7")
        assert hello.startswith("HTTP/1.1 200")
        (process,) = map(psutil.Process, server.pids())
        before = process.num_fds()
        for number in range(10):
            click, answer = said(server.address, f"POST /click?{7 + number % 2}&hi", "close")
            with click:
                assert answer.startswith(("HTTP/1.1 204", "HTTP/1.1 410")), answer
                assert click.recv(1000) == b"", "the server keeps it"
        wait_until(lambda: process.num_fds() <= before)
        poll.close()
