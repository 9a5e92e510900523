"""What a table of packages promises, against what the modules import.

The table is Markdown, ``| row | packages | knows |``, its rows from the lowest to the highest. A package imports its
own row and those above it in the table, and no imports run in a circle, at the top of a module or in a function.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

MOST_PACKAGES = 20
LOWEST = "errors"
"""The module beside the packages that all of them may import."""
ALONE = ("__init__", "__main__", "cli", LOWEST)
"""The modules that live in no package."""


class Import(NamedTuple):
    """One module imports another, both by their path below the package: ``photo.marks``."""

    module: str
    line: int
    imported: str


def violations(src: Path, table: str) -> list[str]:
    """What is wrong, one line each, with the package in folder ``src`` by the first table of packages in ``table``."""
    rows = packages_by_row(table)
    modules = find_modules(src)
    imports = [found for name, path in modules.items() for found in find_imports(name, path, src.name, modules)]
    return [*misplaced(modules, rows), *upward(imports, rows), *circles(imports)]


def packages_by_row(text: str) -> list[list[str]]:
    """The packages of every row of the table that begins with ``| row | packages |``, the lowest row first."""
    _, _, body = text.partition("| row | packages |")
    # The rest of the heading and the line below it are no rows.
    lines = body.splitlines()[2:]
    end = next((k for k, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return [re.findall(r"`(\w+)/?`", line.split("|")[2]) for line in lines[:end]]


def find_modules(src: Path) -> dict[str, Path]:
    """All modules by name; a package has the name of its folder."""
    found = {}
    for path in sorted(src.rglob("*.py")):
        parts = path.relative_to(src).with_suffix("").parts
        inside = parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts
        found[".".join(inside)] = path
    return found


def find_imports(module: str, path: Path, root: str, modules: Mapping[str, Path]) -> Iterator[Import]:
    """The imports of other modules of ``root``, wherever in the file; its version is a constant that all may know."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in _names(node, root, package):
            imported = _module_of(name, root, modules)
            if imported is not None and name != f"{root}.__version__":
                yield Import(module, getattr(node, "lineno", 0), imported)


def _names(node: ast.AST, root: str, package: str) -> list[str]:
    """The dotted names that a node of a module in ``package`` imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        around = [root, *filter(None, package.split("."))]
        home = around[: len(around) + 1 - node.level] if node.level else []
        return [".".join(filter(None, [*home, node.module, alias.name])) for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
    return []


def _module_of(name: str, root: str, modules: Mapping[str, Path]) -> str | None:
    """The module that the dotted ``name`` is or lies in, if it belongs to ``root``."""
    top, *parts = name.split(".")
    if top != root:
        return None
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((candidate for candidate in candidates if candidate in modules), "__init__")


def misplaced(modules: Iterable[str], rows: list[list[str]]) -> Iterator[str]:
    """Packages that the table lacks, has twice or invents, modules outside of packages, and too many of them."""
    listed = [package for row in rows for package in row]
    alone = {name for name in modules if "." not in name}
    packages = {name.partition(".")[0] for name in modules if "." in name} | (alone & set(listed))
    yield from (f"{name} is in no package" for name in sorted(alone - packages - set(ALONE)))
    yield from (f"{name} is a package that the table does not have" for name in sorted(packages - set(listed)))
    yield from (f"{name} is in the table and not in the source" for name in sorted(set(listed) - packages))
    yield from (f"{name} is in the table twice" for name in sorted({x for x in listed if listed.count(x) > 1}))
    if len(packages) > MOST_PACKAGES:
        yield f"there are {len(packages)} packages, {len(packages) - MOST_PACKAGES} too many"


def upward(imports: Iterable[Import], rows: list[list[str]]) -> Iterator[str]:
    """Imports of a higher row, or of the modules above all packages."""
    height = {package: number for number, row in enumerate(rows) for package in row}
    height |= {name: len(rows) for name in ALONE} | {LOWEST: -1}
    for module, line, imported in imports:
        here, there = (name.partition(".")[0] for name in (module, imported))
        if here in height and there in height and height[there] > height[here]:
            yield f"{module}:{line} imports {imported}, and {there} is above {here}"


def circles(imports: Iterable[Import]) -> Iterator[str]:
    """Circles of packages, then of modules, until the imports without those named have none."""
    modules: dict[str, set[str]] = {}
    packages: dict[str, set[str]] = {}
    for module, _, imported in imports:
        modules.setdefault(module, set()).add(imported)
        here, there = (name.partition(".")[0] for name in (module, imported))
        if here != there:
            packages.setdefault(here, set()).add(there)
    for kind, graph in (("packages", packages), ("modules", modules)):
        while circle := _circle(graph):
            yield f"{kind} import each other: {' → '.join(circle)}"
            for here, there in pairwise(circle):
                graph[here].discard(there)


def _circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Names of which each imports the next, the first again at the end; none if there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # Its path goes from the imported to the importer.
        path: list[str] = error.args[1]
        first = min(range(len(path) - 1), key=path.__getitem__)
        return [*path[first:-1], *path[: first + 1]][::-1]
    return []
