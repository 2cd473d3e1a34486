"""Servers that cannot be reached: addresses that swallow everything, that refuse, that have no
route, and names with a good address beside a bad one. In a network namespace of the test's own."""

import re

import pytest

from agent import stays, wait_for
from apis import OPENAI
from chain import AT_ONCE, LABEL, route, servers
from netns import FAR, FAR6, HOLE, HOLE6, HOLE_ULA, LOCAL, LOCAL6, LOCAL_ULA
from one_hop import HOP, NETWORK, Asking, failed, hop_at, succeeds
from steps import hang, proposal

SPARE = (LABEL["ollama"], "success")
CLOSE = proposal().then_close(say_so=True)


def spare_beside(mock, url, limit=1, **more):
    """A chain of the hop at this URL and of one that answers."""
    return {**servers(mock, f"openai@{limit}", "ollama"), "OPENAI_API_BASE": url, **more}


# ---- Addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [f"http://{HOLE}:8080", f"https://{HOLE}:8080", f"http://[{HOLE6}]:8080"])
def test_dropped_packets_cost_the_limit_and_no_more(agent, network, url):
    error = failed(agent, url, outcome="timeout", limit=1, prefix=network.prefix)
    assert error == "no answer within 1 s (connecting)"


def test_a_black_hole_costs_three_events_their_limit_and_the_fourth_nothing(agent, mocks, network):
    with network.inside():
        mock = mocks()
    asking = Asking(agent, spare_beside(mock, f"http://{HOLE}:8080", HEARTBEAT_SECONDS=1), prefix=network.prefix)
    for service in "abc":
        asking.send(service)
        assert asking.tried(service) == [(HOP, "timeout"), SPARE]
        first = asking.attempts(service)[0]
        assert 1000 <= first["latency_ms"] < 6000
        assert first["error"] == "no answer within 1 s (connecting)"
    assert len(asking.daemon.named("breaker_opened")) == 1
    asking.send("d")
    assert asking.tried("d") == [(HOP, "breaker_open"), SPARE]
    assert asking.attempts("d")[0]["latency_ms"] == 0
    details = asking.tree.action("container-restart-solaria-a")["details"]
    told = details["attempts"]
    assert [(one["model"], one["outcome"]) for one in told] == [(HOP, "timeout"), SPARE]
    assert told[0]["error"] == "no answer within 1 s (connecting)"
    assert details["model"] == LABEL["ollama"]


def test_the_loop_turns_while_nobody_answers(agent, mocks, network):
    """The heartbeat beats, and an event that needs no model is not kept waiting."""
    with network.inside():
        mock = mocks()
    env = spare_beside(mock, f"http://{HOLE}:8080", limit=8, HEARTBEAT_SECONDS=1, LLM_CONCURRENCY=2)
    asking = Asking(agent, env, prefix=network.prefix)
    asking.send("a")
    wait_for("the call", lambda: connecting(asking.daemon.pid))
    before = asking.tree.heartbeat.stat().st_mtime_ns
    asking.tree.event(service="stale", at=-9000)
    asking.daemon.wait_log("proposed")
    wait_for("two beats", lambda: asking.tree.heartbeat.stat().st_mtime_ns >= before + 2_000_000_000)
    assert [log["service"] for log in asking.daemon.named("proposed")] == ["stale"]
    assert asking.tried("a") == [(HOP, "timeout"), SPARE]


