"""Reference numbers for normalisation and gene selection, made by scanpy.

Made with Python 3.11.7, scanpy 1.11.5, anndata 0.12.19, numpy 2.4.6, pandas 2.3.3.
Run: python genes.py   (writes genes_*.csv beside this file)

The counts come from integer arithmetic that tests/reference/genes.rs repeats exactly.
"""

import csv
import pathlib
import warnings

import anndata
import numpy as np
import scanpy as sc

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1


def mix(state):
    """One output of splitmix64 for the counter `state`."""
    z = (state + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def counts(n_cells, n_genes, seed):
    """Counts: gene j is seen in a share of cells that rises with j % 17, and bursts with j % 5."""
    x = np.zeros((n_cells, n_genes), np.float32)
    for i in range(n_cells):
        for j in range(n_genes):
            z = mix(seed * 1_000_003 + i * n_genes + j)
            if z % 1024 < 60 + 55 * (j % 17):
                x[i, j] = 1 + (z >> 10) % (1 + (i % 4) * (j % 5)) + 2 * (j % 17) * (j % 3)
    return x


def write(name, header, rows):
    with open(HERE / name, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def number(value):
    return repr(float(value))


def table(name, adata, n_top):
    sc.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=n_top)
    var = adata.var
    write(
        name,
        ["mean", "dispersion", "dispersion_norm", "selected"],
        [
            [number(m), number(d), number(z), int(s)]
            for m, d, z, s in zip(
                var["means"], var["dispersions"], var["dispersions_norm"], var["highly_variable"]
            )
        ],
    )
    print(name, int(var["highly_variable"].sum()), "selected of", n_top)


# (a) 200 x 150 with one empty cell and two empty genes: counts, normalised, log1p.
x = counts(200, 150, 1)
x[7, :] = 0
x[:, [20, 99]] = 0
adata = anndata.AnnData(x.copy())
sc.pp.normalize_total(adata)
normalized = adata.X.copy()
sc.pp.log1p(adata)
shown = [(i, j) for i in (0, 1, 7, 50, 199) for j in range(150) if x[i, j] > 0]
write(
    "genes_normalized.csv",
    ["cell", "gene", "count", "normalized", "log1p"],
    [[i, j, int(x[i, j]), number(normalized[i, j]), number(adata.X[i, j])] for i, j in shown],
)
print("depth", normalized.sum(1)[:3], "median", np.median(x.sum(1)[x.sum(1) > 0]))
table("genes_normalized_selection.csv", adata, 30)

# (b) 90 x 120 small counts without normalisation: two thirds of the genes are empty, one is
# constant, every fourth gene from 0 on is a copy of the one before the next: many ties.
x = np.minimum(counts(90, 120, 2), 3)
for j in range(120):
    if j % 3 != 0:
        x[:, j] = 0
    elif j % 4 == 0 and j > 0:
        x[:, j] = x[:, j - 3]
x[:, 51] = 1
adata = anndata.AnnData(x)
sc.pp.log1p(adata)
table("genes_ties_selection.csv", adata, 11)

# (c) 150 x 40 with few genes to a bin: some are alone, and tie at 1.
x = counts(150, 40, 3)
x[:, 5] *= 40
x[:, 11] *= 15
adata = anndata.AnnData(x)
sc.pp.normalize_total(adata, target_sum=1e4)
sc.pp.log1p(adata)
table("genes_single_bins_selection.csv", adata, 6)
