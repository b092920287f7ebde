"""deploy/monitoring and the runbook say what the service says."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.scrapes import Scrape

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
ALERTS = (FOLDER / "alerts.yml").read_text()
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
NAMES = re.findall(r"- alert: (\w+)", ALERTS)
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
EXPRESSIONS = [*re.findall(r"expr: (.+)", ALERTS), *SHOWN]
OF_PROMETHEUS = {"up"}


def promtool(*arguments):
    found = shutil.which("promtool") or shutil.which("promtool", path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip("no promtool; `make promtool` brings it where there is apt-get")
    return subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def scrape(service):
    httpx.post(service.url + "/api/rppg/measure", timeout=20)
    answer = httpx.get(service.url + "/metrics", timeout=20)
    assert answer.status_code == 200
    return Scrape(answer.text)


def metrics_in(expression):
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without) \([^)]*\)", "", expression)
    return set(re.findall(r"\b(beam_\w+|up)\b", bare))


@pytest.mark.parametrize("expression", sorted(set(EXPRESSIONS)))
def test_every_metric_that_is_watched_is_reported(scrape, expression):
    assert metrics_in(expression)
    assert metrics_in(expression) - OF_PROMETHEUS <= scrape.names
    for name, braces in re.findall(r"(beam_\w+)\{([^}]*)\}", expression):
        reported = [sample.labels for sample in scrape.samples if sample.name == name]
        for label, sign, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', braces):
            assert all(label in labels for labels in reported)
            if label != "status":  # any may come
                assert set(value.split("|")) <= {labels[label] for labels in reported}, (name, label, sign)
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        known = {label for sample in scrape.samples for label in sample.labels}
        assert set(labels.split(", ")) <= known


def test_every_metric_that_is_reported_is_in_the_runbook(scrape):
    reported = {sample.name for sample in scrape.samples}
    reported = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in reported}
    assert reported == set(re.findall(r"^\| `(beam_\w+)`", RUNBOOK, re.MULTILINE))


def test_every_alert_has_its_section_in_the_runbook_and_links_to_it():
    assert len(set(NAMES)) == len(NAMES) == ALERTS.count("summary: ")
    assert re.findall(r"^### (Beam\w+)$", RUNBOOK, re.MULTILINE) == NAMES
    assert re.findall(r"runbook: docs/operations.md#(\w+)", ALERTS) == [name.lower() for name in NAMES]


def test_prometheus_understands_the_alerts_and_the_dashboard(tmp_path):
    # The panels' questions as rules: of these promtool says whether they can be read.
    asked = [{"record": f"panel:{i}", "expr": e.replace("$__rate_interval", "5m")} for i, e in enumerate(SHOWN)]
    (tmp_path / "dashboard.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": asked}]}))
    for file, number in ((FOLDER / "alerts.yml", len(NAMES)), (tmp_path / "dashboard.yml", len(SHOWN))):
        checked = promtool("check", "rules", str(file))
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert f"{number} rules found" in checked.stdout


def test_prometheus_understands_the_metrics(service):
    found = shutil.which("promtool") or shutil.which("promtool", path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip("no promtool")
    text = httpx.get(service.url + "/metrics", timeout=20).content
    checked = subprocess.run([found, "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_is_raised_by_what_it_is_about_and_none_by_a_quiet_service():
    ran = promtool("test", "rules", str(ROOT / "tests" / "monitoring" / "alerts.test.yml"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
