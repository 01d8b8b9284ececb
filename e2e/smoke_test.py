"""The program starts, relays for each source and ends. Short, because sanitizer builds run it too."""

import json
import unittest

import turn
import world


class Smoke(world.Case):
    def test_relays_for_every_source_and_ends_cleanly(self):
        peer = self.started(world.EchoPeer())
        server = self.started(world.Turnpike())
        credentials = {"static": (world.USER, world.PASSWORD)}
        for source in ("computed", "pushed", "token"):
            issued = server.issue(source)
            self.assert_status(issued, 0)
            ice = json.loads(issued.out)["iceServers"][0]
            credentials[source] = (ice["username"], ice["credential"])

        for source, (username, password) in credentials.items():
            for host in (world.V4, world.V6):
                with self.subTest(f"{source} over {host}"):
                    client = turn.Client((host, server.port), username, password)
                    self.addCleanup(client.close)
                    client.allocate()
                    client.bind((world.V4, peer.port))  # of the family that is given where none is asked for
                    self.assertTrue(client.echoes())

        both = turn.Client((world.V4, server.port), world.USER, world.PASSWORD)
        self.addCleanup(both.close)
        both.allocate((turn.ADDITIONAL_ADDRESS_FAMILY, bytes([2, 0, 0, 0])))
        self.assertEqual([host for host, _ in both.relayed], [world.V4, world.V6])
        both.bind((world.V6, peer.port))
        self.assertTrue(both.echoes())

        self.assertEqual(server.stop(), 0, server.log())


if __name__ == "__main__":
    unittest.main()
