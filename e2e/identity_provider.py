"""An OpenID provider for tests (e2e/web/provider.js), and a user agent that gets tokens from it by PKCE."""

import base64
import hashlib
import http.cookiejar
import json
import os
import secrets
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import web
import world

AUDIENCE = "urn:turnpike:e2e"
REDIRECT = "http://127.0.0.1/back"


class IdentityProvider:
    """`users` are {name: {"impi", "impus", "wwsf", "pool"}}: what the tokens of each say.

    `more` settings are those of provider.js. Those that change while it is stopped count after the next start.
    """

    def __init__(self, users, seconds=600, certificate=None, **more):
        self.port = world.free_port()
        self.certificate = certificate  # (key file, certificate file)
        self.issuer = f"{'https' if certificate else 'http'}://{world.V4}:{self.port}"
        self.client, self.secret = "epcscf", secrets.token_urlsafe(16)
        self.settings = {
            "issuer": self.issuer, "users": users, "audience": AUDIENCE, "seconds": seconds, "redirect": REDIRECT,
            "clients": {self.client: self.secret}, **more,
        }  # fmt: skip
        if certificate:
            self.settings["key"], self.settings["cert"] = map(str, certificate)
        self.log = tempfile.TemporaryFile()
        self.process = None
        self.authority = None  # a PEM file: who may vouch for what it fetches

    def start(self):
        command = [web.node(), web.HERE / "provider.js", json.dumps(self.settings)]
        env = {**os.environ, "NODE_EXTRA_CA_CERTS": str(self.authority)} if self.authority else None
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, cwd=web.HERE, env=env, preexec_fn=world.end_with_us
        )
        # oidc-provider warns of what is made for development; its word comes among those lines.
        while line := self.process.stdout.readline():
            if line.strip() == b"ready":
                return self
        raise AssertionError(f"the identity provider does not serve:\n{self.said()}")

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    @property
    def context(self):
        return ssl.create_default_context(cafile=self.certificate[1]) if self.certificate else None

    def opener(self):
        handlers = [urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), StopAtRedirect()]
        if self.certificate:
            handlers.append(urllib.request.HTTPSHandler(context=self.context))
        return urllib.request.build_opener(*handlers)

    def token(self, user, opaque=False):
        """An access token of this user: authorization code with PKCE (RFC 7636)."""
        return self.grant(user, opaque)["access_token"]

    def grant(self, user, opaque=False):
        resource = f"{AUDIENCE}/opaque" if opaque else AUDIENCE
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": "wic", "response_type": "code", "scope": "openid ims", "redirect_uri": REDIRECT,
            "code_challenge": challenge, "code_challenge_method": "S256", "login_hint": user, "resource": resource,
        }  # fmt: skip
        opener, place = self.opener(), f"{self.issuer}/auth?{urllib.parse.urlencode(query)}"
        for _ in range(10):
            with opener.open(place, timeout=10) as response:
                if not response.headers["Location"]:
                    raise AssertionError(f"{place}: {response.status} {response.read()[:500]}")
                place = urllib.parse.urljoin(place, response.headers["Location"])
            if place.startswith(REDIRECT):
                break
        back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(place).query))
        if "code" not in back:
            raise AssertionError(f"no code for {user}: {back}")
        return self.post(
            "/token", grant_type="authorization_code", code=back["code"], redirect_uri=REDIRECT, client_id="wic",
            code_verifier=verifier, resource=resource,
        )  # fmt: skip

    def introspect(self, token):
        return self.post("/token/introspection", token=token, client_id=self.client, client_secret=self.secret)

    def tables(self, audience=AUDIENCE):
        """The part of [epcscf.tokens] that takes this provider's signed tokens."""
        return f'[[epcscf.tokens.issuers]]\nissuer = "{self.issuer}"\naudience = "{audience}"\njwks_uri = "{self.issuer}/jwks"'

    def introspection(self, endpoint=None):
        """The part that asks it about the others."""
        return (
            f'[epcscf.tokens.introspection]\nendpoint = "{endpoint or self.issuer + "/token/introspection"}"\n'
            f'client_id = "{self.client}"\nclient_secret = "{self.secret}"\nissuer = "{self.issuer}"\n'
            f'audience = "{AUDIENCE}"\ncache_seconds = 0'
        )

    def revoke(self, token):
        self.post("/token/revocation", token=token, client_id="wic")

    def key_set(self):
        with self.opener().open(f"{self.issuer}/jwks", timeout=10) as response:
            return json.load(response)

    def post(self, path, **form):
        body = urllib.parse.urlencode(form).encode()
        with self.opener().open(self.issuer + path, body, timeout=10) as response:
            text = response.read()
        return json.loads(text) if text else {}

    def restart(self, **changed):
        """The same provider later: its sessions are gone, and it has other settings."""
        self.stop()
        self.settings |= changed
        return self.start()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def clean_up(self):
        self.stop()
        self.log.close()


class StopAtRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are answers: the last one leads to a page that nobody serves."""

    def redirect_request(self, *_):
        return None

    def http_error_303(self, request, response, *_):
        return response

    http_error_302 = http_error_303
