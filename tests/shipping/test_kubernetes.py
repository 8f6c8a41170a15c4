"""The manifests, by Kubernetes' own schemas."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from proxy.config.load import load_settings

from .files import ROOT

FOLDER = ROOT / "config" / "kubernetes"
MANIFESTS: list[dict[str, Any]] = [
    manifest for path in sorted(FOLDER.iterdir()) for manifest in yaml.safe_load_all(path.read_text())
]


def find(kind: str) -> dict[str, Any]:
    return next(manifest for manifest in MANIFESTS if manifest["kind"] == kind)


POD = find("Deployment")["spec"]["template"]["spec"]
SIDECAR = POD["initContainers"][0]


@pytest.mark.parametrize("version", ["1.29", "1.33"])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: each["kind"])
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
    token = tmp_path / "admin-token"
    token.write_text(find("Secret")["stringData"]["admin-token"])
    token.chmod(0o440)
    settings = load_settings(path, environ | {"OBO_ADMIN_TOKEN_FILE": str(token)})
    assert settings.routes[0].upstream == "http://127.0.0.1:8082"
    assert settings.admin.host == "0.0.0.0"
