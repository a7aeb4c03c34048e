"""How long a plan must be for its mean to be known. Pure functions; times are in seconds, rates per second."""

import math

import numpy as np

from iolab.theory.queueing import ExponentialService, Queue, relaxation_s

NORMAL = 1.96  # standard deviations that 95% of a normal distribution lie within
POINTS, LONGEST = 600, 25.0  # of the integral over waiting times, up to so many means of those that are not 0


def forgets_s(queue: Queue) -> float:
    """Return the relaxation time of an M/M/c or M/D/c queue, that of one server as fast as all together.

    For constant service it is S / c / (rho - 1 - log(rho)): the decay of the transform exp(lambda (exp(x S) - 1) - x)
    at its least.
    Source: Cohen, The Single Server Queue (1982), section III.7.3.
    """
    if isinstance(queue, ExponentialService):
        return relaxation_s(queue.rate_rps, queue.service_s, queue.workers)
    rho = queue.utilisation
    return queue.service_s / queue.workers / (rho - 1 - math.log(rho))


def needed_s(queue: Queue, share: float) -> float:
    """Return about how long a plan must be for 95% of such plans to have a mean within `share` of the true one.

    Waiting times resemble each other for about a relaxation time: in heavy traffic that is their integrated
    autocorrelation, so the variance of their mean over T seconds is about (2 / lambda + relaxation time) / T times
    theirs. Service times are independent. The result is right to a third, by simulation.
    Source: Whitt, Planning Queueing Simulations (1989).
    """
    longest_s = LONGEST * queue.mean_wait_s / max(queue.beyond(0.0), 1e-9) + 5 * queue.service_s
    times = np.linspace(0.0, longest_s, POINTS)
    beyond = np.array([queue.beyond(float(each)) for each in times])
    waiting = float(np.trapezoid(2 * times * beyond, times)) - queue.mean_wait_s**2
    service = queue.service_s**2 if isinstance(queue, ExponentialService) else 0.0
    of_a_second = waiting * (2 / queue.rate_rps + forgets_s(queue)) + service / queue.rate_rps
    return (NORMAL / share) ** 2 * of_a_second / queue.mean_s**2
