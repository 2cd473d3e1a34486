"""A server that misbehaves: what is taken, what is rejected and with which words, and that it costs
no more than the hop's limit. By the route command, plain and over TLS."""

import collections
import re

import pytest

from agent import fault
from apis import OLLAMA, OPENAI
from chain import (LABEL, PATH, at_once, lone_agent, made, route, servers, tried, value_of)
from server import MockServer
from steps import (body, close, deep, every_split, garbage, hang, html, proposal, raw, redirect, reset, say)

GOOD = proposal()
BIG = 10 << 20
NETWORK = "network_error"


def rejected(outcome, words=r".", status=None):
    return outcome, words, status


TAKEN = (None, None, None)
# What the server does: what becomes of the hop.
STEPS = {
    # framing that is in order
    "one byte at a time": (GOOD.drip(), TAKEN),
    "one byte at a time, in chunks of one": (GOOD.chunked(every=1).drip(), TAKEN),
    "chunked": (GOOD.chunked(), TAKEN),
    "chunk extensions": (GOOD.chunked(every=7, extension=';a=b;c="d;e"'), TAKEN),
    "trailers": (GOOD.chunked(every=50, trailers=[("x-sum", "1"), ("content-length", "3")]), TAKEN),
    "until close": (GOOD.until_close(), TAKEN),
    "HTTP/1.0": (GOOD.http10(), TAKEN),
    "HTTP/1.0, keep-alive": (GOOD.http10(keep_alive=True), TAKEN),
    "1xx first": (GOOD.informational(100, 103), TAKEN),
    "1xx first, one byte at a time": (GOOD.informational(100, 102, 103).drip(part="head"), TAKEN),
    "bare LF in the head": (GOOD.bare_lf(), TAKEN),
    "an empty header value": (GOOD.header("access-control-allow-origin", "").header("keep-alive", "timeout=5"), TAKEN),
    "equal lengths": (GOOD.lengths(0, 0), TAKEN),
    "closes behind it": (GOOD.then_close(say_so=True), TAKEN),
    "slow, but in time": (GOOD.pause(0.2, "start").pause(0.1, "head").pause(0.1, "body"), TAKEN),
    "a header of 4 KB": (GOOD.huge_header(4096), TAKEN),
    "a padded body of 60 KB": (GOOD.padded(60000), TAKEN),
    "bytes behind the answer": (GOOD.behind("HTTP/1.1 500 No\r\n\r\n"), TAKEN),
    "the answer twice": (GOOD.twice(), TAKEN),
    "reset behind the answer": (GOOD.reset("end"), TAKEN),
    "content-encoding: identity": (GOOD.header("content-encoding", "identity"), TAKEN),
    "another content-type": (GOOD.but(type="text/plain"), TAKEN),
    # framing that is not
    "a length too short": (GOOD.lengths(-3), rejected("invalid_json", status=200)),
    "a length too long": (GOOD.lengths(3).then_close(), rejected(NETWORK, "closed .* within the body")),
    "two lengths": (GOOD.lengths(0, 1), rejected(NETWORK, "two different Content-Lengths")),
    "length and chunked": (GOOD.chunked().lengths(0), rejected(NETWORK, "Content-Length and a Transfer-Encoding")),
    "a length that is no number": (GOOD.lengths("0x10"), rejected(NETWORK, "not a number")),
    "a length with a sign": (GOOD.lengths("+5"), rejected(NETWORK, "not a number")),
    "a negative length": (GOOD.lengths("-1"), rejected(NETWORK, "not a number")),
    "an empty length": (GOOD.lengths(""), rejected(NETWORK, "not a number")),
    "lengths in a list that differ": (GOOD.lengths("5, 6"), rejected(NETWORK, "two different")),
    "a length past all bounds": (GOOD.lengths("9" * 30), rejected(NETWORK, "larger")),
    "gzip coding of transfer": (GOOD.unframed().header("transfer-encoding", "gzip, chunked"),
                                rejected(NETWORK, "chunked")),
    "a chunk size that is none": (GOOD.unframed().header("transfer-encoding", "chunked").behind("zz\r\n"),
                                  rejected(NETWORK, "chunk")),
    "closed within the last chunk": (GOOD.chunked(every=100).close("last chunk"), rejected(NETWORK, "closed")),
    "chunks with bare LF": (GOOD.chunked().bare_lf(), rejected(NETWORK, "CRLF")),
    "chunk extensions without end": (GOOD.chunked(every=1, extension=";" + "x" * 400), rejected(NETWORK, "extensions")),
    "nine 1xx first": (GOOD.informational(*9 * [100]), rejected(NETWORK, "interim")),
    "switching protocols": (GOOD.informational(101), rejected(NETWORK, "switches")),
    "no HTTP": (garbage(), rejected(NETWORK, "not HTTP")),
    "HTTP/2": (raw("HTTP/2 200\r\n\r\n").then_close(), rejected(NETWORK, "version")),
    "a status that is none": (GOOD.status_line("HTTP/1.1 20 OK"), rejected(NETWORK, "status")),
    "a folded header": (GOOD.folded(), rejected(NETWORK, "folded")),
    "a NUL in the head": (GOOD.nul_in_head(), rejected(NETWORK, "control character")),
    "a header of 1 MB": (GOOD.huge_header(), rejected(NETWORK, "too long")),
    "ten thousand headers": (GOOD.many_headers(), rejected(NETWORK, "too many|too long")),
    # bodies
    "10 MB, by length": (GOOD.padded(BIG), rejected(NETWORK, "larger than we take")),
    "10 MB, in chunks": (GOOD.padded(BIG).chunked(every=1 << 16), rejected(NETWORK, "larger than we take")),
    "10 MB, until close": (GOOD.padded(BIG).until_close(), rejected(NETWORK, "larger than we take")),
    "gzip though not asked": (GOOD.gzip(), rejected(NETWORK, "compressed")),
    "deep JSON in the envelope": (GOOD.deep(1000), rejected("invalid_json", status=200)),
    "deep JSON": (body(deep(20000)), rejected("invalid_json", status=200)),
    "deep JSON in the text": (say(deep(2000)), rejected("invalid_json", status=200)),
    "deep JSON in the object": (say('{"action":"restart","reason":"x","confidence":1,"requires_human":true,"x":'
                                    + deep(1000).decode() + "}"), rejected("invalid_json", status=200)),
    "a NUL in the body": (GOOD.nul_in_body(), rejected("invalid_json", status=200)),
    "no UTF-8 in the body": (body(b'{"message":{"content":"\xff\xfe"}}'), rejected("invalid_json", status=200)),
    "HTML with status 200": (html(200), rejected("invalid_json", status=200)),
    "a stream of documents": (body('{"message":{"content":"{"}}\n{"message":{"content":"}"},"done":true}\n', 200,
                                   "application/x-ndjson"), rejected("invalid_json", status=200)),
    "an empty body": (body(""), rejected("invalid_json", status=200)),
    "204": (body("", 204, None).unframed(), rejected("http_error", "204", 204)),
    "201": (GOOD.but(status=201), rejected("http_error", "201", 201)),
    "HTML with status 403": (html(403), rejected("http_error", "403", 403)),
    "HTML with status 502": (html(502).delay(0.6), rejected("http_error", "502", 502)),
    # the connection
    "reset": (reset(), rejected(NETWORK)),
    "reset amid the interim": (GOOD.informational(100).reset("interim"), rejected(NETWORK)),
    "reset amid the headers": (GOOD.reset("head"), rejected(NETWORK)),
    "reset behind the headers": (GOOD.reset("headers"), rejected(NETWORK)),
    "reset amid the body": (GOOD.reset("body"), rejected(NETWORK)),
    "reset behind a chunk": (GOOD.chunked(every=100).reset("chunk"), rejected(NETWORK)),
    "closed without an answer": (close(), rejected(NETWORK, "closed .* before the answer")),
    "closed amid the headers": (GOOD.close("head"), rejected(NETWORK, "closed .* within the headers")),
    "closed amid the body": (GOOD.close("body"), rejected(NETWORK, "closed .* within the body")),
    "closed behind the last byte but one": (GOOD.close(-1), rejected(NETWORK, "closed .* within the body")),
}
# Seconds. The 502 comes when there is no time left for a retry, which is at least half a second away and has one.
LIMITS = collections.defaultdict(lambda: 20, {"HTML with status 502": 2})
# The same, where the end of TLS counts.
TLS_STEPS = {
    "a whole answer, no close-notify": (GOOD.then_close().no_notify(), TAKEN),
    "until close, with close-notify": (GOOD.until_close(), TAKEN),
    "until close, no close-notify": (GOOD.until_close().no_notify(), rejected(NETWORK)),
    "chunked, no close-notify": (GOOD.chunked().then_close().no_notify(), TAKEN),
    "closed amid the body, no close-notify": (GOOD.close("body").no_notify(), rejected(NETWORK)),
}


