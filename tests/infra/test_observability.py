"""Rules, monitors and dashboards name only metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.kinds import check

ROOT = Path(__file__).parents[2]
HERE = ROOT / "infra" / "observability"
OURS = {"ray_ratefront_trials", "ray_ratefront_hypervolume", "ray_ratefront_train_seconds"}
STATES = {"waiting", "running", "finished", "stopped", "failed"}


def read(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text())


def dashboard() -> dict[str, Any]:
    return dict(json.loads((HERE / "grafana" / "dashboards" / "ratefront.json").read_text()))


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    rules = [rule["expr"] for group in read("alerts.yml")["groups"] for rule in group["rules"]]
    return [*rules, *(target["expr"] for panel in panels() for target in panel["targets"])]


def test_every_metric_is_one_that_ray_has_or_the_sweep_reports() -> None:
    import ray

    source = Path(ray.__file__).parent / "dashboard" / "modules"
    reporter = (source / "reporter" / "reporter_agent.py").read_text()
    there = {f"ray_{name}" for name in re.findall(r'^    "(\w+)": Gauge\(', reporter, flags=re.MULTILINE)}
    panels_of_ray = (source / "metrics" / "dashboards" / "default_dashboard_panels.py").read_text()
    assert "ray_resources" in panels_of_ray  # a metric of the part of Ray that is not Python
    used = {name for text in expressions() for name in re.findall(r"\bray_\w+", text)}
    assert used <= there | OURS | {"ray_resources"}
    assert used >= OURS


def test_every_state_of_a_trial_is_one_that_the_sweep_reports() -> None:
    named = {
        state
        for text in expressions()
        for group in re.findall(r'state=~?"([^"]+)"', text)
        for state in group.split("|")
    }
    assert named == STATES


def test_prometheus_reads_rays_list_of_nodes_and_the_rules() -> None:
    configuration = read("prometheus.yml")
    (job,) = configuration["scrape_configs"]
    assert job["file_sd_configs"] == [{"files": ["/tmp/ray/prom_metrics_service_discovery.json"]}]
    assert all((HERE / name).is_file() for name in configuration["rule_files"])
    assert read("alerts_test.yml")["rule_files"] == configuration["rule_files"]


def test_every_alert_says_what_is_wrong_and_is_tested() -> None:
    rules = [rule for group in read("alerts.yml")["groups"] for rule in group["rules"]]
    tested = {
        case["alertname"]
        for test in read("alerts_test.yml")["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules} == tested
    assert all(rule["annotations"]["summary"] and rule["for"] and rule["labels"]["severity"] for rule in rules)


def test_the_rules_are_a_prometheus_rule_as_they_stand() -> None:
    check(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "ratefront"},
            "spec": read("alerts.yml"),
        }
    )


@pytest.mark.parametrize("name", ["podmonitor.yaml", "network.yaml"])
def test_a_manifest_is_valid(name: str) -> None:
    check(read(f"kubernetes/{name}"))
    assert name in read("kubernetes/kustomization.yaml")["resources"]


def test_prometheus_is_let_in_to_the_port_that_it_scrapes() -> None:
    cluster = yaml.safe_load((ROOT / "infra" / "kuberay" / "base" / "raycluster.yaml").read_text())
    (container,) = cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (endpoint,) = read("kubernetes/podmonitor.yaml")["spec"]["podMetricsEndpoints"]
    policy = read("kubernetes/network.yaml")["spec"]
    assert policy["ingress"][0]["ports"] == [{"protocol": "TCP", "port": ports[endpoint["port"]]}]
    assert policy["podSelector"] == read("kubernetes/podmonitor.yaml")["spec"]["selector"]


def test_the_panels_have_places_of_their_own() -> None:
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken = [
        (x, y)
        for panel in everything
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


def test_the_panels_ask_the_prometheus_that_is_chosen() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert set(variables) == {"datasource", "sweep"}
    assert variables["sweep"]["query"]["query"].startswith("label_values(ray_ratefront_trials,")
    for panel in panels():
        assert panel["title"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_grafana_finds_the_source_and_the_dashboard() -> None:
    (source,) = read("grafana/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://127.0.0.1:9090"
    (provider,) = read("grafana/dashboards/ratefront.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
    assert f"/infra/observability/grafana:{Path('/etc/grafana/provisioning')}" in (HERE / "README.md").read_text()


@pytest.mark.system
@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")], ids=" ".join
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "Debian's package prometheus has promtool"
    checked = subprocess.run([promtool, *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
