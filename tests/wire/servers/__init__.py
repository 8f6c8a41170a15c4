"""Real servers on loopback that tell what they saw of a request."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
APACHE_MODULES = Path("/usr/lib/apache2/modules")
Command = Callable[[Path, int, int], list[str]]


def nginx(folder: Path, port: int, echo: int) -> list[str]:
    """Passes on what it understood."""
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
        events {{}}
        http {{
            access_log off; {temporary}
            merge_slashes off; underscores_in_headers on; client_max_body_size 0;
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://127.0.0.1:{echo}; proxy_http_version 1.1;
                    proxy_set_header Connection ""; proxy_set_header Host $http_host;
                }}
            }}
        }}""")
    return [find("nginx"), "-p", str(folder), "-e", f"{folder}/log", "-c", str(configuration)]


def apache(folder: Path, port: int, echo: int) -> list[str]:
    """Passes on what it understood."""
    modules = "\n".join(
        f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so"
        for name in ("mpm_event", "authz_core", "proxy", "proxy_http")
    )
    configuration = folder / "apache.conf"
    configuration.write_text(f"""
        {modules}
        ServerRoot {folder}\nServerName upstream\nPidFile {folder}/pid\nDefaultRuntimeDir {folder}
        ErrorLog {folder}/log\nListen 127.0.0.1:{port}\nMutex file:{folder} default
        AllowEncodedSlashes NoDecode\nMergeSlashes Off\nProxyPreserveHost On
        User www-data\nGroup www-data
        ProxyPass / http://127.0.0.1:{echo}/ nocanon
    """)
    return [find("apache2"), "-f", str(configuration), "-DFOREGROUND"]


def haproxy(folder: Path, port: int, echo: int) -> list[str]:
    """Passes on what it understood."""
    configuration = folder / "haproxy.cfg"
    configuration.write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen all
    bind 127.0.0.1:{port}
    server echo 127.0.0.1:{echo}
""")
    return [find("haproxy"), "-db", "-q", "-f", str(configuration)]


def node(folder: Path, port: int, echo: int) -> list[str]:
    return [find("node"), str(HERE / "echo.cjs"), str(port)]


def go(folder: Path, port: int, echo: int) -> list[str]:
    # Unoptimised, for the first run compiles Go's own library too.
    return [find("go"), "run", "-gcflags=all=-N -l", str(HERE / "echo.go"), str(port)]


SERVERS: dict[str, Command] = {"nginx": nginx, "Apache": apache, "HAProxy": haproxy, "Node": node, "Go": go}


def find(program: str) -> str:
    """Its path, also beside this Python or among a system's servers.

    The test is skipped without it, but never in CI.
    """
    places = [os.environ["PATH"], str(Path(sys.executable).parent), "/usr/sbin"]
    path = shutil.which(program, path=os.pathsep.join(places))
    if path is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(f"{program} is not installed")
    return str(path)


@asynccontextmanager
async def serving(command: Command, folder: Path, echo: int) -> AsyncIterator[str]:
    """The URL of such a server, which may ask the one at port ``echo``."""
    port = free_port()
    environ = {**os.environ, "CGO_ENABLED": "0"}
    process = await asyncio.create_subprocess_exec(
        *command(folder, port, echo), env=environ, stderr=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    try:
        await reachable(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
        await process.wait()


async def reachable(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    pytest.fail(f"the server ended with {process.returncode}")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
