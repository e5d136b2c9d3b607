"""Tables of the binary as pandas data frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from ._packages import need

if TYPE_CHECKING:
    import pandas as pd

# Columns of names; a group that is called `1` stays text.
TEXT = (
    "id", "cell", "set", "source", "target", "fate", "gene", "TF", "condition", "reference", "group", "name", "metric",
    "kind", "stop", "regulator", "from source (rows) to target (columns)", "list", "file", "measure",
)  # fmt: skip


def read(
    path: Path, record: Optional[dict[str, Any]] = None, index: Optional[str] = None, tabs: bool = False
) -> pd.DataFrame:
    """Read a table with all digits of its numbers.

    `record` becomes `table.attrs["sbcell"]`; `index` names the column of row names, if the table has it;
    `tabs` says that a `.csv` file is separated by tabs.
    """
    pandas = need("pandas", "a table")
    if path.suffix == ".parquet":
        need("pyarrow", "a table in parquet")
        table = pandas.read_parquet(path)
    else:
        table = pandas.read_csv(
            path,
            sep="\t" if tabs or path.suffix == ".tsv" else ",",
            dtype=dict.fromkeys(TEXT, str),
            float_precision="round_trip",
            keep_default_na=False,
            na_values=["", "NaN"],
            encoding="utf-8",
        )
    if index is not None and index in table.columns:
        table = table.set_index(index)
    if record is not None:
        table.attrs["sbcell"] = record
    result: pd.DataFrame = table
    return result
