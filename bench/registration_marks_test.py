"""The arithmetic of the comparison of registrations; no server is started."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import registration_marks  # noqa: E402
from registration_marks import AddedMark, idle_mark, load_mark, summarize  # noqa: E402


def report(*counts, cpu_seconds=1.0):
    """A run of the generator: (latency in us, how many registrations had it), ..."""
    return {
        "registrations": sum(count for _, count in counts),
        "server_cpu_seconds": cpu_seconds,
        "latency_counts": [list(each) for each in counts],
    }


def added(rounds, judged="p50_percent", goal=5):
    return registration_marks.summarize_added(AddedMark("computed", judged, goal), rounds)


class Goals(unittest.TestCase):
    goals = {mark.name: mark.goal for mark in registration_marks.make_marks(5000)}

    def of(self, word):
        return [goal for name, goal in self.goals.items() if name.startswith(word)]

    def test_are_twice_kamailio_where_as_many_nodes_stand_against_as_many(self):
        self.assertEqual(self.of("chain ws, ") + self.of("chain wss, "), [2.0] * 8)
        self.assertEqual(self.of("edge ws, ") + self.of("edge wss, "), [2.0] * 8)

    def test_are_none_where_one_kamailio_is_both_nodes(self):
        self.assertEqual(self.of("whole ws, ") + self.of("whole wss, "), [None] * 8)

    def test_of_memory_are_no_more_than_kamailio(self):
        self.assertEqual(self.of("idle ws, ") + self.of("idle wss, "), [1.0] * 2)

    def test_of_what_is_added_are_a_share_or_a_delay(self):
        goals = {mark.source: (mark.judged, mark.goal) for mark in registration_marks.ADDED_MARKS}
        share = ("p50_percent", 5)
        self.assertEqual(goals, {"computed": share, "token": share, "pushed": ("p99_us", 1000)})

    def test_names_are_unique(self):
        self.assertEqual(len(registration_marks.make_marks(5000)), len(self.goals))
        self.assertEqual(len(self.goals), 26)


class Marks(unittest.TestCase):
    def test_credentials_are_asked_for_over_tls_alone(self):
        secure = {mark.name.split(",")[0]: mark.is_secure for mark in registration_marks.make_marks(500)}
        self.assertEqual({name for name in secure if secure[name]}, {"chain wss", "whole wss", "edge wss", "idle wss"})

    def test_edges_alone_have_a_core_of_their_own(self):
        for mark in registration_marks.make_marks(500):
            self.assertEqual(mark.core_transport is not None, mark.set_up == "edge", mark.name)


class Summary(unittest.TestCase):
    def test_takes_medians_and_judges_their_ratio(self):
        row = summarize(load_mark("chain", "wss", "refresh", 50), [100, 90, 1000], [200, 900, 10])
        self.assertEqual((row["kamailio"], row["turnpike"], row["ratio"]), (100, 200, 2.0))
        self.assertEqual((row["goal"], row["met"], row["why_no_goal"]), (2.0, True, None))

    def test_misses_a_goal_that_is_not_reached(self):
        self.assertIs(summarize(load_mark("edge", "ws", "refresh", 50, "udp"), [100], [199])["met"], False)

    def test_says_why_nothing_is_judged(self):
        row = summarize(load_mark("whole", "ws", "refresh", 50), [100], [1000])
        self.assertEqual((row["goal"], row["met"]), (None, None))
        self.assertEqual(row["why_no_goal"], "two nodes against one")

    def test_is_better_where_memory_is_less(self):
        self.assertEqual(summarize(idle_mark("ws", 500), [1000], [100])["ratio"], 10)
        self.assertIs(summarize(idle_mark("ws", 500), [1000], [1000])["met"], True)
        self.assertIs(summarize(idle_mark("ws", 500), [1000], [1001])["met"], False)

    def test_judges_nothing_of_kamailio_alone(self):
        row = summarize(load_mark("chain", "ws", "refresh", 50), [100], [])
        self.assertEqual((row["kamailio"], row["turnpike"], row["ratio"], row["met"]), (100, None, None, None))
        self.assertEqual(row["turnpike_runs"], [])


class Percentile(unittest.TestCase):
    def test_is_what_the_share_does_not_exceed(self):
        runs = [report(*((latency, 1) for latency in range(1, 101)))]
        found = [registration_marks.percentile(runs, share) for share in (0.001, 0.5, 0.99, 1)]
        self.assertEqual(found, [1, 50, 99, 100])

    def test_pools_the_registrations_of_all_runs(self):
        """Mean and median of both p99 would be 460."""
        runs = [report((10, 980), (900, 20)), report((10, 3000), (20, 1000))]
        self.assertEqual([registration_marks.percentile([run], 0.99) for run in runs], [900, 20])
        self.assertEqual(registration_marks.percentile(runs, 0.99), 20)

    def test_counts_a_latency_in_every_run_that_had_it(self):
        self.assertEqual(registration_marks.percentile([report((10, 1), (20, 20)), report((10, 9), (20, 1))], 0.5), 20)

    def test_takes_buckets_in_the_order_of_their_latencies(self):
        self.assertEqual(registration_marks.percentile([report((30, 1)), report((10, 1), (20, 1))], 0.5), 20)

    def test_of_nothing_is_an_error(self):
        with self.assertRaises(ValueError):
            registration_marks.percentile([report()], 0.5)


class Added(unittest.TestCase):
    def test_a_share_is_taken_within_each_round_and_their_median_counts(self):
        """The second process is slow, and the third was disturbed."""
        rounds = [
            ([report((100, 9))], [report((104, 9))]),
            ([report((200, 9))], [report((202, 9))]),
            ([report((100, 9))], [report((150, 9))]),
        ]
        row = added(rounds)
        self.assertEqual([round(each) for each in row["p50_percent"]["rounds"]], [4, 1, 50])
        self.assertEqual([round(row["p50_percent"][word]) for word in ("added", "least", "most")], [4, 1, 50])
        self.assertIs(row["met"], True)

    def test_a_share_of_a_round_is_that_of_all_its_runs(self):
        without, with_it = [report((100, 9)), report((300, 1))], [report((110, 9)), report((900, 1))]
        self.assertAlmostEqual(added([(without, with_it)])["p50_percent"]["added"], 10)

    def test_a_p99_is_that_of_all_rounds_and_its_spread_that_of_each(self):
        rounds = [
            ([report((10, 990), (50, 10))], [report((10, 970), (500, 30))]),
            ([report((10, 970), (90, 30))], [report((10, 995), (70, 5))]),
        ]
        row = added(rounds, judged="p99_us", goal=1000)
        self.assertEqual(row["p99_us_without"], 90)
        self.assertEqual(row["p99_us"], {"added": 410, "least": -80, "most": 490, "rounds": [490, -80]})
        self.assertIs(row["met"], True)

    def test_cpu_time_is_that_of_all_registrations_of_a_round(self):
        without = [report((1, 100), cpu_seconds=0.1), report((1, 300), cpu_seconds=0.1)]
        row = added([(without, [report((1, 200), cpu_seconds=0.11)])])
        self.assertAlmostEqual(row["cpu_us_without"], 500)
        self.assertAlmostEqual(row["cpu_percent"]["added"], 10)

    def test_stays_below_its_goal(self):
        def met(without, with_it, judged, goal):
            return added([([report((without, 9))], [report((with_it, 9))])], judged, goal)["met"]

        self.assertEqual([met(1000, most, "p50_percent", 5) for most in (1049, 1050)], [True, False])
        self.assertEqual([met(1000, most, "p99_us", 1000) for most in (1999, 2000)], [True, False])

    def test_judges_the_number_that_its_goal_is_of(self):
        rounds = [([report((1000, 9))], [report((1900, 9))])]
        self.assertIs(added(rounds, "p99_us", 1000)["met"], True)
        self.assertIs(added(rounds, "p50_percent", 5)["met"], False)


class Lines(unittest.TestCase):
    def shown(self, set_up, kamailio_values, our_values):
        row = summarize(load_mark(set_up, "ws", "refresh", 50), kamailio_values, our_values)
        return " ".join(registration_marks.format_line(row).split())

    def test_end_with_goal_and_verdict(self):
        begin = "ws, refresh 50 registrations per CPU second kamailio 100"
        self.assertEqual(self.shown("chain", [100], [250]), f"chain {begin} turnpike 250 ratio 2.5 >= 2x met")
        self.assertEqual(self.shown("chain", [100], [150]), f"chain {begin} turnpike 150 ratio 1.5 >= 2x missed")
        self.assertEqual(
            self.shown("whole", [100], [50]), f"whole {begin} turnpike 50 ratio 0.5 no goal: two nodes against one"
        )
        self.assertEqual(self.shown("chain", [100], []), f"chain {begin}")

    def test_tell_the_spread_of_what_is_added(self):
        rounds = [
            ([report((500, 9), cpu_seconds=0.0036)], [report((510, 9), cpu_seconds=0.0036)]),
            ([report((500, 9), cpu_seconds=0.0036)], [report((530, 9), cpu_seconds=0.0045)]),
        ]
        begin = (
            "added by computed p50 500 us +4.0 % (+2.0 to +6.0), p99 500 us +30 us (+10 to +30), "
            "CPU 400 us +12.5 % (+0.0 to +25.0)"
        )
        for judged, goal, end in (
            ("p50_percent", 5, "p50 < 5 % met"),
            ("p50_percent", 3, "p50 < 3 % missed"),
            ("p99_us", 1000, "p99 < 1000 us met"),
        ):
            line = " ".join(registration_marks.format_added(added(rounds, judged, goal)).split())
            self.assertEqual(line, f"{begin} {end}")


if __name__ == "__main__":
    unittest.main()
