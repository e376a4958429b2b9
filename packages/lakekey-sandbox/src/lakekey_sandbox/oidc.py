"""The OAuth routes, for the workspace and in the shape of an account."""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from flask import Blueprint, Flask, Response, abort, g, jsonify, request

from lakekey_sandbox import pages
from lakekey_sandbox.bearer import Bearer
from lakekey_sandbox.clients import SCOPES
from lakekey_sandbox.grants import CLIENT_METHODS, TOKEN_EXCHANGE, group_of, issuer
from lakekey_sandbox.ledger import Subject
from lakekey_sandbox.oauth import AuthorizationServer, Issuer
from lakekey_sandbox.realm import Realm
from lakekey_sandbox.records import note


def mount(app: Flask, realm: Realm) -> None:
    """Adds the OAuth routes to the application."""
    routes = _routes(realm)
    app.register_blueprint(routes, url_prefix="/oidc")
    app.register_blueprint(routes, url_prefix="/oidc/accounts/<account_id>", name="account")
    app.add_url_rule("/.well-known/databricks-config", view_func=lambda: _config(realm), endpoint="config")


def _config(realm: Realm) -> Response:
    return jsonify(
        oidc_endpoint=f"{realm.host}/oidc",
        account_id=realm.account_id,
        workspace_id=realm.workspace_id,
        cloud="AWS",
        host_type="workspace",
        token_federation_default_oidc_audiences=[f"{realm.host}/oidc/v1/token", realm.account_id],
    )


def _metadata(realm: Realm) -> Response:
    """RFC 8414 §3.2."""
    here = issuer()
    return jsonify(
        issuer=here,
        authorization_endpoint=f"{here}/v1/authorize",
        token_endpoint=f"{here}/v1/token",
        revocation_endpoint=f"{here}/v1/revoke",
        userinfo_endpoint=f"{here}/v1/userinfo",
        jwks_uri=f"{here}/jwks.json",
        scopes_supported=list(SCOPES),
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code", "refresh_token", "client_credentials", TOKEN_EXCHANGE],
        token_endpoint_auth_methods_supported=CLIENT_METHODS,
        revocation_endpoint_auth_methods_supported=CLIENT_METHODS,
        code_challenge_methods_supported=["S256"],
        authorization_response_iss_parameter_supported=True,
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=[realm.key.alg],
        claims_supported=["iss", "sub", "aud", "iat", "exp", "email"],
    )


def _routes(realm: Realm) -> Blueprint:
    routes = Blueprint("oidc", __name__)
    server = AuthorizationServer(realm)
    bearer = Bearer(realm)

    @routes.url_value_preprocessor
    def _remember_issuer(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        account = (values or {}).pop("account_id", None)
        if account not in (None, realm.account_id):
            abort(404)
        g.issuer = f"{realm.host}/oidc" + (f"/accounts/{account}" if account else "")

    @routes.get("/.well-known/oauth-authorization-server")
    @routes.get("/.well-known/openid-configuration")
    def _discovery() -> Response:
        return _metadata(realm)

    @routes.get("/jwks.json")
    def _jwks() -> Response:
        return jsonify(keys=[realm.key.as_dict(private=False)])

    @routes.route("/v1/authorize", methods=["GET", "POST"])
    def _authorize() -> Response:
        return _authorization(server, realm)

    @routes.post("/v1/token")
    def _token() -> Response:
        return _no_store(_token_answer(server))

    @routes.post("/v1/revoke")
    def _revoke() -> Response:
        return _no_store(server.create_endpoint_response("revocation"))

    @routes.route("/v1/userinfo", methods=["GET", "POST"])
    def _userinfo() -> Response:
        name = bearer.subject().name
        return _no_store(jsonify(sub=name, email=name, name=name.partition("@")[0].title()))

    return routes


def _authorization(server: AuthorizationServer, realm: Realm) -> Response:
    """RFC 6749 §4.1.1: asks the person on GET, and takes the answer on POST."""
    try:
        # With a person's answer in the form, prompt=none and its kin are settled.
        user = _answer(realm) if request.method == "POST" else None
        grant = server.get_consent_grant(end_user=user)
    except OAuth2Error as error:
        note(error=error.error, client_id=request.args.get("client_id"))
        if not error.redirect_uri:
            return pages.problem(error.error, error.get_error_description())
        return _issued(server.handle_error_response(None, error))
    client = grant.client
    note(client_id=client.client_id)
    if request.method == "GET":
        return pages.sign_in(
            users=realm.users,
            hint=request.args.get("login_hint"),
            client=client.name or client.client_id,
            scope=grant.request.scope,
        )
    if user is None:
        note(event="cancel")
    else:
        user = Subject(user.name, group_of(grant.request))
        note(event="login", subject=user.name)
    return _issued(server.create_authorization_response(request=grant.request, grant_user=user, grant=grant))


def _answer(realm: Realm) -> Subject | None:
    """Who the form says is signing in, or ``None`` for a person who cancels."""
    decision, name = request.form.get("decision"), request.form.get("user", "")
    if decision == "cancel":
        return None
    if decision != "sign-in" or name not in realm.users:
        raise InvalidRequestError("The form names no person who can sign in")
    return Subject(name)


def _issued(response: Response) -> Response:
    Issuer().add_issuer_parameter(None, response)
    response.headers["Referrer-Policy"] = "no-referrer"
    return _no_store(response)


def _token_answer(server: AuthorizationServer) -> Response:
    grant = request.form.get("grant_type", "")
    note(event="token_exchange" if grant == TOKEN_EXCHANGE else grant[:32])
    # RFC 6749 §2.3.1 and §3.2: credentials never in the URL, no parameter twice.
    if request.args or any(len(values) > 1 for _, values in request.form.lists()):
        note(error="invalid_request")
        refusal = jsonify(error="invalid_request", error_description="Repeated or misplaced parameter")
        refusal.status_code = 400
        return refusal
    response: Response = server.create_token_response()
    return response


def _no_store(response: Response) -> Response:
    """RFC 6749 §5.1."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
