"""Names that are looked up: by a name server that lies, that is silent, that changes its mind. In a
network namespace of the test's own."""

import contextlib
import os
import pathlib
import re
import signal

import pytest

from agent import least_opened, opened, wait_for
from apis import OPENAI
from chain import AT_ONCE, LABEL, at_once, lone_agent, route, servers, value_of
from name_server import (NXDOMAIN, REFUSED, SERVFAIL, NameServer, addresses, alias, alias_loop, alias_of_itself,
                         another_number, by_family, code, empty, garbage, garbage_behind_the_head, longer_on_tcp,
                         nothing_but_a_head, silence)
from netns import HOLE, HOLE6
from one_hop import HOP, NETWORK, Asking, failed, hop_at, succeeds
from steps import proposal

NAME = "model.lan"
SPARE = (LABEL["ollama"], "success")
CLOSE = proposal().then_close(say_so=True)
V4 = [f"127.0.1.{number}" for number in range(1, 101)]


@pytest.fixture
def names(network):
    with contextlib.ExitStack() as stack:
        with network.inside():
            server = stack.enter_context(NameServer())
        yield server


def listening(network, mocks, host="127.0.0.1", **how):
    with network.inside():
        return mocks(host=host, name=NAME, **how).on(OPENAI, CLOSE)


def children(pid):
    """Also those that are dead and not reaped."""
    return [int(one) for one in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid):
    """Or a child that its new parent has yet to reap."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def all_at_once(program, directory, network, urls, limit=20):
    """The outcome and the error of a command for each URL."""
    def case(number, url):
        return lambda: route(lone_agent(program, directory / str(number)), hop_at(url, limit=limit),
                             rc=(0, 69), prefix=network.prefix)

    done = at_once({url: case(number, url) for number, url in enumerate(urls)}, workers=len(urls))
    attempts = [value_of(one).attempts for one in done.values()]
    assert all(len(one) == 1 for one in attempts), attempts
    return [(one["outcome"], one.get("error")) for [one] in attempts]


# ---- What it says -------------------------------------------------------------------------------


USABLE = {
    "one address": addresses("127.0.0.1"),
    "IPv6 alone": addresses("::1"),
    "both": addresses("127.0.0.1", "::1"),
    "an alias": alias("elsewhere.lan", "127.0.0.1", "::1"),
    "through TCP": longer_on_tcp(addresses("127.0.0.1")),
    "a hundred addresses": longer_on_tcp(addresses("127.0.0.1", *V4)),
    "the same one a hundred times": longer_on_tcp(addresses(*100 * ["127.0.0.1"])),
    "none but one is usable": addresses("0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1"),
    "IPv6 that is none": addresses("::", "ff02::1", "::ffff:127.0.0.9", "127.0.0.1"),
    "no IPv6 address": by_family(addresses("127.0.0.1"), addresses()),
}
# What routers do with a question that they do not know.
IPV4_ALONE = {"no such name": code(NXDOMAIN), "refused": code(REFUSED), "failed": code(SERVFAIL), "silence": silence}


@pytest.mark.parametrize("name", USABLE)
def test_usable(agent, mocks, network, names, name):
    names.on(NAME, USABLE[name])
    mock = listening(network, mocks, "::1" if name == "IPv6 alone" else "127.0.0.1")
    assert succeeds(agent, mock.url, prefix=network.prefix)["latency_ms"] < 4500, "as long as a look-up may"
    assert names.asked(NAME) >= 2


def test_a_name_server_that_answers_for_ipv4_alone(program, tmp_path, mocks, network, names):
    """All at once, for some take their time: each has a name of its own."""
    urls = []
    for number, say in enumerate(IPV4_ALONE.values()):
        names.on(f"m{number}.lan", by_family(addresses("127.0.0.1"), say))
        with network.inside():
            urls.append(mocks(name=f"m{number}.lan").url)
    tried = all_at_once(program, tmp_path, network, urls)
    assert dict(zip(IPV4_ALONE, tried)) == dict.fromkeys(IPV4_ALONE, ("success", None))


NO_NAME, NO_ADDRESS = "no such name", "the name server gives no usable address"
USELESS = {
    "no such name": (code(NXDOMAIN), NO_NAME),
    "no address": (addresses(), NO_NAME),
    "an alias of nothing": (alias("elsewhere.lan"), NO_NAME),
    "aliases in a circle": (alias_loop, NO_NAME),
    "0.0.0.0": (addresses("0.0.0.0"), NO_ADDRESS),
    "this network": (addresses("0.1.2.3"), NO_ADDRESS),
    "multicast": (addresses("224.0.0.251", "239.255.255.250"), NO_ADDRESS),
    "broadcast": (addresses("255.255.255.255"), NO_ADDRESS),
    "reserved": (addresses("240.0.0.1"), NO_ADDRESS),
    "IPv6 unspecified": (addresses("::"), NO_ADDRESS),
    "IPv6 multicast": (addresses("ff02::1"), NO_ADDRESS),
    "IPv4 in another dress": (addresses("::ffff:127.0.0.1", "::127.0.0.2"), NO_ADDRESS),
    "an address of three bytes": (lambda query: query.reply([(NAME, query.type, b"\x7f\0\0")]), None),
    "an alias that leads to itself": (alias_of_itself, NO_NAME),
    "nothing but a head": (nothing_but_a_head, NO_NAME),
    "garbage behind the head": (garbage_behind_the_head, None),
}


@pytest.mark.parametrize("name", USELESS)
def test_of_no_use(agent, network, names, name):
    """It is known at once, and nobody is connected to."""
    say, words = USELESS[name]
    names.on(NAME, say)
    error = failed(agent, f"http://{NAME}:8080", limit=4, prefix=network.prefix)
    assert error.startswith(f"looking up {NAME}: "), error
    assert words is None or error == f"looking up {NAME}: {words}"


SILENT = {"silence": silence, "servfail": code(SERVFAIL), "garbage": garbage, "an empty packet": empty,
          "a guessed number": another_number,
          "more on TCP, and nothing there": longer_on_tcp(silence)}


def test_no_answer_costs_the_limit(program, tmp_path, network, names):
    """Of the hop, where that is shorter than a look-up's own. All at once, each has its own name."""
    for number, say in enumerate(SILENT.values()):
        names.on(f"m{number}.lan", say)
    tried = all_at_once(program, tmp_path, network, [f"http://m{number}.lan:8080" for number in range(len(SILENT))], 2)
    expected = ("timeout", "no answer within 2 s (looking up the name)")
    assert dict(zip(SILENT, tried)) == dict.fromkeys(SILENT, expected)


