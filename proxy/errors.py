"""Every way a request can be refused, as one tree.

    ProxyError                          answerable: status, code, title, challenge
    ├── RequestRefused                  the request itself
    │   ├── NoRoute  PathRefused  CrossSiteRefused  BadRequest  MethodNotAllowed  RequestTimeout
    │   ├── RequestTooLarge  TargetTooLong  ExpectationFailed  HeaderTooLarge  DeadlineExceeded
    │   └── NotImplementedHere  VersionNotSupported  LoopDetected  Overloaded
    ├── SubjectTokenError               the user's token
    │   ├── SubjectTokenMissing  AuthorizationMalformed  IssuerUnknown
    │   ├── SubjectTokenInvalid  SubjectTokenExpired  SubjectTokenRefused
    │   ├── ProofInvalid  ProofNonceRequired  ProofUncheckable
    │   └── ScopeInsufficient  StepUpRequired
    ├── ExchangeError                   the authorization server
    │   ├── ExchangeDenied  InteractionRequired  ExchangeMisconfigured  ExchangeResponseInvalid
    │   └── AuthorizationServerThrottled  …Unavailable  …Timeout
    └── UpstreamError                   the API behind us
        └── UpstreamUnreachable  UpstreamProtocolError  UpstreamTimeout

    DownstreamDeparted                  nobody is left to answer
    UpstreamBroken                      the response broke off after its head: cut ours as visibly

``str(error)`` is the whole story for the log; it never holds a token or a secret. What the caller reads
is ``title`` and ``detail``, fixed texts that name no claim, host or foreign exception.
"""

from __future__ import annotations

from typing import ClassVar, Literal


class ProxyError(Exception):
    """A refusal with its row in the error table.

    ``reason`` and ``remedy`` go to the log, ``detail`` to the caller; ``own_remedy`` is for this very case,
    ``usual_remedy`` for its kind. ``retry_after`` is in seconds;
    ``oauth_error`` is the authorization server's ``error`` code (RFC 6749 §5.2). ``challenge`` is the
    ``error`` of the ``WWW-Authenticate`` challenge (RFC 6750 §3.1): None for no challenge at all, an
    empty text for a challenge without ``error``; ``challenge_scheme`` is the one scheme that it concerns, if it
    does not concern all. The same refusal may be given again for ``remember_for``
    seconds without asking anew: to the same subject token on the same route, or to the whole route.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    detail: ClassVar[str] = "The proxy met a fault of its own."
    challenge: ClassVar[str | None] = None
    challenge_scheme: ClassVar[str | None] = None
    usual_remedy: ClassVar[str] = ""

    def __init__(
        self,
        reason: str = "",
        *,
        remedy: str = "",
        retry_after: float | None = None,
        oauth_error: str | None = None,
        remember_for: float = 0.0,
        remember_by: Literal["subject_token", "route"] | None = None,
    ) -> None:
        super().__init__(reason or self.title)
        self.own_remedy = remedy
        self.retry_after = retry_after
        self.oauth_error = oauth_error
        self.remember_for = remember_for
        self.remember_by = remember_by

    @property
    def remedy(self) -> str:
        """What to do about it: its own remedy, else what usually helps; empty where nothing is known."""
        return self.own_remedy or self.usual_remedy


def clear_tracebacks(error: BaseException) -> None:
    """Let go of the frames that ``error``, and what it comes from, went through.

    Some of them refer to the error. So an error that has been answered, or is kept, would hold them, and with them
    a connection or somebody's token, until the garbage collector comes.
    """
    chain: list[BaseException | None] = [error]
    while chain:
        one = chain.pop()
        if one is not None and one.__traceback__ is not None:
            one.__traceback__ = None
            chain += [one.__cause__, one.__context__]


class RequestRefused(ProxyError):
    """The request itself cannot be served."""


class NoRoute(RequestRefused):
    status = 404
    code = "no_route"
    title = "No route"
    detail = "No route matches this request."
    usual_remedy = "Compare the request's path, host and method with the routes."


class PathRefused(RequestRefused):
    status = 400
    code = "path_refused"
    title = "Path refused"
    detail = "The path can be read in more than one way."
    usual_remedy = "Let the caller send a path without dot segments, double slashes or encoded delimiters."


class CrossSiteRefused(RequestRefused):
    """Where a route asks for no token of the caller's, so that a challenge would lead nowhere."""

    status = 403
    code = "cross_site_refused"
    title = "Cross-site request refused"
    detail = "Pages of other sites may not call this."
    usual_remedy = "If that page is to call the route, name its origin in the route's allowed_origins."


