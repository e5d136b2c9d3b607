"""The notebook of the first hour runs from the first to the last cell, and shows pictures and progress."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, running


def executed(sources: list[str] | None = None) -> Any:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    folder = ROOT / "python" / "examples"
    notebook = nbformat.read(folder / "first_hour.ipynb", as_version=4)
    if sources is not None:
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    # The kernel of this Python, whatever kernels are installed.
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.create_kernel_manager()
    client.km.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    client.execute()
    return notebook


def test_the_notebook_runs() -> None:
    notebook = executed()
    assert all(not cell.get("outputs") for cell in notebook.cells if cell.cell_type == "markdown")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    # Remarks of a command stay; its steps are gone.
    shown = [str(output.get("data", {}).get("text/plain", "")) for output in outputs]
    assert any("note: " in text for text in shown)
    assert not any("sbcell: " in text for text in shown)


def test_progress_can_be_turned_off_in_a_notebook() -> None:
    file = "../../data-samples/semrau2017_mesc_ra.h5ad"
    source = f"import sbcell as sb\nmodel = sb.fit({file!r}, 'time', no_validation=True, progress=False)"
    assert executed([source]).cells[0].outputs == []


def test_the_notebook_is_stored_without_outputs() -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "python" / "examples" / "first_hour.ipynb", as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)


def test_the_stop_button_stops_the_binary(file: Path, tmp_path: Path) -> None:
    manager = pytest.importorskip("jupyter_client").KernelManager()
    pytest.importorskip("ipykernel")
    manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        out = os.fspath(tmp_path / "out")
        asked = client.execute(
            "import sbcell as sb\n"
            f"sb.fit({os.fspath(file)!r}, 'time', no_validation=True, solver='sf2m', max_iterations=10**7, out={out!r})"
        )
        deadline = time.monotonic() + 60
        while not running(out) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != asked:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert not running(out) and not os.path.exists(out)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
