"""The root of what Interplay raises when the user, not the program, can mend it."""

from __future__ import annotations


class InterplayError(Exception):
    """One line for the user: what, where, what was expected. The command line prints it and exits with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
