"""What takes the chain half a minute, side by side."""

import re
import time

import pytest

from agent import fault, wait_for
from apis import ANTHROPIC, OLLAMA, OPENAI, VERSION
from chain import ID, LABEL, at_once, attempts_of, ended, lone_agent, servers, tried, value_of
from server import MockServer
from steps import hang, proposal, refusal, reset, say

HAIKU, SONNET = LABEL["anthropic"], LABEL["sonnet"]


@pytest.fixture(scope="module")
def later(program, tmp_path_factory):
    directory = tmp_path_factory.mktemp("later")

    def refused():
        agent = lone_agent(program, directory / "refused")
        with MockServer() as mock, ended(agent):
            mock.on(OLLAMA, refusal()).on(OPENAI, refusal(), proposal())
            mock.on(ANTHROPIC, refusal(), proposal(), model="claude-haiku-4-5")
            mock.on(ANTHROPIC, say("no"), proposal(), model="claude-sonnet-4-6")
            daemon = agent.start(env=servers(mock, "ollama", "anthropic", "sonnet", "openai"))
            agent.tree.event()
            daemon.wait_log("chain_failed")
            status = agent.status()
            wait_for("the second try", agent.tree.actions, 120)
            return agent.tree.action(ID), mock.paths, status

    def probed():
        agent = lone_agent(program, directory / "probed")
        with MockServer() as bad, MockServer() as good, ended(agent):
            bad.on(OLLAMA, reset())
            daemon = agent.start(env={**servers(good, "ollama@20", "openai"), "OLLAMA_API_BASE": bad.url})
            for service in "abcd":
                agent.tree.event(service=service)
            daemon.wait_log("proposed", count=4)
            time.sleep(30.5)
            agent.tree.jsonl(fault(service="e"))
            daemon.wait_log("proposed", count=5)
            agent.tree.event(service="f")
            daemon.wait_log("proposed", count=6)
            return daemon.logs, len(bad.requests)

    def checked():
        agent = lone_agent(program, directory / "checked")
        with MockServer() as silent, MockServer() as good:
            silent.on(VERSION, hang())
            env = {**servers(good, "ollama", "openai"), "OLLAMA_API_BASE": silent.url}
            began = time.monotonic()
            return agent.cmd("check", "--probe", env=env, rc=1, err="").out, time.monotonic() - began

    return at_once({"refused": refused, "probed": probed, "checked": checked})


def test_the_retry_of_an_event_uses_no_paid_hop_after_a_refused_paid_answer(later):
    action, paths, status = value_of(later["refused"])
    assert paths == [OLLAMA, ANTHROPIC, ANTHROPIC, OPENAI, OLLAMA, OPENAI]
    attempts = action["details"]["attempts"]
    assert tried(attempts) == [(LABEL["ollama"], "refusal"), (HAIKU, "over_budget"), (SONNET, "over_budget"),
                               (LABEL["openai"], "success")]
    assert "before" in attempts[1]["error"]
    assert status["cooldowns"] == [], "a chain that failed leaves no cooldown"


def test_an_open_breaker_lets_one_call_through_after_half_a_minute(later):
    logs, asked = value_of(later["probed"])
    first = [attempts_of(logs, f"solaria/{service}")[0][1] for service in "abcdef"]
    assert sorted(first[:4]) == ["breaker_open"] + 3 * ["network_error"]
    assert first[4:] == ["network_error", "breaker_open"] and asked == 4
    opened = [log["for_ms"] for log in logs if log["event"] == "breaker_opened"]
    assert len(opened) == 2 and opened[0] <= 30000 < 55000 < opened[1] <= 60000, "the second time for twice as long"


def test_a_probe_of_a_server_that_does_not_answer_takes_ten_seconds(later):
    page, seconds = value_of(later["checked"])
    assert 10 <= seconds < 19, "and not once more"
    assert re.search(rf"PROBLEM +{LABEL['ollama']}: no answer within 10 s .*no TLS", page)
    assert re.search(rf"ok +{LABEL['openai']}: alive", page), "the others are asked all the same"
