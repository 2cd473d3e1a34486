"""TLS from one call to the next: sessions that are resumed, the clock, and memory."""

import pathlib
import re

import pytest

from agent import Agent, binary, utc_day
from apis import OPENAI
from chain import KEY, hosts
from one_hop import NETWORK, Asking, check_tls_error, failed, hop_at, probed, succeeds
from steps import proposal
from tls_peers import DISTRIBUTION, NO_ROOT, Nginx, OpenSsl, Setup


# ---- Sessions -----------------------------------------------------------------------------------


def test_openssl_resumes(agent, certificates):
    """Of the two requests of a probe each has a connection of its own."""
    with OpenSsl(certificates, Setup()) as server:
        assert probed(agent, server.url, certificates.roots, "ollama")[0]
        assert server.handshakes == ["full", "resumed"]
        probed(agent, server.url, certificates.roots, "ollama")
        assert server.handshakes == 2 * ["full", "resumed"], "nothing is kept on disk"


RESUMES = {  # what nginx does with sessions: are they resumed?
    "by id": ("ssl_session_cache shared:s:1m; ssl_session_tickets off;", "r"),
    "by id, or by ticket": ("ssl_session_cache shared:s:1m;", "r"),
    "by ticket alone": ("ssl_session_cache off;", "."),
    "never": ("ssl_session_cache none; ssl_session_tickets off;", "."),
}


@pytest.mark.parametrize("name", RESUMES)
def test_nginx_resumes(agent, certificates, name):
    lines, reused = RESUMES[name]
    with Nginx(certificates, {"one": Setup("rsa")}, more=lines) as server:
        asking = Asking(agent, hop_at(server.url("one"), certificates.roots))
        for service in "abc":
            asking.event(service)
        assert [seen[2] for seen in server.seen("one", 3)] == [".", reused, reused]


def test_what_a_server_has_forgotten_costs_a_full_handshake(agent, certificates):
    lines = "ssl_session_cache shared:s:1m;"
    with Nginx(certificates, {"one": Setup()}, more=lines) as first:
        asking = Asking(agent, hop_at(first.url("one"), certificates.roots))
        asking.event("a")
        first.stop()
        with Nginx(certificates, {"one": Setup()}, more=lines, sockets=first.sockets) as second:
            asking.event("b")
            asking.event("c")
            assert [seen[2] for seen in second.seen("one", 2)] == [".", "r"]


def test_sessions_of_several_servers_are_kept_apart(agent, certificates, tmp_path):
    """By port and by name: a probe of hops at three servers, two of them at one port, each twice."""
    certificates.two_names = certificates.chain("two-names", names="DNS:localhost,DNS:other.lan")
    setups = {"one": Setup("two_names"), "two": Setup("two_names")}
    with Nginx(certificates, setups, more="ssl_session_cache shared:s:1m;") as server, \
            hosts(tmp_path, **{"other.lan": "127.0.0.1"}) as prefix:
        env = {"OPENAI_API_BASE": server.url("one"), "ANTHROPIC_API_BASE": server.url("one", "other.lan"),
               "OLLAMA_API_BASE": server.url("two"), "ANTHROPIC_API_KEY": KEY, "SSL_CERT_FILE": certificates.roots,
               "LLM_CHAIN": "openai/a,anthropic/a,ollama/a,openai/b,anthropic/b,ollama/b"}
        agent.cmd("check", "--probe", env=env, prefix=prefix, rc=1)
        assert [(seen[4], seen[2]) for seen in server.seen("one", 4)] == [
            ("localhost", "."), ("other.lan", "."), ("localhost", "r"), ("other.lan", "r")]
        assert [(seen[4], seen[2]) for seen in server.seen("two", 2)] == [("localhost", "."), ("localhost", "r")]


def test_a_session_does_not_outlive_the_root_that_vouched_for_it(agent, mocks, certificates, tmp_path):
    """Nor a connection that was kept. SSL_CERT_FILE is read anew at a reload."""
    bundle = tmp_path / "roots.pem"
    bundle.write_text(certificates.roots.read_text())
    mock = mocks(tls=certificates.p256).on(OPENAI, proposal().then_close(), proposal().then_close(), proposal())
    asking = Asking(agent, hop_at(mock.url, bundle))
    for service in "abc":
        asking.event(service)
    asking.reload()
    asking.event("d")
    assert [one.resumed for one in mock.connections] == [False, True, True, False]
    bundle.write_text(certificates.unknown_root.root.read_text())
    asking.reload()
    check_tls_error(asking.event("e", NETWORK)["error"], NO_ROOT)
    assert len(mock.requests) == 4


# ---- The clock ----------------------------------------------------------------------------------


def test_a_clock_before_the_build(tree, mocks, certificates):
    """The program once more, from a build far in the future."""
    program = binary().with_name(binary().name + "-future")
    assert program.is_file(), f"no {program}: make test"
    agent = Agent(tree, program)
    mock = mocks(tls=certificates.rsa)
    check_tls_error(failed(agent, mock.url, certificates.roots),
                rf"the clock is not set \(it says ({tree.day}|{utc_day()})T[\d:.]+Z; this program was built 2100-01-01\): TLS needs the date")
    assert mock.requests == []
    succeeds(agent, mocks().url, certificates.roots)
    out = agent.cmd("check", rc=1).out
    assert re.search(r"^PROBLEM +the clock is not set: it is before this program was built: "
                     rf"({tree.day}|{utc_day()})T", out, re.M), out


# ---- Memory -------------------------------------------------------------------------------------


def test_two_calls_in_flight_take_little_memory(agent, tree, mocks, certificates, tmp_path):
    """At most 1.2 MB at any time, with large answers, and the distribution's roots read once more."""
    bundle = tmp_path / "roots.pem"
    bundle.write_bytes(DISTRIBUTION.read_bytes() + certificates.roots.read_bytes())
    mock = mocks(tls=certificates.rsa)
    # All but the last byte is there when the other one has come, and for a while.
    answer = proposal().padded(60000).more("stops", (-1, lambda _: mock.wait_requests(2)))
    mock.on(OPENAI, answer.pause(0.5, at=-1))
    daemon = agent.start(env=hop_at(mock.url, bundle, limit=30, LLM_CONCURRENCY=2))
    for service in "ab":
        tree.event(service=service)
    daemon.wait_log("proposed", count=2)
    assert len(mock.connections) == 2
    status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    assert int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1]) <= 1228
