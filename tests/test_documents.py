"""What the documents say is so: blocks run, configurations load, names exist.

A comment before a fence says what becomes of the block: ``run`` (in an empty directory), ``run: demo`` (beside a
running demo, whose configuration is ``obo-proxy.yaml``), ``config`` (a whole configuration), ``part: FILE`` (keys to
be put into that example), ``yaml: WHY`` (only parsed), ``not run: WHY``. The README's two commands are CI's own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import jwt
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.cli import build_parser
from proxy.cli.keys import run_new
from proxy.config.load import load_settings
from proxy.demo import Demo
from proxy.demo.signals import build_entry
from proxy.errors import ProxyError
from proxy.exchange.okta_refusals import REFUSALS
from proxy.observability.metrics import Gauges, Metrics, ServerGauges
from proxy.observability.prometheus import MetricsCollector
from tests.support.certificates import Authority
from tests.support.kubelet import Volume
from tests.support.proxy import Running, running

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "config"
PAGES = sorted((EXAMPLES / "docs").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *PAGES]
SOURCES = sorted((ROOT / "proxy").rglob("*.py"))

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]+) -->\n)?^```(?P<kind>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
_COMMAND = re.compile(r"\bobo-proxy((?: [\w./@=$-]+)+)")
# What the examples take from the environment.
ENVIRONMENT = MappingProxyType(
    {
        "OBO_CLIENT_ID": "0oa9aw62CPUnXomeU9c5",
        "OBO_CLIENT_SECRET": "a secret",
        "ENTRA_TENANT_ID": "11111111-2222-3333-4444-555555555555",
        "ORDERS_CLIENT_ID": "66666666-7777-8888-9999-000000000000",
    }
)


@dataclass(frozen=True)
class Block:
    document: Path
    number: int
    mark: str
    kind: str
    content: str

    def __str__(self) -> str:
        return f"{self.document.stem}-{self.number}"


def find_blocks() -> Iterator[Block]:
    for document in DOCUMENTS:
        for number, found in enumerate(_BLOCK.finditer(document.read_text()), 1):
            yield Block(document, number, found["mark"] or "", found["kind"], found["content"])


BLOCKS = list(find_blocks())


def marked(*marks: str) -> list[Block]:
    return [block for block in BLOCKS if block.mark.partition(":")[0] in marks]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind in ("sh", "yaml")], ids=str)
def test_a_block_says_what_becomes_of_it(block: Block):
    """No command and no configuration is there that nobody has decided about."""
    marks = {"sh": {"run", "not run", "demo", "test"}, "yaml": {"config", "part", "yaml"}}
    assert block.mark.partition(":")[0] in marks[block.kind], f"mark the block in {block.document.name}"


async def run_shell(commands: str, directory: Path) -> str:
    """What ``commands`` print; they must succeed. Their standard input is one typed line."""
    if os.environ.get("CI") != "true" and not all(map(shutil.which, ("bash", "curl"))):
        pytest.skip("bash and curl are needed")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", commands),
        cwd=directory,
        env={"PATH": path, "HOME": str(directory), "LC_ALL": "C.UTF-8"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(b"typed\n")
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize("block", [one for one in marked("run") if not one.mark.endswith(": demo")], ids=str)
async def test_commands_run(block: Block, tmp_path: Path):
    """As written, in an empty directory."""
    await run_shell(block.content, tmp_path)


BESIDE_THE_DEMO = [block for block in marked("run") if block.mark == "run: demo"]


@pytest.mark.parametrize("document", sorted({block.document.stem for block in BESIDE_THE_DEMO}))
async def test_commands_run_beside_the_demo(document: str, tmp_path: Path):
    """As written, but for the addresses, which are the demo's."""
    async with Demo() as demo:
        raw = demo.settings()
        raw["routes"].append(raw["routes"][0] | {"name": "mcp", "path": "/mcp"})
        (tmp_path / "obo-proxy.yaml").write_text(yaml.safe_dump(raw))
        more = {"protected_resource_metadata": True, "signals": [build_entry(demo.tenant)]}
        async with running(raw | more) as proxy:
            demo.tenant.proxy_url = proxy.url
            await proxy.get("/orders/1", demo.mint("alice"))  # waits for the keys, as readiness does
            for block in BESIDE_THE_DEMO:
                if block.document.stem == document:
                    await run_shell(_readdress(block.content, proxy, demo), tmp_path)


