"""Imports run one way, and serving needs none of what training needs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "nextword": set(),
    "service": {"nextword"},
    "training": {"nextword"},
    "export": {"training", "nextword"},
    "benchmarks": {"nextword", "training"},
}
"""For each package of ours, the others that it may import."""

MAY_NOT_IMPORT = {
    "nextword": {"torch", "onnx", "onnxscript", "fastapi", "starlette", "uvicorn", "typer", "rich"},
    "service": {"torch", "onnx", "onnxscript", "onnxruntime", "sentencepiece"},
}
"""For each package of ours, what of others' it must do without."""

MODULES = [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """Go through the packages that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the import in full"
            yield (node.module or "").partition(".")[0]


def loaded_by(*modules: str) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after importing ``modules``."""
    code = f"import sys, {', '.join(modules)}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    imports = set(imported(path)) - {package}
    assert imports & set(MAY_IMPORT) <= MAY_IMPORT[package]
    assert not imports & MAY_NOT_IMPORT.get(package, set())


def test_only_the_predictor_touches_onnxruntime() -> None:
    library = sorted((ROOT / "nextword").rglob("*.py"))
    users = [path.name for path in library if "onnxruntime" in imported(path)]
    assert users == ["predictor.py"]


def test_the_service_loads_nothing_of_training() -> None:
    loaded = loaded_by("service.app", "service.cli", "service.server")
    assert not loaded & {"torch", "onnx", "onnxscript", "training", "export"}


def test_the_library_loads_nothing_of_http() -> None:
    modules = [f"nextword.{path.stem}" for path in (ROOT / "nextword").glob("[!_]*.py")]
    loaded = loaded_by(*modules)
    assert not loaded & {"fastapi", "starlette", "uvicorn", "typer", "torch", "onnx", "service"}
