"""Writes the .csv files of this folder from the .npz files they were made as.

    python convert.py FOLDER_OF_NPZ OUTPUT_FOLDER NAME[:samples|:truth|:both] ...

`NAME_answers.csv`: one row per point q: q, the mean of x1 given x0 = q, the drift at t = 0.5, the
trace of the covariance of x1 given q and ln c(q). `NAME_samples.csv` (with `:samples`): unpaired
x0 and x1 side by side. `NAME_truth.csv` (with `:truth`): one row per Gaussian of the true
potential: weight, r, then S row by row. Versions used: Python 3.11, numpy 2.4.6.
"""

import sys

import numpy as np


def write(path, columns, names, digits):
    header = ",".join(f"{name}{i}" for name, block in zip(names, columns) for i in range(block.shape[1]))
    np.savetxt(path, np.hstack(columns), fmt=f"%.{digits}g", delimiter=",", header=header, comments="")


def main(source, output, names):
    for name in names:
        name, _, extra = name.partition(":")
        z = np.load(f"{source}/{name}.npz")
        scalars = [z["cond_cov_trace"][:, None], z["log_c"][:, None]]
        n = 200 if z["q"].shape[1] < 16 else 100
        blocks = [z["q"], z["cond_mean"], z["drift_t05"], *scalars]
        headers = ["q", "mean", "drift", "trace", "log_c"]
        write(f"{output}/{name}_answers.csv", [b[:n] for b in blocks], headers, 8)
        if extra in ("samples", "both"):
            write(f"{output}/{name}_samples.csv", [z["x0"], z["x1"]], ["x0_", "x1_"], 4)
        if extra in ("truth", "both"):
            blocks = [z["w"][:, None], z["r"], z["S"].reshape(len(z["w"]), -1)]
            write(f"{output}/{name}_truth.csv", blocks, ["w", "r", "s"], 17)


main(sys.argv[1], sys.argv[2], sys.argv[3:])
