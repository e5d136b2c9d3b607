"""Checks of the program and of results: `doctor` and `verify`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Union

from ._model import BaseModel
from ._process import call
from ._shared import documented, scratch


@documented("doctor")
def doctor() -> dict[str, Any]:
    """Look at the machine, and test the program against two closed forms.

    Returns
    -------
    dict
        What `sbcell doctor --json` prints: `findings` with `check`, `found`, `problem`, then processor, threads and
        memory. `summary["n_problems"]` is 0 if all is well.

    Examples
    --------
    >>> import sbcell as sb
    >>> found = sb.doctor()
    >>> found["summary"]["n_problems"]
    0
    """
    with scratch() as folder:
        return call("doctor", [], {}, folder, False).whole


@documented("verify")
def verify(folder: Union[BaseModel, str, os.PathLike[str]], *, rerun: bool = False) -> dict[str, Any]:
    """Compare results and their inputs with the hashes in their run records.

    Parameters
    ----------
    folder
        Model, folder of results, or a file with its record beside it.
    rerun
        Also makes the outputs again in a temporary folder, and compares the bytes.

    Returns
    -------
    dict
        What `sbcell verify --json` prints: `records` with the state of each file, `rerun`, and numbers in `summary`.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> sb.verify(model)["summary"]["n_changed"]
    0
    """
    path = folder.folder if isinstance(folder, BaseModel) else Path(os.fspath(folder))
    with scratch() as place:
        return call("verify", [os.fspath(path)], {"rerun": rerun}, place, False).whole
