"""Fits a course in ten files and the same cells in one file, and compares time, memory and bytes.

    cargo build --release
    python tests/bench/scale/parts.py FOLDER [N_CELLS]

Needs anndata, and about 4 GB in FOLDER for a million cells (the default). Cells have counts of 2 000 genes with means of
rank eight that drift over ten times.
"""

import filecmp
import subprocess
import sys
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

BINARY = Path(__file__).parents[3] / "target/release/sbcell"
N_FILES, N_GENES, RANK, DEPTH, BLOCK = 10, 2000, 8, 400, 5000


def make(folder, n_cells):
    """Writes the files; returns their paths."""
    rng = np.random.default_rng(0)
    base = rng.gamma(0.3, 1.0, N_GENES)
    loads, drift = rng.normal(0, 0.5, (RANK, N_GENES)), rng.normal(0, 0.3, RANK)
    paths = []
    for k in range(N_FILES):
        times, blocks = rng.integers(0, 10, n_cells // N_FILES), []
        for first in range(0, len(times), BLOCK):
            part = times[first : first + BLOCK]
            states = rng.normal(size=(len(part), RANK)) * 0.6 + np.outer(part, drift) * 0.4
            means = base * np.exp(states @ loads)
            means *= DEPTH / means.sum(axis=1, keepdims=True)
            blocks.append(sp.csr_matrix(rng.poisson(means).astype(np.float32)))
        names = [f"c{k}_{i}" for i in range(len(times))]
        obs = pd.DataFrame({"day": times.astype(float)}, index=names)
        var = pd.DataFrame(index=[f"g{j}" for j in range(N_GENES)])
        paths.append(folder / f"part{k:02d}.h5ad")
        ad.AnnData(sp.vstack(blocks).tocsr(), obs=obs, var=var).write_h5ad(paths[-1])
    return paths


def fit(data, out):
    """Fits `data`; prints seconds and peak memory."""
    line = [BINARY, "fit", data, "--timepoints", "day", "--out", out, "--no-validation", "--quiet", "--overwrite"]
    begun = time.perf_counter()
    with subprocess.Popen(["/usr/bin/time", "-f", "%U s of CPU, %M kB", *map(str, line)]) as running:
        running.wait()
    print(f"{data}: {time.perf_counter() - begun:.1f} s", flush=True)


def main():
    folder, n_cells = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    parts = folder / "parts"
    parts.mkdir(parents=True)
    paths = make(parts, n_cells)
    ad.concat([ad.read_h5ad(path) for path in paths]).write_h5ad(folder / "one.h5ad")
    fit(parts, folder / "of-parts")
    fit(folder / "one.h5ad", folder / "of-one")
    files = ["cells.parquet", "genes.parquet", "coupling.csv", "fit.csv", "pcs.csv", "scree.csv"]
    files += [f"bridges/{path.name}" for path in sorted((folder / "of-one/bridges").iterdir())]
    _, other, missing = filecmp.cmpfiles(folder / "of-parts", folder / "of-one", files, shallow=False)
    print(f"{len(files)} files, {len(other) + len(missing)} differ: {other + missing}")


main()