def check(done, label, spare, expected):
    outcome, words, status = expected
    if outcome is None:
        assert done.tried == [(label, "success")], done
        return
    assert done.tried == [(label, outcome), (spare, "success")], done
    first = done.attempts[0]
    assert re.search(words, first["error"]), first
    assert first["status"] == status, first
    assert first["latency_ms"] < 10000, "it took as long as it may"


@pytest.mark.parametrize("name", STEPS)
def test_plain(agent, mock, mocks, name):
    step, expected = STEPS[name]
    mock.on(OLLAMA, step)
    env = {**servers(mock, f"ollama@{LIMITS[name]}", "openai"), "OPENAI_API_BASE": mocks().url}
    check(route(agent, env), LABEL["ollama"], LABEL["openai"], expected)
    assert len(mock.requests) == 1


@pytest.mark.parametrize("name", [*STEPS, *TLS_STEPS])
def test_over_tls(agent, mocks, certificates, name):
    step, expected = {**STEPS, **TLS_STEPS}[name]
    server = mocks(tls=certificates.p256).on(OPENAI, step)
    env = {**servers(mocks(), f"openai@{LIMITS[name]}", "ollama"), "OPENAI_API_BASE": server.url,
           "SSL_CERT_FILE": certificates.roots}
    check(route(agent, env), LABEL["openai"], LABEL["ollama"], expected)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("provider", ["ollama", "openai", "anthropic"])
