"""Makes cells.h5ad, a few cells of ../../semrau2017_mesc_ra.h5ad, with anndata. The models are made by ./make."""
import csv

import anndata as ad
import numpy as np
import pandas as pd

full = ad.read_h5ad("../../semrau2017_mesc_ra.h5ad")
with open("../../semrau2017_groups.csv") as file:
    groups = {row["cell"]: row["group"] for row in csv.DictReader(file)}
group = np.array([groups.get(cell, "") for cell in full.obs_names])
kept = []
for time in (0, 36, 72, 96):
    for name, n in (("pluripotent", 6), ("ectoderm", 5), ("XEN", 5)):
        kept.extend(np.flatnonzero((full.obs["time"] == time) & (group == name))[:n])
kept = np.sort(kept)
small = full[kept].copy()
obs = pd.DataFrame(index=small.obs_names)
obs["time"] = small.obs["time"].to_numpy()
obs["label"] = pd.Categorical([f"{time:g}h" for time in obs["time"]])
obs["group"] = pd.Categorical(group[kept])
obs["growth"] = 0.01 * (np.arange(len(kept)) % 5 - 1)
obs["treatment"] = pd.Categorical(np.where(np.arange(len(kept)) % 2 == 0, "control", "drug"))
x = np.asarray(small.X.todense() if hasattr(small.X, "todense") else small.X, dtype=np.float32)
out = ad.AnnData(X=x, obs=obs, var=pd.DataFrame(index=small.var_names))
out.layers["counts"] = small.layers["counts"].copy()
# A plain embedding: sums of the markers of two fates.
names = list(small.var_names)
axes = [["Sox17", "Gata6", "Gata4", "Dab2"], ["Pax6", "Sox1", "Nes", "Meis1"]]
out.obsm["X_two"] = np.stack([x[:, [names.index(gene) for gene in genes]].sum(1) for genes in axes], 1).astype(float)
out.write_h5ad("cells.h5ad", compression="gzip")
print(out, obs.groupby(["time", "group"], observed=True).size())
