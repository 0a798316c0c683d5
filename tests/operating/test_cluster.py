"""The files of several nodes: schemas of Kubernetes take them, and they name what there is."""

import re
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from gateway.__main__ import COMMANDS
from gateway.settings import Settings, load_settings, unknown_settings
from scripts.clustering.balancer import configuration
from tests.operating.test_nginx import nginx

OPERATING = Path(__file__).parent.parent.parent / "docs" / "operating"
MANIFESTS = list(yaml.safe_load_all((OPERATING / "kubernetes.yaml").read_text()))
COMPOSE = yaml.safe_load((OPERATING / "compose-nodes.yaml").read_text())
OLDEST, NEWEST = "1.29", "1.37"


def of(kind):
    return next(document for document in MANIFESTS if document["kind"] == kind)


def pods():
    return [of("Deployment")["spec"]["template"], of("Job")["spec"]["template"],
            of("CronJob")["spec"]["jobTemplate"]["spec"]["template"]]  # fmt: skip


@pytest.mark.parametrize("document", MANIFESTS, ids=lambda document: document["kind"])
def test_kubernetes_takes_the_manifest_as_it_is(document):
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_manifest_with_a_field_that_is_none_is_refused():
    wrong = {**of("Service"), "spec": {**of("Service")["spec"], "selectr": {}}}
    with pytest.raises(kubernetes_validate.ValidationError, match="selectr"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_a_node_has_time_to_drain_before_it_is_killed():
    spec = of("Deployment")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    name, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert name == "sleep"
    assert spec["terminationGracePeriodSeconds"] > int(seconds) + Settings().drain_seconds
    for service in ("gateway-1", "gateway-2"):
        assert int(COMPOSE["services"][service]["stop_grace_period"].removesuffix("s")) > Settings().drain_seconds


def test_probes_ask_what_there_is_and_no_database_ends_a_node():
    (container,) = of("Deployment")["spec"]["template"]["spec"]["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {container[name]["httpGet"]["port"] for name in asked} == {container["ports"][0]["name"]}
    assert of("Service")["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert container["ports"][0]["containerPort"] == Settings().port


@pytest.mark.parametrize("pod", pods(), ids=["Deployment", "Job", "CronJob"])
def test_pods_run_without_rights_and_have_what_they_name(pod):
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["args"][0] in COMMANDS
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounted.values()) == {volume["name"] for volume in spec["volumes"]}
    assert {"/tmp", "/var/lib/cog-gateway"} <= set(mounted)
    named = {**of("ConfigMap")["data"], **{each["name"]: each["value"] for each in container.get("env", [])}}
    assert unknown_settings(named) == []
    for name, value in named.items():
        if name.endswith("_FILE"):
            assert str(Path(value).parent) in mounted, name
    # Who serves does not have the role that owns the tables.
    assert ("GATEWAY_DATABASE_OWNER_URL_FILE" in named) == (container["args"] == ["migrate"])


def test_the_manifests_select_the_nodes_and_the_job_and_its_schedule_are_the_same():
    labels = of("Deployment")["spec"]["template"]["metadata"]["labels"]
    for chosen in (of("Service")["spec"]["selector"], of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
                   of("Deployment")["spec"]["selector"]["matchLabels"]):  # fmt: skip
        assert chosen == labels
    _, job, schedule = pods()
    assert job == schedule
    assert job["metadata"]["labels"] != labels


def test_the_settings_of_the_manifests_are_read(monkeypatch):
    for name, value in of("ConfigMap")["data"].items():
        if not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)
    settings = load_settings({})
    assert (settings.processes, list(settings.roots)) == (2, ["archive"])


def test_compose_has_the_nodes_that_the_balancer_names_and_settings_that_there_are(monkeypatch):
    services = COMPOSE["services"]
    named = re.findall(r"^ +server ([a-z0-9-]+):(\d+) ", (OPERATING / "nginx-nodes.conf").read_text(), re.MULTILINE)
    assert named == [(name, str(Settings().port)) for name in services if name.startswith("gateway-")]
    for name in ("gateway-1", "migrate"):
        settings = services[name]["environment"]
        assert unknown_settings(settings) == []
        for key, value in settings.items():
            monkeypatch.setenv(key, re.sub(r"\$\{\w+:\?\}", "k" * 32, value))
        assert services[name]["command"][0] in COMMANDS
    settings = load_settings({})
    assert settings.trusted_proxies == (COMPOSE["networks"]["default"]["ipam"]["config"][0]["subnet"],)
    mounted = {each.split(":")[1] for each in services["gateway-1"]["volumes"]}
    assert {root.uri.removeprefix("file:") for root in settings.roots.values()} == mounted
    for volume in (each for service in services.values() for each in service.get("volumes", [])):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or source == "../../rasters" or (OPERATING / source).is_file(), source


def test_the_guide_s_words_make_every_password_that_compose_wants(tmp_path):
    (block,) = re.findall(r"```sh\n(.*?)```", (OPERATING / "cluster.md").read_text(), re.DOTALL)
    (tmp_path / "docs" / "operating").mkdir(parents=True)
    subprocess.run(["sh", "-euc", block], cwd=tmp_path, check=True)
    env = tmp_path / "docs" / "operating" / ".env"
    assert env.stat().st_mode & 0o077 == 0
    made = dict(line.split("=") for line in env.read_text().splitlines())
    assert set(made) == set(re.findall(r"\$\{(\w+):\?\}", (OPERATING / "compose-nodes.yaml").read_text()))
    assert all(len(value) >= 32 for value in made.values())


def test_the_roles_of_compose_are_those_of_the_guide():
    script = (OPERATING / "compose-roles.sh").read_text()
    made = re.search(r"<<'SQL'\n(.*?)SQL\n", script, re.DOTALL)[1]
    guide = (OPERATING / "postgresql.md").read_text()
    plain = re.sub(r":'\w+'", "'...'", made)
    assert plain.strip() in guide


def test_nginx_takes_the_file_of_the_balancer(tmp_path):
    (tmp_path / "nginx.conf").write_text(configuration(tmp_path, 1, [2, 3]))
    done = subprocess.run([nginx(), "-t", "-p", tmp_path, "-e", "stderr", "-c", tmp_path / "nginx.conf"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_guide_s_table_of_parts_has_every_drill_and_no_other():
    from scripts.drilling.nodes import FAULTS

    table = (OPERATING / "cluster.md").read_text().partition("## What happens")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\|[^|]*\| `(\w+)` \|", table, re.MULTILINE)) == set(FAULTS)
