"""Opens what sbcell wrote with the tools its users have, and compares the content.

Called by tests/files/open_outputs.rs with a folder that holds cells.csv, cells.parquet, cells.h5ad and
edges.csv. Prints one line for each tool: `checked NAME VERSION` or `skipped NAME: why`. Exits with
1 if a tool that is there reads something else than the others.

By hand: python -m venv venv && venv/bin/pip install anndata pandas pyarrow polars scanpy
         SBCELL_PYTHON=venv/bin/python cargo test --release --test files open_outputs -- --nocapture
"""

import importlib
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
        except ImportError:
            print(f"skipped {names[0]}: {name} is not installed")
            return False
    return True


def equal(what, a, b):
    if list(a) != list(b):
        sys.exit(f"{what}: {list(a)[:3]} is not {list(b)[:3]}")


if have("pandas"):
    import pandas

    csv = pandas.read_csv(folder / "cells.csv", float_precision="round_trip")

if have("pandas", "pyarrow"):
    parquet = pandas.read_parquet(folder / "cells.parquet")
    equal("columns", csv.columns, parquet.columns)
    for column in csv.columns:
        equal(column, csv[column], parquet[column])
    edges = pandas.read_csv(folder / "edges.csv")
    equal("edge columns", edges.columns, "TF target importance sign effect confidence direction stability p_time q_time lag t0 t1 group prior importance_unaided".split())
    ranked = edges["confidence"].fillna(edges["importance"])
    assert ranked.is_monotonic_decreasing and set(edges["sign"]) <= {-1, 1}
    print("checked pandas", version("pandas"))

if have("polars", "pandas"):
    import polars

    frame = polars.read_parquet(folder / "cells.parquet")
    equal("polars PC1", frame["PC1"], csv["PC1"])
    equal("polars csv PC1", polars.read_csv(folder / "cells.csv")["PC1"], csv["PC1"])
    print("checked polars", version("polars"))

if have("anndata", "pandas"):
    import anndata

    data = anndata.read_h5ad(folder / "cells.h5ad")
    equal("h5ad time", data.obs["time"], csv["time"])
    equal("h5ad X_pca", data.obsm["X_pca"][:, 0], csv["PC1"])
    equal("genes", data.var_names[:2], ["Pou5f1", "Sox2"])
    data.write_h5ad(folder / "again.h5ad")
    print("checked anndata", version("anndata"))

    import numpy

    maps = anndata.read_h5ad(folder / "wot/tmaps_0_6.h5ad")
    rows = numpy.asarray(maps.X.sum(axis=1)).ravel()
    assert numpy.allclose(rows, maps.obs["g0"], atol=1e-4), "rows of wot's maps are growth"
    chain = anndata.read_h5ad(folder / "cellrank/cellrank.h5ad")
    rows = numpy.asarray(chain.obsp["T_fwd"].sum(axis=1)).ravel()
    assert numpy.allclose(rows, 1, atol=1e-5), "rows of transition matrices sum to one"

if have("pandas", "pyarrow"):
    coupling = pandas.read_parquet(folder / "moscot/0_6.parquet").set_index("id")
    assert abs(coupling.to_numpy().sum() - 1) < 1e-3, "a coupling sums to one"

if have("cellrank", "anndata"):
    import cellrank

    kernel = cellrank.kernels.PrecomputedKernel("T_fwd", adata=chain)
    assert kernel.transition_matrix.shape == (chain.n_obs, chain.n_obs)
    print("checked cellrank", version("cellrank"))

if have("scanpy", "anndata"):
    import scanpy

    scanpy.pp.neighbors(data, n_neighbors=5, use_rep="X_pca")
    print("checked scanpy", version("scanpy"))

if shutil.which("Rscript"):
    code = (
        "cells <- read.csv('cells.csv'); stopifnot(is.numeric(cells$PC1), nrow(cells) > 0);"
        "edges <- read.csv('edges.csv'); stopifnot(all(edges$sign %in% c(-1, 1)));"
        "if (requireNamespace('arrow', quietly = TRUE)) {"
        " p <- arrow::read_parquet('cells.parquet'); stopifnot(all(p$PC1 == cells$PC1));"
        " cat('checked R with arrow\\n') } else cat('checked R (csv only: no arrow)\\n')"
    )
    subprocess.run(["Rscript", "-e", code], cwd=folder, check=True)
else:
    print("skipped R: Rscript is not installed")
