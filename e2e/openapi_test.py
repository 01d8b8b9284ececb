"""The OpenAPI files under docs say what the relay's interface and the credential API answer: their examples, sent."""

import http.client
import json
import pathlib
import re
import ssl
import unittest

import api
import relay_fleet_test
import world
import yaml

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


class Description:
    """An OpenAPI file."""

    def __init__(self, name):
        self.tree = yaml.safe_load((DOCS / name).read_text())

    def find(self, node):
        while "$ref" in node:
            found = self.tree
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def operation(self, method, path):
        return self.tree["paths"][path][method.lower()]

    def example(self, method, path):
        return self.operation(method, path)["requestBody"]["content"]["application/json"]["example"]

    def response(self, method, path, status):
        return self.find(self.operation(method, path)["responses"][str(status)])

    def faults(self, value, schema, at="answer"):
        """What a value has that its schema does not allow, members without description among it."""
        schema = self.find(schema)
        wanted = TYPES.get(schema.get("type"))
        if wanted and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            return [f"{at}: {value!r} is no {schema['type']}"]
        found = []
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{at}: {value!r} is none of {schema['enum']}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{at}: {value!r} is not like {schema['pattern']}")
        if "minimum" in schema and value < schema["minimum"]:
            found.append(f"{at}: {value!r} is below {schema['minimum']}")
        found += [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        members = schema.get("properties", {})
        if members:
            found += [f"{at}: {name} is not described" for name in value if name not in members]
            for name in set(value) & set(members):
                found += self.faults(value[name], members[name], f"{at}.{name}")
        for number, item in enumerate(value if "items" in schema else ()):
            found += self.faults(item, schema["items"], f"{at}[{number}]")
        return found


class Described(world.Case):
    def assert_described(self, method, path, answer, status):
        """The status is the one expected, the operation lists it, and the body is as it says."""
        self.assertEqual(answer.status, status, answer)
        content = self.description.response(method, path, status).get("content", {})
        if content:
            [(media, body)] = content.items()
            self.assertEqual(answer.fields["Content-Type"].partition(";")[0], media)
            self.assertEqual(self.description.faults(answer.json(), body["schema"]), [], answer)

    def assert_problem(self, answer, status):
        self.assertEqual(answer.status, status, answer)
        schema = self.description.tree["components"]["schemas"]["Problem"]
        self.assertEqual(self.description.faults(answer.json(), schema), [], answer)

    def assert_knows_paths_and_methods(self, ask):
        """Paths that are not described are a 404, methods that are not described a 405 with those that are."""
        self.assert_problem(ask("GET", "/v1/nothing"), 404)
        for path, operations in self.description.tree["paths"].items():
            described = {name.upper() for name in operations if name != "parameters"}
            for method in {"GET", "PUT", "POST", "PATCH", "DELETE"} - described:
                with self.subTest(path, method=method):
                    answer = ask(method, path.replace("{username}", "somebody"))
                    self.assert_problem(answer, 405)
                    allowed = {one.strip() for one in answer.fields["Allow"].split(",")}
                    self.assertEqual(allowed - {"OPTIONS"}, described)


class RelaysInterface(Described):
    ONE, ALL, BATCH, HEALTH = "/v1/credentials/{username}", "/v1/credentials", "/v1/credentials:batch", "/v1/health"

    def setUp(self):
        self.description = Description("credential-interface.openapi.yaml")
        self.fleet = relay_fleet_test.Fleet(("pushed",), 1)
        for server in self.fleet.servers:
            self.addCleanup(server.clean_up)
        table = self.fleet.edge.sections["[relays]"]
        self.place = re.search(r'url = "https://([^"]+)"', table).group(1)
        self.authority = re.search(r'ca = "([^"]+)"', table).group(1)
        self.fleet.relay.start()
        self.assertTrue(world.eventually(self.fleet.relay.is_ready))

    def ask(self, method, target, body=None):
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.fleet.certificate, self.fleet.key)
        connection = http.client.HTTPSConnection(self.place, timeout=10, context=context)
        try:
            connection.request(method, target, body=None if body is None else json.dumps(body))
            return api.Answer(connection.getresponse())
        finally:
            connection.close()

    def asked(self, status, method, path, body=None, query="", username="kYxw3n0Zq1"):
        answer = self.ask(method, path.replace("{username}", username) + query, body)
        self.assert_described(method, path, answer, status)
        return answer.json()

    def test_does_what_its_examples_say(self):
        put, patch = (self.description.example(method, self.ONE) for method in ("PUT", "PATCH"))
        self.asked(200, "PUT", self.ONE, put)
        [entry] = self.asked(200, "GET", self.ALL)["credentials"]
        self.assertEqual(entry, {"username": "kYxw3n0Zq1", **{name: put[name] for name in put if not name.startswith("key_")}})
        self.asked(200, "PATCH", self.ONE, patch)
        [entry] = self.asked(200, "GET", self.ALL, query="?subject=mfzwizltoqbwc3dp")["credentials"]
        self.assertEqual(entry["expires_at"], patch["expires_at"])
        self.asked(200, "DELETE", self.ONE)
        self.asked(200, "DELETE", self.ALL, query="?subject=mfzwizltoqbwc3dp&until=1893463320")
        batch = self.asked(200, "POST", self.BATCH, self.description.example("POST", self.BATCH))
        self.assertEqual([result["outcome"] for result in batch["results"]], ["done"] * 3)
        state = self.description.example("PUT", self.ALL)
        self.asked(200, "PUT", self.ALL, state)
        health = self.asked(200, "GET", self.HEALTH)
        self.assertEqual((health["stream"], health["sequence"]), (state["stream"], state["sequence"]))

    def test_refuses_as_it_is_described(self):
        put, patch = (self.description.example(method, self.ONE) for method in ("PUT", "PATCH"))
        self.asked(404, "PATCH", self.ONE, patch, username="nobody")
        self.asked(200, "DELETE", self.ONE, username="nobody")
        self.asked(422, "PUT", self.ONE, {**put, "expires_at": 1})
        for method, path, body, query in (
            ("PUT", self.ONE, {"key_md5": 1}, ""), ("PATCH", self.ONE, {}, ""), ("DELETE", self.ONE, None, "?until=soon"),
            ("DELETE", self.ALL, None, ""), ("PUT", self.ALL, {}, ""), ("POST", self.BATCH, {"changes": 1}, ""),
            ("POST", self.BATCH, {"changes": [{"op": "revoke", "by": "subject", "value": "x"}]}, ""),  # without until
        ):  # fmt: skip
            with self.subTest(path, method=method):
                self.asked(400, method, path, body, query)
        for method, path, body in (("PUT", self.ONE, put), ("PATCH", self.ONE, patch), ("DELETE", self.ONE, None)):
            with self.subTest(path, method=method, status=409):
                self.asked(409, method, path, body, "?stream=nobody_knows&sequence=7")

    def test_knows_its_paths_and_methods(self):
        self.assert_knows_paths_and_methods(self.ask)