def _readdress(commands: str, proxy: Running, demo: Demo) -> str:
    commands = commands.replace("http://127.0.0.1:8080", proxy.url)
    commands = commands.replace("http://127.0.0.1:8081", demo.org_url)
    commands = commands.replace("http://127.0.0.1:9090", proxy.admin_url)
    return re.sub(r"demo token (\w+)", rf"demo token \1 --server {demo.org_url}", commands)


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the documents' files of secrets are."""
    monkeypatch.chdir(tmp_path)
    for alg in ("ES256", "A256GCM"):
        run_new(argparse.Namespace(alg=alg, out=Path("secrets")))
    secret = Path("secrets/client-secret")
    secret.touch(0o600)
    secret.write_text("a secret")
    mount(tmp_path)
    return tmp_path


MOUNTED = "/var/run/secrets"


def mount(folder: Path) -> None:
    """What the platform mounts below ``MOUNTED``, below ``folder`` instead."""
    authority = Authority(folder)
    issued = authority.issue("obo-proxy")
    pair = {"tls.crt": issued.cert_file.read_text(), "tls.key": issued.key_file.read_text()}
    tokens = {"as": jwt.encode({"sub": "system:serviceaccount:a:b", "exp": 1}, "0" * 64)}
    callers = {"ca.crt": authority.ca_file.read_text()}
    mounted = {"tokens": tokens, "spiffe.io": pair, "certificate": pair, "callers": callers}
    for name, files in mounted.items():
        Volume(folder / name, files)


@pytest.mark.parametrize("block", marked("config", "part"), ids=str)
def test_configurations_are_sound(block: Block, working_directory: Path):
    """What is shown as a configuration loads, with the files it names."""
    kind, _, example = block.mark.partition(": ")
    raw = yaml.safe_load(block.content.replace(MOUNTED, str(working_directory)))
    if kind == "part":
        raw = yaml.safe_load((EXAMPLES / example).read_text()) | raw
    file = working_directory / "obo-proxy.yaml"
    file.write_text(yaml.safe_dump(raw))
    assert load_settings(file, ENVIRONMENT).routes


@pytest.mark.parametrize(
    "name",
    [
        "one-authorization-server",
        "trusted-server",
        "service-app",
        "many-apis",
        "grpc",
        "dpop",
        "entra-id",
        "keycloak",
    ],
)
def test_examples_are_sound(name: str, working_directory: Path):
    """The files that the documents name load as they are."""
    assert load_settings(EXAMPLES / f"{name}.yaml", ENVIRONMENT).routes


@pytest.mark.parametrize("block", marked("yaml"), ids=str)
def test_other_yaml_is_yaml(block: Block):
    """What is no configuration of ours can be parsed at least."""
    assert yaml.safe_load(block.content)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(document: Path):
    """Files are there, and so are the headings."""
    for target, heading in _LINK.findall(_without_blocks(document.read_text())):
        if target.startswith(("https:", "http:", "mailto:")):
            continue
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), f"{document.name} names {target}"
        assert not heading or heading in find_headings(path), f"{document.name} names {target}#{heading}"


