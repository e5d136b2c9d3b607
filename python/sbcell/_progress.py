"""Progress of a running command, in a terminal, in a notebook, or as lines."""

from __future__ import annotations

import importlib
import shutil
import sys
from typing import Any, Optional, Protocol


class Display(Protocol):
    """A place where lines of progress and remarks appear."""

    def step(self, line: str) -> None:
        """Show the current step in place of the one before."""

    def note(self, line: str) -> None:
        """Show a remark that stays."""

    def close(self) -> None:
        """Remove the current step."""


class Silent:
    """Shows nothing."""

    def step(self, line: str) -> None:
        """Show nothing."""

    def note(self, line: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines(Silent):
    """Every line on standard error, as for log files."""

    def step(self, line: str) -> None:
        """Print the step."""
        print(line, file=sys.stderr, flush=True)

    def note(self, line: str) -> None:
        """Print the remark."""
        print(line, file=sys.stderr, flush=True)


class OneLine:
    """A line of the terminal that is written again and again."""

    def __init__(self) -> None:
        self._length = 0

    def step(self, line: str) -> None:
        """Write the step over the one before."""
        width = shutil.get_terminal_size().columns - 1
        line = line[:width]
        sys.stderr.write("\r" + line + " " * max(0, self._length - len(line)))
        sys.stderr.flush()
        self._length = len(line)

    def note(self, line: str) -> None:
        """Write a remark above the step."""
        self.close()
        print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Clear the line."""
        if self._length:
            sys.stderr.write("\r" + " " * self._length + "\r")
            sys.stderr.flush()
            self._length = 0


class Notebook:
    """A line of the output of a notebook cell that changes."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._notes: list[str] = []
        self._step = ""

    def step(self, line: str) -> None:
        """Show the step in place of the one before."""
        self._step = line
        self._show()

    def note(self, line: str) -> None:
        """Show a remark above the step."""
        self._notes.append(line)
        self._show()

    def close(self) -> None:
        """Leave the remarks."""
        self._step = ""
        if self._handle is not None:
            self._show()

    def _show(self) -> None:
        display: Any = importlib.import_module("IPython.display").display
        text = "\n".join([*self._notes, *([self._step] if self._step else [])])
        # With `raw`, IPython takes any bundle of types, and leaves out those that the page cannot show.
        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this code."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def display_for(progress: Optional[bool]) -> Display:
    """The display: `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere."""
    if progress is False:
        return Silent()
    if in_notebook():
        return Notebook()
    if sys.stderr is not None and sys.stderr.isatty():
        return OneLine()
    return Lines() if progress else Silent()
