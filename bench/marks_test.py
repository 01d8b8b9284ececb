"""The arithmetic of the comparison; no server is started."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import marks  # noqa: E402


def mark(**changes):
    return marks.Mark("m", "title", "us", "voice", lambda report: report["x"], **changes)


class Ratio(unittest.TestCase):
    def test_is_above_one_where_less_is_better_and_ours_is_less(self):
        self.assertEqual(marks.ratio(mark(), 10, 4), 2.5)

    def test_is_above_one_where_more_is_better_and_ours_is_more(self):
        self.assertEqual(marks.ratio(mark(higher_is_better=True), 100, 150), 1.5)

    def test_of_nothing_against_something_is_infinite(self):
        self.assertEqual(marks.ratio(mark(), 10, 0), float("inf"))

    def test_of_nothing_against_nothing_is_one(self):
        self.assertEqual(marks.ratio(mark(), 0, 0), 1.0)


class Summary(unittest.TestCase):
    def test_takes_medians_and_judges_their_ratio(self):
        row = marks.summarize(mark(goal=2.0), [10, 100, 12], [5, 6, 1])
        self.assertEqual((row["coturn"], row["turnpike"], row["ratio"], row["met"]), (12, 5, 2.4, True))

    def test_names_the_peer(self):
        row = marks.summarize(mark(), [12], [5], peer="kamailio")
        self.assertEqual((row["kamailio"], row["kamailio_runs"], row["turnpike_runs"]), (12, [12], [5]))
        self.assertNotIn("coturn", row)

    def test_misses_a_goal_that_is_not_reached(self):
        self.assertIs(marks.summarize(mark(goal=3.0), [12], [5])["met"], False)

    def test_judges_our_number_alone_where_the_mark_is_a_limit(self):
        self.assertIs(marks.summarize(mark(ours_max=1024), [100], [1024])["met"], True)
        self.assertIs(marks.summarize(mark(ours_max=1024), [9000], [1025])["met"], False)

    def test_judges_nothing_without_a_goal(self):
        self.assertIsNone(marks.summarize(mark(), [12], [5])["met"])


class Memory(unittest.TestCase):
    report = {"memory": {"before_bytes": 1000, "allocated_bytes": 11000, "deleted_bytes": 1500,
                         "bytes_per_allocation": 100.0}, "set_up": {"done": 100}}  # fmt: skip

    def test_left_is_told_per_allocation(self):
        self.assertEqual(marks.bytes_left_per_allocation(self.report), 5)


class Own(unittest.TestCase):
    def test_compares_two_sources_of_ours_where_less_is_better(self):
        own = next(each for each in marks.MARKS if each.is_own)
        self.assertEqual((own.source, own.coturn_source, own.goal), ("token", "static", 0.9))
        self.assertIs(marks.summarize(own, [60.0], [66.0])["met"], True)
        self.assertIs(marks.summarize(own, [60.0], [67.0])["met"], False)


class Table(unittest.TestCase):
    def test_shows_each_mark_in_a_line(self):
        rows = [marks.summarize(mark(goal=2.0), [10], [4]), marks.summarize(mark(ours_max=5), [1], [6])]
        self.assertEqual(
            marks.format_table(rows).splitlines()[2:],
            ["| title | us | 10 | 4 | 2.5 | >= 2x | met |", "| title | us | 1 | 6 | 0.167 | <= 5 us | missed |"],
        )

    def test_numbers_keep_three_digits(self):
        shown = [marks.format_number(value) for value in (0.7123, 12.345, 123.4, 75123.4, float("inf"))]
        self.assertEqual(shown, ["0.712", "12.3", "123", "75,123", "inf"])

    def test_names_are_unique(self):
        names = [each.name for each in marks.MARKS]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()