def find_headings(document: Path) -> set[str]:
    """Anchors of the headings, as forges make them."""
    lines = _without_blocks(document.read_text()).splitlines()
    titles = [line.lstrip("#").strip() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _without_blocks(text: str) -> str:
    return _BLOCK.sub("", text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_commands_are_commands(document: Path):
    """Each command and each option of ours is one that the parser knows."""
    for command in _COMMAND.findall(_find_code(document)):
        parser, words = build_parser(), command.split()
        while words and words[0] in (choices := _find_subcommands(parser)):
            parser, words = choices[words[0]], words[1:]
        options = [word for word in words if word.startswith("--")]
        assert parser.prog != "obo-proxy" or options, f"there is no obo-proxy{command}"
        assert parser._option_string_actions.keys() >= set(options), f"obo-proxy{command}"


def _find_code(document: Path) -> str:
    text = document.read_text()
    blocks = [found["content"] for found in _BLOCK.finditer(text) if found["kind"] == "sh"]
    return "\n".join([*re.findall(r"`([^`\n]+)`", _without_blocks(text)), *blocks])


def _find_subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


def find_errors(of: type[ProxyError] = ProxyError) -> Iterator[type[ProxyError]]:
    for error in of.__subclasses__():
        yield error
        yield from find_errors(error)


ERRORS = {error.code: error.status for error in find_errors() if error.__module__ == "proxy.errors"}


def test_every_error_code_has_its_trouble():
    """With its status; and none is told that does not exist."""
    rows = re.findall(r"^\| `(\w+)` (\d{3}) \|", (EXAMPLES / "docs" / "trouble.md").read_text(), re.MULTILINE)
    assert {code: int(status) for code, status in rows} == ERRORS


def test_the_readme_names_every_code_with_its_status():
    """The table under "When it says no"."""
    found = {}
    for statuses, codes in re.findall(
        r"^\| ([\dx, ]+) \| (`\w+`.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    ):
        for code in re.findall(r"`(\w+)`", codes):
            found[code] = statuses
    assert found.keys() == ERRORS.keys() - {"internal_error"}
    for code, statuses in found.items():
        assert str(ERRORS[code]) in statuses or f"{ERRORS[code] // 100}xx" in statuses, code


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: f"{row.error}-{row.says or 'any'}")
def test_every_refusal_that_is_known_is_told(row):
    """The documents name each code of the table of refusals, and what tells its causes apart."""
    told = "".join(page.read_text() for page in PAGES).lower()
    assert f"`{row.error}`" in told
    assert row.says in told


def find_metrics() -> set[str]:
    """As Prometheus reads their names, buckets and sums apart."""
    gauges = Gauges(
        lookups={"hit": 1},
        entries=1,
        connections={("orders", "idle"): 1},
        shared_failures=1,
        revocations_owed=1,
        revocations_unheard_for=1.0,
        user_revocations=1,
        servers={
            "okta": ServerGauges(
                rate_limit_remaining=1, keys_age=1.0, assertion_left=1.0, certificate_left=1.0
            )
        },
    )
    registry = CollectorRegistry()
    registry.register(MetricsCollector(Metrics(), lambda: gauges))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    found = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    scrape = (ROOT / "proxy" / "server" / "workers" / "scrape.py").read_text()
    for kind, name in re.findall(r"(Counter|Gauge)MetricFamily\(\s*\"(obo_\w+)\"", scrape):
        found.add(name + ("_total" if kind == "Counter" else ""))
    return found


def test_every_metric_is_told():
    """The page for operators names each metric, and no other."""
    told = re.findall(r"`(obo_\w+)", (EXAMPLES / "docs" / "operations.md").read_text())
    assert set(told) == find_metrics()


def find_events() -> set[str]:
    """The first texts of calls of ``log``."""
    call = re.compile(
        r"\blog\.(?:debug|info|warning|error|log)\(\s*(?:[\w.]+(?: if [^,]+)?,\s*)?\"([^\"]+)\""
    )
    return {event for source in SOURCES for event in call.findall(source.read_text())}


def test_every_event_of_the_log_is_told():
    """The page for operators names each event."""
    page = (EXAMPLES / "docs" / "operations.md").read_text()
    assert not [event for event in find_events() if f"`{event}`" not in page]