class BadRequest(RequestRefused):
    status = 400
    code = "bad_request"
    title = "Bad request"
    detail = "The request is not well-formed HTTP."
    usual_remedy = "Look at how the caller builds its requests; a proxy in between may alter them."


class MethodNotAllowed(RequestRefused):
    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    detail = "This method is not served here."
    usual_remedy = "CONNECT and TRACE are never forwarded."


class RequestTimeout(RequestRefused):
    status = 408
    code = "request_timeout"
    title = "Request timeout"
    detail = "The request did not arrive in time."
    usual_remedy = "Look at the network between caller and proxy, or raise listen.header_timeout."


class RequestTooLarge(RequestRefused):
    status = 413
    code = "request_too_large"
    title = "Request too large"
    detail = "The request body is larger than allowed."
    usual_remedy = "Send less, or raise listen.max_body_bytes."


class TargetTooLong(RequestRefused):
    status = 414
    code = "target_too_long"
    title = "Target too long"
    detail = "The request target is longer than allowed."
    usual_remedy = "Shorten the request's path and query."


class ExpectationFailed(RequestRefused):
    status = 417
    code = "expectation_failed"
    title = "Expectation failed"
    detail = "Only the expectation 100-continue can be met."
    usual_remedy = "Let the caller expect nothing but 100-continue."


class HeaderTooLarge(RequestRefused):
    status = 431
    code = "header_too_large"
    title = "Header too large"
    detail = "The request's header fields are larger or more than allowed."
    usual_remedy = "Send fewer or shorter fields, or raise listen.max_header_bytes."


class NotImplementedHere(RequestRefused):
    status = 501
    code = "not_implemented"
    title = "Not implemented"
    detail = "This method or transfer coding is not known here."
    usual_remedy = "Let the caller use a usual method and no transfer coding but chunked."


class VersionNotSupported(RequestRefused):
    status = 505
    code = "version_not_supported"
    title = "HTTP version not supported"
    detail = "Only HTTP/1.0 and HTTP/1.1 are spoken here."
    usual_remedy = "Let the caller speak HTTP/1.1."


class LoopDetected(RequestRefused):
    status = 508
    code = "loop_detected"
    title = "Loop detected"
    detail = "The request has come through this proxy before."
    usual_remedy = "An upstream leads back to this proxy: correct the route's upstream."


class DeadlineExceeded(RequestRefused):
    """The caller's own, as ``grpc-timeout`` says it."""

    status = 504
    code = "deadline_exceeded"
    title = "Deadline exceeded"
    detail = "The time that the caller gave for this call is over."
    usual_remedy = "Look at why the API or the exchange is slow, or let the caller give more time."


class Overloaded(RequestRefused):
    status = 503
    code = "overloaded"
    title = "Overloaded"
    detail = "More requests are under way than can be served."
    usual_remedy = "Add replicas, or raise the route's max_connections if the API can take more."

    def __init__(self, reason: str = "", *, remedy: str = "", retry_after: float | None = 1.0) -> None:
        super().__init__(reason, remedy=remedy, retry_after=retry_after)


class SubjectTokenError(ProxyError):
    """The user's token is missing or not acceptable."""