UNREACHABLE = {
    "no route": (f"http://{FAR}:8080", f"{FAR} port 8080", "Network is unreachable"),
    "no route, IPv6": (f"http://[{FAR6}]:8080", f"{FAR6} port 8080", "Network is unreachable"),
    "no route, TLS": (f"https://{FAR}", f"{FAR} port 443", "Network is unreachable"),
    "said to be unreachable": ("http://203.0.113.1", "203.0.113.1 port 80", "No route to host"),
    "prohibited": ("http://203.0.113.2", "203.0.113.2 port 80", "Permission denied"),
    "a route that drops": ("http://203.0.113.3", "203.0.113.3 port 80", "Invalid argument"),
    "refused": ("http://127.0.0.1:9", "127.0.0.1 port 9", "Connection refused"),
    "refused, IPv6": ("https://[::1]:9", "::1 port 9", "Connection refused"),
    "broadcast": ("http://192.0.2.255:80", "192.0.2.255 port 80", "Network is unreachable|Permission denied"),
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_what_cannot_be_reached_is_known_at_once(agent, mocks, network, name):
    for kind, host in (("unreachable", 1), ("prohibit", 2), ("blackhole", 3)):
        network.run("ip", "route", "add", kind, f"203.0.113.{host}")
    url, place, words = UNREACHABLE[name]
    with network.inside():
        mock = mocks()
    done = route(agent, spare_beside(mock, url, limit=20), prefix=network.prefix)
    assert done.tried == [(HOP, NETWORK), SPARE]
    assert re.fullmatch(f"connecting to {re.escape(place)}: ({words})", done.attempts[0]["error"]), done
    assert done.attempts[0]["latency_ms"] < 10000


# ---- Names with several addresses ---------------------------------------------------------------


def two(network, mocks, listens, *addresses, **how):
    """A server at the address in listens, whose name has these addresses."""
    network.hosts(*(("model.lan", one) for one in addresses))
    with network.inside():
        mock = mocks(host=listens, name="model.lan", **how)
    return mock.on(OPENAI, CLOSE)


BROKEN = {  # which address swallows all, and which one works
    "IPv4 broken": (HOLE, LOCAL6),
    "IPv4 broken, IPv6 unique local": (HOLE, LOCAL_ULA),
    "one of two IPv4 broken": (HOLE, "127.0.0.1"),
    "one of two IPv6 broken": (HOLE6, LOCAL_ULA),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_address_delays_one_call(agent, mocks, network, name):
    """It gets its share of the time; from then on the one that worked goes first."""
    bad, good = BROKEN[name]
    mock = two(network, mocks, good, bad, good)
    asking = Asking(agent, hop_at(mock.url, limit=30), prefix=network.prefix)
    took = [asking.event(service)["latency_ms"] for service in "abc"]
    assert 2000 <= took[0] < 10000 and took[1] < 2000 and took[2] < 2000, took
    assert len(mock.connections) == 3, "no connection was kept"


@pytest.mark.parametrize("bad", [HOLE6, HOLE_ULA, FAR6])
def test_a_broken_ipv6_delays_nothing_where_ipv4_works(agent, mocks, network, bad):
    mock = two(network, mocks, "127.0.0.1", bad, "127.0.0.1")
    asking = Asking(agent, hop_at(mock.url, limit=10), prefix=network.prefix)
    assert all(asking.event(service)["latency_ms"] < 2000 for service in "ab")


def test_a_broken_address_delays_one_call_over_tls(agent, mocks, network, certificates):
    certificates.lan = certificates.chain("lan", names="DNS:model.lan")
    mock = two(network, mocks, LOCAL6, HOLE, LOCAL6, tls=certificates.lan)
    asking = Asking(agent, hop_at(mock.url, certificates.roots, limit=30), prefix=network.prefix)
    took = [asking.event(service)["latency_ms"] for service in "ab"]
    assert 2000 <= took[0] < 10000 and took[1] < 2000, took
    assert mock.connections[1].resumed


def test_the_share_of_an_address_fits_a_short_limit(agent, mocks, network):
    """Of three seconds, half of them for each."""
    mock = two(network, mocks, LOCAL6, HOLE, LOCAL6)
    attempt = succeeds(agent, mock.url, limit=3, prefix=network.prefix)
    assert 1500 <= attempt["latency_ms"] < 3000


@pytest.mark.parametrize("bad,good", [("::1", "127.0.0.1"), (FAR6, "127.0.0.1"), (FAR, LOCAL6), ("127.0.0.2", "127.0.0.3")])
def test_a_refused_address_delays_nothing(agent, mocks, network, bad, good):
    mock = two(network, mocks, good, bad, good)
    assert succeeds(agent, mock.url, limit=10, prefix=network.prefix)["latency_ms"] < 2000


def test_where_all_addresses_swallow(agent, mocks, network):
    network.hosts(*(("model.lan", one) for one in (HOLE, HOLE6, HOLE_ULA)))
    error = failed(agent, "http://model.lan:8080", outcome="timeout", limit=4, prefix=network.prefix)
    assert error == "no answer within 4 s (connecting)"


def test_where_all_addresses_refuse(agent, network):
    network.hosts(*(("model.lan", one) for one in ("127.0.0.1", "::1", FAR6)))
    error = failed(agent, "http://model.lan:9", prefix=network.prefix)
    assert re.fullmatch("connecting to (127.0.0.1|::1|2001:db8:1::1) port 9: (Connection refused|Network is unreachable)", error)


def test_what_worked_may_break_and_the_other_is_found(agent, mocks, network):
    network.hosts(("model.lan", LOCAL), ("model.lan", "127.0.0.1"))
    with network.inside():
        mock = mocks(host="0.0.0.0", name="model.lan").on(OPENAI, CLOSE)
    asking = Asking(agent, hop_at(mock.url, limit=30), prefix=network.prefix)
    asking.event("a")
    network.run("ip", "address", "del", f"{LOCAL}/24", "dev", "hole")
    took = [asking.event(service)["latency_ms"] for service in "bc"]
    assert 2000 <= took[0] < 10000 and took[1] < 2000, took


def test_a_link_that_goes_down_and_comes_back(agent, mocks, network):
    with network.inside():
        mock = mocks().on(OPENAI, CLOSE)
    asking = Asking(agent, hop_at(mock.url, limit=4), prefix=network.prefix)
    asking.event("a")
    network.run("ip", "link", "set", "lo", "down")
    asking.event("b", "timeout")
    network.run("ip", "link", "set", "lo", "up")
    asking.event("c")


# ---- The end ------------------------------------------------------------------------------------


def connecting(pid):
    """Does the process's network have a connection that is being made?"""
    for name in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{name}", encoding="ascii") as lines:
            if any(line.split()[3] == "02" for line in list(lines)[1:]):
                return True
    return False


STAGES = ["connecting", "in the handshake", "waiting", "reading"]


@pytest.mark.parametrize("stage", STAGES)
def test_it_ends_at_once(agent, tree, mocks, certificates, network, stage):
    """Whatever a call waits for; the event is left for the next start."""
    certificates.lan = certificates.chain("lan-end", names="DNS:model.lan")
    network.hosts(("model.lan", "127.0.0.1"))
    with network.inside():
        mock = mocks(tls=certificates.lan, name="model.lan")
    url = mock.url
    if stage == "connecting":
        url = f"http://{HOLE}:8080"
    elif stage == "in the handshake":
        mock.at_connect("hang at hello")
    else:
        mock.on(OPENAI, hang() if stage == "waiting" else proposal().hang("body"))
    daemon = agent.start(env=hop_at(url, certificates.roots, limit=60), prefix=network.prefix)
    tree.event()
    if stage == "connecting":
        wait_for("the SYN", lambda: connecting(daemon.pid))
    elif stage == "in the handshake":
        mock.wait_for("the connection", lambda: mock.connections)
        stays("it waits", lambda: not daemon.named("llm_attempt"), 0.2)
    else:
        mock.wait_requests(1)
        stays("it waits", lambda: not daemon.named("llm_attempt"), 0.2)
    assert daemon.stop() < AT_ONCE
    assert tree.actions() == {}
    agent.run_once(env={"LLM_CHAIN": "rules"})
    assert len(tree.actions()) == 1
