"""Opens what `sbcell annotate` wrote with the tools its users have.

Called by tests/files/open_annotated.rs with a folder that holds all.h5ad (annotated with --key-added pca),
annotated.h5ad (that file with --project X_pca --layers velocity --fates --table), velocity.csv, d.h5ad
(the original) and dialect-*.h5ad. Prints one line for each tool: `checked NAME VERSION` or
`skipped NAME: why`. Exits with 1 if a tool that is there finds something else.

By hand: python -m venv venv && venv/bin/pip install scanpy scvelo cellrank
         SBCELL_PYTHON=venv/bin/python cargo test --release --test files open_annotated -- --nocapture
"""

import importlib
import json
import shutil
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])


def have(*names):
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"skipped {names[0]}: {name}: {type(error).__name__}: {error}")
            return False
    return True


if not have("anndata", "numpy", "pandas"):
    sys.exit(0)

import anndata
import numpy as np
import pandas


def same(what, a, b):
    if not np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind == "f"):
        sys.exit(f"{what}: not the same")


def dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


data = anndata.read_h5ad(folder / "annotated.h5ad")
before = anndata.read_h5ad(folder / "d.h5ad")
table = pandas.read_csv(folder / "velocity.csv", index_col="id", float_precision="round_trip")
table = table.loc[data.obs_names]
same("X", dense(data.X), dense(before.X))
same("counts", dense(data.layers["counts"]), dense(before.layers["counts"]))
added = ["pca_time", "sbcell_time", "sbcell_fate_blood", "sbcell_kind"]
same("columns", data.obs.columns, list(before.obs.columns) + added)
for column in before.obs.columns:
    assert (data.obs[column] == before.obs[column]).all(), column
same("time", data.obs["sbcell_time"], table["time"])
pcs = [column for column in table.columns if column.startswith("velocity_")]
same("velocity", data.obsm["sbcell_velocity"], table[pcs])
same("coordinates", data.obsm["X_sbcell"], data.obsm["X_pca"])
assert data.obs["sbcell_fate_blood"]["cell_1"] == 0.25 and data.obs["sbcell_fate_blood"].count() == 1
assert list(data.obs["sbcell_kind"].cat.categories) == ["early", "late"]
assert data.obs["sbcell_kind"]["cell_1"] == "late" and data.obs["sbcell_kind"].count() == 2
mark = json.loads(data.uns["sbcell"])
assert mark["command"] == "annotate" and "obs/sbcell_time" in mark["keys"]
velocity = data.layers["velocity"]
moving = ~np.isnan(velocity).any(axis=0)
assert moving.sum() > 20 and velocity.shape == data.shape and np.abs(velocity[:, moving]).max() > 0
data.write_h5ad(folder / "again.h5ad")
for dialect in sorted(folder.glob("dialect-*.h5ad")):
    read = anndata.read_h5ad(dialect)
    original = anndata.read_h5ad(folder / dialect.name.removeprefix("dialect-"))
    same(dialect.name, dense(read.X), dense(original.X))
    assert list(read.obs.columns) == list(original.obs.columns) + ["sbcell_time", "sbcell_kind"]
    assert list(read.obs_names) == list(original.obs_names)
    assert set(original.uns) < set(read.uns) and set(original.obsm) < set(read.obsm)
    read.write_h5ad(folder / "again.h5ad")
print("checked anndata", version("anndata"))

if have("scanpy"):
    import scanpy

    # scVelo takes cells at one place for a broken graph.
    once = ~pandas.DataFrame(np.round(data.obsm["X_sbcell"], 9)).duplicated().to_numpy()
    data = data[once].copy()
    scanpy.pp.neighbors(data, n_neighbors=15, use_rep="X_sbcell")
    print("checked scanpy", version("scanpy"))

if have("scvelo", "scanpy"):
    import matplotlib

    matplotlib.use("Agg")
    import scvelo

    scvelo.settings.verbosity = 0
    projected = data.obsm["velocity_pca"].copy()
    # Reads obsm['velocity_pca'] as it is.
    scvelo.pl.velocity_embedding(data, basis="pca", show=False)
    scvelo.pl.velocity_embedding_grid(data, basis="pca", show=False)
    same("arrows", projected, data.obsm["velocity_pca"])
    # Its own projection of layers['velocity'], on the same neighbours, looks the same way.
    own = data.copy()
    own.layers["Ms"] = dense(own.X).astype("float32")
    scvelo.tl.velocity_graph(own, vkey="velocity", xkey="Ms", n_jobs=1, show_progress_bar=False)
    scvelo.tl.velocity_embedding(own, basis="pca", vkey="velocity")
    a, b = projected[:, :2], own.obsm["velocity_pca"][:, :2]
    cosine = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    print(f"  arrows against scVelo's own: median cosine {np.nanmedian(cosine):.2f}")
    assert np.nanmedian(cosine) > 0.5
    print("checked scvelo", version("scvelo"))

if shutil.which("Rscript"):
    code = (
        "if (!requireNamespace('rhdf5', quietly = TRUE)) { cat('skipped R: no rhdf5\\n'); quit() };"
        "read <- function(name) rhdf5::h5read('annotated.h5ad', name);"
        "time <- read('obs/sbcell_time'); velocity <- read('obsm/sbcell_velocity');"
        "stopifnot(is.numeric(time), ncol(velocity) == length(time));"
        "layer <- read('layers/velocity'); stopifnot(ncol(layer) == length(time));"
        "kind <- read('obs/sbcell_kind/categories'); stopifnot(all(kind == c('early', 'late')));"
        "stopifnot(grepl('annotate', read('uns/sbcell')));"
        "for (file in Sys.glob('dialect-*.h5ad'))"
        " stopifnot(length(rhdf5::h5read(file, 'obs/sbcell_time')) == 60);"
        "cat('checked R with rhdf5', as.character(packageVersion('rhdf5')), '\\n');"
        "if (requireNamespace('anndataR', quietly = TRUE)) {"
        " a <- anndataR::read_h5ad('annotated.h5ad'); stopifnot('sbcell_time' %in% names(a$obs));"
        " cat('checked anndataR\\n') } else cat('skipped anndataR: not installed\\n')"
    )
    subprocess.run(["Rscript", "-e", code], cwd=folder, check=True)
else:
    print("skipped R: Rscript is not installed")

if shutil.which("h5dump"):
    for file in ["annotated.h5ad", *(path.name for path in folder.glob("dialect-*.h5ad"))]:
        subprocess.run(["h5dump", "-H", file], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    print("checked the HDF5 library by h5dump")
else:
    print("skipped h5dump: not installed")

if have("cellrank", "scanpy"):
    import cellrank

    try:
        kernel = cellrank.kernels.VelocityKernel(data, xkey="X", vkey="velocity")
    except TypeError as error:
        sys.exit(print(f"skipped cellrank: it does not run with this numpy: {error}"))
    kernel.compute_transition_matrix(show_progress_bar=False)
    in_pcs = cellrank.kernels.VelocityKernel(
        data, attr="obsm", xkey="X_sbcell", vkey="sbcell_velocity"
    )
    in_pcs.compute_transition_matrix(show_progress_bar=False)
    later = in_pcs.transition_matrix @ data.obs["sbcell_time"].to_numpy() - data.obs["sbcell_time"]
    cellrank.kernels.PseudotimeKernel(data, time_key="sbcell_time").compute_transition_matrix(
        show_progress_bar=False
    )
    print(f"  CellRank's steps along the velocity: {later.mean():+.2f} of time on average")
    print("checked cellrank", version("cellrank"))
