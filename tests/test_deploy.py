"""deploy/ says the same as docker-compose.yml, and Kubernetes' schemas, as a package ships them, accept it."""

import copy
import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from iolab import manifests
from iolab.lab import Lab
from iolab.live.standing import variables
from iolab.runtime.compose import Engine
from iolab.service import Service
from tests.conftest import ROOT

Manifest = dict[str, Any]
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.load((FOLDER / "kustomization.yaml").read_text(), yaml.CSafeLoader)
MANIFESTS: list[Manifest] = [
    document
    for name in KUSTOMIZATION["resources"]
    for document in yaml.load_all((FOLDER / name).read_text(), yaml.CSafeLoader)
]
STACK = yaml.load((ROOT / "deploy" / "swarm.yml").read_text(), yaml.CSafeLoader)
LAB = Lab.read_defaults(ROOT)
SERVICES = {service.name: service for service in LAB.services}
BLOCKS = LAB.blocks
MODELS = {model.name: model for model in LAB.models}
LOADTEST = ("locust", "locust-worker")
TARGETS = variables(LAB, Engine("28", "2.40", 2, "v2", "", rootless=False, cpusets=True), 1)["TARGETS"]
MIB = {"k": 1 / 1024, "m": 1, "g": 1024, "Mi": 1, "Gi": 1024, "M": 1, "G": 1024}  # Compose's M is 2^20 bytes too


