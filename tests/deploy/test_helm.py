"""The Helm chart, rendered by Helm's own library and held to Kubernetes' schemas."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from keywatch.config import load
from tests.deploy.test_deploy import refuse_unknown, settings_in
from tests.services import tool

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "keywatch"
RENDER = Path(__file__).parent / "render.py"
VERSIONS = ["1.25", "1.37"]

URL = {"url": "https://keywatch.example"}
LEAST = {"database": {"existingSecret": "keywatch-database"}, "console": URL}
MOST = {
    "database": {"existingSecret": "keywatch-database", "key": "address"},
    "image": {"repository": "images.example/keywatch", "tag": "9", "pullSecrets": [{"name": "p"}]},
    "redis": {"existingSecret": "keywatch-redis"},
    "config": '[[sources]]\ntype = "kafka"\ntopic = "access"\nbrokers = ["kafka:9092"]\n',
    "env": {"KEYWATCH_GATEWAY_CLOSED_WITHOUT_REDIS": "false"},
    "envFrom": [{"secretRef": {"name": "more"}}],
    "gateway": {
        "trustedProxies": ["10.0.0.0/8", "fd00::/8"],
        "upstream": "http://api:8000",
        "limits": ["600/min", "20/s:5"],
        "autoscaling": {"enabled": True},
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    },
    "pipeline": {
        "extraVolumes": [{"name": "logs", "hostPath": {"path": "/var/log/nginx"}}],
        "extraVolumeMounts": [{"name": "logs", "mountPath": "/logs", "readOnly": True}],
    },
    "console": {
        **URL,
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "keywatch.example",
            "annotations": {"a": "b"},
            "tlsSecret": "tls",
        },
    },
    "serviceAccount": {"annotations": {"a": "b"}},
    "networkPolicy": {
        "enabled": True,
        "gatewayFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
    },
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "security"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {},
        }
    ],
}
FEWEST = {
    **LEAST,
    "database": {"existingSecret": "keywatch-database", "migrate": False},
    "pipeline": {"enabled": False},
    "console": {"enabled": False},
    "gateway": {"disruptionBudget": {"enabled": False}},
    "serviceAccount": {"create": False, "name": "ours"},
}
REFUSED = {
    "no database": ({"console": URL}, "existingSecret"),
    "no address of the console": ({"database": LEAST["database"]}, "console.url"),
    "no host": ({**LEAST, "console": {**URL, "ingress": {"enabled": True}}}, "ingress.host"),
    "no limit": ({**LEAST, "gateway": {"limits": ["often"]}}, "limits"),
    "no network": ({**LEAST, "gateway": {"trustedProxies": ["everybody"]}}, "trustedProxies"),
    "a word that says nothing": ({**LEAST, "gatway": {}}, "gatway"),
}
WRONG = {**LEAST, "pipeline": {"resources": {"limits": ["memory"]}}}

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def charts():
    """What becomes of the chart with all these values, by one process."""
    cases = {"least": LEAST, "most": MOST, "fewest": FEWEST, "wrong": WRONG}
    cases |= {name: values for name, (values, _) in REFUSED.items()}
    asked = {"chart": str(CHART), "cases": cases, "versions": VERSIONS}
    done = subprocess.run(
        [tool("python"), str(RENDER)], input=json.dumps(asked), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def of_kind(chart, kind):
    return {one["metadata"]["name"]: one for one in chart["objects"] if one["kind"] == kind}


def pods_of(chart):
    """Return name → (labels, pod) of what runs."""
    return {
        name: (one["spec"]["template"]["metadata"]["labels"], one["spec"]["template"]["spec"])
        for kind in ("Deployment", "Job")
        for name, one in of_kind(chart, kind).items()
    }


@pytest.mark.parametrize("name", ["least", "most", "fewest"])
def test_helm_and_kubernetes_take_it(charts, name):
    assert (charts[name]["error"], charts[name]["faults"]) == ("", [])
    names = [(one["kind"], one["metadata"]["name"]) for one in charts[name]["objects"]]
    assert len(set(names)) == len(names)


def test_the_schemas_are_really_asked(charts):
    assert len(charts["wrong"]["faults"]) == len(VERSIONS)


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_cannot_work_are_refused_with_their_name(charts, name):
    assert REFUSED[name][1] in charts[name]["error"]


@pytest.mark.parametrize("name", ["least", "most", "fewest"])
def test_pods_run_commands_and_settings_that_there_are_and_may_nothing_else(charts, name):
    pods = pods_of(charts[name])
    assert "prod-keywatch-gateway" in pods
    for _, pod in pods.values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        refuse_unknown(container["args"])
        assert not settings_in(one["name"] for one in container["env"])
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        mounted = {one["name"] for one in container["volumeMounts"]}
        assert mounted == {one["name"] for one in pod["volumes"]}


def test_urls_with_passwords_come_from_secrets_alone(charts):
    for _, pod in pods_of(charts["most"]).values():
        env = {one["name"]: one for one in pod["containers"][0]["env"]}
        for name, secret in (
            ("KEYWATCH_DATABASE", {"name": "keywatch-database", "key": "address"}),
            ("KEYWATCH_GATEWAY_REDIS", {"name": "keywatch-redis", "key": "url"}),
        ):
            assert env[name]["valueFrom"] == {"secretKeyRef": secret}


def test_services_policies_and_budgets_find_their_pods(charts):
    chart = charts["most"]
    pods = pods_of(chart)

    def chosen(selector):
        return {n for n, (labels, _) in pods.items() if selector.items() <= labels.items()}

    for name, service in of_kind(chart, "Service").items():
        assert chosen(service["spec"]["selector"]) == {name}
        ports = {one["name"] for one in pods[name][1]["containers"][0]["ports"]}
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= ports
    for name, deployment in of_kind(chart, "Deployment").items():
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert chosen(selector) == {name}
        # what an upgrade changes cannot be in it
        assert not [label for label in selector if "version" in label or "chart" in label]
    for name, budget in of_kind(chart, "PodDisruptionBudget").items():
        assert chosen(budget["spec"]["selector"]["matchLabels"]) == {name}
    (scaler,) = of_kind(chart, "HorizontalPodAutoscaler").values()
    scaled = of_kind(chart, "Deployment")[scaler["spec"]["scaleTargetRef"]["name"]]
    assert "replicas" not in scaled["spec"]
    policies = of_kind(chart, "NetworkPolicy")
    assert len(policies) == 3
    for name in ("prod-keywatch-gateway", "prod-keywatch-console"):
        assert chosen(policies[name]["spec"]["podSelector"]["matchLabels"]) == {name}
    assert "from" in policies["prod-keywatch-gateway"]["spec"]["ingress"][0]


def test_the_configuration_is_one_and_another_one_means_other_pods(charts, tmp_path):
    sums = set()
    for name in ("least", "most"):
        (config,) = of_kind(charts[name], "ConfigMap").values()
        (tmp_path / "keywatch.toml").write_text(config["data"]["keywatch.toml"])
        chosen = load(str(tmp_path / "keywatch.toml")).settings
        assert [one.type for one in chosen.sources] == (["kafka"] if name == "most" else [])
        for deployment in of_kind(charts[name], "Deployment").values():
            template = deployment["spec"]["template"]
            sums.add(template["metadata"]["annotations"]["checksum/config"])
    assert len(sums) == 2


def test_what_brings_the_database_up_to_date_needs_nothing_of_the_release(charts):
    (job,) = of_kind(charts["most"], "Job").values()
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "default"
    assert not [one for one in pod["volumes"] if "configMap" in one]
    assert not of_kind(charts["fewest"], "Job")


def test_the_notes_warn_of_what_is_missing(charts):
    assert "trustedProxies is empty" in charts["least"]["notes"]
    assert "counts limits by itself" in charts["least"]["notes"]
    assert "is empty" not in charts["most"]["notes"]


def test_the_chart_is_of_this_version():
    project = tomllib.loads((CHART.parents[2] / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == project["version"]