def test_a_look_up_has_a_limit_of_its_own(agent, network, names):
    """Whatever the resolver's configuration would have it wait."""
    network.resolv_file.write_text("nameserver 127.0.0.1\noptions timeout:15 attempts:2\n")
    names.on(NAME, silence)
    error = failed(agent, f"http://{NAME}:8080", limit=12, prefix=network.prefix)
    assert error == f"looking up {NAME}: no answer from the name server"


def test_where_there_is_no_name_server(agent, network):
    error = failed(agent, f"http://{NAME}:8080", outcome="timeout", limit=1, prefix=network.prefix)
    assert error == "no answer within 1 s (looking up the name)"


# ---- What it says later -------------------------------------------------------------------------


def test_an_answer_is_kept_and_serves_while_the_name_server_is_down(agent, mocks, network, names):
    mock = listening(network, mocks)
    names.on(NAME, addresses("127.0.0.1"))
    asking = Asking(agent, hop_at(mock.url), prefix=network.prefix)
    asking.event("a")
    asked = names.asked(NAME)
    names.on(NAME, silence)
    for service in "bc":
        assert asking.event(service)["latency_ms"] < 5000
    assert len(mock.connections) == 3 and names.asked(NAME) == asked


def test_what_failed_is_asked_anew(agent, mocks, network, names):
    mock = listening(network, mocks)
    names.on(NAME, code(NXDOMAIN))
    asking = Asking(agent, hop_at(mock.url), prefix=network.prefix)
    asking.event("a", NETWORK)
    names.on(NAME, addresses("127.0.0.1"))
    asking.event("b")


def test_a_reload_asks_anew(agent, mocks, network, names):
    """For the address may have been changed, and that be the reason."""
    mock = listening(network, mocks, host="127.0.0.2")
    names.on(NAME, addresses("127.0.0.1"))
    asking = Asking(agent, hop_at(mock.url), prefix=network.prefix)
    asking.event("a", NETWORK)
    names.on(NAME, addresses("127.0.0.2"))
    asking.reload()
    asking.event("b")


@pytest.mark.parametrize("bad,good,delayed", [(HOLE, "::1", True), (HOLE6, "127.0.0.1", False)])
def test_a_broken_address_delays_one_call_at_most(agent, mocks, network, names, bad, good, delayed):
    """IPv4 goes first, and from then on what worked."""
    mock = listening(network, mocks, good)
    names.on(NAME, addresses(bad, good))
    asking = Asking(agent, hop_at(mock.url, limit=30), prefix=network.prefix)
    took = [asking.event(service)["latency_ms"] for service in "ab"]
    assert took[1] < 2000 and (2000 <= took[0] < 10000 if delayed else took[0] < 2000), took


