"""AnnData objects in memory as `.h5ad` files that hold only what a command reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from ._packages import need

# Embeddings on which cells are drawn, and clones; small beside a matrix of expression.
USUAL = ("X_umap", "X_tsne", "X_clone")


def matrices_for_fit(adata: Any, keywords: Mapping[str, Any]) -> dict[str, bool | str]:
    """The matrices that `fit` and `evaluate` read: of `x`, `layer`, `raw`.

    Growth by default is computed from genes of the matrix of the fit, otherwise of `X` or `raw`.
    """
    layer, rep = keywords.get("layer"), keywords.get("use_rep")
    own_raw = bool(keywords.get("use_raw"))
    by_genes = keywords.get("growth") in (None, "auto") and not any(
        keywords.get(name) for name in ("growth_key", "growth_file")
    )
    by_genes = by_genes or bool(keywords.get("growth_genes") or keywords.get("prolif"))
    x = not (layer or rep or own_raw) or (bool(rep) and by_genes)
    raw = own_raw or (by_genes and adata.raw is not None and adata.raw.n_vars > adata.n_vars)
    return {"x": x, "layer": layer or "", "raw": raw}


def matrices_of_source(source: Any) -> dict[str, bool | str]:
    """The matrices that the commands of a model read, by the `source` in its `run.json`."""
    if isinstance(source, Mapping):
        return {"x": False, "layer": str(source.get("layer", "")), "raw": False}
    return {"x": source == "x", "layer": "", "raw": source == "raw"}


def write(
    adata: Any,
    path: Path,
    *,
    x: bool | str = False,
    layer: bool | str = "",
    raw: bool | str = False,
    obsm: Iterable[str] = (),
    columns: Iterable[str] = (),
) -> None:
    """Write the parts of an AnnData object that a command reads. The object is not changed or copied.

    All columns of `obs` are written that `.h5ad` can hold, since they are small; those in `columns` must be.
    """
    h5py = need("h5py", "an AnnData object")
    write_elem = _write_elem()
    anndata = need("anndata", "an AnnData object")
    pandas = need("pandas", "an AnnData object")
    skeleton = anndata.AnnData(
        obs=_obs(adata, columns), var=pandas.DataFrame(index=adata.var_names.astype(str)), uns=_colours(adata)
    )
    with h5py.File(path, "w") as file:
        write_elem(file, "/", skeleton)
        if x:
            _write_x(adata, file, write_elem)
        if layer:
            if layer not in adata.layers:
                raise KeyError(f"there is no layer `{layer}`; the object has {', '.join(adata.layers) or 'none'}")
            write_elem(file, f"layers/{layer}", adata.layers[layer])
        if raw and adata.raw is not None:
            # Some versions of anndata write that there is none.
            if "raw" in file:
                del file["raw"]
            raw_group = file.create_group("raw")
            raw_group.attrs.update({"encoding-type": "raw", "encoding-version": "0.1.0"})
            write_elem(file, "raw/X", adata.raw.X)
            write_elem(file, "raw/var", pandas.DataFrame(index=adata.raw.var_names.astype(str)))
        for key in dict.fromkeys([*obsm, *USUAL]):
            if key in adata.obsm:
                write_elem(file, f"obsm/{key}", adata.obsm[key])


def update(adata: Any, path: Path, columns: Iterable[str], obsm: Iterable[str]) -> None:
    """Write the present columns of `obs`, colours and embeddings into a file of [`write`]."""
    h5py = need("h5py", "an AnnData object")
    write_elem = _write_elem()
    with h5py.File(path, "r+") as file:
        write_elem(file, "obs", _obs(adata, columns))
        write_elem(file, "uns", _colours(adata))
        for key in dict.fromkeys([*obsm, *USUAL]):
            if key in adata.obsm:
                write_elem(file, f"obsm/{key}", adata.obsm[key])


def embedding(adata: Any, name: Any) -> Optional[str]:
    """The key in `obsm` that a name such as `umap` means."""
    if not isinstance(name, str):
        return None
    return next((key for key in (name, f"X_{name}") if key in adata.obsm), None)


def fingerprint(adata: Any, columns: Iterable[str], obsm: Iterable[str]) -> dict[str, Any]:
    """Numbers that change when the names of cells, a column or an embedding change."""
    pandas = need("pandas", "an AnnData object")
    found: dict[str, Any] = {"names": _sum(pandas, adata.obs_names.to_series())}
    for column in columns:
        if column in adata.obs:
            found[f"obs/{column}"] = _sum(pandas, adata.obs[column].astype(str))
            found[f"uns/{column}_colors"] = str(adata.uns.get(f"{column}_colors"))
    for key in obsm:
        if key in adata.obsm:
            value = adata.obsm[key]
            found[f"obsm/{key}"] = hash(value.tobytes()) if hasattr(value, "tobytes") else id(value)
    return found


def _sum(pandas: Any, series: Any) -> tuple[int, int]:
    """The length of a series and a number for its content in this order."""
    hashes = pandas.util.hash_pandas_object(series.reset_index(drop=True), index=True)
    return len(series), int(hashes.sum())


def _write_elem() -> Any:
    """The function of anndata that writes one element; its place changed in 0.11."""
    anndata = need("anndata", "an AnnData object")
    place = getattr(anndata, "io", None) or anndata.experimental
    return place.write_elem


def _write_x(adata: Any, file: Any, write_elem: Any) -> None:
    """Write `X`. That of an object which is backed by a file is copied without reading it into memory."""
    if adata.isbacked and not adata.is_view:
        source = adata.file["X"]
        source.file.copy(source, file, "X")
        return
    x = adata.X
    if x is None:
        return
    write_elem(file, "X", x.to_memory() if hasattr(x, "to_memory") else x)


def _colours(adata: Any) -> dict[str, Any]:
    """The colours of groups, as scanpy keeps them."""
    return {key: value for key, value in adata.uns.items() if isinstance(key, str) and key.endswith("_colors")}


def _obs(adata: Any, columns: Iterable[str]) -> Any:
    """The columns of `obs` in types that every `.h5ad` file can hold."""
    pandas = need("pandas", "an AnnData object")
    wanted = {column for column in columns if column in adata.obs}
    held = {}
    earlier = _annotated(adata)
    for name in adata.obs.columns:
        if not isinstance(name, str) or "/" in name or name == "_index" or (name in earlier and name not in wanted):
            continue
        column = _storable(pandas, adata.obs[name], name in wanted)
        if column is not None:
            held[name] = column
    frame = pandas.DataFrame(held, index=adata.obs_names.astype(str))
    frame.index.name = None
    return frame


def _annotated(adata: Any) -> set[str]:
    """The columns of `obs` that `annotate` wrote, which are no input."""
    found: set[str] = set()
    for value in adata.uns.values():
        if (record := record_of(value)) is not None:
            found.update(key[4:] for key in record["keys"] if key.startswith("obs/"))
    return found


def record_of(value: Any) -> Optional[dict[str, Any]]:
    """The record that `annotate` leaves in `uns`; `None` for other entries."""
    try:
        record = json.loads(value) if isinstance(value, str) and value.startswith("{") else None
    except json.JSONDecodeError:
        return None
    known = isinstance(record, dict) and record.get("command") == "annotate" and "sbcell" in record
    return record if known else None


def _storable(pandas: Any, column: Any, wanted: bool) -> Any:
    """A column as numbers, truth values or categories of text; `None` if it is neither and not wanted."""
    types = pandas.api.types
    kind = column.dtype
    if isinstance(kind, pandas.CategoricalDtype):
        values = column.cat.categories
        if types.is_numeric_dtype(values.dtype) and not types.is_extension_array_dtype(values.dtype):
            return column.array
        return column.cat.rename_categories([str(value) for value in values]).array
    if types.is_bool_dtype(kind) and not types.is_extension_array_dtype(kind):
        return column.to_numpy()
    if types.is_numeric_dtype(kind):
        return (
            column.to_numpy(dtype=float, na_value=float("nan"))
            if types.is_extension_array_dtype(kind)
            else column.to_numpy()
        )
    text = column[column.notna()]
    if types.is_string_dtype(kind) or wanted or text.map(lambda value: isinstance(value, str)).all():
        # Missing values stay missing.
        return pandas.Categorical(column.map(str, na_action="ignore").astype(object))
    return None
