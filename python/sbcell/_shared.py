"""Steps that the functions of all commands share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from . import _data, _flags, _tables
from ._errors import UsageError
from ._model import BaseModel, model_of, used
from ._packages import is_anndata, need
from ._process import Answer, call

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    Path_ = Union[str, os.PathLike[str]]
    Target = Union[BaseModel, AnnData, Path_]
    Data = Union[AnnData, Path_]
    Groups = Union[str, Mapping[str, Union[str, Sequence[str]]], None]
    Cells = Union[Path_, Sequence[Path_], pd.Series, Mapping[str, str], None]
    Times = Union[float, str, Sequence[Union[float, str]], None]
    Time = Union[float, str, None]

Function = TypeVar("Function", bound=Callable[..., Any])


def documented(command: str) -> Callable[[Function], Function]:
    """Add the flags of a command that have no parameter of their own to the docstring of its function."""

    def add(function: Function) -> Function:
        named = signature(function).parameters
        rest = _flags.describe(command, leave_out=named)
        body = "\n".join(f"    {line}" if line else "" for line in rest.splitlines())
        lead, mark, examples = (function.__doc__ or "").partition("\n\n    Examples\n")
        heading = "Other Parameters"
        function.__doc__ = f"{lead.rstrip()}\n\n    {heading}\n    {'-' * len(heading)}\n{body}{mark}{examples}"
        return function

    return add


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder that is removed afterwards, also after an error or Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="sbcell-") as folder:
        yield Path(folder)


def call_model(
    command: str,
    target: Target,
    keywords: Mapping[str, Any],
    folder: Path,
    progress: Optional[bool],
    positional: Sequence[str] = (),
) -> Answer:
    """Run a command that reads a model with `--model`."""
    model = model_of(target)
    sent = dict(keywords, model=model.folder)
    own = False
    if is_anndata(keywords.get("data")):
        sent["data"], own = _given(model, command, keywords, folder), True
    elif keywords.get("data") is None and (path := model._data_for(command, keywords)) is not None:
        sent["data"], own = path, True
    return call(command, positional, sent, folder, progress, own)


def _given(model: BaseModel, command: str, keywords: Mapping[str, Any], folder: Path) -> Path:
    """The file of an AnnData object that was given as `data`."""
    adata = keywords["data"]
    columns, obsm = used(command, {key: one for key, one in keywords.items() if key != "data"}, adata)
    path = folder / "data.h5ad"
    _data.write(adata, path, columns=columns, obsm=obsm, **_data.matrices_of_source(model.parameters.get("source")))
    return path


def call_table(
    command: str,
    target: Target,
    keywords: Mapping[str, Any],
    out: Optional[Path_],
    progress: Optional[bool],
    index: Optional[str] = None,
) -> pd.DataFrame:
    """Run a command that reads a model and writes a table, and read the table."""
    need("pandas", f"the table of {command.replace('-', '_')}()")
    with scratch() as folder:
        path = out_path(out, folder / f"{command}.csv")
        answer = call_model(command, target, {**keywords, "out": path}, folder, progress)
        return _tables.read(path, answer.record(), index)


def out_path(out: Optional[Path_], otherwise: Path) -> Path:
    """The path of an output, which must be a file or folder."""
    if out is None:
        return otherwise
    if os.fspath(out) == "-":
        raise UsageError("`out` must be a path, got `-`", "the result is returned in any case; leave `out` away", 2)
    return Path(out)


def path_of(target: Any) -> str:
    """The path in a target that is no object."""
    return str(os.fspath(target))


def data_file(command: str, data: Data, keywords: Mapping[str, Any], path: Path) -> tuple[str, bool]:
    """The `.h5ad` file for a command: the given one, or `path` with what the command reads of an object.

    Also returns whether the file is one of this module.
    """
    if not is_anndata(data):
        if isinstance(data, (str, os.PathLike)):
            return os.path.abspath(os.fspath(data)), False
        raise TypeError(f"an AnnData object or the path of an .h5ad file is needed, got {type(data).__name__}")
    adata: Any = data
    columns, obsm = used(command, keywords, adata)
    parts = _data.matrices_for_fit(adata, keywords)
    if command == "run":
        parts["x"] = True
    for name in (keywords.get("use_rep"), keywords.get("timepoints")):
        if isinstance(name, str):
            key = _data.embedding(adata, name)
            obsm += [key] if key else []
    if isinstance(keywords.get("timepoints"), str):
        columns.append(keywords["timepoints"])
    _data.write(adata, path, columns=columns, obsm=obsm, **parts)
    return os.fspath(path), True


def object_of(target: Target, what: str) -> Any:
    """The AnnData object that results are written into."""
    if is_anndata(target):
        return target
    held = target._adata() if isinstance(target, BaseModel) and target._adata is not None else None
    if held is None:
        raise UsageError(
            f"`{what}` needs the AnnData object, but only files are known here",
            "pass the object (`sbcell.Model(folder, adata)`), or call `sbcell.annotate` on the file",
            2,
        )
    return held
