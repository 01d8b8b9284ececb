"""The marks of registrations beside Kamailio and their arithmetic: which row has which goal, and whether it is met."""

import collections
import dataclasses
import math
import statistics
from typing import Optional

import marks

CHAIN_LOADS = [("refresh", 50), ("refresh", 200), ("reuse", 50), ("fresh", 50)]
LOADS = [("refresh", 50), ("refresh", 1000), ("reuse", 50), ("fresh", 50)]
# Before a core over UDP and TLS, Kamailio loses its way at 1000.
EDGE_LOADS = [("udp", "refresh", 50), ("udp", "refresh", 200), ("tcp", "refresh", 50), ("tcp", "refresh", 200)]
GOAL = 2.0  # times Kamailio's registrations per CPU second, as many nodes against as many
WHY_NO_GOAL = {"whole": "two nodes against one"}


# --- beside Kamailio ---


@dataclasses.dataclass(frozen=True)
class Mark(marks.Mark):
    """`pattern` is the mode of the generator."""

    set_up: str = ""
    scheme: str = "ws"
    connections: int = 0
    core_transport: Optional[str] = None  # between an edge and its core

    @property
    def is_secure(self):
        return self.scheme == "wss"


def per_cpu_second(report):
    return report["per_server_cpu_second"]


def bytes_per_connection(report):
    return report["bytes"]


def load_mark(set_up, scheme, mode, connections, core_transport=None):
    via = f"{core_transport}, " if core_transport else ""
    name = f"{set_up} {scheme}, {via}{mode} {connections}"
    return Mark(
        name, f"{name} connections", "registrations per CPU second", mode, per_cpu_second,
        goal=None if set_up in WHY_NO_GOAL else GOAL, higher_is_better=True, set_up=set_up, scheme=scheme,
        connections=connections, core_transport=core_transport,
    )  # fmt: skip


def idle_mark(scheme, connections):
    return Mark(
        f"idle {scheme}, {connections} connections",
        f"bytes per idle registered connection, {scheme}, {connections:,} connections",
        "bytes per connection", "idle", bytes_per_connection, goal=1.0, set_up="idle", scheme=scheme,
        connections=connections,
    )  # fmt: skip


def make_marks(idle_connections):
    made = []
    for scheme in ("ws", "wss"):
        made += [load_mark("chain", scheme, *load) for load in CHAIN_LOADS]
        made += [load_mark("whole", scheme, *load) for load in LOADS]
        made += [load_mark("edge", scheme, *load, transport) for transport, *load in EDGE_LOADS]
        made.append(idle_mark(scheme, idle_connections))
    return made


def summarize(mark, kamailio_values, our_values):
    """Without values of ours: the peer's number alone, of which nothing is judged."""
    row = marks.summarize(mark, kamailio_values, our_values or kamailio_values, peer="kamailio")
    if not our_values:
        row.update(turnpike=None, ratio=None, met=None, turnpike_runs=[])
    row["why_no_goal"] = WHY_NO_GOAL.get(mark.set_up)
    return row


def format_line(row):
    line = f"{row['name']:28} {row['unit']:30} kamailio {row['kamailio']:10.0f}"
    if row["turnpike"] is None:
        return line
    goal = marks.format_goal(row) or f"no goal: {row['why_no_goal']}"
    line += f"  turnpike {row['turnpike']:10.0f}  ratio {marks.format_number(row['ratio']):>5}"
    return f"{line}  {goal:6} {marks.format_verdict(row)}".rstrip()


# --- what provisioning adds ---


@dataclasses.dataclass(frozen=True)
class AddedMark:
    """What one source of credentials adds to a REGISTER, of which one number is judged."""

    source: str
    judged: str
    goal: float  # what is added stays below it

    @property
    def name(self):
        return f"added by {self.source}"


ADDED_MARKS = [
    AddedMark("computed", "p50_percent", 5),
    AddedMark("token", "p50_percent", 5),
    AddedMark("pushed", "p99_us", 1000),
]


def percentile(reports, share):
    """The latency in us that `share` of the registrations of all these runs together do not exceed."""
    counts = collections.Counter()
    for report in reports:
        for latency_us, registrations in report["latency_counts"]:
            counts[latency_us] += registrations
    wanted = max(1, math.ceil(share * counts.total() - 1e-9))
    for latency_us in sorted(counts):
        wanted -= counts[latency_us]
        if wanted <= 0:
            return latency_us
    raise ValueError("no registration was measured")


def cpu_us(reports):
    spent = sum(report["server_cpu_seconds"] for report in reports)
    return 1e6 * spent / sum(report["registrations"] for report in reports)


def percent_more(value, base):
    return 100 * (value / base - 1)


def added_p50_percent(without, with_it):
    return percent_more(percentile(with_it, 0.5), percentile(without, 0.5))


def added_p99_us(without, with_it):
    return percentile(with_it, 0.99) - percentile(without, 0.99)


def added_cpu_percent(without, with_it):
    return percent_more(cpu_us(with_it), cpu_us(without))


def spread(added, of_rounds):
    return {"added": added, "least": min(of_rounds), "most": max(of_rounds), "rounds": of_rounds}


def summarize_added(mark, rounds):
    """A round is (reports without credentials, reports with them) of one process. Where a process has its memory makes
    more of a difference than what is asked, so a share is taken within each round, and the median of the rounds counts.
    A p99 has few registrations above it in one round: what counts is that of all rounds together."""
    without, with_it = ([report for each in rounds for report in each[side]] for side in (0, 1))
    p50, p99, cpu = (
        [added(*each) for each in rounds] for added in (added_p50_percent, added_p99_us, added_cpu_percent)
    )
    row = {
        "name": mark.name, "judged": mark.judged, "goal": mark.goal,
        "p50_us_without": percentile(without, 0.5), "p50_percent": spread(statistics.median(p50), p50),
        "p99_us_without": percentile(without, 0.99), "p99_us": spread(added_p99_us(without, with_it), p99),
        "cpu_us_without": cpu_us(without), "cpu_percent": spread(statistics.median(cpu), cpu),
    }  # fmt: skip
    row["met"] = row[mark.judged]["added"] < mark.goal
    return row


def format_spread(row, key, unit, digits):
    added, least, most = (f"{row[key][word]:+.{digits}f}" for word in ("added", "least", "most"))
    return f"{added} {unit} ({least} to {most})"


def format_added(row):
    goal = {"p50_percent": f"p50 < {row['goal']} %", "p99_us": f"p99 < {row['goal']} us"}[row["judged"]]
    shown = (
        f"{row['name']:28} p50 {row['p50_us_without']:.0f} us {format_spread(row, 'p50_percent', '%', 1)}, "
        f"p99 {row['p99_us_without']:.0f} us {format_spread(row, 'p99_us', 'us', 0)}, "
        f"CPU {row['cpu_us_without']:.0f} us {format_spread(row, 'cpu_percent', '%', 1)}"
    )
    return f"{shown}  {goal} {marks.format_verdict(row)}"
