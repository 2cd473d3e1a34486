"""check --probe: is each hop alive? One line a hop, with the time it took and how it was secured."""

import re

import pytest

from apis import ANTHROPIC, MODELS, OLLAMA, OPENAI, TAGS, VERSION
from chain import KEY, LABEL, OPENAI_KEY, paid_calls, servers
from server import MockServer
from steps import body, error, html, redirect

LINE = re.compile(r"(ok|PROBLEM|warning) +(\S+): (.*) \((\d+) ms, (no TLS|TLS not established|TLS 1\.2, [A-Z0-9_]+)\)\Z")


def probe(agent, env, rc=0):
    """{label: (grade, words, ms, TLS)}, and the whole page."""
    done = agent.cmd("check", "--probe", env=env, rc=rc, err="")
    assert KEY not in done.out + done.err and OPENAI_KEY not in done.out + done.err
    hops = {}
    for line in done.out.split("\n\n")[0].splitlines():
        found = LINE.match(line)
        if found:
            assert found[2] not in hops, "two lines of a hop"
            hops[found[2]] = (found[1], found[3], int(found[4]), found[5])
    return hops, done.out


def test_all_are_alive(agent, mock):
    hops, page = probe(agent, servers(mock, "ollama", "openai", "anthropic", "sonnet"))
    assert list(hops) == [LABEL[one] for one in ("ollama", "openai", "anthropic", "sonnet")]
    assert all(grade == "ok" and ms < 8000 and tls == "no TLS" for grade, _, ms, tls in hops.values())
    assert "0.12.6" in hops[LABEL["ollama"]][1] and "model pulled" in hops[LABEL["ollama"]][1]
    assert "model listed" in hops[LABEL["openai"]][1] and "claude-haiku-4-5" in hops[LABEL["anthropic"]][1]
    assert set(mock.paths) <= {VERSION, TAGS, MODELS, f"{MODELS}/claude-haiku-4-5", f"{MODELS}/claude-sonnet-4-6"}
    assert {one.method for one in mock.requests} == {"GET"} and "0 problems" in page
    assert paid_calls(agent.tree) == 0, "what costs nothing is not counted"


def test_without_the_option_nobody_is_asked(agent, mock):
    agent.cmd("check", env=servers(mock, "ollama", "anthropic"))
    assert mock.connections == []


@pytest.mark.parametrize("chain_name", ["p256", "rsa"])
def test_over_tls(agent, mocks, certificates, chain_name):
    mock = mocks(tls=getattr(certificates, chain_name))
    hops, _ = probe(agent, {**servers(mock, "openai", "anthropic"), "SSL_CERT_FILE": certificates.roots})
    suite = {"p256": "ECDSA", "rsa": "RSA"}[chain_name]
    for label in (LABEL["openai"], LABEL["anthropic"]):
        grade, _, _, tls = hops[label]
        assert grade == "ok" and re.fullmatch(rf"TLS 1\.2, \w*ECDHE_{suite}_\w+", tls)


def test_a_certificate_that_is_not_trusted(agent, mocks, certificates):
    mock = mocks(tls=certificates.unknown_root)
    hops, page = probe(agent, servers(mock, "openai"), rc=1)
    assert hops[LABEL["openai"]][0] == "PROBLEM" and mock.requests == []
    assert "1 problem" in page


@pytest.mark.parametrize("models,pulled", [(["qwen2.5:7b"], True), (["llama3.2:1b"], False), ([" "], False),
                                           (["QWEN2.5:7B"], True), (["qwen2.5:7b-instruct"], False)])
def test_whether_the_model_is_pulled(agent, models, pulled):
    with MockServer(models=models) as mock:
        hops, _ = probe(agent, servers(mock, "ollama"), rc=0 if pulled else 1)
        grade, words, _, _ = hops[LABEL["ollama"]]
        assert (grade == "ok") is pulled
        assert pulled or "ollama pull qwen2.5:7b" in words


def test_an_untagged_name_is_the_latest(agent):
    with MockServer(models=["qwen2.5:latest"]) as mock:
        hops, _ = probe(agent, servers(mock, "ollama", OLLAMA_MODEL="qwen2.5"))
        assert hops["ollama/qwen2.5"][0] == "ok"


def test_a_model_that_a_server_does_not_list(agent):
    with MockServer(models=["a", "b", "c", "d", "e"]) as mock:
        hops, _ = probe(agent, servers(mock, "openai", "anthropic"), rc=1)
        assert hops[LABEL["openai"]][0] == "ok" and "not listed" in hops[LABEL["openai"]][1]
        assert "a, b, c" in hops[LABEL["openai"]][1] and hops[LABEL["anthropic"]][0] == "PROBLEM"
        assert "model" in hops[LABEL["anthropic"]][1] and "404" in hops[LABEL["anthropic"]][1]


def test_a_wrong_key(agent):
    with MockServer(key="another") as mock:
        hops, _ = probe(agent, servers(mock, "ollama", "openai", "anthropic"), rc=1)
    assert hops[LABEL["ollama"]][0] == "ok"
    for provider in ("openai", "anthropic"):
        grade, words, _, _ = hops[LABEL[provider]]
        assert grade == "PROBLEM" and "401" in words and "key" in words.lower()


def test_a_dead_port(agent, mock):
    hops, page = probe(agent, {**servers(mock, "ollama", "openai"), "OLLAMA_API_BASE": "http://127.0.0.1:9"}, rc=1)
    grade, words, ms, tls = hops[LABEL["ollama"]]
    assert grade == "PROBLEM" and "refused" in words.lower() and ms < 8000 and tls == "no TLS"
    assert hops[LABEL["openai"]][0] == "ok", "the others are asked all the same"
    assert "1 problem" in page


WAYS = {"HTML": html(502), "an empty object": body({}), "a list": body([]),
        "an error": error(500, message="\x1b[31mred"), "a redirect": redirect(),
        "10 MB": body({"version": "x" * 10_000_000}),
        "control characters": body({"version": "\x1b[2J\u202e\r\n0.1"})}


@pytest.mark.parametrize("name", WAYS)
def test_a_strange_answer(agent, mock, name):
    mock.on(VERSION, WAYS[name])
    hops, _ = probe(agent, servers(mock, "ollama"), rc=(0, 1))  # looks for raw control characters
    assert hops[LABEL["ollama"]][0] == ("ok" if name == "control characters" else "PROBLEM")


def test_hops_that_cannot_be_asked_and_those_that_need_no_server(agent, mock):
    hops, _ = probe(agent, servers(mock, "ollama", "anthropic", "rules", ANTHROPIC_API_KEY=None))
    assert list(hops) == [LABEL["ollama"]]
    hops, _ = probe(agent, servers(mock, "ollama", "anthropic", LOCAL_ONLY=1))
    assert list(hops) == [LABEL["ollama"]]
    agent.cmd("check", "--probe", env=servers(mock, "anthropic", ANTHROPIC_API_KEY=None), rc=1, err="")


def test_nobody_is_asked_for_anything_else(agent, mock):
    probe(agent, servers(mock, "ollama", "openai", "anthropic"))
    assert not mock.asked(OLLAMA) + mock.asked(OPENAI) + mock.asked(ANTHROPIC)
