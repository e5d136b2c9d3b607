"""Commands that find and compare edges and conditions: grn, grn_score, compare."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _flags, _tables
from ._packages import need
from ._process import call
from ._shared import call_model, call_table, documented, out_path, scratch

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

    from . import _typed as typed
    from ._shared import Cells, Groups, Path_, Target


@documented("grn")
def grn(
    model: Target,
    *,
    tfs: Any = None,
    genes: Any = None,
    by: Optional[str] = None,
    groupby: Optional[str] = None,
    source: Optional[str] = None,
    prior: Any = None,
    top: Optional[int] = None,
    bootstrap: Optional[int] = None,
    permutations: Optional[int] = None,
    format: Optional[str] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Grn],
) -> Any:
    """Signed, directed regulatory edges, with confidence and stability.

    Parameters
    ----------
    model
        Model, folder of one, or fitted AnnData object.
    tfs
        Regulators: `"human"` or `"mouse"`, names of genes, or a file with them. Without it, every gene.
    genes
        Targets: names of genes, or a file with them.
    by
        `"time"` for edges of each interval.
    groupby
        Column of `obs` with groups of cells: edges for each group.
    source
        Estimator of the edges, such as `"ensemble"` (the default) or `"correlation"`.
    prior
        Possible edges with weights: a table or a file with columns such as TF, target, weight.
    top
        Largest number of edges of each group and interval.
    bootstrap
        Number of bootstrap resamples; 0 for none.
    permutations
        Number of permutations of the times, for p- and q-values; 0 for none.
    format
        Columns and format, such as `"beeline"` or `"celloracle"`; `"graphml"` needs `out`, and returns its path.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pandas.DataFrame
        One row for each edge, the most important first.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> edges = model.grn(bootstrap=0, permutations=0, top=100)
    >>> len(edges)
    100
    """
    keywords: dict[str, Any] = dict(
        flags, tfs=tfs, genes=genes, by=by, groupby=groupby, source=source, prior=prior, top=top, bootstrap=bootstrap,
        permutations=permutations, format=format,
    )  # fmt: skip
    suffix = {"beeline": ".csv", "parquet": ".parquet", "graphml": ".graphml"}.get(format or "csv", ".csv")
    graph = format == "graphml" or (out is not None and os.fspath(out).endswith(".graphml"))
    if graph and out is None:
        raise TypeError("`format='graphml'` needs `out`, the file to write")
    if not graph:
        need("pandas", "the table of grn()")
    with scratch() as folder:
        path = out_path(out, folder / f"edges{suffix}")
        answer = call_model("grn", model, {**keywords, "out": path}, folder, progress)
        return path if graph else _tables.read(path, answer.record(), tabs=format == "beeline")


@documented("grn-score")
def grn_score(
    edges: Any,
    truth: Any,
    *,
    candidates: Optional[str] = None,
    genes: Any = None,
    measured: bool = False,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.GrnScore],
) -> pd.DataFrame:
    """Score edges against a known network.

    Parameters
    ----------
    edges
        What :func:`grn` returned, a file, or a list of several.
    truth
        The known network: a table or a file.
    candidates
        Pairs that count as candidates: `"all"`, `"regulators"` or `"listed"`.
    genes
        Names of genes, or a file with them. Without it, the genes of the network.
    measured
        Leave out genes of the network that the edge list does not name.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> edges = model.grn(bootstrap=0, permutations=0)
    >>> scores = sb.grn_score(edges, "data-samples/networks/semrau2017_chip.csv")
    >>> len(scores)
    1
    """
    need("pandas", "the table of grn_score()")
    with scratch() as folder:
        lists = edges if isinstance(edges, (list, tuple)) else [edges]
        paths = [_flags.written("edges", one, folder) for one in lists]
        path = out_path(out, folder / "scores.csv")
        keywords: dict[str, Any] = dict(
            flags, truth=truth, candidates=candidates, genes=genes, measured=measured, out=path
        )
        answer = call("grn-score", paths, keywords, folder, progress)
        return _tables.read(Path(path), answer.record())


@documented("compare")
def compare(
    model: Target,
    groupby: Groups = None,
    *,
    cells: Cells = None,
    reference: Optional[str] = None,
    conditions: Union[list[str], str, None] = None,
    genes: Any = None,
    edges: Union[bool, int] = False,
    bootstrap: Optional[int] = None,
    batch_key: Optional[str] = None,
    permutations: Optional[int] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Compare],
) -> pd.DataFrame:
    """Compare conditions: populations, shares, fates, transitions, growth, genes and edges, with tests.

    Parameters
    ----------
    model
        Models of a fit with `condition_key`, or their folder.
    groupby
        Column of `obs` with the groups of cells; `{"cell_type": ["XEN", "ectoderm"]}` selects some of them.
    cells
        Groups in place of `groupby`: a file, a Series, or a mapping from names of cells to groups.
    reference
        Condition with which the others are compared.
    conditions
        Conditions to compare. Without it, all.
    genes
        Genes whose mean expression is compared: names, or a file with them.
    edges
        Compare regulatory edges: `True`, or the number of them.
    bootstrap
        Number of bootstrap resamples; 0 for none.
    batch_key
        Column of `obs` with donors: resample these.
    permutations
        Number of permutations of the labels.
    out
        File to write as well: .csv, .tsv or .parquet.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import anndata, sbcell as sb
    >>> adata = anndata.read_h5ad("data-samples/semrau2017_mesc_ra.h5ad")
    >>> adata.obs["half"] = ["a" if number % 2 else "b" for number in range(adata.n_obs)]
    >>> models = sb.fit(adata, timepoints="time", condition_key="half", no_validation=True)
    >>> table = models.compare(cells="data-samples/semrau2017_groups.csv", bootstrap=5, permutations=3)
    >>> len(table) > 0
    True
    """
    keywords: dict[str, Any] = dict(
        flags, groupby=groupby, cells=cells, reference=reference, conditions=conditions, genes=genes, edges=edges,
        bootstrap=bootstrap, batch_key=batch_key, permutations=permutations,
    )  # fmt: skip
    return call_table("compare", model, keywords, out, progress)
