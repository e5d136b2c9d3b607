"""A fitted model: its folder, and the commands that read it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _data, _flags, _tables
from ._errors import UsageError
from ._packages import is_anndata
from ._process import Answer

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self

    Target = Union["BaseModel", str, os.PathLike[str], Any]

# Commands that read the expression of genes from the file of the fit.
_GENES = {"trends", "drivers", "compare", "grn", "perturb", "plot", "report"}


class BaseModel:
    """The folder of a model and the cells of its fit; `Model` adds the commands as methods."""

    def __init__(self, folder: Union[str, os.PathLike[str]], adata: Any = None) -> None:
        self.folder: Path = Path(os.path.abspath(folder))
        self.answer: Optional[Answer] = None
        if not (self.folder / "model.json").is_file() and not (self.folder / "conditions.json").is_file():
            raise UsageError(
                f"there is no fitted model in `{folder}`", "run `sbcell.fit` first, or name the folder of a model", 2
            )
        self._scratch: Optional[Path] = None
        self._file: Optional[Path] = None
        self._written: dict[str, Any] = {}
        self._whole = False
        self._adata: Optional[weakref.ref[Any]] = None
        if adata is not None:
            self._attach(adata)

    @property
    def header(self) -> dict[str, Any]:
        """The content of `model.json`: version, times, dimensions; of the first condition, if there are several."""
        return _json(self._first() / "model.json")

    @property
    def run(self) -> dict[str, Any]:
        """The record of the fit (`run.json`): parameters, seed, and hashes of what it read and wrote."""
        return _json(self._first() / "run.json")

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the fit."""
        found: dict[str, Any] = self.run["parameters"]
        return found

    @property
    def times(self) -> list[float]:
        """The times of the snapshots."""
        return [float(snapshot["time"]) for snapshot in self.header["snapshots"]]

    @property
    def n_cells(self) -> int:
        """The number of cells that took part in the fit."""
        return sum(int(snapshot["n_cells"]) for snapshot in self.header["snapshots"])

    @property
    def notes(self) -> list[str]:
        """Remarks of the fit about the data."""
        found: list[str] = self.run.get("notes", [])
        return found

    @property
    def conditions(self) -> dict[str, Self]:
        """The models of the conditions, after a fit with `condition_key`; otherwise empty."""
        path = self.folder / "conditions.json"
        if not path.is_file():
            return {}
        found = {}
        for entry in _json(path)["conditions"]:
            model = type(self)(self.folder / entry["folder"])
            model.__dict__["_parent"] = self  # keeps a temporary folder alive
            if self._adata is not None and (adata := self._adata()) is not None:
                model._attach(adata)
            found[entry["name"]] = model
        return found

    def table(self, name: str) -> pd.DataFrame:
        """A table of the folder: `fit`, `validation`, `pcs`, `scree`, `coupling`.

        Examples
        --------
        >>> import sbcell as sb
        >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
        >>> model.table("fit")["stop"].unique().tolist()
        ['converged']
        """
        path = self.folder / f"{name}.csv"
        if not path.is_file():
            there = ", ".join(sorted(f"`{one.stem}`" for one in self.folder.glob("*.csv")))
            raise UsageError(f"the model has no table `{name}`", f"there are {there}", 2)
        return _tables.read(path)

    def save(self, folder: Union[str, os.PathLike[str]]) -> Self:
        """Copy the folder of the model, so that it stays. Returns the model in the new folder."""
        shutil.copytree(self.folder, folder)
        saved = type(self)(folder)
        # The cells are where they were; the file of an object stays as long as either model.
        saved.__dict__.update(_parent=self, _file=self._file, _written=self._written, _whole=self._whole)
        saved._adata = self._adata
        return saved

    def __fspath__(self) -> str:
        return os.fspath(self.folder)

    def __repr__(self) -> str:
        if not (self.folder / "model.json").is_file():
            return f"Models of {len(self.conditions)} conditions: {', '.join(self.conditions)}"
        header = self.header
        return f"Model of {self.n_cells} cells at {len(self.times)} times, {len(header['dimensions'])} dimensions"

    def _first(self) -> Path:
        """The folder of the model, or of the first condition."""
        if (self.folder / "model.json").is_file():
            return self.folder
        return next(iter(self.conditions.values())).folder

    def _attach(self, adata: Any) -> None:
        """Read the cells from an AnnData object."""
        if not is_anndata(adata):
            raise TypeError(f"adata must be an AnnData object, got {type(adata).__name__}")
        self._adata = weakref.ref(adata)

    def _keep(self, scratch: Path) -> None:
        """Own a temporary folder: it is removed together with the model."""
        self._scratch = scratch
        weakref.finalize(self, shutil.rmtree, os.fspath(scratch), True)

    def _wrote(self, adata: Any, path: Path) -> None:
        """Remember the file that the fit read, which has all columns as they are now."""
        self._file, self._whole = path, True
        self._written = _data.fingerprint(adata, adata.obs.columns, [key for key in _data.USUAL if key in adata.obsm])

    def _data_for(self, command: str, keywords: Mapping[str, Any]) -> Optional[Path]:
        """The file with the cells for a command: `None` if the binary finds the file of the fit itself."""
        if "data" not in _flags.of(command):
            return None
        adata = self._adata() if self._adata is not None else None
        if adata is None:
            return self._file
        columns, obsm = used(command, keywords, adata)
        now = _data.fingerprint(adata, columns, obsm)
        needs_genes = command in _GENES
        if self._file is None or now["names"] != self._written.get("names") or (needs_genes and not self._whole):
            if self._scratch is None:
                self._keep(Path(tempfile.mkdtemp(prefix="sbcell-")))
            assert self._scratch is not None
            parts = _data.matrices_of_source(self.parameters.get("source")) if needs_genes else {}
            path = self._scratch / "data.h5ad"
            _data.write(adata, path, obsm=obsm, columns=columns, **parts)
            self._file, self._whole, self._written = path, needs_genes, now
        elif any(self._written.get(key) != value for key, value in now.items()):
            _data.update(adata, self._file, columns, obsm)
            self._written.update(now)
        return self._file


