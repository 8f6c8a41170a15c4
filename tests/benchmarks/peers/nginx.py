"""nginx: plain with a constant header, and with njs computing it from the caller's."""

from __future__ import annotations

from pathlib import Path

from .. import install
from . import Surroundings
from .base import CommandPeer, write

CONFIGURATION = """
{modules}
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
pid {folder}/pid; error_log {folder}/log error;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_max_body_size 0; client_body_buffer_size 64k; server_tokens off;
  keepalive_requests 1000000000; keepalive_timeout 300s; tcp_nodelay on; sendfile on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {content}
}}
"""

FORWARDING = """
  {script}
  upstream api {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} {ssl} backlog=4096;
    {certificates}
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization {token};
    proxy_request_buffering off; proxy_max_temp_file_size 0;
    location / {{ proxy_pass {scheme}://api; }}
    location /events {{ proxy_pass {scheme}://api; proxy_buffering off; }}
    location /echo {{
      proxy_pass {scheme}://api; proxy_set_header Authorization {token};
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
    }}
  }}
"""

CERTIFICATES = """ssl_certificate {cert_file}; ssl_certificate_key {key_file};
    proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca_file}; proxy_ssl_name localhost;"""

# Neither verifies: js_set is synchronous, and njs' WebCrypto is not.
SCRIPT = """
function token(request) {
  const bearer = request.headersIn.Authorization;
  if (!bearer || !bearer.startsWith('Bearer ')) return '';
  const claims = JSON.parse(Buffer.from(bearer.split('.')[1], 'base64url').toString());
  return claims.exp > Date.now() / 1000 ? 'Bearer upstream-token-set-by-the-proxy' : '';
}
export default { token };
"""


def nginx_file(folder: Path, content: str, modules: str = "") -> Path:
    """A configuration that needs nothing of the system's own."""
    text = CONFIGURATION.format(folder=folder, content=content, modules=modules)
    return write(folder / "nginx.conf", text)


class Nginx(CommandPeer):
    name = "nginx"
    modules = ""
    script = ""

    def find(self) -> Path:
        return install.find_program("nginx", "nginx-light")

    def environment(self, around: Surroundings) -> dict[str, str]:
        return install.library_path()

    def token(self, around: Surroundings) -> str:
        return f'"{around.upstream_token}"'

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        content = FORWARDING.format(
            upstream=around.forwards_to,
            port=port,
            ssl="ssl" if around.secured == "caller" else "",
            scheme="https" if around.secured == "upstream" else "http",
            certificates=_certificates(around),
            script=self.script,
            token=self.token(around),
        )
        file = nginx_file(around.folder, content, self.modules)
        return [self.program, "-p", around.folder, "-e", around.folder / "log", "-c", file]


def _certificates(around: Surroundings) -> str:
    if around.secured is None:
        return ""
    return CERTIFICATES.format(**vars(around.certificate), ca_file=around.ca_file)


class NginxWithNjs(Nginx):
    name = "nginx + njs"
    verifies = "reads exp, no signature"
    script = "js_path .; js_import token.js; js_set $upstream_token token.token;"

    def find(self) -> Path:
        module = install.find_nginx_module("ngx_http_js_module.so", "libnginx-mod-http-js")
        self.modules = f"load_module {module};"
        return super().find()

    def token(self, around: Surroundings) -> str:
        return "$upstream_token"

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        write(around.folder / "token.js", SCRIPT)
        return super().command(around, port)
