"""Commands that predict: interpolate, sample, perturb, velocity."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _tables
from ._annotate import annotate_object
from ._model import model_of
from ._packages import need
from ._shared import call_model, call_table, documented, object_of, out_path, scratch

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from typing_extensions import Unpack

    from . import _typed as typed
    from ._shared import Cells, Groups, Path_, Target, Time, Times


def _population(
    command: str, model: Target, keywords: dict[str, Any], out: Optional[Path_], progress: Optional[bool]
) -> Any:
    """Cells as a table, or as an AnnData object with `format="h5ad"`."""
    kind = keywords.get("format") or ("h5ad" if out is not None and os.fspath(out).endswith(".h5ad") else "csv")
    package = need("anndata" if kind == "h5ad" else "pandas", f"{command}()")
    with scratch() as folder:
        path: Path = out_path(out, folder / f"{command}.{kind}")
        answer = call_model(command, model, {**keywords, "out": path}, folder, progress)
        return package.read_h5ad(path) if kind == "h5ad" else _tables.read(path, answer.record())


@documented("interpolate")
def interpolate(
    model: Target,
    at: Times = None,
    *,
    space: Optional[str] = None,
    n_cells: Optional[int] = None,
    format: Optional[str] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Interpolate],
) -> Any:
    """Draw the population at any time between the snapshots.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    at
        Times, or labels of snapshots. Without it, the middle of every interval.
    space
        `"pca"` (coordinates of the fit) or `"genes"`.
    n_cells
        Number of cells at each time. Without it, the size of the earlier snapshot.
    format
        `"h5ad"` returns an AnnData object in place of a table.
    out
        File to write as well.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pandas.DataFrame or AnnData
        One row for each predicted cell: `time`, `particle`, `weight`, then coordinates or genes.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> model.interpolate(at=[30, 54], n_cells=100).shape
    (200, 7)
    >>> model.interpolate(at=30, n_cells=100, space="genes", format="h5ad").shape
    (100, 41)
    """
    keywords: dict[str, Any] = dict(flags, at=at, space=space, n_cells=n_cells, format=format)
    return _population("interpolate", model, keywords, out, progress)


@documented("sample")
def sample(
    model: Target,
    at: Times = None,
    *,
    n_cells: Optional[int] = None,
    space: Optional[str] = None,
    given: Any = None,
    null: Optional[str] = None,
    format: Optional[str] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Sample],
) -> Any:
    """Draw more cells like those of a time, the unmeasured genes of measured cells, or a null model.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    at
        Times, or labels of snapshots. Without it, all snapshots.
    n_cells
        Number of cells at each time. Without it, the number of observed cells.
    space
        `"pca"` (coordinates of the fit) or `"genes"`.
    given
        Measured cells that keep their values: a file, or a table with names of cells in its index.
    null
        `"marginals"` or `"pooled"`: a whole course without some of its information.
    format
        `"h5ad"` returns an AnnData object in place of a table.
    out
        File to write as well.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> sb.sample(model, at=36, n_cells=50).shape
    (50, 7)
    """
    keywords: dict[str, Any] = dict(flags, at=at, n_cells=n_cells, space=space, given=given, null=null, format=format)
    return _population("sample", model, keywords, out, progress)


@documented("perturb")
def perturb(
    model: Target,
    knockout: Union[str, list[str], None] = None,
    *,
    set: Union[Mapping[str, float], str, None] = None,
    at: Time = None,
    until: Time = None,
    groupby: Groups = None,
    cells: Cells = None,
    bootstrap: Optional[int] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Perturb],
) -> pd.DataFrame:
    """Simulate knock-outs with the fitted drift. The result is a hypothesis.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    knockout
        Genes to set to zero.
    set
        Genes to set to other levels, `{"Gata6": 1.5}`, on the scale of the fit.
    at, until
        Times of the first and last snapshot of the simulation.
    groupby, cells
        Groups of cells, whose change of shares is given as well.
    bootstrap
        Number of bootstrap resamples.
    out
        File to write as well.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> shifts = model.perturb("Sox2", at=12, until=48, bootstrap=0)
    >>> bool(shifts.set_index("gene").loc["Sox2", "knockout"] == 0)
    True
    """
    keywords: dict[str, Any] = dict(
        flags, knockout=knockout, set=set, at=at, until=until, groupby=groupby, cells=cells, bootstrap=bootstrap
    )
    return call_table("perturb", model, keywords, out, progress)


@documented("velocity")
def velocity(
    model: Target,
    *,
    space: Optional[str] = None,
    gene: Union[str, list[str], None] = None,
    at: Times = None,
    out: Optional[Path_] = None,
    inplace: bool = False,
    key_added: str = "sbcell",
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Velocity],
) -> pd.DataFrame:
    """Velocity of every cell: drift, probability flow, score, growth rate.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    space
        `"pca"` (coordinates of the fit), `"genes"` or `"both"`.
    gene
        Genes to write, with `space="genes"`.
    at
        Times at which populations are drawn. Without it, the cells of the model, each at its own time.
    out
        File to write as well.
    inplace
        Write `obsm['sbcell_velocity']` and what else :func:`annotate` writes into the object; with
        `space="genes"` also `layers['velocity']`.
    key_added
        Key in `uns`, and prefix of the other keys, with `inplace`.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pandas.DataFrame
        One row for each cell, with the names of cells as index.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> model.velocity().loc["cell_0", ["time", "speed"]].round(2).tolist()
    [0.0, 0.24]
    """
    keywords: dict[str, Any] = dict(flags, space=space, gene=gene, at=at)
    target = object_of(model, "inplace") if inplace else None
    table = call_table("velocity", model, keywords, out, progress, index="id")
    if target is not None:
        layer = "velocity" if space in ("genes", "both") else None
        annotate_object(target, model_of(model), {"key": key_added, "add_layer": layer}, progress)
    return table
