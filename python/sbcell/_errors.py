"""Exceptions and warnings, by the exit codes of the binary."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# A flag with at least one letter; `--n-pcs` becomes `n_pcs`.
_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")
# Temporary files of this module.
_OWN_FILE = re.compile(r"`[^`]*/sbcell-[^`/]+/(?:data|cells)\.h5ad`|\S*/sbcell-[^/\s]+/(?:data|cells)\.h5ad")
_COMMAND = re.compile(r"`sbcell [^`]*`")


class SbcellError(Exception):
    """A command failed.

    Attributes
    ----------
    message : str
        The problem, in one sentence.
    hint : str or None
        The way out.
    exit_code : int or None
        Exit code of the binary; negative for a signal, `None` if it did not run.
    stderr : str
        Everything that the binary wrote to standard error.
    """

    def __init__(
        self, message: str, hint: Optional[str] = None, exit_code: Optional[int] = None, stderr: str = ""
    ) -> None:
        super().__init__(message, hint, exit_code, stderr)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.stderr = stderr

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class FailedError(SbcellError):
    """A valid request failed (exit code 1)."""


class UsageError(SbcellError, ValueError):
    """The request is not valid, such as a parameter out of its range (exit code 2)."""


class UnreadableError(SbcellError):
    """An input cannot be read or has invalid values (exit code 3)."""


class InterruptedRunError(SbcellError):
    """Somebody stopped the binary from outside (exit code 130). Ctrl-C raises `KeyboardInterrupt` instead."""


class MemoryRefusedError(SbcellError):
    """The work needs more memory than there is or is allowed (exit code 5)."""


class BinaryNotFoundError(SbcellError):
    """The program `sbcell` is not installed where the module looks for it."""


class MissingPackageError(SbcellError, ImportError):
    """A Python package is missing that this function needs, such as pandas."""


class NotConvergedWarning(UserWarning):
    """The solver did not converge on some intervals; the model is written and marks them (exit code 4)."""


class VersionMismatchWarning(UserWarning):
    """The binary and the Python module have different versions."""


_BY_CODE = {1: FailedError, 2: UsageError, 3: UnreadableError, 5: MemoryRefusedError, 130: InterruptedRunError}


def plain(text: str) -> str:
    """Text without the codes of a terminal."""
    return _ANSI.sub("", text)


def as_keywords(text: str) -> str:
    """Text that names keywords of Python where the binary names flags, outside of whole commands.

    Temporary files of this module are called what they stand for.
    """
    text = _OWN_FILE.sub("the AnnData object", text)
    kept = _COMMAND.findall(text)
    changed = [_FLAG.sub(lambda found: found[1].replace("-", "_"), part) for part in _COMMAND.split(text)]
    return "".join(part + command for part, command in zip(changed, [*kept, ""]))


def from_output(exit_code: int, lines: Iterable[str]) -> SbcellError:
    """The exception for an exit code and the lines of standard error."""
    text = plain("\n".join(lines))
    message, hint = _parts(text)
    if not message:
        message = f"sbcell was ended by signal {-exit_code}" if exit_code < 0 else f"sbcell ended with code {exit_code}"
    kind = _BY_CODE.get(exit_code, SbcellError)
    return kind(as_keywords(message), as_keywords(hint) if hint else None, exit_code, text)


def _parts(text: str) -> tuple[str, Optional[str]]:
    """The message and the hint in the text of an error."""
    found = re.search(
        r"^error: (.*?)(?=\n\s*(?:hint|tip|note): |\n\nUsage: |\n\nFor more information|\Z)", text, re.M | re.S
    )
    if found is None:
        return "", None
    hint = re.search(r"^\s*(?:hint|tip): (.*?)(?=\n\n|\Z)", text[found.end() :], re.M | re.S)
    return found[1].strip(), hint[1].strip() if hint else None
