"""A WAF whose users another identity provider logs in: oidc-provider (identity_provider.py), and what a browser meets
between the two."""

import urllib.parse

import epcscf
import identity_provider
import waf
import world

# alice there is guest-alice here; dora has not shown that her address is hers.
USERS = {
    "alice": {"preferred_username": "alice", "email": "alice@corp.example", "email_verified": True},
    "bob": {"preferred_username": "bob", "email": "bob@corp.example", "email_verified": True},
    "dora": {"preferred_username": "dora", "email": "dora@corp.example", "email_verified": False},
    "eve": {"preferred_username": "local", "email": "eve@corp.example", "email_verified": True},
}
SECRET = "a secret of the WAF there"


def impi(user):
    return f"guest-{user}@{epcscf.REALM}"


class Federated(waf.Waf):
    """A user of its own ("local") has a password; the others come from `corp`, and from `shop`, which knows the WAF by
    its keys and says who somebody is at its userinfo endpoint alone."""

    def __init__(self, has_shop=False, password_login=True, skew=30, kid="corp-1"):
        super().__init__(users=("local",))
        self.corp = self.make_provider("corp", "client_secret_basic", (self.key, self.certificate), kid=kid)
        self.shop = self.make_provider("shop", "private_key_jwt", None, kid="shop-1", userinfo=True) if has_shop else None
        self.password_login, self.skew = password_login, skew
        self.write_config()

    def make_provider(self, name, method, certificate, **more):
        party = {
            "client_id": "the-waf", "redirect_uris": [f"{self.issuer}/federation/{name}"], "response_types": ["code"],
            "grant_types": ["authorization_code"], "token_endpoint_auth_method": method,
        }  # fmt: skip
        if method == "private_key_jwt":
            party |= {"jwks_uri": f"{self.issuer}/jwks", "token_endpoint_auth_signing_alg": "ES256"}
        else:
            party["client_secret"] = SECRET
        provider = identity_provider.IdentityProvider(USERS, certificate=certificate, parties=[party], **more)
        provider.authority = self.certificate
        return provider

    def config_text(self):
        if not hasattr(self, "skew"):
            return super().config_text()  # the port and files of the base classes come first
        kept = dict(self.sections)
        login = "" if self.password_login else "\npassword_login = false"
        self.sections["waf"] = kept["waf"] + login + self.provider_tables()
        text = super().config_text()
        self.sections = kept
        return text

    def provider_tables(self):
        corp = (
            f'\n[[waf.providers]]\nname = "corp"\ntitle = "Example Corp"\nissuer = "{self.corp.issuer}"\n'
            f'client_id = "the-waf"\nclient_secret = "{SECRET}"\nca_file = "{self.certificate}"\n'
            f'token_audience = "{identity_provider.AUDIENCE}"\nclock_skew_seconds = {self.skew}\n'
            # Who says so there has the identity of a user of ours; for a test of an attack.
            f'[[waf.providers.rules]]\nrequire = {{ preferred_username = "local" }}\nimpi = "{{preferred_username}}@{epcscf.REALM}"\n'
            f'[[waf.providers.rules]]\nrequire = {{ email_verified = true }}\nimpi = "guest-{{preferred_username}}@{epcscf.REALM}"\n'
        )
        if not self.shop:
            return corp
        return corp + (
            f'[[waf.providers]]\nname = "shop"\ntitle = "The <shop>"\nissuer = "{self.shop.issuer}"\nclient_id = "the-waf"\n'
            f'method = "private_key_jwt"\nuserinfo = true\n[[waf.providers.rules]]\nrequire = {{ email_verified = true }}\n'
            f'impi = "shop-{{preferred_username}}@{epcscf.REALM}"\n'
        )

    def start(self):
        self.corp.start()
        super().start()
        if self.shop:
            self.shop.start()
        return self

    def clean_up(self):
        for provider in (self.corp, self.shop):
            if provider:
                provider.clean_up()
        super().clean_up()

    def follow(self, browser, place):
        """From page to page of both servers, to the first that is no redirect, or out to the client."""
        for _ in range(15):
            if place.startswith(waf.REDIRECT):
                return place
            answer = browser.get(place)
            if not answer.location:
                return answer
            place = urllib.parse.urljoin(place, answer.location)
        raise AssertionError(f"no end: {place}")

    def go_to(self, provider, user, browser=None, verifier="v" * 43, **more):
        """What the browser sees after the login of this user there: a page, or where it is sent at last."""
        query = {"identity_provider": provider, "login_hint": user, **more}
        return self.follow(browser or self.browser(), self.authorization(verifier, **query))

    def federated_tokens(self, provider, user):
        browser, verifier = self.browser(), "w" * 43
        page = self.go_to(provider, user, browser, verifier)
        if isinstance(page, waf.Answer):
            if page.status != 200 or "Allow access?" not in page.text:
                raise AssertionError(f"{user} is not asked for consent: {page}")
            page = browser.post(f"{self.issuer}/consent", decision="allow", **page.hidden()).location
        return self.redeem(page, verifier).json()
