"""Time and memory of `fit`, `interpolate` and `grn` over cells, genes, components and times.

    cargo build --release && python tests/bench/scale/run.py FOLDER [--most N] [--out TABLE.md] [--plot P.svg]

Makes the files it needs in FOLDER (make_cells.py; 8 GB for a million cells), runs the binary on each, and
prints wall and CPU seconds, the largest resident memory, and what `--dry-run` said before. With --promise
only the largest course is run, under `ulimit -v` of 4 GiB and with `--memory 4G`.
"""

import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
BINARY = HERE.parents[2] / "target" / "release" / "sbcell"
GIB = 1 << 30
REGULATORS = 200


def made(folder, cells, genes=20_000, times=8):
    """The file of such a course; made once."""
    path = folder / f"{cells}x{genes}x{times}.h5ad"
    if not path.exists():
        part = path.with_suffix(".part")
        maker = [sys.executable, HERE / "make_cells.py", part, cells, genes, times]
        subprocess.run([str(word) for word in maker], check=True)
        part.rename(path)
    return path


def run(words, limit=None):
    """Runs the binary; what it said, wall and CPU seconds, largest resident bytes."""

    def limited():
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    begun = time.perf_counter()
    child = subprocess.Popen(
        [str(word) for word in [BINARY, *words]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limited,
    )
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if child.returncode not in (0, 4):
        sys.exit(f"{' '.join(map(str, words))}\n{said}\nended with {child.returncode}")
    return said, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def seconds(text):
    number, unit = text.split()
    return float(number) * (60 if unit == "min" else 1)


def predicted(said):
    """Bytes and seconds of `estimate:`."""
    found = re.search(r"estimate: ([\d.]+) (MB|GB) of memory; ([\d.]+ \w+),", said)
    return float(found[1]) * (1e9 if found[2] == "GB" else 1e6), seconds(found[3])


def course(folder, cells, genes=20_000, times=8, pcs=50, memory=(), limit=None):
    """One line of the table."""
    data = made(folder, cells, genes, times)
    model, names = folder / "model", folder / "regulators.txt"
    names.write_text("".join(f"gene{i}\n" for i in range(0, genes, genes // REGULATORS)))
    fit = ["fit", data, "--timepoints", "day", "--n-pcs", pcs, "--out", model, "--no-validation", *memory]
    said, *_ = run([*fit, "--dry-run"])
    foretold = predicted(said)
    _, *fitted = run(fit, limit)
    _, *between = run(["interpolate", "--model", model, "--out", folder / "between.parquet"], limit)
    edges = ["grn", "--model", model, "--tfs", names, "--out", folder / "edges.csv"]
    _, *network = run(edges, limit)
    return foretold, fitted, between, network


def line(label, found, cells):
    (bytes_said, seconds_said), fit, between, network = found
    wall = fit[0] + between[0] + network[0]
    return (
        f"| {label} | {fit[0]:.0f} | {fit[1]:.0f} | {1e6 * fit[1] / cells:.0f} | {fit[2] / 1e9:.2f} "
        f"| {seconds_said:.0f} | {bytes_said / 1e9:.2f} | {between[0]:.1f} | {between[2] / 1e9:.2f} "
        f"| {network[0]:.0f} | {network[2] / 1e9:.2f} | {wall:.0f} |"
    )


HEAD = """\
| course | fit, s | CPU s | CPU µs a cell | GB | predicted: s | GB | interpolate, s | GB | edges, s | GB | all, s |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def draw(path, series):
    """CPU seconds and bytes of `fit` over cells, genes, components and times; all axes logarithmic.

    `series` has for each of these points `(x, CPU seconds, bytes)`.
    """
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    plain = FuncFormatter(lambda value, _: f"{value:,.10g}".replace(",", " "))
    _, rows = plt.subplots(2, len(series), figsize=(10, 4.6), sharey="row", layout="constrained")
    for column, (what, points) in enumerate(series.items()):
        points = sorted(points)
        x = [point[0] for point in points]
        for axes, values in (
            (rows[0][column], [point[1] for point in points]),
            (rows[1][column], [point[2] / 1e9 for point in points]),
        ):
            axes.loglog(x, values, "o-", color="#2b6cb0")
            axes.grid(True, which="major", alpha=0.25)
            axes.set_xticks(x if len(x) < 4 else x[::2])
            axes.xaxis.set_major_formatter(plain)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(plain)
            axes.yaxis.set_minor_formatter(NullFormatter())
        rows[1][column].set_xlabel(what)
    rows[0][0].set(ylabel="CPU seconds of fit", yticks=[10, 20, 50, 100, 200])
    rows[1][0].set(ylabel="peak memory of fit, GB", yticks=[0.1, 0.2, 0.5, 1, 2])
    plt.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("--promise", action="store_true")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    lines, series = [HEAD], {"cells": [], "genes": [], "components": [], "times": []}

    def tell(label, cells, over=(), **how):
        found = course(asked.folder, cells, **how)
        for what, x in over:
            series[what].append((x, found[1][1], found[1][2]))
        lines.append(line(label, found, cells))
        print(lines[-1], flush=True)

    print(HEAD)
    if asked.promise:
        tell(f"{asked.most:,} cells, 4 GiB", asked.most, memory=("--memory", "4G"), limit=4 * GIB)
        return
    some = min(asked.most, 100_000)
    for cells in (10_000, 30_000, 100_000, 300_000, 1_000_000):
        if cells <= asked.most:
            usual = [("genes", 20_000), ("components", 50), ("times", 8)] if cells == some else []
            tell(f"{cells:,} cells", cells, [("cells", cells), *usual])
    for genes in (5_000, 40_000):
        tell(f"{some:,} cells, {genes:,} genes", some, [("genes", genes)], genes=genes)
    for pcs in (10, 100):
        tell(f"{some:,} cells, {pcs} components", some, [("components", pcs)], pcs=pcs)
    for times in (3, 20):
        tell(f"{some:,} cells, {times} times", some, [("times", times)], times=times)
    if asked.plot:
        draw(asked.plot, series)
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


main()
