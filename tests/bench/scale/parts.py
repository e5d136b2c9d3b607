"""Fits a course in ten files, the same cells in one file, and the ten files as units of a plan; compares time, memory, bytes.

    cargo build --release
    python tests/bench/scale/parts.py FOLDER [N_CELLS]

Needs anndata, and about 5 GB in FOLDER for a million cells (the default). Cells have counts of 2 000 genes with means of
rank eight that drift over ten times.
"""

import filecmp
import json
import subprocess
import sys
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


def timed(*line):
    """Runs sbcell; returns seconds, seconds of the processors, and MB."""
    command = ["/usr/bin/time", "-f", "%e %U %S %M", str(BINARY), *map(str, line)]
    done = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    elapsed, user, system, memory = map(float, done.stderr.splitlines()[-1].split())
    return elapsed, user + system, memory / 1024


def line_of(data, out):
    return ["fit", data, "--timepoints", "day", "--out", out, "--no-validation", "--n-top-genes", "1500", "--overwrite"]


def fit(data, out):
    """Fits `data`; prints seconds and peak memory."""
    print("{}: {:.1f} s, {:.1f} s of CPU, {:.0f} MB".format(data, *timed(*line_of(data, out), "--quiet")), flush=True)


def fit_units(data, out, plan):
    """Fits `data` by the units of a plan, one after the other; prints the time and memory of each stage."""
    print("plan: {:.1f} s, {:.1f} s of CPU, {:.0f} MB".format(*timed("plan", "--out", plan, *line_of(data, out))))
    planned = json.loads(plan.read_text())
    for number, stage in enumerate(planned["stages"]):
        units = [unit for unit in planned["units"] if unit["stage"] == number]
        # The first unit of the first stage was done by `plan`.
        units = units[1:] if number == 0 else units
        found = [timed("step", plan, "--unit", unit["unit"]) for unit in units]
        seconds, memory = [one[0] for one in found], [one[2] for one in found]
        ratios = [one[2] * 2**20 / unit["memory_bytes"] for one, unit in zip(found, units)]
        times = [one[0] / unit["seconds"] for one, unit in zip(found, units)]
        print(
            f"{stage}: {len(units)} units, each {min(seconds):.1f} to {max(seconds):.1f} s and up to {max(memory):.0f} MB; "
            f"measured / foretold: time {min(times):.2f} to {max(times):.2f}, memory {min(ratios):.2f} to {max(ratios):.2f}",
            flush=True,
        )
    print("merge: {:.1f} s, {:.1f} s of CPU, {:.0f} MB".format(*timed("merge", plan)), flush=True)


def compare(one, other):
    """Prints the files of the model `one` that differ in `other`."""
    files = ["cells.parquet", "genes.parquet", "coupling.csv", "fit.csv", "pcs.csv", "scree.csv"]
    files += [f"bridges/{path.name}" for path in sorted((one / "bridges").iterdir())]
    _, differ, missing = filecmp.cmpfiles(one, other, files, shallow=False)
    print(f"{other}: {len(files)} files, {len(differ) + len(missing)} differ: {differ + missing}", flush=True)


def main():
    folder, n_cells = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    parts = folder / "parts"
    parts.mkdir(parents=True)
    paths = make(parts, n_cells)
    ad.concat([ad.read_h5ad(path) for path in paths]).write_h5ad(folder / "one.h5ad")
    fit(parts, folder / "of-parts")
    fit(folder / "one.h5ad", folder / "of-one")
    fit_units(parts, folder / "of-units", folder / "plan.json")
    compare(folder / "of-one", folder / "of-parts")
    compare(folder / "of-one", folder / "of-units")


main()
