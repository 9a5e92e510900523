"""The package as a whole: its public names, its rows of modules, and what it ships."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from structure import violations
from waiting import PATIENCE

import twocet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "twocet"
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}

MATHEMATICS = ("method", "networks", "metrics")
BESIDE_MATHEMATICS = ("errors", "runtime.configuration", "runtime.arrays", "runtime.randomness")
ALLOWED_IN_MATHEMATICS = {"torch", "numpy", "math", "zlib"}
"""Besides the language's own helpers below; no files, no pictures, no command line."""
LANGUAGE = {"__future__", "collections", "enum", "dataclasses", "functools", "itertools", "typing", "types"}


def imported(path):
    """The dotted names of the modules that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = ".".join(["twocet", *path.relative_to(PACKAGE).parts[: -node.level]]) if node.level else None
            module = ".".join(filter(None, [home, node.module]))
            names |= {f"{module}.{alias.name}" if module == "twocet" else module for alias in node.names}
    return names


def test_public_names_exist_and_are_listed():
    assert twocet.__all__ == sorted(twocet.__all__, key=str)
    for name in twocet.__all__:
        assert getattr(twocet, name) is not None
        assert name in dir(twocet)
    with pytest.raises(AttributeError, match="nonsense"):
        twocet.nonsense  # noqa: B018


def test_import_loads_neither_torch_nor_numba():
    code = "import sys, twocet; print(sorted({'torch', 'numba', 'PIL', 'numpy', 'tyro'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "[]\n"


def test_loading_a_model_leaves_the_compiler_of_torch_alone():
    """It takes a second to import, which every command would pay."""
    code = "import sys, twocet; twocet.load(); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("row", MATHEMATICS)
def test_mathematics_knows_no_files(row):
    """Equations must be testable by hand values: the row imports torch and numpy, itself and the configuration only."""
    files = {name: path for name, path in MODULES.items() if name == row or name.startswith(f"{row}.")}
    assert files, f"no module {row}"
    for name, path in files.items():
        for module in imported(path):
            top = module.split(".")[0]
            own = module.removeprefix("twocet.") if top == "twocet" else ""
            known = own.split(".")[0] in MATHEMATICS or own in BESIDE_MATHEMATICS
            allowed = known if own else top in ALLOWED_IN_MATHEMATICS | LANGUAGE
            assert allowed, f"{name} imports {module}"
        assert "open(" not in path.read_text(encoding="utf-8")


def test_imports_follow_the_table_of_the_architecture_page():
    """Down its rows and never in a circle, be they in functions; every module in one of at most twenty packages."""
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert violations(PACKAGE, table) == []


def test_modules_stay_short():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > 320} == {}


def test_face_weights_are_the_ones_of_the_notice():
    digest = hashlib.sha256((PACKAGE / "photo" / "weights" / "face_landmarker.task").read_bytes()).hexdigest()
    assert digest in (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_every_dependency_is_pinned():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    wanted = {requirement.split(">")[0] for requirement in [*project["dependencies"], *extras]}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if line and not line.startswith("#")}
    assert wanted <= pinned


def test_nothing_names_the_machine_it_was_written_on():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    texts = [ROOT / name for name in listed.stdout.splitlines() if name.endswith((".py", ".md", ".toml", ".txt"))]
    spoken = [path for path in texts if path.exists() and path != Path(__file__)]
    roots = [f"/{folder}/" for folder in ("work", "root")]
    for path in spoken:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in (*roots, "file:///") if word in text], path