def test_a_redirect_is_an_error_and_is_not_followed(agent, mocks, status, provider):
    elsewhere, mock = mocks(), mocks()
    mock.on(PATH[provider], redirect(status, f"{elsewhere.url}{PATH[provider]}"))
    done = route(made(agent), servers(mock, f"{provider}@20"), rc=69)
    assert done.tried == [(LABEL[provider], "http_error")] and done.attempts[0]["status"] == status
    assert "redirect" in done.attempts[0]["error"]
    assert elsewhere.connections == [] and len(mock.requests) == 1


@pytest.mark.parametrize("order", ["reset", "reset at hello", "close", "close at hello"])
def test_a_connection_that_ends_before_the_request_is_read(agent, mocks, order):
    mock = mocks().at_connect(order)
    done = route(agent, {**servers(mock, "ollama@20", "openai"), "OPENAI_API_BASE": mocks().url})
    assert done.tried == [(LABEL["ollama"], NETWORK), (LABEL["openai"], "success")]
    assert len(mock.connections) == 1, "a fresh connection is not tried twice"


@pytest.mark.parametrize("order", ["reset", "reset at hello", "reset at secured", "close", "close at hello",
                                   "close at secured", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=str)
def test_a_handshake_that_ends_early(agent, mocks, certificates, order):
    server = mocks(tls=certificates.p256).at_connect(order)
    env = {**servers(mocks(), "openai@20", "ollama"), "OPENAI_API_BASE": server.url,
           "SSL_CERT_FILE": certificates.roots}
    done = route(agent, env)
    assert done.tried == [(LABEL["openai"], NETWORK), (LABEL["ollama"], "success")], done
    assert done.attempts[0]["error"] and done.attempts[0]["latency_ms"] < 10000


def test_over_ipv6(agent, mocks):
    assert route(agent, servers(mocks(host="::1"), "ollama")).tried == [(LABEL["ollama"], "success")]


def test_nobody_listens(agent, mock):
    done = route(agent, {**servers(mock, "ollama@20", "openai"), "OLLAMA_API_BASE": "http://127.0.0.1:9"})
    assert done.tried == [(LABEL["ollama"], NETWORK), (LABEL["openai"], "success")]
    assert "refused" in done.attempts[0]["error"].lower() and done.attempts[0]["latency_ms"] < 10000


# ---- Cut anywhere ----

SHORT = proposal(action="ignore", reason="x")


def run_all(agent, tree, env, count):
    """That many events in one run; each was answered at the first attempt."""
    tree.jsonl(*(fault(service=f"s{number}") for number in range(count)))
    done = agent.run_once(env={**env, "LLM_CONCURRENCY": 2}, timeout=300)
    attempts = done.named("llm_attempt")
    assert len(attempts) == count and [log for log in attempts if log["outcome"] != "success"][:3] == []
    assert len(done.named("ignored")) == count


@pytest.mark.parametrize("provider", ["ollama", "openai", "anthropic"])
def test_chunked_in_every_split(agent, tree, mock, provider):
    every = every_split(SHORT, mock.example(PATH[provider]))
    assert len(every) > 200
    mock.on(PATH[provider], *every)
    run_all(agent, tree, servers(mock, provider, CLOUD_CALLS_PER_DAY=9999), len(every))
    assert len(mock.requests) == len(every)


def test_in_two_reads_cut_anywhere(agent, tree, mock):
    size = len(SHORT.chunked(50, 60).layout(mock.example(OPENAI)).wire)
    mock.on(OPENAI, *(SHORT.chunked(50, 60).but(cuts=[]).writes(n) for n in range(1, size)))
    run_all(agent, tree, servers(mock, "openai"), size - 1)


def test_tls_records_and_writes_of_one_byte(agent, mocks, certificates):
    server = mocks(tls=certificates.rsa, drip=1).on(OPENAI, GOOD.chunked(every=5))
    done = route(agent, {**servers(server, "openai@120"), "SSL_CERT_FILE": certificates.roots}, timeout=180)
    assert done.tried == [(LABEL["openai"], "success")]


# ---- Connections that are kept ----

@pytest.mark.parametrize("tls", [False, True])
def test_one_connection_serves_many_calls(agent, tree, mocks, certificates, tls):
    server = mocks(tls=certificates.p256 if tls else None)
    for service in "abcd":
        tree.event(service=service)
    agent.run_once(env={**servers(server, "openai"), "SSL_CERT_FILE": certificates.roots})
    assert len(server.connections) == 1 and [one.reused for one in server.requests] == [False, True, True, True]


STALE = {
    "dropped at the next request": GOOD.then_drop(),
    "reset at the next request": GOOD.then_drop(reset=True),
    "closed at once": GOOD.then_close(),
    "closed, and said so": GOOD.then_close(say_so=True),
    "said to be closed, and stays open": GOOD.header("connection", "close"),
    "HTTP/1.0": GOOD.http10(),
    "HTTP/1.0, and stays open": GOOD.http10().but(ending="keep"),
    "bytes behind the answer": GOOD.behind("x"),
    "a length too short by a blank": say(GOOD.content.text).padded(700).lengths(-1),
}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("name", STALE)
def test_a_connection_that_is_no_use_any_more_costs_no_attempt(agent, tree, mocks, certificates, name, tls):
    server = mocks(tls=certificates.p256 if tls else None).on(OPENAI, STALE[name])
    for service in "abc":
        tree.event(service=service)
    agent.run_once(env={**servers(server, "openai"), "SSL_CERT_FILE": certificates.roots})
    actions = tree.actions().values()
    assert len(actions) == 3
    assert all(tried(one["details"]["attempts"]) == [(LABEL["openai"], "success")] for one in actions)
    assert len(server.connections) == 3


def test_an_answer_that_began_on_a_kept_connection_is_not_asked_for_again(agent, tree, mock):
    mock.on(OPENAI, GOOD, GOOD.reset("head"))
    for service in "ab":
        tree.event(service=service)
    done = agent.run_once(rc=75, env=servers(mock, "openai"))
    assert [log["outcome"] for log in done.named("llm_attempt")] == ["success", NETWORK]
    assert len(mock.requests) == 2 and len(mock.connections) == 1


# ---- Too slow: all at once, for each takes its limit of three seconds ----

SLOW = {
    "never answers": (hang(), "waiting for the answer"),
    "slow headers": (GOOD.delay(10), "waiting for the answer"),
    "hangs amid the headers": (GOOD.hang("head"), "reading the answer|waiting"),
    "hangs behind the headers": (GOOD.hang("headers"), "reading the answer"),
    "hangs amid the body": (GOOD.hang("body"), "reading the answer"),
    "hangs behind a chunk": (GOOD.chunked(every=100).hang("chunk"), "reading the answer"),
    "hangs before the last chunk": (GOOD.chunked(every=100).hang("last chunk"), "reading the answer"),
    "hangs before the last byte": (GOOD.hang(-1), "reading the answer"),
    "hangs behind 100": (GOOD.informational(100).hang("interim"), "waiting|reading"),
    "a byte now and then": (GOOD.drip(0.02), "reading the answer|waiting"),
    "headers now and then": (GOOD.many_headers(100).drip(0.02, part="head"), "reading the answer|waiting"),
    "chunks now and then": (GOOD.chunked(every=1).drip(0.03, part="body"), "reading the answer"),
    "a body that does not close": (GOOD.until_close().hang("end"), "reading the answer"),
}
AT_CONNECT = {"accepts and never answers": ("hang", "waiting for the answer"),
              "TLS: hangs at hello": ("hang at hello", "TLS|handshake|secur"),
              "TLS: says nothing": ("hang", "TLS|handshake|secur"),
              "TLS: hangs behind the handshake": ("hang at secured", "waiting for the answer")}
SLOW_NAMES = [*SLOW, *(f"TLS: {name}" for name in SLOW), *AT_CONNECT, "dropped SYNs"]


@pytest.fixture(scope="module")
def slow(program, tmp_path_factory, certificates):
    directory = tmp_path_factory.mktemp("slow")

    def case(name, number):
        def run():
            tls = name.startswith("TLS: ")
            step, words = AT_CONNECT.get(name) or SLOW.get(name.removeprefix("TLS: ")) or (None, "connecting")
            how = {"tls": certificates.p256} if tls else {"full": True} if step is None else {}
            with MockServer(**how) as server, MockServer() as spare:
                if isinstance(step, str):
                    server.at_connect(step)
                elif step is not None:
                    server.on(OPENAI, step)
                agent = lone_agent(program, directory / str(number))
                env = {**servers(spare, "openai@3", "ollama"), "OPENAI_API_BASE": server.url,
                       "SSL_CERT_FILE": certificates.roots}
                return route(agent, env), words, len(server.requests)
        return run

    return at_once({name: case(name, number) for number, name in enumerate(SLOW_NAMES)}, workers=12)


@pytest.mark.parametrize("name", SLOW_NAMES)
def test_too_slow(slow, name):
    done, words, asked = value_of(slow[name])
    assert done.tried == [(LABEL["openai"], "timeout"), (LABEL["ollama"], "success")]
    first = done.attempts[0]
    assert 3000 <= first["latency_ms"] < 8000 and done.seconds < 20, first
    assert re.search(rf"no answer within 3 s \((.*({words}).*)\)", first["error"]), first
    assert asked <= 1, "a timeout is not tried again"
