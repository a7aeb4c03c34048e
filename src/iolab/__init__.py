"""The Event-Driven I/O Lab: server concurrency models, measured beside what queueing theory predicts."""

__version__ = "0.1.0"
