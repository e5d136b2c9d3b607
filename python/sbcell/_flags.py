"""Keywords of Python as flags of the command line."""

from __future__ import annotations

import csv
import difflib
import json
import math
import os
import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

from ._errors import as_keywords

# Flags whose file is written, not read.
_WRITTEN = {"out", "plot", "plot_network", "plot_heatmap", "paths_out"}


@lru_cache(maxsize=None)
def table() -> dict[str, Any]:
    """The flags of all commands, as `python/tools/make_flags.py` read them from the binary."""
    text = Path(__file__).with_name("_flags.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def of(command: str) -> dict[str, dict[str, Any]]:
    """The flags of a command, by their names in Python."""
    return {**table()["commands"][command]["flags"], **table()["every"]}


def resolve(command: str, name: str) -> str:
    """The flag that a keyword names; also by an alias.

    Raises
    ------
    TypeError
        There is none; the message names the nearest one.
    """
    flags = of(command)
    if name in flags:
        return name
    for flag, entry in flags.items():
        if name in entry["aliases"]:
            return flag
    function = command.replace("-", "_")
    names = [*flags, *(alias for entry in flags.values() for alias in entry["aliases"])]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    # `pcs` for `n_pcs`: part of a name.
    near = near or [flag for flag in names if name in flag.split("_")][:1]
    meant = f"; did you mean `{near[0]}`?" if near else ""
    raise TypeError(f"{function}() has no keyword `{name}`{meant} (`help(sbcell.{function})` lists all)")


def arguments(command: str, keywords: Mapping[str, Any], scratch: Path) -> list[str]:
    """The arguments for the keywords. Values that stand for a file are written to the folder `scratch`.

    `None` and `False` leave a flag out, `True` sets it, lists are joined or repeated as the flag takes them.
    """
    found: list[str] = []
    seen: dict[str, str] = {}
    for keyword, value in keywords.items():
        name = resolve(command, keyword)
        if value is None or value is False:
            continue
        if name in seen:
            raise TypeError(f"`{keyword}` and `{seen[name]}` are the same keyword; give one of them")
        seen[name] = keyword
        found += _argument(name, of(command)[name], value, scratch)
    return found


def _argument(name: str, entry: Mapping[str, Any], value: Any, scratch: Path) -> list[str]:
    """The arguments of one flag."""
    flag, shape = entry["flag"], entry["value"]
    if value is True:
        if not entry["bare"]:
            raise TypeError(f"`{name}` needs a value ({shape}), not True")
        return [flag]
    if shape is None:
        raise TypeError(f"`{name}` is True or False, got {value!r}")
    if "FILE" in shape and name not in _WRITTEN:
        files = value if entry["repeat"] and isinstance(value, (list, tuple)) else [value]
        return [f"{flag}={written(name, one, scratch)}" for one in files]
    if shape.startswith("COL[=") and isinstance(value, Mapping):
        return [f"{flag}={_groups(name, value)}"]
    items = _items(name, value, shape)
    if shape.endswith("…"):
        for item in items:
            if "," in item and not isinstance(value, str):
                raise ValueError(f"`{name}`: `{item}` contains a comma, which separates values here")
        return [f"{flag}={','.join(items)}"] if items else []
    if entry["repeat"]:
        return [f"{flag}={item}" for item in items]
    if len(items) != 1:
        raise TypeError(f"`{name}` takes one value ({shape}), got {value!r}")
    return [f"{flag}={items[0]}"]


def _items(name: str, value: Any, shape: str) -> list[str]:
    """The values of a flag as texts."""
    if isinstance(value, Mapping):
        if "=" not in shape:
            raise TypeError(f"`{name}` takes {shape}, not a mapping")
        return [f"{key.replace('_', '-') if 'STEP' in shape else key}={text(one, name)}" for key, one in value.items()]
    if isinstance(value, (str, os.PathLike)) or not isinstance(value, Iterable):
        return [text(value, name)]
    parts = list(value)
    if isinstance(value, tuple) and ":" in shape and len(parts) == 2 and not any(map(_is_pair, parts)):
        return [":".join(text(one, name) for one in parts)]
    return [":".join(text(one, name) for one in part) if _is_pair(part) else text(part, name) for part in parts]


def _is_pair(value: Any) -> bool:
    """Whether a value is a pair such as `(24, 96)`."""
    return isinstance(value, tuple) and len(value) == 2


def _groups(name: str, value: Mapping[Any, Any]) -> str:
    """`{"cell_type": ["XEN", "ectoderm"]}` as `cell_type=XEN,ectoderm`."""
    if len(value) != 1:
        raise TypeError(f"`{name}` takes one column, got {len(value)}")
    ((column, groups),) = value.items()
    groups = [groups] if isinstance(groups, str) or not isinstance(groups, Iterable) else list(groups)
    return f"{column}={','.join(text(group, name) for group in groups)}"


def text(value: Any, name: str = "value") -> str:
    """A single value as the binary reads it: all digits of numbers, paths as they are."""
    if isinstance(value, str):
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, bool) or value is None:
        raise TypeError(f"`{name}` cannot contain {value!r}")
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError(f"`{name}` is not a number (NaN)")
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def written(name: str, value: Any, scratch: Path) -> str:
    """The path of a file that is given, or that holds the values given."""
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    number = sum(1 for _ in scratch.glob(f"{name}*"))
    path = scratch / f"{name}{number or ''}.csv"
    if hasattr(value, "to_csv"):
        rows: Optional[list[list[Any]]] = None
        if getattr(value, "ndim", 2) == 1:
            held = value.dropna()
            rows = [["id", "value"], *([key, one] for key, one in held.items())]
        elif type(value.index).__name__ == "RangeIndex":
            value.to_csv(path, index=False)
        else:
            value.to_csv(path, index_label="id")
    elif isinstance(value, Mapping):
        rows = [["id", "value"], *([key, one] for key, one in value.items())]
    elif isinstance(value, Iterable):
        path = path.with_suffix(".txt")
        rows = None
        path.write_text("".join(f"{text(one, name)}\n" for one in value), encoding="utf-8")
    else:
        raise TypeError(f"`{name}` takes a path, names, or a table, got {value!r}")
    if rows is not None:
        with path.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, lineterminator="\n").writerows(rows)
    return os.fspath(path)


def describe(command: str, leave_out: Iterable[str] = ()) -> str:
    """The flags of a command as a section of a docstring."""
    lines = []
    for name, entry in of(command).items():
        if name in leave_out:
            continue
        value = entry["value"] or "bool"
        default = f", default {as_keywords(entry['default'])}" if entry["default"] else ""
        help_ = re.sub(r"\s*\[default: [^\]]*\]", "", as_keywords(entry["help"])).rstrip(".") + "."
        choices = f" One of {', '.join(entry['choices'])}." if entry["choices"] else ""
        lines.append(f"{name} : {value}{default}")
        lines += textwrap.wrap(help_ + choices, 100, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)
