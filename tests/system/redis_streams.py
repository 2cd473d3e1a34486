"""A stream as its producers and an operator see it, and a model that is held back: what the tests of
entries stand on.

    stream = Stream(redis)                       homelab:events, and what the group "planner" knows of it
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)                     the planner waits for entries
    stream.add(service="db")
    stream.wait_acked(1)
    with Gate(mock) as gate: ...                 every call hangs; gate.open() answers them all"""

import collections
import json
import signal
import threading

from agent import WAIT, fault, wait_for
from apis import OPENAI
from chain import servers
from redis_peers import bus, proposals
from steps import proposal

NAME = "homelab:events"
GROUP = "planner"
SLOTS = 256  # keys in hand that came by a stream: half of those that can be read again
ENTRIES_MAX = 4096  # unfinished entries
IDLE = 600000  # ms; so long nobody has claimed anew what a dead planner holds


class Stream:
    def __init__(self, redis, name=NAME):
        self.redis, self.name, self.dead = redis, name, f"{name}:dead"

    def env(self, **more):
        return bus(self.redis, REDIS_STREAM=self.name, **more)

    # -- the producers' side --

    def add(self, *args, **members):
        """An event's entry; its id."""
        return self.redis.add(fault(*args, **members), self.name)

    def put(self, fields, id="*"):
        """An entry of these fields, a dict or pairs."""
        pairs = fields.items() if isinstance(fields, dict) else fields
        return self.redis("XADD", self.name, id, *(part for pair in pairs for part in pair))

    def command(self, *args, **members):
        """For redis.all()."""
        return ("XADD", self.name, "*", "event", json.dumps(fault(*args, **members)))

    def fill(self, services, **members):
        """An event of each of these services; their ids."""
        return self.redis.all(self.command(service=service, **members) for service in services)

    # -- the group's side --

    def create(self, start="0"):
        self.redis("XGROUP", "CREATE", self.name, GROUP, start, "MKSTREAM")
        return self

    def group(self):
        """{} where there is none."""
        if not self.redis("EXISTS", self.name):
            return {}
        found = [dict(zip(one[::2], one[1::2])) for one in self.redis("XINFO", "GROUPS", self.name)]
        return next((one for one in found if one["name"] == GROUP), {})

    def consumers(self):
        """{name: how much it holds}"""
        found = [dict(zip(one[::2], one[1::2])) for one in self.redis("XINFO", "CONSUMERS", self.name, GROUP)]
        return {one["name"]: one["pending"] for one in found}

    def held(self):
        return self.redis("XPENDING", self.name, GROUP)[0]

    def wait_in_hand(self, daemon, count):
        """The planner has them: a server that holds them for it may be killed before it says so."""
        def told():
            daemon.send(signal.SIGUSR1)
            lines = daemon.named("status")
            return bool(lines) and lines[-1]["stream_entries"] == count
        wait_for(f"{count} entries in hand", told)

    def holds(self, consumer=None):
        """{id: (consumer, idle, deliveries)}"""
        one = () if consumer is None else (consumer,)
        return {item[0]: tuple(item[1:]) for item in self.redis("XPENDING", self.name, GROUP, "-", "+", 100000, *one)}

    def entries(self, name=None):
        """[(id, {field: value}), ...]"""
        return [(id, dict(zip(flat[::2], flat[1::2]))) for id, flat in self.redis("XRANGE", name or self.name, "-", "+")]

    def buried(self):
        return [fields for _, fields in self.entries(self.dead)]

    def read_as(self, consumer, count=100000):
        """What another consumer takes and never finishes; the ids."""
        found = self.redis("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, "STREAMS", self.name, ">")
        return [id for id, _ in found[0][1]] if found else []

    def make_idle(self, consumer, ids, idle=IDLE + 1000, *more):
        """As if its consumer had been dead for so long."""
        self.redis("XCLAIM", self.name, GROUP, consumer, 0, *ids, "IDLE", idle, *more, "JUSTID")

    # -- waiting --

    def is_waited_for(self, count=1):
        """So many clients wait for new entries."""
        return len([one for one in self.redis.clients() if one["cmd"] == "xreadgroup" and "b" in one["flags"]]) >= count

    def wait_read(self, daemon=None, count=1):
        """So many planners wait for entries, where there is a group."""
        wait_for("a planner that reads the stream", lambda: (daemon is None or daemon.alive_or_fail())
                 and self.group() and self.is_waited_for(count))

    def is_finished(self):
        """Every entry was read, and is acknowledged."""
        group = self.group()
        if not group or group["pending"]:
            return False
        last = self.redis("XREVRANGE", self.name, "+", "-", "COUNT", 1)
        return not last or key_of(last[0][0]) <= key_of(group["last-delivered-id"])

    def wait_finished(self, daemon=None, seconds=WAIT):
        wait_for("the end of all entries", lambda: (daemon is None or daemon.alive_or_fail()) and self.is_finished(), seconds)


def key_of(id):
    return tuple(int(part) for part in id.split("-"))


class Gate:
    """A model that thinks until open(). asked: calls that have come."""

    def __init__(self, mock, path=OPENAI, **members):
        self.mock, self.path = mock, path
        self.answer = proposal(**members)
        self.opened = threading.Event()
        mock.on(path, self.step)

    def step(self, _request):
        self.opened.wait(120)
        return self.answer

    def env(self, **more):
        return servers(self.mock, "openai@60", **more)

    @property
    def asked(self):
        return len(self.mock.requests)

    def wait(self, count=1):
        self.mock.wait_requests(count)

    def open(self):
        self.opened.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open()


# ---- What became of it ---------------------------------------------------------------------------


def names(count, prefix="s"):
    """Services."""
    return [f"{prefix}{number:05d}" for number in range(count)]


def services(agent):
    return sorted(action["service"] for action in agent.tree.actions().values())


def count_of(*agents):
    """How many actions are pending, which is found out quickly."""
    return sum(len(list((agent.tree.path / "actions" / "pending").glob("*.json"))) for agent in agents)


def wait_services(agent, wanted, daemon=None, seconds=120):
    """Until there are as many actions as these; and they are for these."""
    wait_for(f"{len(wanted)} proposals", lambda: (daemon is None or daemon.alive_or_fail())
             and count_of(agent) >= len(wanted), seconds)
    assert services(agent) == sorted(wanted)


def keys_of(agents):
    """{service: how many actions, over all trees}"""
    return collections.Counter(service for (_, service), _ in proposals(agents))


def exactly_once(agents, wanted):
    """In all trees together, actions and audit events."""
    found = keys_of(agents)
    told = collections.Counter(event["payload"]["target_service"] for agent in agents
                               for event in agent.tree.audits(agent.env["NODE_NAME"]).values())
    twice = sorted(service for service in found if found[service] > 1 or told[service] > 1)
    lost = sorted(set(wanted) - set(found)) + sorted(set(found) - set(told))
    assert (twice, lost) == ([], []), f"twice: {len(twice)} {twice[:10]}, never: {len(lost)} {lost[:10]}"
    assert set(told) <= set(found) == set(wanted)
