"""Commands that explain: fates, transitions, trajectory, trends, drivers, diagnose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Union

from . import _tables
from ._annotate import annotate_object
from ._model import model_of
from ._packages import need
from ._shared import call_model, call_table, documented, object_of, out_path, scratch

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

    from . import _typed as typed
    from ._shared import Cells, Groups, Path_, Target, Time, Times


@documented("fates")
def fates(
    model: Target,
    groupby: Groups = None,
    *,
    cells: Cells = None,
    at: Time = None,
    terminal: Any = None,
    coupling_epsilon: Union[float, str, None] = None,
    clone_key: Union[str, list[str], None] = None,
    bootstrap: Optional[int] = None,
    batch_key: Optional[str] = None,
    out: Optional[Path_] = None,
    inplace: bool = False,
    key_added: str = "sbcell",
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Fates],
) -> pd.DataFrame:
    """Fate probabilities of every cell of every earlier time.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    at
        Time of a snapshot whose groups are the terminal states. Without it, the last time.
    terminal
        Further terminal states, as `(72, "ectoderm")`; or `"auto"`, which finds states without labels.
    coupling_epsilon
        ε of the couplings between observed cells: `"auto"`, `"fit"` or a number.
    clone_key
        Column of `obs` with the clone of each cell, or key of a cells × clones matrix in `obsm`.
    bootstrap
        Number of bootstrap resamples; 0 for none.
    batch_key
        Column of `obs` with donors: resample these.
    out
        File to write as well: .csv, .tsv or .parquet.
    inplace
        Write `obs['sbcell_fate_NAME']`, `obsm['sbcell_fates']` and what else :func:`annotate` writes into the object.
    key_added
        Key in `uns`, and prefix of the other keys, with `inplace`.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pandas.DataFrame
        One row for each cell, with the names of cells as index; a column for each fate, and its intervals.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> fates = model.fates(cells="data-samples/semrau2017_groups.csv", bootstrap=0)
    >>> fates.loc["cell_0", ["XEN", "ectoderm"]].round(2).tolist()
    [0.85, 0.15]
    """
    keywords: dict[str, Any] = dict(
        flags, groupby=groupby, cells=cells, at=at, terminal=terminal, coupling_epsilon=coupling_epsilon,
        clone_key=clone_key, bootstrap=bootstrap, batch_key=batch_key,
    )  # fmt: skip
    target = object_of(model, "inplace") if inplace else None
    table = call_table("fates", model, keywords, out, progress, index="id")
    if target is not None:
        annotate_object(target, model_of(model), {"key": key_added, "fates": table}, progress)
    return table


@documented("transitions")
def transitions(
    model: Target,
    groupby: Groups = None,
    *,
    cells: Cells = None,
    pairs: Any = None,
    wide: bool = False,
    coupling_epsilon: Union[float, str, None] = None,
    bootstrap: Optional[int] = None,
    batch_key: Optional[str] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Transitions],
) -> pd.DataFrame:
    """Transitions between groups of cells at any two times, with 95 % intervals.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    pairs
        Pairs of an earlier and a later time, as `[(24, 96), (36, 96)]`. Without it, neighbouring times, then the
        first and the last one.
    wide
        Return the table with a column for each later group.
    coupling_epsilon
        ε of the couplings between observed cells: `"auto"`, `"fit"` or a number.
    bootstrap
        Number of bootstrap resamples; 0 for none.
    batch_key
        Column of `obs` with donors: resample these.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> table = model.transitions(cells="data-samples/semrau2017_groups.csv", pairs=(24, 96), bootstrap=0)
    >>> sums = table.groupby("source")["prob"].sum()
    >>> bool(((sums - 1).abs() < 1e-9).all())
    True
    """
    need("pandas", "the table of transitions()")
    keywords: dict[str, Any] = dict(
        flags, groupby=groupby, cells=cells, pairs=pairs, coupling_epsilon=coupling_epsilon, bootstrap=bootstrap,
        batch_key=batch_key,
    )  # fmt: skip
    with scratch() as folder:
        path = out_path(out, folder / "transitions.csv")
        answer = call_model("transitions", model, {**keywords, "out": path}, folder, progress)
        return _tables.read(path.with_suffix(f".wide{path.suffix}") if wide else path, answer.record())


@documented("trajectory")
def trajectory(
    model: Target,
    groupby: Groups = None,
    *,
    cells: Cells = None,
    at: Time = None,
    forward: bool = False,
    backward: bool = False,
    coupling_epsilon: Union[float, str, None] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Trajectory],
) -> pd.DataFrame:
    """Ancestors and descendants of sets of cells. Single paths are drawn by :func:`paths`.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    at
        Time of a snapshot at which the sets are taken. Without it, the last time at which a set has cells.
    forward, backward
        Only descendants, or only ancestors.
    coupling_epsilon
        ε of the couplings between observed cells: `"auto"`, `"fit"` or a number.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pandas.DataFrame
        One row for each cell, with the names of cells as index; a column for each set, whose shares
        sum to one at a time.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> shares = model.trajectory(cells="data-samples/semrau2017_groups.csv", at=96)
    >>> float(shares.loc[shares["time"] == 24.0, "XEN"].sum().round(6))
    1.0
    """
    keywords: dict[str, Any] = dict(
        flags, groupby=groupby, cells=cells, at=at, forward=forward, backward=backward,
        coupling_epsilon=coupling_epsilon,
    )  # fmt: skip
    return call_table("trajectory", model, keywords, out, progress, index="id")


@documented("trajectory")
def paths(
    model: Target,
    n: int = 20,
    *,
    groupby: Groups = None,
    cells: Cells = None,
    at: Time = None,
    to: Any = None,
    grid: Optional[int] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Trajectory],
) -> pd.DataFrame:
    """Single paths from sets of cells (`sbcell trajectory --paths`).

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    n
        Number of paths from each set.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    at
        Time of a snapshot at which the paths begin.
    to
        Group in which all paths end, as `(96, "XEN")`. Without it, they end anywhere.
    grid
        Number of times on a path in each interval.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> paths = model.paths(5, cells="data-samples/semrau2017_groups.csv", at=24)
    >>> sorted(paths["set"].unique())
    ['XEN', 'ectoderm', 'pluripotent']
    """
    need("pandas", "the table of paths()")
    keywords: dict[str, Any] = dict(flags, groupby=groupby, cells=cells, at=at, paths=n, paths_to=to, grid=grid)
    with scratch() as folder:
        path = out_path(out, folder / "paths.csv")
        sent = {**keywords, "paths_out": path, "out": folder / "trajectory.csv"}
        answer = call_model("trajectory", model, sent, folder, progress)
        return _tables.read(path, answer.record())


@documented("trends")
def trends(
    model: Target,
    groupby: Groups = None,
    *,
    cells: Cells = None,
    at: Time = None,
    forward: bool = False,
    backward: bool = False,
    genes: Any = None,
    bootstrap: Optional[int] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Trends],
) -> pd.DataFrame:
    """Mean expression along the ancestors and descendants of sets of cells, with 95 % intervals.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    at
        Time of a snapshot at which the sets are taken. Without it, the last time at which a set has cells.
    forward, backward
        Only descendants, or only ancestors.
    genes
        Names of genes, or a file with them. Without it, the genes of the model.
    bootstrap
        Number of bootstrap resamples; 0 for none.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> trends = model.trends(cells="data-samples/semrau2017_groups.csv", at=96, genes=["Sox2", "Gata6"], bootstrap=0)
    >>> sorted(trends["gene"].unique())
    ['Gata6', 'Sox2']
    """
    keywords: dict[str, Any] = dict(
        flags, groupby=groupby, cells=cells, at=at, forward=forward, backward=backward, genes=genes, bootstrap=bootstrap
    )
    return call_table("trends", model, keywords, out, progress)


@documented("drivers")
def drivers(
    model: Target,
    groupby: Groups = None,
    *,
    cells: Cells = None,
    at: Time = None,
    times: Times = None,
    genes: Any = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Drivers],
) -> pd.DataFrame:
    """Genes whose expression correlates with a fate probability. A correlation does not show a cause.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    at
        Time of a snapshot whose groups are the terminal states. Without it, the last time.
    times
        Times of the cells that enter the correlation. Without it, all times before the last terminal state.
    genes
        Names of genes, or a file with them. Without it, the genes of the model.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> drivers = model.drivers(cells="data-samples/semrau2017_groups.csv", times=[24, 36])
    >>> sorted(drivers["fate"].unique())
    ['XEN', 'ectoderm']
    """
    keywords: dict[str, Any] = dict(flags, groupby=groupby, cells=cells, at=at, times=times, genes=genes)
    return call_table("drivers", model, keywords, out, progress)


@documented("diagnose")
def diagnose(
    model: Target,
    groupby: Groups = None,
    *,
    cells: Cells = None,
    permutations: Optional[int] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Diagnose],
) -> pd.DataFrame:
    """How much can the fit be trusted? Lineage signal, jumps, turns, dying cells, other solvers.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    permutations
        Number of permutations of the coordinates for comparison.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pandas.DataFrame
        The numbers behind the answers; the sentences are in `table.attrs["sbcell"]["summary"]`.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> table = model.diagnose()
    >>> len(table)
    8
    """
    keywords: dict[str, Any] = dict(flags, groupby=groupby, cells=cells, permutations=permutations)
    return call_table("diagnose", model, keywords, out, progress)