def named(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


def pod(name: str) -> Any:
    return named("Deployment")[name]["spec"]["template"]["spec"]


def container(name: str) -> Any:
    (only,) = pod(name)["containers"]
    return only


def mib(text: str) -> float:
    digits = text.rstrip("kmgMGi")
    return float(digits) * MIB[text.removeprefix(digits)]


def expected_environment(service: Service) -> Mapping[str, str]:
    """Return what Compose gives the service, and the targets, which the command line adds there."""
    return {**service.environment, **({"TARGETS": TARGETS} if "TARGETS" in service.environment else {})}


every_service = pytest.mark.parametrize("name", [*MODELS, *LOADTEST])
every_model = pytest.mark.parametrize("name", list(MODELS))


def test_the_files_are_those_that_are_made_of_the_compose_file() -> None:
    for path, text in manifests.files(ROOT).items():
        assert path.read_text() == text, "make manifests"


def test_there_is_a_deployment_and_a_service_for_every_model_and_no_others() -> None:
    assert sorted(named("Deployment")) == sorted([*MODELS, *LOADTEST])
    assert sorted(named("Service")) == sorted([*MODELS, "locust"])
    for kind in ("Deployment", "Service"):
        letters = {name: each["metadata"]["labels"].get("iolab.model") for name, each in named(kind).items()}
        assert {name: letter for name, letter in letters.items() if letter} == {
            name: model.letter for name, model in MODELS.items()
        }


def test_every_file_of_the_folder_is_applied() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files
    assert {each["metadata"].get("namespace", "") for each in MANIFESTS if each["kind"] != "Namespace"} == {"iolab"}
    assert sorted(each["name"] for each in KUSTOMIZATION["images"]) == sorted(
        {container(name)["image"] for name in named("Deployment")}
    )


@every_service
def test_a_container_is_what_compose_runs(name: str) -> None:
    service, mine = SERVICES[name], container(name)
    assert mine["image"] == service.image
    assert tuple(mine["command"]) == service.command
    assert {each["name"]: each["value"] for each in mine["env"]} == expected_environment(service)
    assert mib(mine["resources"]["limits"]["memory"]) == mib(BLOCKS[name]["mem_limit"])
    assert mine["imagePullPolicy"] == "IfNotPresent"
    published = {port.container for port in service.ports}
    assert published <= {port["containerPort"] for port in mine.get("ports", [])} <= published | {5557}


@every_service
def test_a_pod_has_no_rights_that_it_does_not_need(name: str) -> None:
    own, shared = container(name)["securityContext"], pod(name)["securityContext"]
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert shared == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod(name)["automountServiceAccountToken"] is False
    assert [mount["mountPath"] for mount in container(name)["volumeMounts"]] == [
        each.partition(":")[0] for each in BLOCKS[name]["tmpfs"]
    ]


@every_service
def test_selectors_find_the_pods_and_ports_have_names(name: str) -> None:
    deployment, service = named("Deployment")[name], named("Service").get(name)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    if service:
        assert service["spec"]["selector"].items() <= labels.items()
        ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
        assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports


def test_the_network_policy_limits_both_directions_to_the_namespace_and_its_names() -> None:
    """Nothing else may connect to the pods, and they may connect to each other and ask for names, and nothing else."""
    ((_, policy),) = named("NetworkPolicy").items()
    spec = policy["spec"]
    assert spec["podSelector"] == {}  # all pods of the namespace
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    own: list[Manifest] = [{"podSelector": {}}]
    assert spec["ingress"] == [{"from": own}]
    inside, names = spec["egress"]
    assert inside == {"to": own}
    assert names["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]
    assert sorted((each["protocol"], each["port"]) for each in names["ports"]) == [("TCP", 53), ("UDP", 53)]


@every_model
def test_a_measured_pod_is_guaranteed_whole_cpus_and_is_not_probed_under_load(name: str) -> None:
    resources = container(name)["resources"]
    assert resources["requests"] == resources["limits"]
    assert int(resources["limits"]["cpu"]) >= 1
    assert named("Deployment")[name]["spec"]["replicas"] == 1
    assert container(name)["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert not {"livenessProbe", "readinessProbe"} & set(container(name))


@pytest.mark.parametrize("name", LOADTEST)
def test_load_is_kept_off_the_servers_nodes_and_never_throttled(name: str) -> None:
    (rule,) = pod(name)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    avoided = rule["podAffinityTerm"]["labelSelector"]["matchLabels"]
    labels = {each: named("Deployment")[each]["spec"]["template"]["metadata"]["labels"] for each in named("Deployment")}
    assert {each for each, mine in labels.items() if avoided.items() <= mine.items()} == set(MODELS)
    assert "cpu" not in container(name)["resources"]["limits"]
    assert named("Deployment")["locust-worker"]["spec"]["replicas"] == 3


@pytest.fixture(scope="module")
def kubernetes() -> ModuleType:
    """The schemas: to import them takes seconds, which other tests need not wait."""
    return importlib.import_module("kubernetes_validate")


@pytest.mark.parametrize("version", ["1.25", "1.37"])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_kubernetes_schema_accepts_it(kubernetes: ModuleType, manifest: Manifest, version: str) -> None:
    assert kubernetes.validate(manifest, version, strict=True) == version


def test_a_wrong_field_a_wrong_type_and_a_wrong_kind_are_refused(kubernetes: ModuleType) -> None:
    unknown = copy.deepcopy(named("Deployment")["blocking"])
    unknown["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes.validate(unknown, "1.37", strict=True)
    number = copy.deepcopy(named("Deployment")["blocking"])
    number["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = 20
    with pytest.raises(kubernetes.ValidationError, match="20 is not of type"):
        kubernetes.validate(number, "1.37", strict=True)
    with pytest.raises(kubernetes.SchemaNotFoundError):
        kubernetes.validate({**unknown, "kind": "Deploymint"}, "1.37", strict=True)


@pytest.mark.load
def test_the_check_command_refuses_a_wrong_field(tmp_path: Path) -> None:
    (line,) = [each for each in (ROOT / "scripts" / "check").read_text().splitlines() if "kubernetes-validate" in each]
    folder = tmp_path / "deploy" / "kubernetes"
    folder.mkdir(parents=True)
    for name in ("kustomization.yaml", "blocking.yaml"):
        (folder / name).write_text((FOLDER / name).read_text())
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    good = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, "")
    (folder / "blocking.yaml").write_text((FOLDER / "blocking.yaml").read_text().replace("startupProbe", "startProbe"))
    bad = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "startProbe" in bad.stdout


@every_service
def test_the_stack_is_what_compose_runs(name: str) -> None:
    block, compose = STACK["services"][name], BLOCKS[name]
    assert block["image"] == "${REGISTRY:-}" + compose["image"]
    assert block["command"] == compose["command"]
    targets = {"TARGETS": TARGETS} if name in LOADTEST else {}
    assert block["environment"] == {**compose["environment"], **targets}  # the same variables with the same defaults
    assert block.get("labels", {}).get("iolab.model") == compose.get("labels", {}).get("iolab.model")
    limits = block["deploy"]["resources"]["limits"]
    assert mib(limits["memory"]) == mib(compose["mem_limit"])
    assert block["ulimits"] == compose["ulimits"]
    assert (limits["pids"], limits.get("cpus")) == (compose["pids_limit"], compose.get("cpus"))
    assert (block["init"], block["read_only"], block["cap_drop"]) == (True, True, ["ALL"])
    assert block["user"] == "1000:1000"
    assert [(each["type"], each["target"]) for each in block["volumes"]] == [("tmpfs", "/tmp")]
    assert block["deploy"]["endpoint_mode"] == "dnsrr"  # the other mode needs IPVS


def test_the_stack_has_every_model_and_opens_the_page_alone() -> None:
    assert sorted(STACK["services"]) == sorted([*MODELS, *LOADTEST])
    ports = {name: block["ports"] for name, block in STACK["services"].items() if "ports" in block}
    assert {name: [each["target"] for each in each_ports] for name, each_ports in ports.items()} == {"locust": [8089]}
    assert ports["locust"][0]["mode"] == "host"
