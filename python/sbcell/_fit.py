"""Commands that read an `.h5ad` file: inspect, fit, run, evaluate."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _data, _tables
from ._annotate import annotate_object
from ._errors import UsageError
from ._model import BaseModel, model_of, remember
from ._packages import is_anndata, need
from ._process import Answer, call
from ._shared import data_file, documented, out_path, path_of, scratch

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

    from . import _typed as typed
    from ._methods import Model
    from ._shared import Cells, Data, Groups, Path_, Times


@documented("inspect")
def inspect(data: Data, *, progress: Optional[bool] = None, **flags: Unpack[typed.Inspect]) -> dict[str, Any]:
    """Show the contents of a file or an AnnData object, and the commands that can use it.

    Parameters
    ----------
    data
        AnnData object, or path of an `.h5ad` file.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    dict
        What `sbcell inspect --json` prints: matrices, columns that may be the time, embeddings.

    Examples
    --------
    >>> import sbcell as sb
    >>> seen = sb.inspect("data-samples/semrau2017_mesc_ra.h5ad")
    >>> seen["n_cells"], [matrix["name"] for matrix in seen["matrices"]]
    (2449, ['X', 'layers/counts'])
    """
    with scratch() as folder:
        if is_anndata(data):
            path: str = os.fspath(folder / "data.h5ad")
            whole: Any = data
            whole.write_h5ad(path) if not whole.isbacked else _data.write(whole, Path(path), x=True, obsm=whole.obsm)
        else:
            path, _ = data_file("inspect", data, {}, folder / "data.h5ad")
        return call("inspect", [path], flags, folder, progress).whole


@documented("fit")
def fit(
    data: Data,
    timepoints: Union[str, bool, None] = None,
    *,
    layer: Optional[str] = None,
    use_rep: Optional[str] = None,
    n_pcs: Union[int, str, None] = None,
    epsilon: Optional[float] = None,
    solver: Optional[str] = None,
    condition_key: Optional[str] = None,
    no_validation: bool = False,
    out: Optional[Path_] = None,
    inplace: bool = False,
    key_added: str = "sbcell",
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Fit],
) -> Model:
    """Fit one Schrödinger bridge per interval between neighbouring time points.

    Parameters
    ----------
    data
        AnnData object, or path of an `.h5ad` file. An object is not changed; the parts of it that are needed go
        into a temporary file.
    timepoints
        Column of `obs` with the times. Without it, sbcell finds the column.
    layer
        Read this layer instead of `X`.
    use_rep
        Use this embedding of `obsm` unchanged, without genes.
    n_pcs
        Number of principal components, or `"auto"`.
    epsilon
        Variance of the reference process over the median interval, on data divided by the scale.
    solver
        Solver of the bridges, such as `"lightsb"` (the default), `"sinkhorn"` or `"sf2m"`.
    condition_key
        Column of `obs` with conditions: one model for each, see :attr:`Model.conditions`.
    no_validation
        Skip the evaluation on held-out times after the fit.
    out
        Folder of the model. Without it, the model is in a temporary folder that is removed with it.
    inplace
        Write times, coordinates and velocities into the object, as :func:`annotate` does.
    key_added
        Key in `uns`, and prefix of the other keys, with `inplace`.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.
    **flags
        Other flags of `sbcell fit`, see below.

    Returns
    -------
    Model
        The model. All functions that read a model are also its methods.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> model.table("fit")[["from", "to", "stop"]].head(2)
       from    to       stop
    0   0.0   6.0  converged
    1   6.0  12.0  converged
    """
    keywords: dict[str, Any] = dict(
        flags, timepoints=timepoints, layer=layer, use_rep=use_rep, n_pcs=n_pcs, epsilon=epsilon, solver=solver,
        condition_key=condition_key, no_validation=no_validation,
    )  # fmt: skip
    if flags.get("dry_run"):
        raise TypeError("fit() returns a model; call sbcell.dry_run() for the estimates alone")
    if inplace and not is_anndata(data):
        raise UsageError("`inplace` needs an AnnData object", "call `sbcell.annotate` on the file", 2)
    kept = Path(tempfile.mkdtemp(prefix="sbcell-"))
    try:
        folder = out_path(out, kept / "model")
        path, own = data_file("fit", data, keywords, kept / "data.h5ad")
        with scratch() as files:
            answer = call("fit", [path], dict(keywords, out=folder), files, progress)
        model = _new_model(folder)
    except BaseException:
        shutil.rmtree(kept, ignore_errors=True)
        raise
    model.answer = answer
    model._keep(kept)
    if is_anndata(data):
        model._attach(data)
        model._wrote(data, Path(path))
        remember(data, model)
        if inplace:
            annotate_object(data, model, {"key": key_added}, progress)
    return model


def dry_run(
    data: Data, timepoints: Union[str, bool, None] = None, *, progress: Optional[bool] = None, **flags: Any
) -> Answer:
    """Estimate the memory and time of a fit from a trial on some cells (`sbcell fit --dry-run`).

    Takes the keywords of :func:`fit`. Printing the answer shows its sentences; `summary` has the numbers.

    Examples
    --------
    >>> import sbcell as sb
    >>> print(sb.dry_run("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time"))  # doctest: +ELLIPSIS
    would read X: 2449 cells × 41 genes
    would fit in 4 dimensions
    estimate: ...
    """
    keywords = dict(flags, timepoints=timepoints, dry_run=True)
    with scratch() as folder:
        path, _ = data_file("fit", data, keywords, folder / "data.h5ad")
        return call("fit", [path], dict(keywords, out=folder / "model"), folder, progress)


def _new_model(folder: Path, adata: Any = None) -> Model:
    """A model with its methods, whose class knows this file."""
    from ._methods import Model

    return Model(folder, adata)


class Results:
    """The folder that :func:`run` wrote.

    Attributes
    ----------
    folder : pathlib.Path
        The folder.
    model : Model
        The model.
    report : pathlib.Path
        The page with all results.
    answer : Answer
        Findings, remarks and steps.
    """

    def __init__(self, folder: Path_, answer: Optional[Answer] = None, adata: Any = None) -> None:
        self.folder: Path = Path(os.path.abspath(folder))
        self.answer = answer
        self.model = _new_model(self.folder / "model", adata)
        self.report = self.folder / "report.html"

    @property
    def tables(self) -> list[str]:
        """The names of the tables that are there."""
        return sorted(path.stem for path in self.folder.iterdir() if path.suffix in (".csv", ".parquet"))

    def table(self, name: str) -> pd.DataFrame:
        """A table, such as `fates`, `transitions`, `trends`, `edges`; `populations` needs pyarrow."""
        for suffix in (".csv", ".parquet"):
            path = self.folder / f"{name}{suffix}"
            if path.is_file():
                return _tables.read(path, index="id")
        raise UsageError(f"there is no table `{name}`", f"there are {', '.join(self.tables)}", 2)

    def __fspath__(self) -> str:
        return os.fspath(self.folder)

    def __repr__(self) -> str:
        return f"Results in {self.folder}: {', '.join(self.tables)}"


@documented("run")
def run(
    data: Data,
    timepoints: Union[str, bool, None] = None,
    *,
    groupby: Optional[str] = None,
    cells: Cells = None,
    skip: Union[str, list[str], None] = None,
    set: Union[dict[str, Any], list[str], None] = None,
    out: Path_ = "sbcell-results",
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Run],
) -> Results:
    """Do everything: model, scores, populations, fates, transitions, genes, edges, and a page of results.

    Parameters
    ----------
    data
        AnnData object, or path of an `.h5ad` file.
    timepoints
        Column of `obs` with the times. Without it, sbcell finds the column.
    groupby
        Column of `obs` with the groups of cells. Without it, sbcell looks for one.
    cells
        Groups of cells in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    skip
        Steps to leave out, such as `["grn"]`.
    set
        Flags of single steps: `{"fit.n-pcs": 20}`.
    out
        Folder of the results.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb, tempfile
    >>> results = sb.run("data-samples/semrau2017_mesc_ra.h5ad", cells="data-samples/semrau2017_groups.csv",
    ...                  skip=["grn", "evaluate"], out=tempfile.mkdtemp() + "/results")
    >>> results.tables
    ['fates', 'populations', 'transitions', 'transitions.wide', 'trends']
    """
    keywords: dict[str, Any] = dict(
        flags, timepoints=timepoints, groupby=groupby, cells=cells, skip=skip, set=set, out=out
    )
    kept = Path(tempfile.mkdtemp(prefix="sbcell-"))
    try:
        path, own = data_file("run", data, keywords, kept / "data.h5ad")
        answer = call("run", [path], keywords, kept, progress)
        results = Results(out, answer, data if own else None)
    except BaseException:
        shutil.rmtree(kept, ignore_errors=True)
        raise
    if own:
        # The model reads the cells from this file as long as it lives.
        results.model._keep(kept)
        results.model._wrote(data, Path(path))
        remember(data, results.model)
    else:
        shutil.rmtree(kept, ignore_errors=True)
    return results


@documented("evaluate")
def evaluate(
    data: Union[Data, BaseModel],
    timepoints: Union[str, bool, None] = None,
    *,
    compare: Union[str, list[str], None] = None,
    at: Times = None,
    clones: bool = False,
    clone_key: Optional[str] = None,
    groupby: Groups = None,
    cells: Cells = None,
    bootstrap: Optional[int] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Evaluate],
) -> pd.DataFrame:
    """Hold out each inner time, predict it from the other times, and score the prediction.

    Parameters
    ----------
    data
        AnnData object, or path of an `.h5ad` file; a model stands for the file of its fit, with its matrix and its
        column of times; other parameters of the fit are not repeated.
        With `clones`, a model.
    timepoints
        Column of `obs` with the times. Without it, sbcell finds the column.
    compare
        Solvers to score on the same cells.
    at
        Times to hold out in turn. Without it, all inner times.
    clones
        Score the fates of a fitted model against clones, in place of held-out times.
    clone_key
        Column of `obs` with the clone of each cell, or key of a cells × clones matrix in `obsm`.
    groupby, cells
        Groups of cells, with `clones`.
    bootstrap
        Number of bootstrap resamples.
    out
        Folder for the scores and their chart. Without it, only the table is returned.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pandas.DataFrame
        The scores: one row for each held-out time, solver or null model, and metric.

    Examples
    --------
    >>> import sbcell as sb
    >>> scores = sb.evaluate("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", at=36,
    ...                      cells_per_time=50, bootstrap=0)
    >>> "lightsb" in set(scores["name"])
    True
    """
    need("pandas", "the table of evaluate()")
    keywords: dict[str, Any] = dict(
        flags, timepoints=timepoints, compare=compare, at=at, clones=clones, clone_key=clone_key, groupby=groupby,
        cells=cells, bootstrap=bootstrap,
    )  # fmt: skip
    with scratch() as folder:
        place = out_path(out, folder / "validation")
        keywords["out"] = place
        if clones:
            if isinstance(data, BaseModel) or is_anndata(data):
                keywords["model"] = model_of(data).folder
                path = _file_of(model_of(data), folder, keywords)
            else:
                path = path_of(data)
        elif isinstance(data, BaseModel):
            source = data.parameters.get("source")
            if isinstance(source, dict):
                source = {"use_rep" if kind == "rep" else kind: name for kind, name in source.items()}
                keywords = {**source, **keywords}
            elif source == "raw":
                keywords = {"use_raw": True, **keywords}
            keywords["timepoints"] = timepoints or data.header.get("time_column")
            path = _file_of(data, folder, keywords)
        else:
            path, _ = data_file("evaluate", data, keywords, folder / "data.h5ad")
        answer = call("evaluate", [path], keywords, folder, progress, own_data=True)
        return _tables.read(place / ("clones.csv" if clones else "validation.csv"), answer.record())


def _file_of(model: BaseModel, folder: Path, keywords: dict[str, Any]) -> str:
    """The file that a model was fitted on."""
    adata: Optional[Any] = model._adata() if model._adata is not None else None
    if adata is not None:
        return data_file("evaluate", adata, keywords, folder / "data.h5ad")[0]
    recorded: dict[str, Any] = model.run["input"]
    return os.fspath(model._file or recorded.get("path") or recorded["file"])