class SubjectTokenMissing(SubjectTokenError):
    status = 401
    code = "subject_token_missing"
    title = "Subject token missing"
    detail = "Could not find a user JWT: send it as a bearer token."
    usual_remedy = "Let the caller send the user's access token as Authorization: Bearer."
    challenge = ""


class AuthorizationMalformed(SubjectTokenError):
    status = 400
    code = "authorization_malformed"
    title = "Authorization malformed"
    detail = "Exactly one well-formed bearer token is needed."
    usual_remedy = "Let the caller send exactly one Authorization field with one bearer token."
    challenge = "invalid_request"


class IssuerUnknown(SubjectTokenError):
    status = 401
    code = "issuer_unknown"
    title = "Issuer unknown"
    detail = "Could not find identity provider token: no configured issuer made this token."
    usual_remedy = "Add the issuer to authorization_servers and subject_tokens, if it is to be trusted."
    challenge = "invalid_token"


class SubjectTokenInvalid(SubjectTokenError):
    status = 401
    code = "subject_token_invalid"
    title = "Subject token invalid"
    detail = "The token is not valid here."
    usual_remedy = "Inspect the token below; let the caller fetch a new one."
    challenge = "invalid_token"


class SubjectTokenExpired(SubjectTokenError):
    status = 401
    code = "subject_token_expired"
    title = "Subject token expired"
    detail = "Identity provider token expired."
    usual_remedy = "Let the caller refresh its token; if it is new, compare the clocks."
    challenge = "invalid_token"


class SubjectTokenRefused(SubjectTokenError):
    status = 401
    code = "subject_token_refused"
    title = "Subject token refused"
    detail = "The authorization server no longer accepts this token."
    usual_remedy = "The user must sign in again."
    challenge = "invalid_token"


class ProofInvalid(SubjectTokenError):
    """The proof beside a token that is bound to a key (RFC 9449 §4.3)."""

    status = 401
    code = "proof_invalid"
    title = "Proof invalid"
    detail = "The DPoP proof is not valid for this request."
    usual_remedy = (
        "Let the caller make a new proof for each request: its method, its URL, its token, the time."
    )
    challenge = "invalid_dpop_proof"
    challenge_scheme = "DPoP"


class ProofNonceRequired(SubjectTokenError):
    """The answer brings the nonce (RFC 9449 §9)."""

    status = 401
    code = "proof_nonce_required"
    title = "Proof nonce required"
    detail = "The DPoP proof needs the nonce that this answer brings."
    usual_remedy = "None where it is rare: callers repeat the request with the nonce of DPoP-Nonce."
    challenge = "use_dpop_nonce"
    challenge_scheme = "DPoP"


class ProofUncheckable(SubjectTokenError):
    """Whether a proof was used before cannot be told."""

    status = 503
    code = "proof_uncheckable"
    title = "Proof uncheckable"
    detail = "Whether the DPoP proof was used before cannot be told now."
    usual_remedy = "See that the shared cache can be reached and written to; proofs are checked against it."


class ScopeInsufficient(SubjectTokenError):
    """``scopes`` are those the challenge names (RFC 6750 §3)."""

    status = 403
    code = "scope_insufficient"
    title = "Scope insufficient"
    detail = "The token lacks a scope that is required here."
    usual_remedy = "Let the caller ask for a token with the scopes that the route requires."
    challenge = "insufficient_scope"

    def __init__(self, reason: str = "", *, remedy: str = "", scopes: tuple[str, ...] = ()) -> None:
        super().__init__(reason, remedy=remedy)
        self.scopes = scopes


class StepUpRequired(SubjectTokenError):
    """``acr_values`` and ``max_age`` (s) are what the challenge asks for (RFC 9470 §3).

    ``claims`` is a claims request (JSON, OpenID Connect Core §5.5) that Entra ID wants to see again.
    """

    status = 401
    code = "step_up_required"
    title = "Step-up required"
    detail = "A stronger or fresher authentication is needed."
    usual_remedy = "Let the caller send the user to authenticate again, as the challenge says."
    challenge = "insufficient_user_authentication"

    def __init__(
        self,
        reason: str = "",
        *,
        remedy: str = "",
        oauth_error: str | None = None,
        acr_values: tuple[str, ...] = (),
        max_age: int | None = None,
        claims: str | None = None,
    ) -> None:
        super().__init__(reason, remedy=remedy, oauth_error=oauth_error)
        self.acr_values = acr_values
        self.max_age = max_age
        self.claims = claims