def used(command: str, keywords: Mapping[str, Any], adata: Any) -> tuple[list[str], list[str]]:
    """The columns of `obs` and the keys of `obsm` that the keywords of a command name."""
    columns, obsm = [], []
    flags = _flags.of(command)
    for keyword, value in keywords.items():
        flag = flags.get(_flags.resolve(command, keyword))
        shape = (flag["value"] or "") if flag else ""
        if shape.startswith("COL") and value not in (None, False, True):
            names = list(value) if isinstance(value, Mapping) else str(value).split("=")[0].split(",")
            columns += [name for name in names if name in adata.obs]
            obsm += [name for name in names if name in adata.obsm]
        elif shape == "CONDITION":
            # Conditions may name any column.
            columns += [name for name in adata.obs.columns if str(name) in str(value)]
        elif shape == "KEY" and keyword != "key":
            keys = value if isinstance(value, (list, tuple)) else [value]
            obsm += [key for key in (_data.embedding(adata, one) for one in keys) if key]
    if command in ("plot", "report", "run"):
        obsm += [key for key in ("X_umap", "X_tsne") if key in adata.obsm]
    return columns, obsm


def _json(path: Path) -> dict[str, Any]:
    """The content of a JSON file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


# The last model of each AnnData object, by its identity.
_models: dict[int, tuple[weakref.ref[Any], BaseModel]] = {}


def remember(adata: Any, model: BaseModel) -> None:
    """Make a model that of an AnnData object, for as long as the object lives."""
    key = id(adata)
    _models[key] = (weakref.ref(adata, lambda _: _models.pop(key, None)), model)


def model_of(target: Target) -> BaseModel:
    """The model that is meant by a model, a folder, or an AnnData object that was fitted."""
    if isinstance(target, BaseModel):
        return target
    if is_anndata(target):
        held = _models.get(id(target))
        if held is not None and held[0]() is target:
            return held[1]
        raise UsageError(
            "no model was fitted to this AnnData object",
            "call `model = sbcell.fit(adata, ...)` first, or pass the model or `sbcell.Model(folder, adata)`",
        )
    if isinstance(target, (str, os.PathLike)):
        folder = Path(target)
        if not (folder / "model.json").is_file() and (folder / "model" / "model.json").is_file():
            folder = folder / "model"
        from ._methods import Model

        return Model(folder)
    raise TypeError(f"a model, the folder of one, or a fitted AnnData object is needed, got {type(target).__name__}")
