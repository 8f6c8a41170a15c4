"""compose.yaml as it is written; what it does is in test_containers."""

from __future__ import annotations

import pytest
import yaml

from proxy.config.load import load_settings

from .files import COMPOSE_FOLDER, ROOT, read_compose

COMPOSE = read_compose(ROOT / "compose.yaml")
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    """Nothing to write to, no capability, and none to be gained."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert not service.get("user", "65532").startswith(("0", "root"))


def test_nothing_is_published_beyond_this_machine() -> None:
    """Every port that is published is published on loopback."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_api_is_reached_through_its_sidecar_alone() -> None:
    """The API listens on its own loopback, which none but the proxy shares."""
    command = SERVICES["orders-api"]["command"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert SERVICES["proxy"]["network_mode"] == "service:orders-api"
    assert [name for name, each in SERVICES.items() if "orders-api" in each.get("network_mode", "")] == [
        "proxy"
    ]
    assert all("8082" not in port for port in SERVICES["orders-api"]["ports"])


def test_the_api_behind_a_gateway_is_reached_through_that_alone() -> None:
    """API, authorizer and gateway share a loopback; nothing but the gateway's port is published."""
    command = SERVICES["gateway-api"]["command"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    sharing = [name for name, each in SERVICES.items() if each.get("network_mode") == "service:gateway-api"]
    assert sharing == ["authorizer", "gateway"]
    assert [port.rpartition(":")[2] for port in SERVICES["gateway-api"]["ports"]] == ["8080"]
    assert SERVICES["gateway"]["volumes"] == ["./config/gateways/nginx.conf:/etc/nginx/nginx.conf:ro"]


def test_the_authorizers_configuration_is_sound(tmp_path) -> None:
    """It listens where the gateway's configuration asks, and leaves the gateway its port."""
    text = (COMPOSE_FOLDER / "authorizer.yaml").read_text()
    path = tmp_path / "authorizer.yaml"
    path.write_text(text.replace("/run/secrets/client-secret", str(COMPOSE_FOLDER / "demo-client-secret")))
    settings = load_settings(path, {"DEMO_ORG_URL": "http://org.test"})
    assert settings.authorizer
    assert (settings.authorizer.on_this_machine, settings.authorizer.port) == (True, 8070)
    assert settings.listen.port != 8080


def test_the_grpc_api_is_reached_through_its_sidecar_alone(tmp_path) -> None:
    """Both share a loopback and speak HTTP/2 there; nothing but the sidecar's port is published."""
    sharing = [name for name, each in SERVICES.items() if each.get("network_mode") == "service:grpc-api"]
    assert sharing == ["grpc-proxy"]
    assert [port.rpartition(":")[2] for port in SERVICES["grpc-api"]["ports"]] == ["8080"]
    text = (COMPOSE_FOLDER / "grpc.yaml").read_text()
    path = tmp_path / "grpc.yaml"
    path.write_text(text.replace("/run/secrets/client-secret", str(COMPOSE_FOLDER / "demo-client-secret")))
    settings = load_settings(path, {"DEMO_ORG_URL": "http://org.test"})
    assert (settings.listen.http2, settings.listen.port) == (True, 8080)
    assert {(route.upstream, route.http2) for route in settings.routes} == {("http://127.0.0.1:50051", True)}


def test_the_api_of_the_replicas_and_their_cache_have_a_network_of_their_own() -> None:
    """It leads nowhere else, and the load balancer is not in it."""
    assert COMPOSE["networks"]["replicas"] == {"internal": True}
    assert SERVICES["replicas-api"]["networks"] == SERVICES["valkey"]["networks"] == ["replicas"]
    assert "networks" not in SERVICES["load-balancer"]


@pytest.mark.parametrize("name", ["proxy", "replica"])
def test_secrets_are_files(name: str) -> None:
    """No environment variable holds one, where `docker inspect` would show it."""
    service = SERVICES[name]
    assert service["secrets"] == ["client-secret", "admin-token"]
    assert not [key for key in service["environment"] if key.endswith("SECRET")]


OVERRIDE = read_compose(COMPOSE_FOLDER / "okta.yaml")


@pytest.mark.parametrize(
    "environment",
    [
        SERVICES["proxy"]["environment"],
        SERVICES["replica"]["environment"],
        OVERRIDE["services"]["proxy"]["environment"],
    ],
    ids=["proxy", "replica", "okta"],
)
def test_an_open_admin_side_asks_for_a_token(environment: dict[str, str]) -> None:
    """The containers' network is not loopback, and Prometheus brings the token that it shares with them."""
    assert environment["OBO_ADMIN_HOST"] == "0.0.0.0"
    assert environment["OBO_ADMIN_TOKEN_FILE"] == "/run/secrets/admin-token"
    (scraped,) = yaml.safe_load((COMPOSE_FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert scraped["authorization"] == {"credentials_file": "/run/secrets/admin-token"}
    assert SERVICES["prometheus"]["secrets"] == ["admin-token"]


def test_the_secrets_of_a_tenant_are_not_the_demos() -> None:
    """What ships is public."""
    assert {name: secret["file"] for name, secret in OVERRIDE["secrets"].items()} == {
        name: f"secrets/{name}" for name in COMPOSE["secrets"]
    }


@pytest.mark.parametrize("name", ["proxy", "replica", "authorizer"])
def test_there_is_time_to_drain(name: str) -> None:
    """F-34: the engine waits a little longer than the proxy does."""
    assert SERVICES[name]["stop_grace_period"] == "35s"


def test_the_replicas_configuration_is_sound(tmp_path) -> None:
    """All but the files that only the containers have."""
    text = (COMPOSE_FOLDER / "replica.yaml").read_text()
    key = tmp_path / "encryption.key"
    key.write_text("A" * 43 + "=\n")
    path = tmp_path / "replica.yaml"
    path.write_text(
        text.replace("/run/secrets/client-secret", str(COMPOSE_FOLDER / "demo-client-secret")).replace(
            "/var/lib/obo-proxy/encryption.key", str(key)
        )
    )
    environ = {"DEMO_ORG_URL": "http://org.test", "DEMO_API_URL": "http://api.test"}
    assert load_settings(path, environ).cache.shared


def test_an_okta_tenant_needs_the_env_file_and_the_secret(tmp_path) -> None:
    """The override's environment alone configures the proxy."""
    lines = (COMPOSE_FOLDER / "okta.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    environ = dict(OVERRIDE["services"]["proxy"]["environment"])
    for name, value in given.items():
        environ = {key: _replace(text, name, value) for key, text in environ.items()}
    secret = tmp_path / "client-secret"
    secret.write_text("CANARY")
    secret.chmod(0o444)
    files = {"OBO_CLIENT_SECRET_FILE": str(secret), "OBO_ADMIN_TOKEN_FILE": str(secret)}
    settings = load_settings(None, environ | files)
    assert settings.authorization_servers["default"].issuer == "https://example.okta.com/oauth2/default"
    assert settings.routes[0].scopes == ("orders:read",)


def _replace(text: str, name: str, value: str) -> str:
    return text.replace(f"${{{name}:?as it stands in the .env}}", value)
