"""A planner whose Redis comes, goes and misbehaves: what the tests of its connections look at."""

import pathlib
import re

from agent import TOLD, WAIT, Agent, Tree, fault, wait_for
from chain import at_once, ended
from redis_peers import bus_of, wait_subscribed

CHANGES = ("redis_ready", "redis_lost", "redis_unreachable", "redis_refused")
CONNECTIONS = ("events", "commands")
NOBODY_THERE = "redis://127.0.0.1:1"
KEY = "planner:cooldown:solaria/web"
ID = "container-restart-solaria-web"


def changes(daemon, *names):
    """[(connection, occurrence), ...]"""
    return [(log["connection"], log["event"]) for log in daemon.logs if log["event"] in (names or CHANGES)]


def wait_ready(daemon, count=1, of=CONNECTIONS, seconds=WAIT):
    """Each of the connections has become so, so many times. One that comes again waits before: at random,
    for up to 30 s."""
    wait_for(f"ready {count} times", lambda: daemon.alive_or_fail() and all(
        changes(daemon).count((one, "redis_ready")) >= count for one in of), seconds)


def works(agent, redis, daemon, service="web", seconds=WAIT):
    """An event that is published becomes an action."""
    wait_subscribed(redis, seconds=seconds)
    redis.publish(fault(service=service))
    wait_for(f"the proposal for {service}", lambda: daemon.alive_or_fail() and
             f"container-restart-solaria-{service}" in agent.tree.actions(), seconds)


def files_work(agent, daemon, service="from-a-file", seconds=TOLD):
    agent.tree.event(service=service)
    wait_for(f"the proposal for {service}", lambda: daemon.alive_or_fail() and
             f"container-restart-solaria-{service}" in agent.tree.actions(), seconds)


def connections(agent):
    return {one["name"]: one for one in bus_of(agent)["connections"]}


def in_parallel(program, directory, cases, workers=6):
    """cases: functions of an agent in a tree of its own, by name. They mostly wait."""
    def run(number, case):
        def inside():
            place = directory / str(number)
            place.mkdir(parents=True)
            with ended(Agent(Tree(place / "homelab"), program)) as agent:
                case(agent)
        return inside

    directory.chmod(0o755)
    done = at_once({name: run(number, case) for number, (name, case) in enumerate(cases.items())}, workers)
    for name, found in done.items():
        if isinstance(found, Exception):
            raise AssertionError(f"{name}: {found}") from found


RESIDENT = 1331  # KiB: 1.3 MB


def rss(daemon):
    """The most that was resident so far, in KiB."""
    return int(re.search(r"^VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{daemon.pid}/status").read_text(), re.M)[1])


def cpu(daemon):
    """Seconds."""
    fields = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def proposed_is(agent, daemon, seconds=WAIT):
    wait_for("the proposal", lambda: daemon.alive_or_fail() and ID in agent.tree.actions(), seconds)


def is_within(redis, key, most, least=None):
    """The time to live, in ms."""
    left = redis("PTTL", key)
    return (most - 4000 if least is None else least) <= left <= most