class ExchangeError(ProxyError):
    """The authorization server did not give a token we can use."""


class ExchangeDenied(ExchangeError):
    status = 403
    code = "exchange_denied"
    title = "Exchange denied"
    detail = "The authorization server's policy does not allow this access."
    usual_remedy = "Look at the access policies of the authorization server for this client and user."
    challenge = "insufficient_scope"


class InteractionRequired(ExchangeError):
    """``interaction_uri`` is where the user consents: the authorization server's own, or None."""

    status = 403
    code = "interaction_required"
    title = "Interaction required"
    detail = "The user must agree to this access first, at the authorization server."
    usual_remedy = (
        "Let the caller send the user to interaction_uri, and ask again; nothing is to be mended here."
    )
    challenge = "interaction_required"

    def __init__(
        self,
        reason: str = "",
        *,
        remedy: str = "",
        oauth_error: str | None = None,
        interaction_uri: str | None = None,
    ) -> None:
        # It ends what the user was given; but who has just agreed shall not be told the same again.
        super().__init__(reason, remedy=remedy, oauth_error=oauth_error, remember_by="subject_token")
        self.interaction_uri = interaction_uri


class ExchangeMisconfigured(ExchangeError):
    status = 502
    code = "exchange_misconfigured"
    title = "Exchange misconfigured"
    detail = "The proxy is not set up rightly at the authorization server."
    usual_remedy = "Compare authorization_servers.*.client with the client's registration."


class ExchangeResponseInvalid(ExchangeError):
    status = 502
    code = "exchange_response_invalid"
    title = "Exchange response invalid"
    detail = "The authorization server's answer cannot be used."
    usual_remedy = "Inspect a token below to see what the authorization server answers."


class AuthorizationServerThrottled(ExchangeError):
    status = 503
    code = "authorization_server_throttled"
    title = "Authorization server throttled"
    detail = "The authorization server takes no more requests for now."
    usual_remedy = "Look at who else uses up the rate limit; ask for a higher one."


class AuthorizationServerUnavailable(ExchangeError):
    status = 503
    code = "authorization_server_unavailable"
    title = "Authorization server unavailable"
    detail = "The authorization server cannot be reached."
    usual_remedy = "See that the authorization server can be reached from here."


class AuthorizationServerTimeout(ExchangeError):
    status = 504
    code = "authorization_server_timeout"
    title = "Authorization server timeout"
    detail = "The authorization server did not answer in time."
    usual_remedy = "Look at the way to the authorization server, or raise its timeout."


class UpstreamError(ProxyError):
    """The API behind us gave no response."""


class UpstreamUnreachable(UpstreamError):
    status = 502
    code = "upstream_unreachable"
    title = "Upstream unreachable"
    detail = "The API cannot be reached."
    usual_remedy = "See that the API runs, and that the route's upstream can be reached from here."


class UpstreamProtocolError(UpstreamError):
    status = 502
    code = "upstream_protocol_error"
    title = "Upstream protocol error"
    detail = "The API's answer is not HTTP."
    usual_remedy = "Compare the upstream's scheme (http, https) and port with what listens there."


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"
    title = "Upstream timeout"
    detail = "The API did not answer in time."
    usual_remedy = "Look at why the API is slow, or raise the route's timeouts."


class DownstreamDeparted(Exception):
    """The caller has left; nobody is there to answer."""


class UpstreamBroken(Exception):
    """The upstream broke off after its response head; ours must break off as visibly (RFC 9112 §8)."""
