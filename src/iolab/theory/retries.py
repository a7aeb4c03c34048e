"""When TCP sends packets of a connection attempt again: pure functions; times in seconds."""

FIRST_S = 1.0  # RFC 6298, 2.1: the first timeout, before any round-trip time is known
FALLBACK_S = 3.0  # RFC 6298, 5.7: the timeout of the data, where the attempt itself was sent again


def attempts_again_s(linear_timeouts: int, until_s: float) -> list[float]:
    """Return the moments up to `until_s` at which Linux sends an unanswered connection attempt (SYN) again.

    The first timeouts last 1 s each, 1 + `linear_timeouts` of them; each later one is twice as long as the one before.
    `linear_timeouts` is net.ipv4.tcp_syn_linear_timeouts: 4 gives 1, 2, 3, 4, 5, 7, 11 s; 0, as in Linux before 6.5,
    gives 1, 3, 7, 15 s. Raises ValueError where it is negative.

    Source: Documentation/networking/ip-sysctl.rst of Linux, tcp_syn_linear_timeouts.
    """
    if linear_timeouts < 0:
        raise ValueError(f"{linear_timeouts} linear timeouts")
    moments: list[float] = []
    at_s = timeout_s = FIRST_S
    while at_s <= until_s:
        moments.append(at_s)
        if len(moments) > linear_timeouts:
            timeout_s *= 2
        at_s += timeout_s
    return moments
