"""The files in deploy/ against their schemas, and against the program that they start."""

from __future__ import annotations

import re
import subprocess
import sys

import kubernetes_validate
import pytest
import redis
import yaml

from beam_api.adapters.job_queue import LONG_NAME, NAME, TIME_LIMIT_S, open_queue
from beam_api.config import VARIABLES
from beam_api.server import gunicorn_conf
from beam_api.store.urls import RedisUrl
from tests.deployment import DEPLOY, KUBERNETES, container, documents, find

OURS = {variable.name for variable in VARIABLES}
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OF_OTHERS = {"keda.sh/v1alpha1", "kustomize.config.k8s.io/v1beta1"}  # no schema comes with Kubernetes


@pytest.mark.parametrize("name", sorted({name for name, _ in documents()}))
def test_every_object_is_one_that_kubernetes_takes(name):
    checked = [d for file, d in documents() if file == name and d["apiVersion"] not in OF_OTHERS]
    for document in checked:
        kubernetes_validate.validate(document, "1.30", strict=True)
    assert checked or name == "kustomization.yaml"


def test_the_compose_file_is_one():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    subprocess.run([*command, str(DEPLOY / "compose.yaml")], check=True, capture_output=True)


def test_kustomize_lists_every_file_but_that_of_secrets():
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    there = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert set(listed) == there - {"kustomization.yaml", "secret.example.yaml"}


def test_every_setting_exists():
    """In the settings, the containers and the compose file; a typo would be passed over in silence."""
    named = set(find("ConfigMap", "beam-settings")["data"]) | set(find("Secret", "beam")["stringData"])
    for name in ("api", "worker"):
        named |= {entry["name"] for entry in container(name)["env"]}
        named |= set(COMPOSE["services"][name]["environment"])
    assert {name for name in named if name.startswith(("BEAM_", "WEB_"))} <= OURS
    assert {name for name in named if not name.startswith(("BEAM_", "WEB_"))} == {
        *("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "REDIS_PASSWORD")
    }
    for name in ("BEAM_REDIS_URL", "BEAM_QUEUE_REDIS_URL"):
        assert RedisUrl.parse(find("Secret", "beam")["stringData"][name]).kind == "single"
    url = re.sub(r"\$\{.*?\}", "secret", COMPOSE["services"]["api"]["environment"]["BEAM_REDIS_URL"])
    assert RedisUrl.parse(url).options["host"] in COMPOSE["services"]


def test_what_the_compose_file_takes_from_outside_is_in_its_example():
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    given = set(re.findall(r"^(\w+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    assert asked - {"BEAM_ADDRESS"} == given


def pods():
    for _, document in documents():
        if document["kind"] in ("Deployment", "StatefulSet"):
            yield document, document["spec"]["template"]


def test_every_pod_is_locked_in():
    """As the namespace's `restricted` profile wants it, and with a root that can't be written to."""
    assert len(list(pods())) == 3
    for _, template in pods():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in spec["containers"]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert one["resources"]["limits"]["memory"]
    for service in COMPOSE["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"] not in ("root", "0")


def test_secrets_and_settings_that_pods_refer_to_are_there():
    keys = set(find("Secret", "beam")["stringData"])
    for _, template in pods():
        for one in template["spec"]["containers"]:
            refers = [e["valueFrom"]["secretKeyRef"] for e in one.get("env", []) if "valueFrom" in e]
            assert {reference["name"] for reference in refers} <= {"beam"}
            assert {reference["key"] for reference in refers} <= keys
            assert all(source["configMapRef"]["name"] == "beam-settings" for source in one.get("envFrom", []))
    (reference,) = find("TriggerAuthentication", "beam-queue")["spec"]["secretTargetRef"]
    assert (reference["name"], reference["key"] in keys) == ("beam", True)


def test_whatever_selects_pods_selects_some():
    labels = [template["metadata"]["labels"] for _, template in pods()]

    def selects(wanted):
        return any(wanted.items() <= there.items() for there in labels)

    for _, document in documents():
        spec = document.get("spec", {})
        if document["kind"] == "Service":
            assert selects(spec["selector"])
        elif document["kind"] in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
            assert selects(spec["selector"]["matchLabels"])
        elif document["kind"] == "NetworkPolicy":
            assert selects(spec["podSelector"].get("matchLabels", {}))
        elif document["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            assert find("Deployment", spec["scaleTargetRef"]["name"])
    for document, template in pods():
        assert document["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]


def test_probes_ask_routes_that_need_no_key_on_the_port_that_is_bound(client):
    api = container("api")
    (port,) = api["ports"]
    assert api["command"][-1] == f"0.0.0.0:{port['containerPort']}"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert api[probe]["httpGet"]["port"] == port["name"]
        assert client.get(api[probe]["httpGet"]["path"]).status_code == 200
    assert (
        api["livenessProbe"]["httpGet"]["path"] != "/ready"
    )  # else a Redis that is unavailable would restart every pod
    (service_port,) = find("Service", "beam-api")["spec"]["ports"]
    assert service_port["targetPort"] == port["name"]
    (allowed,) = find("NetworkPolicy", "to-api")["spec"]["ingress"][0]["ports"]
    assert allowed["port"] == port["containerPort"]


def test_there_is_time_to_end_what_has_been_begun():
    for name, work_s in (("api", gunicorn_conf.graceful_timeout), ("worker", TIME_LIMIT_S)):
        spec = find("Deployment", f"beam-{name}")["spec"]["template"]["spec"]
        stop = container(name).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        assert spec["terminationGracePeriodSeconds"] > work_s + int(stop[-1])
        assert int(COMPOSE["services"][name]["stop_grace_period"].removesuffix("s")) > work_s
        assert container(name)["command"] == COMPOSE["services"][name]["command"]


def test_the_autoscaler_looks_at_the_list_that_videos_wait_in():
    *by_queue, by_cpu = find("ScaledObject", "beam-worker")["spec"]["triggers"]
    lists = [trigger["metadata"]["listName"] for trigger in by_queue]
    assert lists == [open_queue(redis.Redis(), name).key for name in (NAME, LONG_NAME)]
    for trigger in by_queue:
        host, port = trigger["metadata"]["address"].split(":")
        assert port == str(find("Service", host)["spec"]["ports"][0]["port"])
    assert by_cpu["type"] == "cpu"
    assert container("worker")["resources"]["requests"]["cpu"] == "1"


def test_no_server_throws_away_what_it_should_keep():
    (kubernetes,) = find("StatefulSet", "redis")["spec"]["template"]["spec"]["containers"]
    for options in (COMPOSE["services"]["redis"]["command"], kubernetes["args"]):
        reported = {name: options[i + 1] for i, name in enumerate(options) if name.startswith("--")}
        assert (reported["--maxmemory-policy"], reported["--appendonly"]) == ("noeviction", "yes")
