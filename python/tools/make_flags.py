"""Write the table of flags (`_flags.json`) and their types (`_typed.py`) from the help pages of the binary.

Run `python python/tools/make_flags.py` after a change of flags; `--check` only says whether both are up to date.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "sbcell"
sys.path.insert(0, str(HERE.parent))

# Flags that the module sets itself.
OWN = {"json", "progress", "quiet", "help", "version"}
# Commands for shells and job scripts, which are no functions.
SHELL = {"completions", "man", "plan", "step", "merge"}
FLAG = re.compile(r"^ +(?:-\w, )?--([a-z][a-z0-9-]*)(?: (<.+>|\[<.+>\]))?$")
SECTION = re.compile(r"^([A-Z][^:]*):$")
COMMAND = re.compile(r"^  ([a-z][a-z-]*) {2,}(\S.*)$")


def helped(binary: str, *arguments: str) -> str:
    """The full help page, not wrapped to a narrow terminal."""
    return subprocess.run(
        [binary, *arguments, "--help"], check=True, capture_output=True, encoding="utf-8", env={"COLUMNS": "100"}
    ).stdout


def commands(binary: str) -> dict[str, str]:
    """The commands of the binary, each with its sentence."""
    page = helped(binary).split("Flags of every command:")[0].split("\nOptions:")[0]
    found = (COMMAND.match(line) for line in page.splitlines())
    return {one[1]: one[2] for one in found if one and one[1] not in SHELL}


def flags_of(page: str) -> dict[str, dict[str, Any]]:
    """The flags of a help page by their names in Python."""
    table: dict[str, dict[str, Any]] = {}
    section, lines = "", page.splitlines()
    # Flags begin after the examples and arguments; the usage line begins with a word and a colon too.
    for index, line in enumerate(lines):
        if found := SECTION.match(line):
            section = found[1]
        # Lines of help are indented further than flags.
        if section in ("", "Examples", "Arguments") or not (found := FLAG.match(line)) or indent(line) > 6:
            continue
        if found[1] in OWN:
            continue
        text = []
        for below in lines[index + 1 :]:
            if below.strip() and indent(below) < 10:
                break
            text.append(below.strip())
        table[found[1].replace("-", "_")] = described(found[1], found[2], section, text)
    return table


def described(name: str, value: str | None, section: str, text: list[str]) -> dict[str, Any]:
    """One flag: its value, whether it can be repeated, its choices, default, aliases and help."""
    whole = "\n".join(text)
    choices = re.search(r"\[possible values: ([^\]]+)\]", whole)
    names = choices[1].split(", ") if choices else []
    if "Possible values:" in text:
        names = [found[1] for line in text if (found := re.match(r"- ([\w-]+):", line))]
    default = re.search(r"\[default: ([^\]]+)\]", whole.replace("\n", " "))
    alias = re.findall(r"\[alias(?:es)?: --([\w-]+)\]", whole)
    until = next(
        (i for i, line in enumerate(text) if line.startswith(("Possible values:", "[default", "[alias"))), None
    )
    paragraphs = "\n".join(text[:until]).strip()
    return {
        "flag": f"--{name}",
        "value": value.strip("[]").strip("<>") if value else None,
        "bare": value is None or value.startswith("["),
        "repeat": "give this flag several times" in whole.replace("\n", " "),
        "choices": names,
        "default": default[1] if default else None,
        "aliases": [one.replace("-", "_") for one in alias],
        "section": section,
        "help": re.sub(r"\s+", " ", paragraphs.split("\n\n")[0]),
    }


def indent(line: str) -> int:
    """Number of spaces before the first word."""
    return len(line) - len(line.lstrip())


def as_type(flag: dict[str, Any]) -> str:
    """The Python type of the value of a flag."""
    value, choices = flag["value"], flag["choices"]
    if value is None:
        return "bool"
    if choices:
        literal = "Literal[" + ", ".join(json.dumps(one) for one in choices) + "]"
        kind = f"Union[{literal}, Sequence[{literal}]]" if value.endswith("…") or flag["repeat"] else literal
    elif "FILE" in value or "DIR" in value or ".h5ad" in value:
        kind = "Table"
    elif "=" in value:
        kind = "Assigned"
    elif value.endswith("…") or flag["repeat"]:
        kind = "Many"
    elif ":" in value:
        kind = "Pair"
    elif value in (
        "N",
        "K",
        "PT",
        "MM",
        "STEPS",
        "S",
        "V",
        "W",
        "R",
        "E",
        "SHARE",
        "LAMBDA",
        "PHI",
        "RHO",
        "KAPPA",
        "WIDTH",
        "TIME",
    ):
        kind = "Value"
    else:
        kind = "Text"
    return f"Union[bool, {kind}]" if flag["bare"] else kind


def typed(table: dict[str, Any]) -> str:
    """The text of `_typed.py`: for each command the flags that its function takes beside its named parameters."""
    every = table["every"]
    text = [
        '"""The types of flags, for editors and type checkers. Written by `python/tools/make_flags.py`."""',
        "",
        "from __future__ import annotations",
        "",
        "import os",
        "from collections.abc import Mapping, Sequence",
        "from typing import Any, Literal, TypedDict, Union",
        "",
        "Value = Union[int, float, str]",
        "Text = Union[str, int, float]",
        "Pair = Union[Text, tuple[Text, Text]]",
        "Many = Union[Pair, Sequence[Pair]]",
        "Assigned = Union[str, Mapping[str, Any], Sequence[str]]",
        "Table = Any  # a path, or what the file would hold: names, a Series, a DataFrame, a mapping",
        "Path = Union[str, os.PathLike[str]]",
        "",
        "",
        "class Every(TypedDict, total=False):",
        '    """Flags of every command."""',
        "",
        *(f"    {name}: {as_type(flag)}" for name, flag in every.items()),
    ]
    for command, entry in table["commands"].items():
        named = named_parameters(command)
        text += [
            "",
            "",
            f"class {class_name(command)}(Every, total=False):",
            f'    """Further flags of `sbcell {command}`."""',
            "",
        ]
        rest = {name: flag for name, flag in entry["flags"].items() if name not in named}
        text += [f"    {name}: {as_type(flag)}" for name, flag in rest.items()] or ["    ..."]
    return "\n".join(text) + "\n"


def named_parameters(command: str) -> set[str]:
    """The parameters that the functions of a command name themselves."""
    import sbcell

    functions = [getattr(sbcell, command.replace("-", "_"))]
    functions += [sbcell.paths] if command == "trajectory" else []
    # `key` of annotate is `key_added`.
    return set.union(*(set(inspect.signature(function).parameters) for function in functions))


def class_name(command: str) -> str:
    """`grn-score` as `GrnScore`."""
    return "".join(word.capitalize() for word in command.split("-"))


def common(table: dict[str, Any]) -> dict[str, Any]:
    """The flags of every command."""
    first = next(iter(table["commands"].values()))["flags"]
    return {name: flag for name, flag in first.items() if flag["section"] == "Flags of every command"}


def printed(table: dict[str, Any]) -> str:
    """The table as JSON, with a line for each flag."""
    commands = []
    for name, entry in table["commands"].items():
        help_ = json.dumps(entry["help"], ensure_ascii=False)
        commands.append(f'{json.dumps(name)}: {{"help": {help_}, "flags": {{\n{lines(entry["flags"])}}}}}')
    head = f'{{"version": {json.dumps(table["version"])}, "every": {{\n{lines(table["every"])}}}, "commands": {{\n'
    return head + ",\n".join(commands) + "}}\n"


def lines(flags: dict[str, Any]) -> str:
    """The flags, one in each line."""
    return ",\n".join(f"{json.dumps(name)}: {json.dumps(flag, ensure_ascii=False)}" for name, flag in flags.items())


def main() -> int:
    """Write both files, or compare them with those that are there."""
    beside = Path(sys.executable).with_name("sbcell")
    binary = os.environ.get("SBCELL_BINARY") or (str(beside) if beside.is_file() else "sbcell")
    version = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    table: dict[str, Any] = {"version": version, "commands": {}}
    for command, sentence in commands(binary).items():
        table["commands"][command] = {"help": sentence, "flags": flags_of(helped(binary, command))}
    table["every"] = common(table)
    for entry in table["commands"].values():
        entry["flags"] = {name: flag for name, flag in entry["flags"].items() if name not in table["every"]}
    texts = {"_flags.json": printed(table)}
    if "--check" not in sys.argv:
        (PACKAGE / "_flags.json").write_text(texts["_flags.json"], encoding="utf-8")
    texts["_typed.py"] = typed(table)
    stale = (
        [name for name, text in texts.items() if (PACKAGE / name).read_text(encoding="utf-8") != text]
        if "--check" in sys.argv
        else []
    )
    for name, text in texts.items():
        if "--check" not in sys.argv:
            (PACKAGE / name).write_text(text, encoding="utf-8")
    if stale:
        print(f"not up to date: {', '.join(stale)}; run python/tools/make_flags.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
