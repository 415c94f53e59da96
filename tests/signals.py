"""Signals for processes that tests start."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heard(number: signal.Signals) -> Iterator[None]:
    """Processes started here obey the signal, also where the tests themselves run in the background of a shell.

    A shell lets its background jobs ignore Ctrl-C; what is ignored is inherited.
    """
    before = signal.signal(number, signal.default_int_handler)  # a handler: back to the default in what is executed
    try:
        yield
    finally:
        signal.signal(number, before)
