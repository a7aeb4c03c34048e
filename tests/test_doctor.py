from iolab.host.limits import Facts
from iolab.live.doctor import crowd


def test_doctor_says_how_many_can_come_and_what_is_in_the_way() -> None:
    one, several, threads = crowd(Facts(files=20_000, maps=65_530, pid_max=32_000))
    assert one[0]
    assert one[1] == "crowd"
    assert one[2].startswith(
        "asyncio, one process: 19,936 of 100,000 users can connect: a process may have 20,000 open files"
    )
    assert several[2] == "asyncio, 6 processes: 100,000 users can connect"
    assert "(next limit: memory maps, at 21,743)" in threads[2]


def test_a_machine_that_cannot_hold_a_thousand_is_not_fine() -> None:
    one, several, _ = crowd(Facts(files=512))
    assert not one[0]
    assert several[0]
    assert all(fine for fine, _, _ in crowd(Facts()))
