"""Calls of the binary: progress while it runs, its answer, and its end."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Optional

from . import _flags
from ._binary import binary_version, find_binary
from ._errors import NotConvergedWarning, as_keywords, from_output, plain
from ._progress import Display, display_for

log = logging.getLogger("sbcell")

# Seconds that the binary has to stop after Ctrl-C.
GRACE = 10.0
NOT_CONVERGED = 4
# Commands that check something, and whose exit code 1 means that the answer is no.
CHECKS = {"doctor", "verify"}
# A remark about files that this module wrote itself.
_OWN_FILE = "is not the file that was fitted: its cells and genes are found by their names"


@dataclass(frozen=True)
class Answer:
    """The answer of a command.

    Attributes
    ----------
    command : str
        Name of the command.
    files : list of pathlib.Path
        Files and folders that were written.
    notes : list of str
        Remarks about the data and the result.
    summary : dict
        Numbers, tables and sentences of the command.
    whole : dict
        The whole answer, with fields that only some commands have.
    exit_code : int
        0, or 4 if the solver did not converge.
    """

    command: str
    files: list[Path]
    notes: list[str]
    summary: dict[str, Any]
    whole: dict[str, Any] = field(repr=False)
    exit_code: int = 0

    def __str__(self) -> str:
        return "\n".join(str(sentence) for sentence in self.summary.get("sentences", []))

    def record(self) -> dict[str, Any]:
        """The answer as plain values, for the attributes of a table."""
        return {
            "command": self.command,
            "version": self.whole.get("version"),
            "notes": self.notes,
            "summary": self.summary,
        }


def call(
    command: str,
    positional: Sequence[str],
    keywords: Mapping[str, Any],
    scratch: Path,
    progress: Optional[bool] = None,
    own_data: bool = False,
) -> Answer:
    """Run a command and read its answer.

    `scratch` is a folder for files that the call needs. With `own_data`, the remark that the file of the cells is
    not the one of the fit is left out.

    Raises
    ------
    SbcellError
        The command failed.
    KeyboardInterrupt
        The user stopped it; the binary has ended by then.
    """
    words = _flags.arguments(command, keywords, scratch)
    program = find_binary()
    binary_version(program)
    line = [os.fspath(program), command, *words, "--json", "--progress=plain", "--", *positional]
    log.debug("running %s", line)
    child = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        # Ctrl-C in a terminal reaches Python only, which then stops the binary once.
        start_new_session=True,
    )
    said, errors = _listen(child, display_for(progress), own_data)
    is_answer = child.returncode == 1 and command in CHECKS and said.strip()
    if child.returncode not in (0, NOT_CONVERGED) and not is_answer:
        raise from_output(child.returncode, errors)
    return _answer(command, said, child.returncode, own_data)


def _answer(command: str, said: str, exit_code: int, own_data: bool) -> Answer:
    """The answer in the output of a command."""
    whole: dict[str, Any] = json.loads(said) if said.strip() else {}
    notes = [as_keywords(note) for note in whole.get("notes", []) if not (own_data and note.endswith(_OWN_FILE))]
    for note in notes:
        log.info("%s: %s", command, note)
    if exit_code == NOT_CONVERGED:
        where = ", ".join(map(str, whole.get("summary", {}).get("not_converged", []))) or "some intervals"
        warnings.warn(f"{command}: the solver did not converge on {where}", NotConvergedWarning, stacklevel=5)
    files = [Path(path) for path in whole.get("files", [])]
    return Answer(command, files, notes, whole.get("summary", {}), whole, exit_code)


def _listen(child: subprocess.Popen[str], display: Display, own_data: bool) -> tuple[str, list[str]]:
    """Show progress until the child ends. Returns its output and the lines of its errors."""
    assert child.stdout is not None and child.stderr is not None
    lines: queue.Queue[Optional[str]] = queue.Queue()
    out: list[str] = []
    readers = [
        threading.Thread(target=_read_lines, args=(child.stderr, lines), daemon=True),
        threading.Thread(target=_read_all, args=(child.stdout, out), daemon=True),
    ]
    errors: list[str] = []
    try:
        for reader in readers:
            reader.start()
        while (line := lines.get()) is not None:
            line = plain(line)
            if line.startswith("sbcell: "):
                display.step(line)
                continue
            errors.append(line)
            if line.startswith("note: ") and not (own_data and line.endswith(_OWN_FILE)):
                display.note(as_keywords(line))
        for reader in readers:
            reader.join()
        child.wait()
    finally:
        stop(child)
        display.close()
        for reader in readers:
            reader.join(timeout=GRACE)
        child.stdout.close()
        child.stderr.close()
    return "".join(out), errors


def _read_lines(stream: IO[str], lines: queue.Queue[Optional[str]]) -> None:
    """Pass on the lines of a stream as they come, then `None`."""
    try:
        for line in stream:
            lines.put(line.rstrip("\n"))
    finally:
        lines.put(None)


def _read_all(stream: IO[str], out: list[str]) -> None:
    """Read the whole stream, so that the child never waits for a reader."""
    out.append(stream.read())


def stop(child: subprocess.Popen[str]) -> None:
    """End a child that still runs: first as by Ctrl-C, so that it leaves no half file, then at once."""
    if child.poll() is not None:
        return
    try:
        child.send_signal(signal.SIGINT)
        child.wait(timeout=GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt, ValueError):
        child.kill()
        child.wait()