class CredentialApi(Described):
    PLACE = api.PLACE

    def setUp(self):
        self.description = Description("credential-api.openapi.yaml")
        self.relay = self.started(api.ApiRelay(("pushed",)))

    def post(self, body):
        return self.relay.ask("POST", fields={"Content-Type": "application/json"}, body=json.dumps(body))

    def test_does_what_its_example_says(self):
        order = self.description.example("POST", self.PLACE)
        answer = self.post(order)
        self.assert_described("POST", self.PLACE, answer, 200)
        self.assertEqual(answer.json()["ttl"], order["ttl"])
        target = f"{self.PLACE}?service=turn&user={order['user']}&type=password"
        self.assert_described("GET", self.PLACE, self.relay.ask(target=target), 200)
        withdrawn = self.relay.ask("DELETE", f"{self.PLACE}?user={order['user']}")
        self.assert_described("DELETE", self.PLACE, withdrawn, 200)
        again = self.relay.ask("POST", f"{self.PLACE}:withdraw?user={order['user']}")
        self.assert_described("POST", f"{self.PLACE}:withdraw", again, 200)
        self.assert_described("GET", "/v1/health", self.relay.ask(target="/v1/health", key=None), 200)

    def test_refuses_as_it_is_described(self):
        self.assert_described("GET", self.PLACE, self.relay.ask(key=None), 401)
        self.assert_described("GET", self.PLACE, self.relay.ask(target=f"{self.PLACE}?ttl=never"), 400)
        stranger = self.relay.ask(target=f"{self.PLACE}?user=alice", key=api.SHOP_KEY)
        self.assert_described("GET", self.PLACE, stranger, 403)
        text = self.relay.ask("POST", fields={"Content-Type": "text/plain"}, body="user=alice")
        self.assert_described("POST", self.PLACE, text, 415)

    def test_knows_its_paths_and_methods(self):
        self.assert_knows_paths_and_methods(lambda method, target: self.relay.ask(method, target))


if __name__ == "__main__":
    unittest.main()
