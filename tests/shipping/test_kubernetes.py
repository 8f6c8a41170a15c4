"""The manifests, by Kubernetes' own schemas."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jwt
import kubernetes_validate
import pytest
import yaml

from proxy.config.load import load_settings

from .files import ROOT

FOLDER = ROOT / "config" / "kubernetes"


def read(folder: Path) -> list[dict[str, Any]]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [manifest for path in files for manifest in yaml.safe_load_all(path.read_text())]


MANIFESTS = read(FOLDER)
WITHOUT_SECRET = read(FOLDER / "workload-identity")


def write_admin_token(folder: Path) -> Path:
    """The Secret's file as the pod has it."""
    token = folder / "admin-token"
    token.write_text(find("Secret")["stringData"]["admin-token"])
    token.chmod(0o440)
    return token


def find(kind: str, manifests: list[dict[str, Any]] = MANIFESTS) -> dict[str, Any]:
    return next(manifest for manifest in manifests if manifest["kind"] == kind)


POD = find("Deployment")["spec"]["template"]["spec"]
SIDECAR = POD["initContainers"][0]


@pytest.mark.parametrize("version", ["1.29", "1.33"])
@pytest.mark.parametrize("manifest", [*MANIFESTS, *WITHOUT_SECRET], ids=lambda each: each["kind"])
def test_the_schema_takes_it(manifest: dict[str, Any], version: str) -> None:
    """Unknown fields are faults; 1.29 is the first with native sidecars switched on."""
    kubernetes_validate.validate(manifest, version, strict=True)


def test_it_is_a_native_sidecar() -> None:
    """It starts before the API and ends after it."""
    assert SIDECAR["restartPolicy"] == "Always"


def test_the_probes_ask_the_admin_port() -> None:
    """Never the public one, where a route might answer in its place."""
    probes = {name: SIDECAR[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {"admin"}
    assert (probes["readiness"]["path"], probes["liveness"]["path"]) == ("/readyz", "/healthz")


@pytest.mark.parametrize("container", [SIDECAR, *POD["containers"]], ids=lambda each: each["name"])
def test_containers_are_confined(container: dict[str, Any]) -> None:
    """No root, no capability, nothing to write to."""
    assert POD["securityContext"]["runAsNonRoot"] is True
    context = container["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_there_is_time_to_drain() -> None:
    """F-34: the grace covers preStop, the drain and a little more."""
    pause = int(SIDECAR["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] > pause + 30


def test_the_policy_lets_monitoring_alone_to_the_admin_port() -> None:
    """A rule without ``from`` is for everybody: that is the public port only."""
    for rule in find("NetworkPolicy")["spec"]["ingress"]:
        assert ("from" in rule) == (rule["ports"] == [{"port": "admin"}])


def test_the_configuration_is_sound(tmp_path) -> None:
    """What the ConfigMap holds, with the Secret's file where the pod has it."""
    secret = tmp_path / "client-secret"
    secret.write_text(find("Secret")["stringData"]["client-secret"])
    secret.chmod(0o400)
    text = find("ConfigMap")["data"]["obo.yaml"]
    path = tmp_path / "obo.yaml"
    path.write_text(text.replace("/run/secrets/obo-proxy/client-secret", str(secret)))
    environ = {variable["name"]: variable["value"] for variable in SIDECAR["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in SIDECAR["volumeMounts"]}
    assert f"{mounts['secrets']}/client-secret" in text
    assert environ["OBO_ADMIN_TOKEN_FILE"] == f"{mounts['secrets']}/admin-token"
    settings = load_settings(path, environ | {"OBO_ADMIN_TOKEN_FILE": str(write_admin_token(tmp_path))})
    assert settings.routes[0].upstream == "http://127.0.0.1:8082"
    assert settings.admin.host == "0.0.0.0"


def test_without_a_client_secret_all_else_is_the_same() -> None:
    """A token of the pod's own service account beside the Secret, which then has the admin side's alone."""
    pods = [
        copy.deepcopy(find("Deployment", manifests)["spec"]["template"]["spec"])
        for manifests in (MANIFESTS, WITHOUT_SECRET)
    ]
    assert pods[1].pop("serviceAccountName") == find("ServiceAccount", WITHOUT_SECRET)["metadata"]["name"]
    volume, mount = pods[1]["volumes"].pop(), pods[1]["initContainers"][0]["volumeMounts"].pop()
    assert pods[0] == pods[1]
    assert volume["name"] == mount["name"]
    assert find("Service", WITHOUT_SECRET) == find("Service")


def test_the_token_is_for_the_authorization_server_alone(tmp_path: Path) -> None:
    """Its audience is the issuer, its file the one that the configuration names; no longer than Keycloak takes it."""
    pod = find("Deployment", WITHOUT_SECRET)["spec"]["template"]["spec"]
    [source] = pod["volumes"][-1]["projected"]["sources"]
    token = source["serviceAccountToken"]
    text = find("ConfigMap", WITHOUT_SECRET)["data"]["obo.yaml"]
    [server] = yaml.safe_load(text)["authorization_servers"].values()
    assert token["audience"] == server["issuer"]
    assert token["expirationSeconds"] <= 3600
    mounted = pod["initContainers"][0]["volumeMounts"][-1]["mountPath"]
    assert server["client"] == {"auth": "assertion_file", "assertion_file": f"{mounted}/{token['path']}"}
    file, path = tmp_path / "as", tmp_path / "obo.yaml"
    file.write_text(jwt.encode({"sub": "system:serviceaccount:a:orders-api", "exp": 1}, "0" * 64))
    path.write_text(text.replace(f"{mounted}/{token['path']}", str(file)))
    environ = {"OBO_ADMIN_HOST": "0.0.0.0", "OBO_ADMIN_TOKEN_FILE": str(write_admin_token(tmp_path))}
    assert load_settings(path, environ).authorization_servers["keycloak"].client
