"""Packages that only some functions need, imported when they are used."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from ._errors import MissingPackageError

_EXTRA = {"pandas": "sbcell[anndata]", "anndata": "sbcell[anndata]", "h5py": "sbcell[anndata]"}


def need(name: str, what: str) -> ModuleType:
    """Import a package.

    Raises
    ------
    MissingPackageError
        It is not installed; the message says for what it is needed and how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        top = name.split(".")[0]
        raise MissingPackageError(
            f"{what} needs the package {top}, which cannot be imported ({problem})",
            f"pip install '{_EXTRA.get(top, top)}'",
        ) from problem


def is_anndata(value: Any) -> bool:
    """Whether a value is an AnnData object; anndata is not imported to find out."""
    return any(kind.__name__ == "AnnData" and kind.__module__.startswith("anndata") for kind in type(value).__mro__)