# ---- While it says nothing ----------------------------------------------------------------------


def hung(agent, network, mocks, names, limit, **more):
    """A daemon whose first hop is being looked up, in vain."""
    with network.inside():
        spare = mocks()
    names.on(NAME, silence)
    env = {**servers(spare, f"openai@{limit}", "ollama"), "OPENAI_API_BASE": f"http://{NAME}:8080", **more}
    asking = Asking(agent, env, prefix=network.prefix)
    asking.send("a")
    wait_for("the look-up", lambda: names.asked(NAME))
    return asking


def test_everything_goes_on(agent, mocks, network, names):
    """The heart beats, events that need no model are through, two calls wait side by side, and in the
    end no child is left."""
    network.resolv_file.write_text("nameserver 127.0.0.1\noptions timeout:15 attempts:2\n")
    asking = hung(agent, network, mocks, names, 3, LLM_CONCURRENCY=3, HEARTBEAT_SECONDS=1)
    asking.send("b")
    wait_for("two look-ups", lambda: len(children(asking.daemon.pid)) == 2)
    before = asking.tree.heartbeat.stat().st_mtime_ns
    asking.tree.event(service="stale", at=-9000)
    assert asking.daemon.wait_log("proposed")[0]["service"] == "stale"
    wait_for("a beat", lambda: asking.tree.heartbeat.stat().st_mtime_ns >= before + 1_000_000_000)
    for service in "ab":
        assert asking.tried(service) == [(HOP, "timeout"), SPARE]
        first = asking.attempts(service)[0]
        assert first["error"] == "no answer within 3 s (looking up the name)" and 3000 <= first["latency_ms"] < 5000
    # By themselves they would end three seconds later.
    wait_for("no child", lambda: children(asking.daemon.pid) == [], 2.5)


def test_many_look_ups_leave_nothing_behind(agent, mocks, network, names):
    names.on(NAME, code(NXDOMAIN))
    with network.inside():
        spare = mocks()
    env = {**servers(spare, "openai", "ollama"), "OPENAI_API_BASE": f"http://{NAME}:8080", "LLM_CONCURRENCY": 8}
    asking = Asking(agent, env, prefix=network.prefix)
    descriptors = least_opened(asking.daemon.pid)
    for round in "abcdef":
        services = [f"{round}{number}" for number in range(8)]
        for service in services:
            asking.send(service)
        for service in services:
            assert asking.tried(service)[-1] == SPARE
        asking.reload()  # it closes the breaker, and the connections that are kept
    assert names.asked(NAME) >= 6 * 3 * 2
    wait_for("no child", lambda: children(asking.daemon.pid) == [])
    wait_for("as few descriptors as before", lambda: opened(asking.daemon.pid) == descriptors)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_child_outlives_the_daemon(agent, mocks, network, names, number):
    asking = hung(agent, network, mocks, names, 60)
    found = wait_for("its child", lambda: children(asking.daemon.pid))
    if number == signal.SIGTERM:
        assert asking.daemon.stop() < AT_ONCE
    else:
        asking.daemon.kill()
    wait_for("the child's end", lambda: all(is_gone(one) for one in found), 3)
    # Nobody holds the lock: the next one has it at once, and the event.
    agent.run_once(env={"LLM_CHAIN": "rules"})
    assert list(asking.tree.actions()) == ["container-restart-solaria-a"]


def test_a_child_holds_nothing_of_ours(agent, mocks, network, names):
    """Neither the lock nor a socket: its pipe alone, and what it asks with."""
    asking = hung(agent, network, mocks, names, 60)
    [child] = wait_for("its child", lambda: children(asking.daemon.pid))
    opened = [os.readlink(f"/proc/{child}/fd/{one}") for one in os.listdir(f"/proc/{child}/fd")]
    assert sorted(one.split(":")[0] for one in opened) == ["pipe", "socket"], opened
    status = pathlib.Path(f"/proc/{child}/status").read_text()
    masks = dict(re.findall(r"^(Sig\w+):\t([0-9a-f]+)$", status, re.M))
    # 32 to 34 are the C libraries' own: posix_spawn of glibc, which make uses, leaves them ignored.
    for mask in ("SigBlk", "SigIgn"):
        assert int(masks[mask], 16) & 0x7fffffff == 0, masks
