"""TLS with servers that are not ours, and what is said of those that cannot be talked to: by check
--probe with OpenSSL's s_server, by route with nginx."""

import re

import pytest

from agent import wait_for
from apis import OPENAI
from chain import AT_ONCE, LABEL, attempts_of, hosts, made, route, servers
from one_hop import HOP, NETWORK, check_tls_error, failed, hop_at, probed, succeeds
from steps import proposal
from tls_peers import NO_ROOT, Flood, Nginx, OpenSsl, Setup
from wire import Tls

DATE = r"\d{4}-\d\d-\d\d"
NO_VERSION = ("the server speaks no TLS 1.2, and BearSSL nothing else: put a local TLS proxy in front of it "
              "as base URL")
NO_SUITE = "the server takes none of our cipher suites (ECDHE with AES-GCM or ChaCha20) or curves"

# What ends well: with which suite.
ECDSA, RSA = "ECDHE_ECDSA_", "ECDHE_RSA_"
GOOD = {
    "RSA": (Setup("rsa"), RSA),
    "P-256": (Setup("p256"), ECDSA),
    "P-384": (Setup("p384"), ECDSA),
    "TLS 1.2 alone": (Setup("p256", version="1.2"), ECDSA),
    "over P-256": (Setup("rsa", curve="prime256v1"), RSA),
    "over P-384": (Setup("p256", curve="secp384r1"), ECDSA),
    "over X25519": (Setup("p384", curve="X25519"), ECDSA),
    "AES-128, RSA": (Setup("rsa", ciphers="ECDHE-RSA-AES128-GCM-SHA256"), RSA + "AES_128_GCM"),
    "AES-256, RSA": (Setup("rsa", ciphers="ECDHE-RSA-AES256-GCM-SHA384"), RSA + "AES_256_GCM"),
    "ChaCha20, RSA": (Setup("rsa", ciphers="ECDHE-RSA-CHACHA20-POLY1305"), RSA + "CHACHA20_POLY1305"),
    "AES-128, ECDSA": (Setup("p256", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"), ECDSA + "AES_128_GCM"),
    "AES-256, ECDSA": (Setup("p384", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"), ECDSA + "AES_256_GCM"),
    "ChaCha20, ECDSA": (Setup("p256", ciphers="ECDHE-ECDSA-CHACHA20-POLY1305"), ECDSA + "CHACHA20_POLY1305"),
    "any name below": (Setup("wildcard"), ECDSA),
}
# What does not: the error behind "TLS with localhost: ".
BAD = {
    "expired": (Setup("expired"), rf"the certificate expired on {DATE} \(the clock here says {DATE}\)"),
    "not yet valid": (Setup("not_yet_valid"), rf"the certificate is not valid before {DATE} \(the clock here says {DATE}\)"),
    "another name": (Setup("wrong_name"), "the certificate is not for localhost"),
    "addresses alone": (Setup("ip_only"), "the certificate is not for localhost"),
    "self-signed": (Setup("self_signed"), r"the certificate is self-signed \(SSL_CERT_FILE with it would trust it\)"),
    "unknown root": (Setup("unknown_root"), NO_ROOT),
    "missing intermediate": (Setup("missing_intermediate"), NO_ROOT),
    "leaf twice": (Setup("leaf_twice"), "the server's chain is out of order: a certificate is not its "
                                        "predecessor's issuer's"),
    "signed with Ed25519": (Setup("signed_with_ed25519"), re.escape(
        "the certificate's algorithm is none that BearSSL has (RSA-PSS, Ed25519 and SHA-1 are not)")),
    "an Ed25519 key": (Setup("ed25519"), re.escape(NO_SUITE)),
    "an RSA-PSS key": (Setup("rsa_pss"), re.escape(NO_SUITE)),
    "TLS 1.0 alone": (Setup("rsa", version="1.0"), NO_VERSION),
    "TLS 1.1 alone": (Setup("rsa", version="1.1"), NO_VERSION),
    "TLS 1.3 alone": (Setup("rsa", version="1.3"), NO_VERSION),
    "CBC alone": (Setup("rsa", "1.2", "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES128-SHA"), re.escape(NO_SUITE)),
    "RSA key exchange alone": (Setup("rsa", "1.2", "AES128-GCM-SHA256:AES256-GCM-SHA384"), re.escape(NO_SUITE)),
    "DHE alone": (Setup("rsa", "1.2", "DHE-RSA-AES128-GCM-SHA256"), re.escape(NO_SUITE)),
    "CCM alone": (Setup("p256", "1.2", "ECDHE-ECDSA-AES128-CCM"), re.escape(NO_SUITE)),
    "X448 alone": (Setup("rsa", "1.2", curve="X448"), re.escape(NO_SUITE)),
}
ALL = {**GOOD, **BAD}


@pytest.fixture(scope="module")
def chains(certificates):
    """Those of the mock, and a few more."""
    certificates.wildcard = certificates.chain("wildcard", names="DNS:*.models.test,DNS:localhost")
    certificates.signed_with_ed25519 = certificates.chain("below-ed25519", "p256", authority=("ed25519", "ed25519"))
    twice = certificates.directory / "leaf-twice.pem"
    whole = certificates.p256.cert.read_text()
    twice.write_text(whole[:whole.index("-----BEGIN", 1)] + whole)
    certificates.leaf_twice = type(certificates.p256)(twice, certificates.p256.key, certificates.p256.root)
    return certificates


@pytest.fixture(scope="module")
def nginx(chains):
    with Nginx(chains, {name: setup for name, (setup, _) in ALL.items()}) as server:
        yield server


# ---- Certificates, versions, suites -------------------------------------------------------------


@pytest.mark.parametrize("name", GOOD)
def test_good_with_openssl(agent, chains, name):
    setup, suite = GOOD[name]
    with OpenSsl(chains, setup) as server:
        well, words, tls = probed(agent, server.url, chains.roots)
    assert well and re.fullmatch(rf"TLS 1\.2, {suite}\w*", tls), (words, tls)


@pytest.mark.parametrize("name", GOOD)
def test_good_with_nginx(agent, chains, nginx, name):
    before = len(nginx.seen(name))
    succeeds(agent, nginx.url(name), chains.roots)
    version, suite, reused, status, sni = nginx.seen(name, before + 1)[-1]
    assert (version, reused, status, sni) == ("TLSv1.2", ".", "200", "localhost")
    wanted = GOOD[name][1].removeprefix("ECDHE_").rstrip("_").replace("AES_", "AES").replace("_", "-")
    assert suite.startswith(f"ECDHE-{wanted}"), suite


@pytest.mark.parametrize("name", BAD)
def test_bad_with_openssl(agent, chains, name):
    setup, words = BAD[name]
    with OpenSsl(chains, setup) as server:
        well, text, tls = probed(agent, server.url, chains.roots)
    assert not well and tls == "TLS not established"
    check_tls_error(text, words)


@pytest.mark.parametrize("name", BAD)
def test_bad_with_nginx(agent, chains, nginx, name):
    check_tls_error(failed(agent, nginx.url(name), chains.roots), BAD[name][1])
    assert nginx.seen(name) == [], "nothing is sent to a server that is not known"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_address_is_no_name(agent, mocks, certificates, host):
    """Also where the certificate is for it."""
    address = host.strip("[]")
    server = mocks(host=address, tls=certificates.ip_only, name=host)
    text = failed(agent, server.url, certificates.roots)
    check_tls_error(text, re.escape(f"TLS to an address ({address}): BearSSL knows names only; "
                                "/etc/hosts or DNS can give one"), address)
    assert server.requests == []


def test_a_name_of_its_own(agent, chains, nginx, tmp_path):
    made(agent)
    with hosts(tmp_path, **{"models.test": "127.0.0.1", "a.models.test": "127.0.0.1", "a.b.models.test": "127.0.0.1"}) as prefix:
        for setup, name, well in (("RSA", "models.test", True), ("RSA", "MODELS.Test", True),
                                  ("any name below", "a.models.test", True),
                                  ("any name below", "models.test", False),
                                  ("any name below", "a.b.models.test", False), ("RSA", "a.models.test", False)):
            url = nginx.url(setup, name)
            if well:
                before = len(nginx.seen(setup))
                succeeds(agent, url, chains.roots, prefix=prefix)
                assert nginx.seen(setup, before + 1)[-1][-1].lower() == name.lower()
            else:
                check_tls_error(failed(agent, url, chains.roots, prefix=prefix),
                            f"the certificate is not for {re.escape(name)}", name)


def test_errors_with_a_long_name_are_whole(agent, chains, tmp_path):
    """The way out stands at their end."""
    name = "ollama.cupboard-under-the-stairs.homelab.internal"
    chains.far = chains.chain("far", names=f"DNS:{name}", authority=("stranger", "p256"))
    with hosts(tmp_path, **{name: "127.0.0.1"}) as prefix:
        for setup, words in ((Setup("far"), NO_ROOT), (Setup("far", version="1.3"), NO_VERSION)):
            with OpenSsl(chains, setup, name=name) as server:
                check_tls_error(probed(agent, server.url, chains.roots, prefix=prefix)[1], words, name)


def hello_of(raw):
    """A ClientHello: its version, suites, and extensions by number."""
    def numbers(data):
        return [int.from_bytes(data[n:n + 2], "big") for n in range(0, len(data), 2)]

    assert raw[0] == 22 and raw[5] == 1 and int.from_bytes(raw[3:5], "big") == len(raw) - 5
    at = 5 + 4 + 2 + 32
    at += 1 + raw[at]
    suites = numbers(raw[at + 2:at + 2 + int.from_bytes(raw[at:at + 2], "big")])
    at += 2 + 2 * len(suites)
    at += 1 + raw[at] + 2
    extensions = {}
    while at < len(raw):
        kind, size = numbers(raw[at:at + 4])
        extensions[kind] = raw[at + 4:at + 4 + size]
        at += 4 + size
    return numbers(raw[9:11])[0], suites, extensions, numbers


def test_what_is_offered(agent):
    """ECDHE with AEAD, SHA-2, HTTP/1.1, and nothing else."""
    with Flood(b"") as quiet:
        failed(agent, quiet.url, outcome="timeout", limit=2)
        wait_for("what it said", lambda: quiet.first)
        version, suites, extensions, numbers = hello_of(quiet.first)
    assert version == 0x0303
    assert sorted(suites) == [0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9]
    assert extensions[0] == b"\0\x0c\0\0\x09localhost"
    assert sorted(numbers(extensions[10][2:])) == [23, 24, 25, 29], "P-256, P-384, P-521, X25519"
    assert extensions[16] == b"\0\x09\x08http/1.1"
    hashes = {one >> 8 for one in numbers(extensions[13][2:])}
    assert hashes == {4, 5, 6}, "SHA-256, SHA-384, SHA-512"
    assert 35 not in extensions, "no tickets"


# ---- Servers that ask or offer something else ---------------------------------------------------


def test_a_server_that_wants_a_client_certificate(agent, chains):
    with OpenSsl(chains, Setup(version="1.2"), "-Verify", "1") as server:
        well, text, _ = probed(agent, server.url, chains.roots)
    assert not well
    check_tls_error(text, "the server wants a client certificate, which this program does not have")


def test_a_server_that_would_like_a_client_certificate(agent, chains):
    with OpenSsl(chains, Setup(), "-verify", "1") as server:
        assert probed(agent, server.url, chains.roots)[0]


def test_a_server_of_http_2_alone(agent, chains):
    with OpenSsl(chains, Setup(), "-alpn", "h2") as server:
        well, text, _ = probed(agent, server.url, chains.roots)
    assert not well
    check_tls_error(text, r"the server speaks no HTTP/1\.1")


def test_a_server_that_does_not_go_by_the_name(agent, chains):
    with Nginx(chains, {"other": Setup()}, more="ssl_reject_handshake on;") as server:
        check_tls_error(failed(agent, server.url("other"), chains.roots), "the server does not go by this name")


def test_a_plain_server_where_tls_is_expected(agent, chains, nginx):
    url = nginx.url("plain").replace("http:", "https:")
    check_tls_error(failed(agent, url, chains.roots), "the server does not speak TLS")
    succeeds(agent, nginx.url("plain"), chains.roots)
    assert probed(agent, nginx.url("plain"), chains.roots)[::2] == (True, "no TLS")


def test_tls_where_a_plain_server_is_expected(agent, chains, nginx):
    """nginx sees through it and answers 400."""
    done = route(agent, hop_at(nginx.url("RSA").replace("https:", "http:"), chains.roots), rc=69)
    assert done.tried == [(HOP, "http_error")] and done.attempts[0]["status"] == 400
    with OpenSsl(chains, Setup()) as server:
        done = route(agent, hop_at(server.url.replace("https:", "http:"), chains.roots), rc=69)
        assert done.tried == [(HOP, NETWORK)], done


BROKEN = {
    "close": "the server (closed the connection in|broke off) the TLS handshake",
    "close at hello": "the server (closed the connection in|broke off) the TLS handshake",
    "reset at hello": "the server broke off the TLS handshake",
    b"220 mail.example.test ESMTP\r\n": "the server does not speak TLS",
    b"\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00" + bytes(64): r"the server broke the rules of TLS \(BearSSL's error \d+\)",
    b"\x15\x03\x03\x00\x02\x02\x28": re.escape(NO_SUITE),
    b"\x15\x03\x03\x00\x02\x02\x50": r"the server broke off the TLS handshake \(alert 80\)",
    b"\x15\x03\x03\x00\x02\x02\x46": NO_VERSION,
}


@pytest.mark.parametrize("order", BROKEN, ids=str)
def test_a_handshake_that_breaks_off(agent, mocks, certificates, order):
    mock = mocks(tls=certificates.p256).at_connect(order)
    check_tls_error(failed(agent, mock.url, certificates.roots), BROKEN[order])
    assert len(mock.connections) == 1 and mock.requests == []


# ---- The end of TLS -----------------------------------------------------------------------------


def test_a_body_that_ends_with_the_connection_needs_a_close_notify(agent, mocks, certificates):
    mock = mocks(tls=certificates.p256)
    mock.on(OPENAI, proposal().until_close())
    succeeds(agent, mock.url, certificates.roots)
    mock.on(OPENAI, proposal().until_close().no_notify())
    check_tls_error(failed(agent, mock.url, certificates.roots), r"the connection was cut short \(no close_notify\)")
    mock.on(OPENAI, proposal().then_close().no_notify())
    succeeds(agent, mock.url, certificates.roots)


# ---- Much, and in small pieces ------------------------------------------------------------------


def test_sixty_kilobytes_each_way(agent, mocks, certificates):
    """A question of 60 KB goes out in many records; the answer comes in whole ones, and in records of
    one byte each."""
    messages = [{"role": "user", "content": "why? " * 11500}]
    mock = mocks(tls=certificates.rsa)
    for step in (proposal().padded(60000), proposal().padded(20000).drip(part="body")):
        mock.on(OPENAI, step)
        done = route(agent, hop_at(mock.url, certificates.roots, limit=240), "--schema", "none", stdin=messages,
                     timeout=300)
        assert done.tried == [(HOP, "success")]
        assert len(mock.requests[-1].body) > 57000
        assert mock.requests[-1].json["messages"][-1]["content"] == messages[0]["content"]


def test_tcp_writes_of_one_byte(agent, mocks, certificates):
    mock = mocks(tls=Tls(certificates.p384, maximum="1.2"), drip=1)
    succeeds(agent, mock.url, certificates.roots, limit=120, timeout=180)


FLOODS = {"of warnings": b"\x15\x03\x03\x00\x02\x01\x70",
          "of empty records": b"\x16\x03\x03\x00\x00",
          "of hello requests": b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_records_costs_no_more_than_the_limit(agent, tree, mocks, name):
    """It ends by an error or at the limit; in the meantime the loop turns."""
    with Flood(FLOODS[name]) as flood:
        env = {**servers(mocks(), "openai@5", "ollama"), "OPENAI_API_BASE": flood.url, "LLM_CONCURRENCY": 2}
        daemon = agent.start(env=env)
        tree.event()
        wait_for("the flood", lambda: flood.sent > 0)
        tree.event(service="stale", at=-9000)  # no chain is needed
        daemon.wait_log("proposed", count=2, seconds=60)
        outcomes = attempts_of(daemon.logs)
        first = daemon.named("llm_attempt")[0]
        assert outcomes[0][1] in ("timeout", NETWORK) and outcomes[1] == (LABEL["ollama"], "success")
        assert first["latency_ms"] < 15000, first
        if outcomes[0][1] == "timeout":
            assert first["error"] == "no answer within 5 s (in the TLS handshake)"
            proposed = [log["service"] for log in daemon.named("proposed")]
            assert proposed == ["stale", "web"], "the loop stood still"


def test_it_ends_at_once_in_a_flood(agent, tree, mocks):
    with Flood(FLOODS["of warnings"]) as flood:
        daemon = agent.start(env={**servers(mocks(), "openai@30"), "OPENAI_API_BASE": flood.url})
        tree.event()
        wait_for("the flood", lambda: flood.sent > 1 << 20)
        assert daemon.stop() < AT_ONCE
