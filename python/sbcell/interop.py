"""Models as objects of CellRank and moscot."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from ._errors import MissingPackageError
from ._export import couplings
from ._model import BaseModel, model_of
from ._packages import need
from ._predict import velocity

if TYPE_CHECKING:
    from ._shared import Target


def to_cellrank(
    model: Target,
    groupby: Union[str, Sequence[str], None] = None,
    *,
    progress: Optional[bool] = None,
    **flags: Any,
) -> Any:
    """A kernel of CellRank with the couplings between observed cells as transition matrix.

    The matrix goes from each time to the next one; cells of the last time stay where they are. :func:`sbcell.fates`
    goes straight to the last time instead, so that numbers of both are not the same.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    groupby
        Columns of `obs` of the file of the fit that the kernel's object should have, such as groups of cells. An
        object in memory keeps all its columns.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.
    **flags
        Keywords of :func:`sbcell.couplings`, such as `coupling_epsilon` or `least`.

    Returns
    -------
    cellrank.kernels.PrecomputedKernel
        Its `adata` is a copy with the cells of the fit: of the object in memory, otherwise with `obs['sbcell_time']`
        and the coordinates of the fit in `obsm`.

    Raises
    ------
    MissingPackageError
        CellRank is not installed; it is an `ImportError`.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> kernel = sb.interop.to_cellrank(model)  # doctest: +SKIP
    >>> kernel.transition_matrix.shape  # doctest: +SKIP
    (2449, 2449)
    """
    kernels = _kernels()
    sparse = need("scipy.sparse", "to_cellrank()")
    fitted = model_of(model)
    cells = couplings(fitted, format="cellrank", progress=progress, **flags)
    matrix = sparse.csr_matrix(cells.obsp["T_fwd"], dtype="float64")
    # Rows sum to one up to the digits of the file.
    matrix = sparse.csr_matrix(sparse.diags(1.0 / matrix.sum(axis=1).A1) @ matrix)
    live = fitted._adata() if fitted._adata is not None else None
    if live is not None:
        held = live[cells.obs_names].copy()
        held.obs["sbcell_time"] = cells.obs["sbcell_time"].to_numpy()
        for value in cells.obsm.values():
            held.obsm["X_sbcell"] = value
    else:
        held = cells
        # Estimators of CellRank want a matrix, even an empty one.
        held.X = sparse.csr_matrix(held.shape, dtype="float32")
        names = [groupby] if isinstance(groupby, str) else list(groupby or ())
        for name, column in _columns(fitted, names).items():
            held.obs[name] = column.reindex(held.obs_names).array
    held.obsp["T_fwd"] = matrix
    return kernels.PrecomputedKernel(matrix, adata=held, backward=False)


def _kernels() -> Any:
    """The kernels of CellRank."""
    try:
        return importlib.import_module("cellrank").kernels
    except ImportError as problem:
        raise MissingPackageError(
            f"to_cellrank() needs the package cellrank, which cannot be imported ({problem})", "pip install cellrank"
        ) from problem


def _columns(model: BaseModel, names: Sequence[str]) -> dict[str, Any]:
    """Columns of `obs` of the file of the fit."""
    if not names:
        return {}
    anndata = need("anndata", "to_cellrank()")
    file = anndata.read_h5ad(os.fspath(model._file or model.run["input"]["path"]), backed="r")
    try:
        return {name: file.obs[name].copy() for name in names}
    finally:
        file.file.close()


def to_moscot(
    model: Target, problem: Any = None, *, progress: Optional[bool] = None, **flags: Any
) -> dict[tuple[float, float], Any]:
    """The couplings in the shape of moscot: for each interval, earlier cells × later cells.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    problem
        A prepared `TemporalProblem` of the same cells, whose solutions become these couplings. Keys are the times of
        the model, as numbers.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.
    **flags
        Keywords of :func:`sbcell.couplings`. Masses of all pairs are given unless `least` is set.

    Returns
    -------
    dict of (float, float) to AnnData
        `X` is a sparse matrix of masses, which sum to one; names of earlier cells in `obs`, of later ones in `var`.
        `cellrank.kernels.RealTimeKernel(adata, time_key=..., couplings=...)` takes such a dictionary.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> plans = sb.interop.to_moscot(model)
    >>> plans[(0.0, 6.0)].shape, round(float(plans[(0.0, 6.0)].X.sum()), 6)
    ((282, 335), 1.0)
    """
    anndata, pandas = need("anndata", "to_moscot()"), need("pandas", "to_moscot()")
    sparse = need("scipy.sparse", "to_moscot()")
    fitted = model_of(model)
    times: Any = velocity(fitted, progress=False)["time"]
    found: dict[tuple[float, float], Any] = {}
    flags.setdefault("least", 0)
    for (earlier, later), table in couplings(fitted, progress=progress, **flags).items():
        rows, columns = times.index[times == earlier], times.index[times == later]
        place = rows.get_indexer(table["source"]), columns.get_indexer(table["target"])
        plan = sparse.csr_matrix((table["mass"].to_numpy(), place), shape=(len(rows), len(columns)))
        found[(earlier, later)] = anndata.AnnData(
            plan, obs=pandas.DataFrame(index=rows.astype(str)), var=pandas.DataFrame(index=columns.astype(str))
        )
        if problem is not None:
            one = problem[(earlier, later)]
            dense = found[(earlier, later)].to_df()
            one.set_solution(dense.loc[one.adata_src.obs_names, one.adata_tgt.obs_names], overwrite=True)
    return found
