"""Commands that draw and export: report, plot, export, couplings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _flags, _tables
from ._model import BaseModel, model_of
from ._packages import is_anndata, need
from ._process import call
from ._shared import call_model, documented, out_path, path_of, scratch

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import _typed as typed
    from ._shared import Cells, Groups, Path_, Target


class Picture:
    """A figure, which notebooks show.

    Attributes
    ----------
    data : bytes
        The file.
    format : str
        `"png"`, `"svg"` or `"pdf"`.
    notes : list of str
        Remarks about the figure.
    """

    def __init__(self, data: bytes, format: str, notes: Optional[list[str]] = None) -> None:
        self.data = data
        self.format = format
        self.notes = notes or []

    def save(self, path: Path_) -> Path:
        """Write the figure; the suffix must be that of its format."""
        path = Path(path)
        if path.suffix != f".{self.format}":
            raise ValueError(f"the figure is {self.format}; call plot() with out='{path}' for another format")
        path.write_bytes(self.data)
        return path

    def _repr_png_(self) -> Optional[bytes]:
        return self.data if self.format == "png" else None

    def _repr_svg_(self) -> Optional[str]:
        return self.data.decode("utf-8") if self.format == "svg" else None

    def __repr__(self) -> str:
        return f"Picture ({self.format}, {len(self.data)} bytes)"


@documented("plot")
def plot(
    model: Target,
    kind: str = "embedding",
    table: Any = None,
    *,
    groupby: Groups = None,
    cells: Cells = None,
    colour_by: Optional[str] = None,
    basis: Optional[str] = None,
    gene: Union[str, list[str], None] = None,
    width: Optional[float] = None,
    height: Optional[float] = None,
    dpi: int = 110,
    title: Optional[str] = None,
    format: str = "png",
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Plot],
) -> Picture:
    """Draw one figure: cells, streams, paths, transitions, fates, genes, edges or scores.

    Parameters
    ----------
    model
        BaseModel, folder of one, or fitted AnnData object.
    kind
        `"embedding"`, `"stream"`, `"paths"`, `"sankey"`, `"fates"`, `"trends"`, `"heatmap"`, `"edges"`,
        `"validation"` or `"scree"`.
    table
        What the function of the kind returned (:func:`transitions` for `"sankey"`), or its file.
    groupby, cells
        Groups of cells.
    colour_by
        `"time"`, `"group"`, `"growth"`, `"fate=NAME"` (with a table of fates), or the name of a gene.
    basis
        Embedding, such as `"umap"`.
    gene
        Genes of trends and heat maps.
    width, height
        Size in millimetres.
    dpi
        Pixels of a PNG per inch.
    title
        Title in place of the one that says what is shown.
    format
        `"png"`, `"svg"` or `"pdf"`, without `out`.
    out
        File to write as well.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> transitions = model.transitions(cells="data-samples/semrau2017_groups.csv", bootstrap=0)
    >>> model.plot("sankey", transitions).format
    'png'
    """
    keywords: dict[str, Any] = dict(
        flags, groupby=groupby, cells=cells, colour_by=colour_by, basis=basis, gene=gene, width=width, height=height,
        dpi=dpi, title=title,
    )  # fmt: skip
    if flags.get("color_by") is not None:
        del keywords["colour_by"]
    with scratch() as folder:
        path = out_path(out, folder / f"{kind}.{format}")
        positional = [kind]
        if table is not None:
            positional.append(_flags.written("table", table, folder))
        answer = call_model("plot", model, {**keywords, "out": path}, folder, progress, positional)
        return Picture(path.read_bytes(), path.suffix[1:], answer.notes)


@documented("report")
def report(
    folder: Target,
    *,
    groupby: Groups = None,
    cells: Cells = None,
    fates: Any = None,
    transitions: Any = None,
    trends: Any = None,
    edges: Any = None,
    populations: Any = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Report],
) -> Path:
    """One page with all results: summary, maps, fates, transitions, genes, edges, validation.

    Parameters
    ----------
    folder
        BaseModel, fitted AnnData object, or folder of a model or of results.
    groupby, cells
        Groups of cells.
    fates, transitions, trends, edges, populations
        What the functions of these names returned (`grn` for edges, `interpolate` for populations), or files.
    out
        Page to write. Without it, `report.html` in the folder; that of a temporary model is removed with it.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    pathlib.Path
        The page.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> model.report(cells="data-samples/semrau2017_groups.csv").name
    'report.html'
    """
    keywords: dict[str, Any] = dict(
        flags, groupby=groupby, cells=cells, fates=fates, transitions=transitions, trends=trends, edges=edges,
        populations=populations,
    )  # fmt: skip
    place = _folder(folder)
    page = Path(out) if out is not None else Path(place) / "report.html"
    with scratch() as files:
        own = False
        if keywords.get("data") is None and (model := _model_in(folder)) is not None:
            path = model._data_for("report", keywords)
            if path is not None:
                keywords["data"], own = path, True
        call("report", [place], dict(keywords, out=page), files, progress, own)
    return page


@documented("export")
def export(
    folder: Target,
    out: Path_ = "tables",
    *,
    format: Optional[str] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Export],
) -> list[Path]:
    """Write all tables of a model or of results in one format.

    Parameters
    ----------
    folder
        BaseModel, fitted AnnData object, or folder of a model or of results.
    out
        Folder to write.
    format
        `"csv"` (the default), `"tsv"`, `"parquet"` or `"xlsx-safe"`.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    list of pathlib.Path
        The tables.

    Examples
    --------
    >>> import sbcell as sb, tempfile
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> [path.name for path in model.export(tempfile.mkdtemp() + "/tables")][:2]
    ['cells.csv', 'coupling.csv']
    """
    with scratch() as files:
        sent: dict[str, Any] = dict(flags, format=format, out=out)
        return call("export", [_folder(folder)], sent, files, progress).files


@documented("couplings")
def couplings(
    model: Target,
    *,
    format: Optional[str] = None,
    least: Optional[float] = None,
    density: bool = False,
    coupling_epsilon: Union[float, str, None] = None,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Couplings],
) -> Any:
    """Couplings between observed cells of neighbouring times.

    Parameters
    ----------
    model
        BaseModel, folder of one, or fitted AnnData object.
    format
        `"cellrank"` returns an AnnData object with `obsp['T_fwd']`; `"wot"` needs `out` and returns the folder;
        `"moscot"` returns tables with a column for each later cell; otherwise tables of pairs.
    least
        Smallest mass of a pair, as a share of the mass that each pair of a uniform row has.
    density
        Also log densities of the plan at every pair.
    coupling_epsilon
        ε of the couplings: `"auto"`, `"fit"` or a number.
    out
        Folder to write as well.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    dict of (float, float) to pandas.DataFrame, or AnnData, or pathlib.Path
        For each pair of neighbouring times a table with `source`, `target` and `mass`.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> plans = model.couplings()
    >>> list(plans[(0.0, 6.0)].columns)
    ['source', 'target', 'mass']
    """
    keywords: dict[str, Any] = dict(flags, least=least, density=density, coupling_epsilon=coupling_epsilon)
    if format == "wot" and out is None:
        raise TypeError("`format='wot'` needs `out`, the folder to write")
    package = need("anndata" if format == "cellrank" else "pandas", "couplings()") if format != "wot" else None
    if format == "moscot":
        need("pyarrow", "couplings() for moscot")
    with scratch() as folder:
        place = out_path(out, folder / "couplings")
        answer = call_model(
            "couplings", model, {**keywords, "format": format or _table_format(), "out": place}, folder, progress
        )
        if format == "wot":
            return place
        if format == "cellrank" and package is not None:
            return package.read_h5ad(answer.files[0])
        times = model_of(model).times
        index = "id" if format == "moscot" else None
        return {pair: _tables.read(path, index=index) for pair, path in zip(zip(times, times[1:]), answer.files)}


def _table_format() -> str:
    """Parquet if pandas can read it, since there is a row for each pair of cells."""
    from importlib.util import find_spec

    return "parquet" if find_spec("pyarrow") is not None else "csv"


def _model_in(target: Target) -> Optional[BaseModel]:
    """The model of a target that is not a path."""
    return None if isinstance(target, (str, os.PathLike)) and not isinstance(target, BaseModel) else model_of(target)


def _folder(target: Target) -> str:
    """The folder of a target."""
    if isinstance(target, BaseModel) or is_anndata(target):
        return os.fspath(model_of(target).folder)
    return os.path.abspath(path_of(target))
