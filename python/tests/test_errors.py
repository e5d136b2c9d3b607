"""Errors, warnings, and what happens when somebody stops a command."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import sbcell as sb
from conftest import SAMPLE, running
from sbcell import _binary, _errors, _flags


@pytest.mark.parametrize(
    ("kind", "code", "act"),
    [
        (sb.UsageError, 2, lambda model, file: model.fates("nix")),
        (sb.UsageError, 2, lambda model, file: sb.fit(file, "nix")),
        (sb.UsageError, 2, lambda model, file: sb.fit(file, epsilon=-1)),
        (sb.UsageError, 2, lambda model, file: sb.Model("nowhere")),
        (sb.UsageError, 2, lambda model, file: sb.fit(file, solver="nix")),
        (sb.UnreadableError, 3, lambda model, file: sb.fit("nowhere.h5ad")),
        (sb.UnreadableError, 3, lambda model, file: sb.inspect(__file__)),
    ],
)
def test_each_exit_code_has_its_exception(kind: type, code: int, act: Any, model: sb.Model, file: Path) -> None:
    with pytest.raises(kind) as caught:
        act(model, file)
    error = caught.value
    assert isinstance(error, sb.SbcellError) and error.exit_code == code
    assert error.message and "\x1b" not in str(error)
    assert not error.message.startswith("error")


def test_errors_name_keywords_and_the_way_out(model: sb.Model, file: Path, course: Any) -> None:
    with pytest.raises(sb.UsageError) as caught:
        model.fates("nix")
    assert caught.value.hint is not None and "cell_type" in caught.value.hint
    with pytest.raises(sb.UsageError, match="n_pcs"):
        sb.fit(file, n_pcs=-3)
    with pytest.raises(sb.UsageError, match="the AnnData object"):
        sb.fit(course, "nix")
    assert issubclass(sb.UsageError, ValueError)


def test_texts_of_errors() -> None:
    error = _errors.from_output(
        1, ["\x1b[31mnote: a", "error: `--use-rep` is wrong", "in two lines", "", "hint: omit `--use-rep`"]
    )
    assert type(error) is sb.FailedError
    assert (error.message, error.hint) == ("`use_rep` is wrong\nin two lines", "omit `use_rep`")
    clap = _errors.from_output(
        2, ["error: unexpected argument '--nix' found", "", "  tip: try '--n-pcs'", "", "Usage: sbcell fit"]
    )
    assert (clap.message, clap.hint) == ("unexpected argument 'nix' found", "try 'n_pcs'")
    assert _errors.as_keywords("run `sbcell fit --dry-run` or `--a-b`") == "run `sbcell fit --dry-run` or `a_b`"
    assert "signal 9" in _errors.from_output(-9, []).message
    assert isinstance(_errors.from_output(130, ["error: interrupted"]), sb.InterruptedRunError)


def test_unknown_keywords_name_the_nearest(model: sb.Model, file: Path) -> None:
    with pytest.raises(TypeError, match=r"fates\(\) has no keyword `bootstrp`; did you mean `bootstrap`"):
        model.fates(bootstrp=3)
    with pytest.raises(TypeError, match="did you mean `n_pcs`"):
        sb.fit(file, pcs=3)
    with pytest.raises(TypeError, match="no keyword `json`"):
        sb.fit(file, json=True)
    with pytest.raises(TypeError, match="the same keyword"):
        sb.fit(file, n_pcs=3, n_comps=3)
    assert sb.fit(file, n_comps=2, random_state=3, no_validation=True).header["seed"] == 3


def encoded(command: str, folder: Path, **keywords: Any) -> list[str]:
    return _flags.arguments(command, keywords, folder)


def test_keywords_become_flags(tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    assert encoded("fit", tmp_path, epsilon=0.1, n_pcs=None, resume=False, no_validation=True) == [
        "--epsilon=0.1",
        "--no-validation",
    ]
    assert encoded("fit", tmp_path, timepoints=True) == ["--timepoints"]
    assert encoded("fit", tmp_path, ou_rate=-1.5, n_pcs=np.int64(3), tolerance=np.float32(0.5)) == [
        "--ou-rate=-1.5",
        "--n-pcs=3",
        "--tolerance=0.5",
    ]
    assert encoded("interpolate", tmp_path, at=[36, 54.5], diffusion=(0, 1)) == ["--at=36,54.5", "--diffusion=0:1"]
    assert encoded("interpolate", tmp_path, at=np.array([1.0, 2.0])) == ["--at=1,2"]
    assert encoded("transitions", tmp_path, pairs=[(24, 96), (36, 96)]) == ["--pairs=24:96,36:96"]
    assert encoded("transitions", tmp_path, pairs=(24, 96)) == ["--pairs=24:96"]
    assert encoded("fates", tmp_path, terminal=[(72, "XEN"), "auto"]) == ["--terminal=72:XEN", "--terminal=auto"]
    assert encoded("fates", tmp_path, terminal=(72, "XEN")) == ["--terminal=72:XEN"]
    assert encoded("fates", tmp_path, groupby={"type": ["A", "B"]}) == ["--groupby=type=A,B"]
    assert encoded("run", tmp_path, set={"fit.n-pcs": 3, "grn.top": 5}) == ["--set=fit.n-pcs=3", "--set=grn.top=5"]
    assert encoded("perturb", tmp_path, set={"Gata6": 1.5, "A": 0}) == ["--set=Gata6=1.5,A=0"]
    assert encoded("fates", tmp_path, cells=["a.csv", Path("b.csv")]) == ["--cells=a.csv", "--cells=b.csv"]
    assert encoded("compare", tmp_path, edges=True) == ["--edges"] and encoded("compare", tmp_path, edges=5) == [
        "--edges=5"
    ]
    (genes,) = encoded("grn", tmp_path, genes=["Sox2", "Gén"])
    assert (
        Path(genes.removeprefix("--genes=") if sys.version_info >= (3, 9) else genes[8:]).read_text("utf-8")
        == "Sox2\nGén\n"
    )
    (cells,) = encoded("fates", tmp_path, cells=pd.Series({"c,1": "A", "c2": None, "c3": 'B"'}))
    assert Path(cells[8:]).read_text("utf-8") == 'id,value\n"c,1",A\nc3,"B"""\n'
    for wrong in ({"epsilon": True}, {"epsilon": [1, 2]}, {"resume": 3}, {"epsilon": {"a": 1}}):
        with pytest.raises(TypeError):
            encoded("fit", tmp_path, **wrong)
    for value in (float("nan"),):
        with pytest.raises(ValueError):
            encoded("fit", tmp_path, epsilon=value)
    with pytest.raises(ValueError, match="comma"):
        encoded("perturb", tmp_path, knockout=["a,b"])


