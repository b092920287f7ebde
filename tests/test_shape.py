"""Functions fit a screen and the head, files fit a sitting."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = ("rppg_core", "beam_api", "clients/python/beam_client")
MOST_LOCALS, MOST_LINES, MOST_OF_FILE = 14, 60, 350
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
LUA_OPENS, LUA_ENDS = re.compile(r"(local )?(function|if|for|while|repeat)\b"), re.compile(r"\bend\b(\s*--.*)?$")
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def packages() -> list[Path]:
    return [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def assigned(node: ast.AST) -> set[str]:
    """Names that a function assigns, its arguments and the scopes inside it apart."""
    names: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, SCOPES + COMPREHENSIONS):
            continue
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            names.add(child.id)
        names |= assigned(child)
    return names


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function but for its docstring."""
    documented = function.body[0] if ast.get_docstring(function) is not None else None
    text = (documented.end_lineno or 0) - documented.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - text


def test_what_counts_names_and_lines_counts_them():
    text = (
        "def f(a, *b):\n"
        '    """One.\n\n    Two."""\n'
        "    c = d = a\n"
        "    for e in b:\n"
        "        c += sum(x for x in e)\n"
        "    def g():\n"
        "        h = 1\n"
        "        return h\n"
        "    return c, d, g\n"
    )
    outer = next(functions(ast.parse(text)))
    assert assigned(outer) == {"c", "d", "e"}
    assert lines(outer) == 8


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_small(package):
    found, long = {}, {}
    for path in packages():
        name = path.relative_to(ROOT).as_posix()
        for function in functions(ast.parse(path.read_text())) if name.startswith(package) else ():
            found[f"{name}:{function.name}"] = len(assigned(function))
            long[f"{name}:{function.name}"] = lines(function)
    assert {name: n for name, n in found.items() if n > MOST_LOCALS} == {}
    assert {name: n for name, n in long.items() if n > MOST_LINES} == {}


def lua() -> list[Path]:
    return sorted((ROOT / "beam_api").rglob("*.lua"))


def lua_blocks(text: str) -> dict[str, int]:
    """Lines of each function and other block that begins at the margin of a script, by its first line."""
    found: dict[str, int] = {}
    opened, since = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if opened and line.startswith("end"):
            found[opened], opened = number - since + 1, ""
        elif LUA_OPENS.match(line) and not LUA_ENDS.search(line):
            opened, since = line, number
    return found


def test_what_counts_lines_of_lua_counts_them():
    text = (
        "local function short() return 1 end\n"
        "local function f(a)\n  if a then\n    b()\n  end\nend\n"
        "local x = 1\n"
        "if x then\n  f(x)\nelse\n  f(2)\nend\n"
        "for i = 1, 2 do f(i) end\n"
    )
    assert lua_blocks(text) == {"local function f(a)": 5, "if x then": 5}


def test_functions_of_lua_are_small():
    found = {path.name: lua_blocks(path.read_text()) for path in lua()}
    assert sum(map(len, found.values())) > 50
    longer = {f"{name}: {block}": n for name, blocks in found.items() for block, n in blocks.items() if n > MOST_LINES}
    assert longer == {}


def test_files_are_short():
    found = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for path in [*packages(), *lua(), *sorted((ROOT / "tests").rglob("*.py"))]
    }
    longer = {name: n for name, n in found.items() if n > MOST_OF_FILE}
    assert longer == {}
