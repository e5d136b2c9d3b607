"""GENIE3 on the simulated courses: the baseline of edges that knows no time.

    pip install scikit-learn anndata pandas
    python tests/bench/peers/genie3.py > tests/bench/peers/genie3.csv

For each gene a forest of extremely randomised trees on all other genes, all cells pooled; an edge is
as important as its regulator in the forest (Huynh-Thu et al. 2010), the sign is that of the
correlation. Prints the average precision of each course with all its times and with some of them.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import average_precision_score

FOLDER = os.path.join(os.path.dirname(__file__), "../../../data-samples/networks")
NETWORKS = (
    "GSD HSC VSC mCAD dyn-bifurcating dyn-bifurcating-converging dyn-cycle dyn-linear "
    "dyn-trifurcating"
).split()


def even(n):
    return [int(np.rint(k * 7 / (n - 1))) for k in range(n)]


KEEP = {
    "8": list(range(8)),
    "6": even(6),
    "5": even(5),
    "4": even(4),
    "every second": [0, 2, 4, 6],
    "every third": [0, 3, 6],
}


def genie3(x):
    n_genes = x.shape[1]
    found = np.zeros((n_genes, n_genes))
    for gene in range(n_genes):
        others = [g for g in range(n_genes) if g != gene]
        target = x[:, gene] / (x[:, gene].std() or 1.0)
        forest = ExtraTreesRegressor(n_estimators=50, max_features="sqrt", random_state=0)
        forest.fit(x[:, others], target)
        found[others, gene] = forest.feature_importances_
    return found


def main():
    out = sys.stdout
    out.write("course,times,average_precision,sign_accuracy\n")
    for network in NETWORKS:
        truth = pd.read_csv(os.path.join(FOLDER, f"{network}.csv"))
        for course in (network, f"{network}-drop50"):
            data = anndata.read_h5ad(os.path.join(FOLDER, f"{course}.h5ad"))
            genes = list(data.var_names)
            place = {gene: i for i, gene in enumerate(genes)}
            edge, sign = np.zeros((len(genes),) * 2, bool), np.zeros((len(genes),) * 2)
            for row in truth.itertuples(index=False):
                edge[place[row[0]], place[row[1]]] = True
                sign[place[row[0]], place[row[1]]] = 1 if row[2] == "+" else -1
            times = np.asarray(data.obs["time"], float)
            distinct = np.unique(times)
            off = ~np.eye(len(genes), dtype=bool)
            for name, keep in KEEP.items():
                x = np.asarray(data.X, float)[np.isin(times, distinct[keep])]
                found = genie3(x)
                with np.errstate(invalid="ignore"):
                    plain = np.nan_to_num(np.corrcoef(x.T))
                precision = average_precision_score(edge[off], found[off])
                present = edge & off
                right = (np.where(plain < 0, -1, 1) == sign)[present].mean()
                out.write(f"{course},{name},{precision:.4f},{right:.4f}\n")
                out.flush()


if __name__ == "__main__":
    main()
