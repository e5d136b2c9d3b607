"""Results in AnnData objects and `.h5ad` files: annotate and strip."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _data
from ._errors import UsageError
from ._model import BaseModel, model_of
from ._packages import is_anndata, need
from ._process import call
from ._shared import documented, out_path, path_of, scratch

if TYPE_CHECKING:
    from anndata import AnnData
    from typing_extensions import Unpack

    from . import _typed as typed
    from ._shared import Data, Path_, Target

_MODEL = "call `model = sbcell.fit(adata, ...)` first and pass the model"


@documented("annotate")
def annotate(
    data: Data,
    model: Optional[Target] = None,
    *,
    fates: Any = None,
    table: Any = None,
    project: Union[str, list[str], None] = None,
    add_layer: Optional[str] = None,
    velocity: Optional[str] = None,
    key_added: str = "sbcell",
    copy: bool = False,
    in_place: bool = False,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Annotate],
) -> Any:
    """Write times, coordinates, velocities, growth and fates into an AnnData object or a file.

    Cells are matched by name; cells that did not take part in the fit get NaN. Keys: `obs['sbcell_time']`,
    `obs['sbcell_growth']`, `obs['sbcell_fate_NAME']`, `obsm['X_sbcell']`, `obsm['sbcell_velocity']`,
    `obsm['sbcell_fates']` (a table of the fates, objects only), `obsm['velocity_umap']`, `layers['velocity']`, and
    `uns['sbcell']`, the JSON text of version, parameters, units and keys.

    Parameters
    ----------
    data
        AnnData object, which is changed unless `copy` is set; or path of an `.h5ad` file, with `out` or `in_place`.
    model
        The model; not needed for an object that was fitted.
    fates
        Table of fates: what :func:`fates` returned, or a file. A list of several is possible.
    table
        Another table with names of cells in its index or first column: each column becomes `obs['sbcell_…']`.
    project
        Embeddings of `obsm` on which velocities are projected, such as `"X_umap"`.
    add_layer
        `"velocity"` also writes velocities of genes into `layers['velocity']`.
    velocity
        `"drift"` (the default) or `"flow"`.
    key_added
        Key in `uns`, and prefix of the other keys (`--key`).
    copy
        Return a changed copy of the object and leave the object as it is.
    in_place
        Change the file itself.
    out
        File to write.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    AnnData, pathlib.Path or None
        The copy with `copy`; the path for a file; otherwise `None`.

    Examples
    --------
    >>> import anndata, sbcell as sb
    >>> adata = anndata.read_h5ad("data-samples/semrau2017_mesc_ra.h5ad")
    >>> model = sb.fit(adata, timepoints="time", no_validation=True)
    >>> sb.annotate(adata, model)
    >>> adata.obsm["sbcell_velocity"].shape
    (2449, 4)
    """
    keywords: dict[str, Any] = dict(
        flags, fates=fates, table=table, project=project, add_layer=add_layer, velocity=velocity
    )
    if flags.get("key") is None:
        keywords["key"] = key_added
    if is_anndata(data):
        if in_place or out is not None:
            raise TypeError(
                "`in_place` and `out` are for files; an object is changed itself, or copied with `copy=True`"
            )
        target: Any = data.copy() if copy else data  # type: ignore[union-attr]
        annotate_object(target, model_of(data if model is None else model), keywords, progress)
        return target if copy else None
    if copy:
        raise TypeError("`copy` is for AnnData objects; give `out` or `in_place=True` for a file")
    if model is None:
        raise UsageError("annotate() needs a model", _MODEL, 2)
    with scratch() as folder:
        sent = dict(keywords, model=model_of(model).folder, in_place=in_place, out=out)
        call("annotate", [os.path.abspath(path_of(data))], sent, folder, progress)
    return Path(path_of(data)) if out is None else Path(out)


def annotate_object(adata: Any, model: BaseModel, keywords: Mapping[str, Any], progress: Optional[bool]) -> None:
    """Write into an object what `sbcell annotate` writes into a file of its cells."""
    anndata = need("anndata", "annotate()")
    project = keywords.get("project") or []
    obsm = [project] if isinstance(project, str) else list(project)
    with scratch() as folder:
        _data.write(adata, folder / "cells.h5ad", obsm=obsm)
        sent = dict(keywords, model=model.folder, out=folder / "annotated.h5ad")
        call("annotate", [os.fspath(folder / "cells.h5ad")], sent, folder, progress, own_data=True)
        written = anndata.read_h5ad(folder / "annotated.h5ad")
    key = str(keywords.get("key") or "sbcell")
    record = json.loads(written.uns[key])
    for place, name in (path.split("/", 1) for path in record["keys"]):
        if place == "obs":
            adata.obs[name] = written.obs[name].array
        elif place in ("obsm", "layers"):
            getattr(adata, place)[name] = getattr(written, place)[name]
    # Keys of earlier calls are still there.
    earlier = _data.record_of(adata.uns.get(key)) or {"keys": []}
    record["keys"] = list(dict.fromkeys([*earlier["keys"], *record["keys"]]))
    table = _fates_in(keywords.get("fates"))
    if table is not None:
        adata.obsm[f"{key}_fates"] = table.reindex(adata.obs_names)
    adata.uns[key] = json.dumps(record, ensure_ascii=False)


def _fates_in(fates: Any) -> Any:
    """The probabilities in a table of fates, one column for each fate; `None` for files."""
    if not hasattr(fates, "columns"):
        return None
    names = [name[: -len("_log_odds")] for name in fates.columns if str(name).endswith("_log_odds")]
    return fates[[name for name in names if name in fates.columns]]


@documented("strip")
def strip(
    data: Data,
    *,
    key: Optional[str] = None,
    copy: bool = False,
    in_place: bool = False,
    out: Optional[Path_] = None,
    progress: Optional[bool] = None,
    **flags: Unpack[typed.Strip],
) -> Any:
    """Remove everything that :func:`annotate` wrote.

    Parameters
    ----------
    data
        AnnData object, which is changed unless `copy` is set; or path of an `.h5ad` file, with `out` or `in_place`.
    key
        Key of an annotation in `uns`. Without it, all annotations are removed.
    copy
        Return a changed copy of the object and leave the object as it is.
    in_place
        Change the file itself.
    out
        File to write.
    progress
        `None` shows progress in terminals and notebooks, `True` also elsewhere, `False` nowhere.

    Returns
    -------
    AnnData, pathlib.Path or None
        The copy with `copy`; the path for a file; otherwise `None`.

    Examples
    --------
    >>> import anndata, sbcell as sb
    >>> adata = anndata.read_h5ad("data-samples/semrau2017_mesc_ra.h5ad")
    >>> model = sb.fit(adata, timepoints="time", no_validation=True, inplace=True)
    >>> sb.strip(adata)
    >>> list(adata.obsm)
    []
    """
    if not is_anndata(data):
        if copy:
            raise TypeError("`copy` is for AnnData objects; give `out` or `in_place=True` for a file")
        with scratch() as folder:
            sent: dict[str, Any] = dict(flags, key=key, in_place=in_place, out=out)
            call("strip", [os.path.abspath(path_of(data))], sent, folder, progress)
        return Path(path_of(data)) if out is None else out_path(out, Path())
    if in_place or out is not None:
        raise TypeError("`in_place` and `out` are for files; an object is changed itself, or copied with `copy=True`")
    target: Any = data.copy() if copy else data  # type: ignore[union-attr]
    records = {name: record for name in list(target.uns) if (record := _data.record_of(target.uns[name])) is not None}
    if key is not None and key not in records:
        raise UsageError(f"there is no annotation `{key}`", f"there are {', '.join(records) or 'none'}", 2)
    for name in [key] if key is not None else list(records):
        # The record has only keys that the binary knows; the table of fates is written here.
        _remove(target, [*records[name]["keys"], f"obsm/{name}_fates"])
    return target if copy else None


def _remove(adata: AnnData, keys: list[str]) -> None:
    """Remove keys such as `obs/sbcell_time`."""
    for place, name in (path.split("/", 1) for path in keys):
        holder = getattr(adata, place)
        if name in holder:
            del holder[name]
