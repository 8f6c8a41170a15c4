"""What to do about a refusal, where the one that was raised does not say it itself."""

from __future__ import annotations

from .errors import ProxyError

_BY_CODE = {
    "no_route": "Compare the request's path, host and method with the routes.",
    "path_refused": "Let the caller send a path without dot segments, double slashes or encoded delimiters.",
    "cross_site_refused": "If that page is to call the route, name its origin in the route's allowed_origins.",
    "bad_request": "Look at how the caller builds its requests; a proxy in between may alter them.",
    "method_not_allowed": "CONNECT and TRACE are never forwarded.",
    "request_timeout": "Look at the network between caller and proxy, or raise listen.header_timeout.",
    "request_too_large": "Send less, or raise listen.max_body_bytes.",
    "target_too_long": "Shorten the request's path and query.",
    "expectation_failed": "Let the caller expect nothing but 100-continue.",
    "header_too_large": "Send fewer or shorter fields, or raise listen.max_header_bytes.",
    "not_implemented": "Let the caller use a usual method and no transfer coding but chunked.",
    "version_not_supported": "Let the caller speak HTTP/1.1.",
    "loop_detected": "An upstream leads back to this proxy: correct the route's upstream.",
    "overloaded": "Add replicas, or raise the route's max_connections if the API can take more.",
    "subject_token_missing": "Let the caller send the user's access token as Authorization: Bearer.",
    "authorization_malformed": "Let the caller send exactly one Authorization field with one bearer token.",
    "issuer_unknown": "Add the issuer to authorization_servers and subject_tokens, if it is to be trusted.",
    "subject_token_invalid": "Inspect the token below; let the caller fetch a new one.",
    "subject_token_expired": "Let the caller refresh its token; if it is new, compare the clocks.",
    "subject_token_refused": "The user must sign in again.",
    "scope_insufficient": "Let the caller ask for a token with the scopes that the route requires.",
    "step_up_required": "Let the caller send the user to authenticate again, as the challenge says.",
    "exchange_denied": "Look at the access policies of the authorization server for this client and user.",
    "exchange_misconfigured": "Compare authorization_servers.*.client with the client's registration.",
    "exchange_response_invalid": "Inspect a token below to see what the authorization server answers.",
    "authorization_server_throttled": "Look at who else uses up the rate limit; ask for a higher one.",
    "authorization_server_unavailable": "See that the authorization server can be reached from here.",
    "authorization_server_timeout": "Look at the way to the authorization server, or raise its timeout.",
    "upstream_unreachable": "See that the API runs, and that the route's upstream can be reached from here.",
    "upstream_protocol_error": "Compare the upstream's scheme (http, https) and port with what listens there.",
    "upstream_timeout": "Look at why the API is slow, or raise the route's timeouts.",
}


def find_remedy(error: ProxyError) -> str:
    """The error's own remedy, else what usually helps; empty where nothing is known."""
    return error.remedy or _BY_CODE.get(error.code, "")
