"""The marks of the relay beside coturn, and the arithmetic of every comparison: which load, which number of the report,
which ratio."""

import dataclasses
import statistics
from typing import Callable, Optional


@dataclasses.dataclass(frozen=True)
class Mark:
    name: str
    title: str
    unit: str
    pattern: str
    read: Callable  # of the generator's report
    options: tuple = ()
    source: str = "static"
    coturn_source: str = "static"
    is_own: bool = False  # in coturn's place stands turnpike with coturn_source
    goal: Optional[float] = None  # the ratio that must be reached; 1: no worse
    ours_max: Optional[float] = None  # or a number that ours must not exceed
    higher_is_better: bool = False
    duration_matters: bool = True


def cpu_per_packet(report):
    return report["traffic"]["server_cpu_us"]


def cpu_per_set_up(report):
    return report["set_up"]["server_cpu_us"]


def p50_of_both(report):
    traffic = report["traffic"]
    return statistics.mean([traffic["up"]["latency"]["p50_us"], traffic["down"]["latency"]["p50_us"]])


def loss_free_rate(report):
    return report.get("loss_free_per_second", 0.0)


def bytes_per_allocation(report):
    return report["memory"]["bytes_per_allocation"]


def bytes_left_per_allocation(report):
    """Of what each allocation took, what is still held after all were deleted."""
    memory = report["memory"]
    return (memory["deleted_bytes"] - memory["before_bytes"]) / report["set_up"]["done"]


def set_up_mark(source, coturn_source, goal):
    against = "" if source == coturn_source else f" (coturn: {coturn_source})"
    return Mark(
        f"set_up_{source}" if source == coturn_source else f"set_up_{source}_vs_{coturn_source}",
        f"Allocate + ChannelBind, {source}{against}", "us CPU", "allocate", cpu_per_set_up,
        ("--flows", "5000"), source=source, coturn_source=coturn_source, goal=goal, duration_matters=False,
    )  # fmt: skip


def own_set_up_mark(source, other, goal):
    return dataclasses.replace(
        set_up_mark(source, other, goal), name=f"set_up_{source}_vs_own_{other}",
        title=f"Allocate + ChannelBind, {source} (not coturn: turnpike, {other})", is_own=True,
    )  # fmt: skip


SATURATED = ("--packets-per-second", "0")

MARKS = [
    Mark("voice", "voice saturated, 1000 x 160 B", "us CPU/packet", "voice", cpu_per_packet, SATURATED, goal=1.5),
    Mark("video", "video saturated, 50 x 1100 B", "us CPU/packet", "video", cpu_per_packet, SATURATED, goal=1.8),
    Mark(
        "video_frames", "video, 50 flows of 6-packet frames", "us CPU/packet", "video", cpu_per_packet,
        ("--packets-per-second", "600", "--packets-per-frame", "6"),
    ),
    Mark("flat", "4 flows flat out, 1200 B", "us CPU/packet", "flat", cpu_per_packet, goal=2.0),
    Mark("trains", "GRO-sized trains, 4 flows", "us CPU/packet", "trains", cpu_per_packet, goal=8.0),
    Mark(
        "indications", "voice saturated, Send/Data indications", "us CPU/packet", "voice", cpu_per_packet,
        SATURATED + ("--indications",),
    ),
    Mark(
        "loss_free", "voice without loss (<= 0.1 %)", "packets/s", "voice", loss_free_rate,
        ("--find-loss-free",), goal=1.5, higher_is_better=True,
    ),
    Mark("latency", "p50 at 20 kpps", "us", "voice", p50_of_both, ("--flows", "200"), goal=1.0),
    set_up_mark("static", "static", 4.0),
    set_up_mark("computed", "computed", 4.0),
    set_up_mark("pushed", "static", 4.0),
    set_up_mark("token", "token", 3.0),
    set_up_mark("token", "static", 3.0),
    own_set_up_mark("token", "static", 0.9),
    Mark(
        "memory", "user memory per allocation, 10,000 with one channel", "bytes", "allocate", bytes_per_allocation,
        ("--flows", "10000", "--hold-ms", "500"), ours_max=1024, duration_matters=False,
    ),
    Mark(
        "memory_after", "of it, held after deletion", "bytes", "allocate", bytes_left_per_allocation,
        ("--flows", "10000", "--hold-ms", "500"), ours_max=256, duration_matters=False,
    ),
    Mark("churn", "allocate, bind, delete", "us CPU", "churn", cpu_per_set_up, ("--flows", "5000"),
         duration_matters=False),
]  # fmt: skip


def ratio(mark, theirs, ours):
    """How many times better we are: above 1 is better than the peer, whatever the number means."""
    better, worse = (ours, theirs) if mark.higher_is_better else (theirs, ours)
    if worse <= 0:
        return float("inf") if better > 0 else 1.0
    return better / worse


def is_met(mark, reached, ours):
    if mark.ours_max is not None:
        return ours <= mark.ours_max
    return None if mark.goal is None else reached >= mark.goal


def summarize(mark, their_values, our_values, peer="coturn"):
    theirs, ours = statistics.median(their_values), statistics.median(our_values)
    reached = ratio(mark, theirs, ours)
    return {
        "name": mark.name, "title": mark.title, "unit": mark.unit, peer: theirs, "turnpike": ours,
        "ratio": reached, "goal": mark.goal, "ours_max": mark.ours_max, "met": is_met(mark, reached, ours),
        f"{peer}_runs": list(their_values), "turnpike_runs": list(our_values),
    }  # fmt: skip


def format_goal(row):
    if row["ours_max"] is not None:
        return f"<= {format_number(row['ours_max'])} {row['unit']}"
    return "" if row["goal"] is None else f">= {format_number(row['goal'])}x"


def format_verdict(row):
    return {None: "", True: "met", False: "missed"}[row["met"]]


def format_number(value):
    if value == float("inf"):
        return "inf"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def format_table(rows):
    """Markdown: what docs/performance.md takes over."""
    lines = ["| mark | unit | coturn | turnpike | ratio | goal | |", "|---|---|---:|---:|---:|---:|---|"]
    for row in rows:
        lines.append(
            f"| {row['title']} | {row['unit']} | {format_number(row['coturn'])} | {format_number(row['turnpike'])}"
            f" | {format_number(row['ratio'])} | {format_goal(row)} | {format_verdict(row)} |"
        )
    return "\n".join(lines)
