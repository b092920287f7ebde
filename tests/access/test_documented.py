"""docs/security.md answers the OWASP API Security Top 10 (2023) with tests; they must exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
POINTS = {
    "API1": "Broken object level authorization",
    "API2": "Broken authentication",
    "API3": "Broken object property level authorization",
    "API4": "Unrestricted resource consumption",
    "API5": "Broken function level authorization",
    "API6": "Unrestricted access to sensitive business flows",
    "API7": "Server side request forgery",
    "API8": "Security misconfiguration",
    "API9": "Improper inventory management",
    "API10": "Unsafe consumption of APIs",
}


@cache
def names_of_tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_the_page_names_exists():
    assert len(NAMED) > 40
    assert [f"{path}::{name}" for path, name in NAMED if name not in names_of_tests(path)] == []
    assert PAGE.count("::") == len(NAMED)


@pytest.mark.parametrize(("number", "name"), POINTS.items())
def test_every_point_is_answered_with_tests(number, name):
    assert f"### {number} {name}\n" in PAGE
    answer = PAGE.partition(f"### {number} {name}\n")[2].partition("\n##")[0]
    assert len(re.findall(r"`tests/[\w/]+\.py::\w+`", answer)) >= 3


def test_links_between_the_pages_lead_somewhere():
    for page in ("security.md", "privacy.md"):
        text = (ROOT / "docs" / page).read_text()
        for target, anchor in re.findall(r"\]\(([\w.]+)(?:#([\w-]+))?\)", text):
            linked = (ROOT / "docs" / target).read_text()
            headings = {
                re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", linked, re.M)
            }
            assert not anchor or anchor in headings, (page, target, anchor)
    readme = (ROOT / "README.md").read_text()
    assert "docs/security.md" in readme
    assert "docs/privacy.md" in readme
