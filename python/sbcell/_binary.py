"""The program `sbcell` that belongs to this Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from ._errors import BinaryNotFoundError, VersionMismatchWarning

NAME = "sbcell.exe" if os.name == "nt" else "sbcell"


def package_version() -> str:
    """The version of the installed package; `0+unknown` if Python reads the sources of a repository."""
    try:
        return metadata.version("sbcell")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def find_binary() -> Path:
    """Find the program that all functions call.

    The first of these counts: the environment variable `SBCELL_BINARY`, the folder of scripts of this Python,
    `PATH`.

    Returns
    -------
    pathlib.Path
        The program.

    Raises
    ------
    BinaryNotFoundError
        The program is nowhere, or `SBCELL_BINARY` names something else.
    """
    given = os.environ.get("SBCELL_BINARY")
    if given:
        if os.path.isfile(given) and os.access(given, os.X_OK):
            return Path(given)
        raise BinaryNotFoundError(
            f"SBCELL_BINARY is `{given}`, which is not a program",
            "set it to the path of the program `sbcell`, or unset it",
        )
    places = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable), *_user_scripts()]
    for place in places:
        program = Path(place) / NAME
        if program.is_file() and os.access(program, os.X_OK):
            return program
    on_path = shutil.which("sbcell")
    if on_path:
        return Path(on_path)
    raise BinaryNotFoundError(
        f"the program `sbcell` is neither in {places[0]} nor on PATH",
        "install the package again (`pip install --force-reinstall sbcell`), or set SBCELL_BINARY to the program",
    )


def _user_scripts() -> list[str]:
    """The folder of scripts of `pip install --user`."""
    scheme = "nt_user" if os.name == "nt" else "posix_user"
    return [sysconfig.get_path("scripts", scheme)] if scheme in sysconfig.get_scheme_names() else []


@lru_cache(maxsize=None)
def binary_version(program: Path) -> str:
    """The version that the program prints. Warns once if the Python package has another one."""
    try:
        said = subprocess.run(
            [program, "--version"], check=True, capture_output=True, encoding="utf-8", timeout=60
        ).stdout.split()
    except (OSError, subprocess.SubprocessError) as problem:
        raise BinaryNotFoundError(
            f"`{program}` cannot be run: {problem}", "set SBCELL_BINARY to another program"
        ) from problem
    version = said[-1] if len(said) == 2 and said[0] == "sbcell" else ""
    if not version:
        raise BinaryNotFoundError(f"`{program}` is not sbcell", "set SBCELL_BINARY to the program `sbcell`")
    mine = package_version()
    if mine not in (version, "0+unknown"):
        warnings.warn(
            f"the program {program} has version {version}, the Python package {mine}: flags may differ",
            VersionMismatchWarning,
            stacklevel=2,
        )
    return version
