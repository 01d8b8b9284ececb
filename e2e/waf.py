"""turnpike as WAF, alone or with relay, eP-CSCF and home core in one process, and a browser for the WAF's pages."""

import base64
import hashlib
import html
import http.cookiejar
import json
import re
import secrets
import ssl
import urllib.parse
import urllib.request

import certificates
import epcscf
import turn
import world

AUDIENCE = "epcscf.e2e.example"
REDIRECT = "https://wic.e2e.example/done"
PASSWORD = "wonder land"


class Answer:
    def __init__(self, response):
        self.status, self.fields, self.text = response.status, response.headers, response.read().decode()
        self.location = response.headers["Location"] or ""

    def json(self):
        return json.loads(self.text)

    def hidden(self):
        """The hidden fields of the page's first form."""
        form = self.text.partition("</form>")[0]
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        return {name: html.unescape(value) for name, value in found}

    def __str__(self):
        return f"{self.status} {self.location} {self.text}"


class AsItComes(urllib.request.HTTPErrorProcessor):
    """Redirects and errors are answers."""

    def http_response(self, _, response):
        return response

    https_response = http_response


class Browser:
    """One cookie jar, no scripts."""

    def __init__(self, certificate):
        context = ssl.create_default_context(cafile=certificate)
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar, AsItComes(), urllib.request.HTTPSHandler(context=context))

    def get(self, url):
        with self.opener.open(url, timeout=30) as response:
            return Answer(response)

    def post(self, url, **form):
        with self.opener.open(url, urllib.parse.urlencode(form).encode(), timeout=30) as response:
            return Answer(response)


class Site:
    """What the tests do at a WAF, whatever else is in its process."""

    def open_site(self, users):
        self.users = users
        self.waf_port = world.free_port()
        self.issuer = f"https://{world.V4}:{self.waf_port}"
        self.secret_file = self.folder / "waf.secret"
        self.secret_file.write_text(secrets.token_urlsafe(32))
        self.secret_file.chmod(0o600)
        self.sections["waf"] = (
            f'listen = ["https:{world.V4}:{self.waf_port}"]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\n'
            f'issuer = "{self.issuer}"\ndatabase = "waf.db"\nsecret_file = "waf.secret"\naudience = "{AUDIENCE}"'
        )

    def keep(self, *arguments):
        """A command that has to succeed."""
        finished = world.turnpike(*arguments, "--config", self.config)
        if finished.status:
            raise AssertionError(f"turnpike {arguments}: {finished}")
        return finished.out

    def add_accounts(self):
        self.keep("client", "add", "wic", "--name", "The <phone>", "--redirect-uri", REDIRECT)
        self.keep("client", "add", "epcscf", "--method", "client_secret_post", "--introspects", AUDIENCE,
                  "--introspects", world.SERVER_NAME, "--secret-to", self.folder / "introspection.secret")  # fmt: skip
        password = self.folder / "user.password"
        password.write_text(PASSWORD)
        for user in self.users:
            self.keep("user", "add", user, "--password-file", password, "--impi", f"{user}@{epcscf.REALM}")

    def start(self):
        if not (self.folder / "waf.db").exists():
            self.add_accounts()
        return super().start()

    def browser(self):
        return Browser(self.certificate)

    def authorization(self, verifier, **more):
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": "wic", "redirect_uri": REDIRECT, "state": "s&1",
            "code_challenge": challenge, "code_challenge_method": "S256", **more,
        }  # fmt: skip
        return f"{self.issuer}/authorize?{urllib.parse.urlencode(query)}"

    def log_in(self, browser, page, user="alice", password=PASSWORD):
        return browser.post(f"{self.issuer}/login", name=user, password=password, **page.hidden())

    def authorized(self, user="alice"):
        """Where a browser goes with its code after the login and the consent of this user, and the verifier."""
        browser, verifier = self.browser(), secrets.token_urlsafe(32)
        page = browser.get(self.log_in(browser, browser.get(self.authorization(verifier)), user).location)
        if page.status == 200:
            page = browser.post(f"{self.issuer}/consent", decision="allow", **page.hidden())
        return page.location, verifier

    def tokens(self, user="alice"):
        """What a WIC is given then."""
        return self.redeem(*self.authorized(user)).json()

    def redeem(self, location, verifier):
        code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query)).get("code", "")
        return self.browser().post(
            f"{self.issuer}/token", grant_type="authorization_code", client_id="wic", code=code, code_verifier=verifier
        )

    def introspect(self, token):
        secret = (self.folder / "introspection.secret").read_text().strip()
        url = f"{self.issuer}/introspect"
        return self.browser().post(url, token=token, client_id="epcscf", client_secret=secret).json()


class Waf(Site, epcscf.EpCscf):
    """Users log in at the WAF; the home core knows them by passwords that nobody has, unless others are given."""

    def __init__(self, users=("alice",), **more):
        super().__init__(**{"passwords": {user: secrets.token_hex(16) for user in users}, **more})
        self.open_site(users)
        self.sections["epcscf.tokens"] = (
            f'authz_server = "{self.issuer}"\n[[epcscf.tokens.issuers]]\nissuer = "{self.issuer}"\naudience = "{AUDIENCE}"\n'
            f'jwks_uri = "{self.issuer}/jwks"\nca_file = "{self.certificate}"'
        )
        self.write_config()


class WafAlone(Site, world.Turnpike):
    """For the relay elsewhere that `realm` and `token` (the body of [credentials.token]) are about."""

    def __init__(self, relay_uri, realm, token, users=("alice",)):
        super().__init__(has_relay=False, hosts=(world.V4,))
        self.key, self.certificate = certificates.make(self.folder, "localhost", world.V4)
        self.open_site(users)
        self.sections["credentials"] = (
            f'realm = "{realm}"\nserver_name = "{world.SERVER_NAME}"\nuris = ["{relay_uri}?transport=udp"]'
        )
        self.sections["credentials.token"] = token
        self.write_config()


class Case(world.Case):
    """With a `server`, whose TURN tokens open its relay, and a `peer` behind that."""

    def allocated(self, tokens):
        """A client that relays with the browser's form of the TURN token."""
        ice = (tokens.get("turn") or tokens)["iceServers"][0]
        return self.allocated_with(ice["username"], ice["credential"])

    def allocated_with(self, username, password):
        client = turn.Client((world.V4, self.server.port), username, password)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())
        return client
