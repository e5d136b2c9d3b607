"""Checks the files of packaging/, .github/ and the citation that need no tool beside a parser.

    python packaging/checks/metadata.py

Needs PyYAML and Jinja2. Prints a line for each file that is wrong.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import jinja2
import yaml

ROOT = Path(__file__).resolve().parents[2]
wrong = []


def check(right, text):
    """Notes `text` if something is not right."""
    if not right:
        wrong.append(text)


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def cargo():
    """The package `sbcell` as Cargo sees it."""
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    found = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return next(package for package in found["packages"] if package["name"] == "sbcell")


def parsed():
    """Every YAML and JSON file parses."""
    files = [ROOT / "CITATION.cff", ROOT / ".zenodo.json", ROOT / ".snakemake-workflow-catalog.yml"]
    for folder in ["packaging", ".github", "workflow"]:
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in {".yml", ".yaml", ".json"}]
    for path in files:
        if path.name == "meta.yaml" and path.parent.name == "bioconda":
            continue  # Jinja first: see `recipe`.
        try:
            reader = json.loads if path.suffix == ".json" else yaml.safe_load
            check(reader(path.read_text(encoding="utf-8")) is not None, f"{path}: empty")
        except (ValueError, yaml.YAMLError) as error:
            wrong.append(f"{path}: {error}")


def recipe(package):
    """The recipe of Bioconda renders, parses and has the parts that Bioconda asks for."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    names = {
        "compiler": lambda language: f"{language}_compiler",
        "pin_subpackage": lambda name, **pins: f"{name} {pins['max_pin']}",
    }
    rendered = environment.from_string(text_of("packaging/bioconda/meta.yaml")).render(**names)
    found = yaml.safe_load(rendered)
    check(found["package"] == {"name": "sbcell", "version": package["version"]}, "bioconda: name or version")
    check(f"v{package['version']}.tar.gz" in found["source"]["url"], "bioconda: version of the source")
    check(re.fullmatch("[0-9a-f]{64}", found["source"]["sha256"]), "bioconda: checksum")
    check("rust_compiler" in found["requirements"]["build"], "bioconda: compiler")
    check(found["build"]["run_exports"] == ["sbcell x.x"], "bioconda: run_exports")
    check(found["about"]["license"] == package["license"], "bioconda: licence")
    for name in found["test"]["source_files"]:
        check((ROOT / name).is_file(), f"bioconda: no file {name}")


def versions(package):
    """All parts name the version and the address of Cargo.toml."""
    version, address = package["version"], package["repository"]
    places = {
        "CITATION.cff": f"version: {version}",
        "packaging/homebrew/sbcell.rb": f"v{version}.tar.gz",
        "packaging/container/Dockerfile": f"ARG VERSION={version}",
        "packaging/container/Apptainer.def": f"image.version {version}",
        "packaging/nf-core/modules/sbcell/run/environment.yml": f"sbcell={version}",
        "packaging/nf-core/modules/sbcell/run/main.nf": f"sbcell:{version}--",
        "packaging/snakemake-wrapper/environment.yaml": f"sbcell ={version}",
        "docs/INSTALL.md": f"version={version}",
    }
    for name, words in places.items():
        check(words in text_of(name), f"{name}: no \"{words}\"")
    for name in ["CITATION.cff", "packaging/homebrew/sbcell.rb", "packaging/bioconda/meta.yaml", "docs/INSTALL.md"]:
        check(address in text_of(name), f"{name}: not the address {address}")


def module():
    """The outputs of the nf-core module and of its description are the same."""
    folder = "packaging/nf-core/modules/sbcell/run/"
    emitted = re.findall(r"emit: (\w+)", text_of(folder + "main.nf"))
    found = yaml.safe_load(text_of(folder + "meta.yml"))
    check(emitted == list(found["output"]), f"nf-core: outputs {emitted}, described {list(found['output'])}")


def paper():
    """Every citation of the paper has an entry, and every entry is cited."""
    cited = set(re.findall(r"@(\w+)", text_of("packaging/joss/paper.md").split("---", 2)[2]))
    entries = set(re.findall(r"^@\w+\{(\w+)", text_of("packaging/joss/paper.bib"), re.MULTILINE))
    check(cited == entries, f"paper: {sorted(cited ^ entries)} in only one of paper.md and paper.bib")


def main():
    package = cargo()
    for part in [parsed, module, paper]:
        part()
    for part in [recipe, versions]:
        part(package)
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
