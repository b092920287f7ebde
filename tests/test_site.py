"""docs/ as a site of its own: every link leads somewhere, and nothing is fetched from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from beam_api.web.documents.source import NAVIGATION

ROOT = Path(__file__).parents[1]


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without the functions that it names."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def test_the_site_has_the_order_of_the_service():
    navigation = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"]
    assert navigation == [
        {section.title: [{entry.label: f"{entry.name}.md"} for entry in section.entries]} for section in NAVIGATION
    ]


def test_it_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs", reason="needs mkdocs-material")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1", "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {path.relative_to(tmp_path / "site").as_posix(): path.read_text() for path in tmp_path.rglob("*.html")}
    assert {f"{entry.name}.html" for section in NAVIGATION for entry in section.entries} <= pages.keys()
    for name, page in pages.items():
        loaded = re.findall(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(https?:[^"]+)"', page)
        assert loaded == [], name
        assert not re.search(r"<!-- (?:recorded|try):", page), name
    assert pages["quickstart.html"].count("tabbed-set") >= 2
    assert "msr_" in pages["quickstart.html"]  # of a recorded answer