def test_the_table_of_flags_is_not_stale() -> None:
    tool = Path(__file__).parents[1] / "tools" / "make_flags.py"
    environment = {**os.environ, "SBCELL_BINARY": os.fspath(sb.find_binary())}
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_binary_is_found_or_the_error_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = sb.find_binary()
    monkeypatch.setenv("SBCELL_BINARY", "/nowhere/sbcell")
    with pytest.raises(sb.BinaryNotFoundError, match="SBCELL_BINARY is `/nowhere/sbcell`"):
        sb.inspect(SAMPLE)
    monkeypatch.delenv("SBCELL_BINARY")
    monkeypatch.setattr(_binary.sysconfig, "get_path", lambda *_: os.fspath(tmp_path))
    monkeypatch.setattr(_binary.sys, "executable", os.fspath(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(sb.BinaryNotFoundError, match="SBCELL_BINARY"):
        sb.find_binary()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sbcell").symlink_to(program)
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "bin"))
    assert sb.find_binary() == tmp_path / "bin" / "sbcell"


def script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_another_version_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = script(tmp_path / "sbcell", "echo sbcell 0.0.1\n")
    monkeypatch.setattr(_binary, "package_version", lambda: "0.1.0")
    with pytest.warns(sb.VersionMismatchWarning, match="0.0.1"):
        assert _binary.binary_version(old) == "0.0.1"
    other = script(tmp_path / "other", "echo something else\n")
    with pytest.raises(sb.BinaryNotFoundError, match="is not sbcell"):
        _binary.binary_version(other)


def test_a_solver_that_did_not_converge_warns(file: Path) -> None:
    with pytest.warns(sb.NotConvergedWarning):
        model = sb.fit(file, "time", no_validation=True, solver="sinkhorn", max_iterations=1, tolerance=1e-12)
    assert model.answer is not None and model.answer.exit_code == 4


def test_without_pandas_the_message_says_what_to_install(file: Path, tmp_path: Path) -> None:
    code = f"""
        import sys
        for name in ("pandas", "anndata", "h5py"):
            sys.modules[name] = None
        import sbcell as sb
        model = sb.fit({os.fspath(file)!r}, "time", no_validation=True)
        print(model.times, model.plot("embedding").format)
        try:
            model.fates("cell_type")
        except ImportError as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "[0.0, 24.0, 48.0, 96.0] png" in done.stdout
    assert "MissingPackageError" in done.stdout and "pip install 'sbcell[anndata]'" in done.stdout


def test_progress_goes_to_standard_error_or_nowhere(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sb.fit(file, "time", no_validation=True)
    assert capfd.readouterr() == ("", "")
    sb.fit(file, "time", no_validation=True, progress=True)
    said = capfd.readouterr()
    assert said.out == "" and "sbcell: reading X" in said.err and "\x1b" not in said.err


def test_a_terminal_has_one_line_that_changes(file: Path) -> None:
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    code = f"import sbcell as sb; sb.fit({os.fspath(file)!r}, 'time', no_validation=True)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    out, _ = child.communicate(timeout=60)
    os.close(master)
    assert child.returncode == 0 and out == b""
    text = shown.decode()
    assert "\rsbcell: reading X" in text and "note: number of components" in text
    # Nothing is left of the last step: what follows the last return is empty.
    assert text.rsplit("\r", 1)[1].strip() == "" or text.rstrip().splitlines()[-1].startswith("note: ")


LONG = """
    import sys, sbcell as sb
    try:
        sb.fit({file!r}, "time", no_validation=True, solver="sf2m", max_iterations=10**7, out={out!r}, progress=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(0)
    print("finished")
"""


def test_ctrl_c_stops_the_binary_and_leaves_nothing(file: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    out = tmp_path / "out"
    code = textwrap.dedent(LONG.format(file=os.fspath(file), out=os.fspath(out)))
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": os.fspath(temporary)}, start_new_session=True,
    )  # fmt: skip
    assert child.stderr is not None
    for line in child.stderr:
        if "training" in line or "networks" in line or "sf2m" in line or "coupling" in line:
            break
    time.sleep(0.5)
    # As a terminal does: to all processes of the group.
    os.killpg(child.pid, signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    assert said == "stopped\n"
    # What `resume=True` goes on with lies beside the folder, which does not exist.
    assert not out.exists()
    assert not running(os.fspath(out))
    assert list(temporary.iterdir()) == []


def test_a_binary_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sbcell import _process

    deaf = script(tmp_path / "deaf", "trap '' INT\nexec sleep 100\n")
    monkeypatch.setattr(_process, "GRACE", 0.3)
    child = subprocess.Popen([deaf], start_new_session=True)
    time.sleep(0.2)
    _process.stop(child)
    assert child.returncode == -signal.SIGKILL
