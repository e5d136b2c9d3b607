__author__ = "The sbcell developers"
__copyright__ = "Copyright 2026, the sbcell developers"
__license__ = "MIT"

import shutil
import tempfile
from pathlib import Path
from shlex import quote

from snakemake.shell import shell

# Named outputs, and the files in the folder of results that they are copied from.
FILES = {
    "report": "report.html",
    "multiqc": "sbcell_mqc.json",
    "validation": "validation/validation.csv",
    "populations": "populations.parquet",
    "fates": "fates.csv",
    "transitions": "transitions.csv",
    "trends": "trends.csv",
    "edges": "edges.csv",
    "h5ad": "annotated.h5ad",
}

names = list(snakemake.output.keys())
unknown = [name for name in names if name != "results" and name not in FILES]
if unknown or len(names) < len(snakemake.output):
    raise ValueError(f"every output needs one of these names: results, {', '.join(FILES)}")

extra = snakemake.params.get("extra", "")
log = snakemake.log_fmt_shell(stdout=True, stderr=True)

h5ad = quote(str(snakemake.input.h5ad))
cells = snakemake.input.get("cells", [])
cells = [cells] if isinstance(cells, str) else cells
cells = " ".join(f"--cells {quote(str(path))}" for path in cells)
config = snakemake.input.get("config", "")
config = f"--config {quote(str(config))}" if config else ""

with tempfile.TemporaryDirectory() as folder:
    results = Path(snakemake.output.get("results", Path(folder) / "results"))
    out = quote(str(results))
    shell(
        "(sbcell run {h5ad} {cells} {config} --out {out} --threads {snakemake.threads} --progress plain {extra}) {log}"
    )
    for name in names:
        if name in FILES:
            shutil.copyfile(results / FILES[name], snakemake.output[name])
