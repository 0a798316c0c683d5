"""The guide, the dashboard and the alert rules name the metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.metrics import Metrics
from gateway.metrics.board import Counter, Gauge, Histogram

OPERATING = Path(__file__).parent.parent.parent / "docs" / "operating"
UNIT_TESTS = Path(__file__).parent / "alerts.test.yml"
DASHBOARD = json.loads((OPERATING / "grafana.json").read_text())
RULES = [
    rule for group in yaml.safe_load((OPERATING / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]] + [
    rule["expr"] for rule in RULES
]


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Return the labels of each metric, by its name in the text format."""
    metrics = Metrics("1.0")
    found = {}
    for each in [*vars(metrics).values(), *vars(metrics.gauges).values()]:
        if isinstance(each, Counter):
            found[f"{each.name}_total"] = set(each.labels)
        elif isinstance(each, Gauge | Histogram):
            found[each.name] = set(each.labels)
    metrics.close()
    return found


def test_the_guide_has_a_line_for_each_metric_with_its_labels(known):
    lines = re.findall(r"^\| `(\w+)` \|([\w, ]*) \|", (OPERATING / "metrics.md").read_text(), re.MULTILINE)
    assert {name: {label.strip() for label in labels.split(",") if label.strip()} for name, labels in lines} == known


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_dashboard_and_rules_ask_for_metrics_and_labels_that_there_are(expression, known):
    names = re.findall(r"\b(?:http|cog_gateway)_\w+", expression)
    assert names or expression.startswith("up{")
    for name in names:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in known or base in known, name
    every = {"job", "le"}.union(*known.values())
    for labels in re.findall(r"by \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", labels)) <= every
    for label in re.findall(r"[{,]\s*(\w+)=~?\"", expression):
        assert label in every


def test_every_metric_is_on_the_dashboard(known):
    shown = " ".join(EXPRESSIONS)
    assert [name for name in known if name not in shown and name != "cog_gateway_build_info"] == []


def test_grafana_would_take_the_dashboard():
    assert DASHBOARD["schemaVersion"] >= 36
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids) > 10
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) <= variables
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


def test_every_rule_says_what_is_wrong():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in RULES)


def test_prometheus_takes_the_rules():
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        [promtool, "check", "rules", OPERATING / "alerts.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_is_quiet_where_all_is_well_and_fires_where_it_is_to():
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([promtool, "test", "rules", UNIT_TESTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_has_a_test_of_both():
    seen = {}
    for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"]:
        for asked in test["alert_rule_test"]:
            seen.setdefault(asked["alertname"], set()).add(bool(asked["exp_alerts"]))
    assert seen == {rule["alert"]: {True, False} for rule in RULES}


# What has no event before its label's value is known: paths, errors and roots.
OPEN = {"http_request_duration_seconds", "cog_gateway_problems_total", "cog_gateway_storage_failures_total"}


def test_what_is_counted_is_there_before_its_first_event(known):
    metrics = Metrics("1.0")
    metrics.look()
    text = metrics.text().decode()
    metrics.close()
    gauges = {each.name for each in vars(metrics.gauges).values()}
    absent = {name for name in known if not re.search(rf"^{name}(_bucket)?[{{ ]", text, re.MULTILINE)}
    assert absent - gauges == OPEN
    for line in ('validations_total{result="invalid"}', 'downloads_total{backend="local",outcome="aborted"}'):
        assert f"cog_gateway_{line} 0.0\n" in text
