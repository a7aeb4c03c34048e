from iolab.host.accept_queues import AcceptQueues

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(local: str, other: str, state: str, waiting: int, inode: int) -> str:
    return f"   0: {local} {other} {state} 00000000:{waiting:08X} 00:00000000 00000000  1000        0 {inode} 1 0 100 0 0 10 0\n"


TABLE = HEAD + "".join(
    (
        row("0100007F:1F96", "00000000:0000", "0A", 3, 71),
        row("0100007F:1F96", "00000000:0000", "0A", 0, 72),
        row("0100007F:1F97", "00000000:0000", "0A", 9, 73),  # another port
        row("0100007F:1F96", "0100007F:C001", "01", 0, 80),  # accepted
        row("0100007F:1F96", "0100007F:C002", "01", 90, 0),  # in a queue, with a request of 90 bytes
        row("0100007F:1F96", "0100007F:C003", "08", 0, 81),  # accepted; the client has closed its end
        row("0100007F:C001", "0100007F:1F96", "01", 0, 90),  # the client's own end
    )
)


def test_lengths_of_the_queues_and_the_connections_that_are_accepted() -> None:
    found = AcceptQueues.parse(TABLE, 0x1F96)
    assert found.lengths == (3, 0)
    assert found.accepted == {0xC001, 0xC003}


def test_what_cannot_be_read_is_empty() -> None:
    assert AcceptQueues.parse("", 8086) == AcceptQueues()
