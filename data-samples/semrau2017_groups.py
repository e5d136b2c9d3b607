"""Groups of the cells of semrau2017_mesc_ra.h5ad by the markers the paper names for its two lineages.

Each gene is standardised over all cells; a cell belongs to the set of markers with the largest mean,
if that is above zero, and to none otherwise. Made with anndata 0.12 and numpy 2.4:

    python data-samples/semrau2017_groups.py > data-samples/semrau2017_groups.csv
"""

import anndata
import numpy as np

MARKERS = {
    "pluripotent": ["Pou5f1", "Sox2", "Esrrb", "Zfp42", "Klf2", "Fgf4", "Nr0b1", "Dppa2"],
    "XEN": ["Gata6", "Gata4", "Sox17", "Pdgfra", "Dab2", "Col4a2", "Lamb1", "Sparc"],
    "ectoderm": ["Pax6", "Sox1", "Meis1", "Hoxb2", "Hoxa1", "Cdh2", "Nes", "Sox11"],
}

cells = anndata.read_h5ad("data-samples/semrau2017_mesc_ra.h5ad")
x = cells.X.toarray() if hasattr(cells.X, "toarray") else np.asarray(cells.X)
z = (x - x.mean(0)) / x.std(0)
names = list(cells.var_names)
scores = np.stack([z[:, [names.index(g) for g in genes]].mean(1) for genes in MARKERS.values()], 1)
print("cell,group")
for cell, row in zip(cells.obs_names, scores):
    if row.max() > 0:
        print(f"{cell},{list(MARKERS)[row.argmax()]}")
