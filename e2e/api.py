"""A relay with the credential API, and what asks it."""

import http.client
import json
import ssl

import certificates
import world

KEY, SHOP_KEY = "key-of-the-web-server-0123456789", "key-of-the-shop-0123456789abcdef"
PAGE = "https://web.ims.example"
PLACE = "/v1/turn-credentials"
EDGE_NAME = "edge1.ims.example"
SILENCE_SECONDS = 1.0


class Answer:
    def __init__(self, response):
        self.status, self.fields, self.text = response.status, response.headers, response.read().decode()

    def json(self):
        return json.loads(self.text)

    def __str__(self):
        return f"{self.status} {self.text}"


class ApiRelay(world.Turnpike):
    """A relay with [api], which takes keys, and certificates of EDGE_NAME."""

    def __init__(self, sources, api="", limits="", hosts=(world.V4,)):
        super().__init__(hosts=hosts)
        self.api_port = world.free_port()
        key, self.certificate = certificates.make(self.folder, world.V4)
        own = self.folder / "edge"
        own.mkdir()
        self.edge_key, self.edge_certificate = certificates.make(own, EDGE_NAME)
        self.url = f"https://{world.V4}:{self.api_port}"
        self.keys_text = f'{{ id = "web", secret = "{KEY}" }}, {{ id = "shop", secret = "{SHOP_KEY}", users = ["*@shop.example"] }}'
        names = ", ".join(map(world.toml_text, sources))
        self.sections |= {
            "api": f'listen = ["https:{world.V4}:{self.api_port}"]\ncertificate = "{self.certificate}"\nkey = "{key}"\n'
            f'client_ca = "{self.edge_certificate}"\ncertificates = [{{ name = "{EDGE_NAME}" }}]\n'
            f'origins = ["{PAGE}"]\n{api}',
            "api.credentials": f"sources = [{names}]\nttl_seconds = 600",
            "api.limits": limits,
        }
        self.write_config()

    def default_sections(self):
        return {**super().default_sections(), "credentials.static": None}

    def config_text(self):
        text = super().config_text()
        return text.replace("[api]\n", f"[api]\nkeys = [{self.keys_text}]\n") if hasattr(self, "keys_text") else text

    def answers(self, host=world.V4):
        # The relay answers before the API is open.
        return "event=ready" in self.log() and super().answers(host)

    def ask(self, method="GET", target=PLACE, key=KEY, fields=(), body=None, certificate=False):
        context = ssl.create_default_context(cafile=self.certificate)
        if certificate:
            context.load_cert_chain(self.edge_certificate, self.edge_key)
        connection = http.client.HTTPSConnection(world.V4, self.api_port, timeout=10, context=context)
        headers = {**({"X-API-Key": key} if key else {}), **dict(fields)}
        try:
            connection.request(method, target, body=body, headers=headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()
