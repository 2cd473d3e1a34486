"""PROVIDERS.md, the circuit breaker: in a daemon, where what one event learned serves the next."""

import signal

import pytest

from agent import wait_for
from apis import OLLAMA
from chain import BASE, ID, LABEL, PATH, PROVIDERS, SPARE, attempts_of, hop_of, servers
from steps import error, proposal, refusal, say

# On a connection that served before, an answer that never began would be asked for again.
FAULT = proposal().close("head")


class Asking:
    """A daemon with a hop that is bad and one that answers; events go in one after another."""

    def __init__(self, agent, mocks, provider, *steps, spare=True):
        self.agent, self.tree = agent, agent.tree
        self.bad, self.good = mocks().on(PATH[provider], *steps), mocks()
        hops = [f"{provider}@20", *([SPARE[provider]] if spare else [])]
        self.env = {**servers(self.good, *hops), BASE[provider]: self.bad.url}
        self.daemon = agent.start(env=self.env)
        self.first, self.spare = LABEL[provider], (LABEL[SPARE[provider]], "success")

    def event(self, service):
        self.tree.event(service=service)
        wait_for(f"the end of {service}", lambda: self.daemon.alive_or_fail() and [
            log for log in self.daemon.named("proposed", "chain_failed") if log["service"] == service], 60)
        return attempts_of(self.daemon.logs, f"solaria/{service}")

    def reload(self):
        before = len(self.daemon.named("config_loaded"))
        self.daemon.send(signal.SIGHUP)
        self.daemon.wait_log("config_loaded", count=before + 1)

    def hop(self):
        """As the status has it once it is written again."""
        return hop_of(self.agent.status(), self.first)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_third_fault_opens_it_and_a_reload_closes_it(agent, mocks, provider):
    asking = Asking(agent, mocks, provider, FAULT, FAULT, FAULT, proposal())
    failed = [(asking.first, "network_error"), asking.spare]
    assert [asking.event(service) for service in "abc"] == 3 * [failed]
    opened = asking.daemon.named("breaker_opened")
    assert [(log["level"], log["model"]) for log in opened] == [("warning", asking.first)]
    assert asking.event("d") == [(asking.first, "breaker_open"), asking.spare]
    assert len(asking.bad.requests) == 3, "what is open costs nothing"
    wait_for("an open breaker in the status", lambda: asking.hop()["breaker"] == "open")
    assert asking.hop()["error"] == 3 and "open_until" in asking.hop()
    shown = agent.cmd("status").out
    assert f"{asking.first}: 0 taken, 0 rejected, 3 failed; NOT ASKED for another" in shown

    asking.reload()
    assert asking.event("e") == [(asking.first, "success")]
    wait_for("the status", lambda: asking.hop()["success"] == 1)
    assert (asking.hop()["breaker"], asking.hop()["error"]) == ("closed", 3), "what was counted goes on"


def test_it_is_told_once_at_warning_that_it_is_open(agent, mocks):
    asking = Asking(agent, mocks, "openai", FAULT)
    for service in "abcdef":
        asking.event(service)
    held = [log["level"] for log in asking.daemon.named("breaker_open") if log["event"] == "llm_attempt"]
    assert held == ["warning", "debug", "debug"]
    assert len(asking.daemon.named("breaker_opened")) == 1


@pytest.mark.parametrize("steps", [[refusal()], [say("no")], [proposal(confidence=7)], [say("{").finish("length")]],
                         ids=["refusal", "invalid_json", "schema_error", "truncated"])
def test_rejected_answers_do_not_count(agent, mocks, steps):
    asking = Asking(agent, mocks, "openai", *steps)
    for service in "abcde":
        assert asking.event(service)[0][1] not in ("breaker_open", "success")
    assert len(asking.bad.requests) == 5 and asking.daemon.named("breaker_opened") == []


def test_an_answer_between_begins_the_count_anew(agent, mocks):
    asking = Asking(agent, mocks, "openai", FAULT, FAULT, refusal(), FAULT, FAULT, proposal())
    for service in "abcde":
        asking.event(service)
    assert asking.event("f") == [(asking.first, "success")]
    assert asking.daemon.named("breaker_opened") == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_bad_key_opens_it_at_once_for_hours_until_a_reload(agent, mocks, status):
    asking = Asking(agent, mocks, "anthropic", error(status), proposal())
    assert asking.event("a") == [(asking.first, "http_error"), asking.spare]
    told = asking.daemon.named("hop_needs_operator")
    assert [(log["level"], log["status"]) for log in told] == [("error", status)]
    assert asking.event("b") == [(asking.first, "breaker_open"), asking.spare]
    assert len(asking.bad.requests) == 1 and len(asking.daemon.named("hop_needs_operator")) == 1
    asking.reload()
    assert asking.event("c") == [(asking.first, "success")]


def test_each_hop_has_its_own(agent, tree, mocks):
    """Two models of one server."""
    mock = mocks().on(PATH["anthropic"], FAULT, model="claude-haiku-4-5")
    for service in "abcde":
        tree.event(service=service)
    done = agent.run_once(env=servers(mock, "anthropic@20", "sonnet@20"))
    sonnet = [log["outcome"] for log in done.named("llm_attempt") if log["model"] == LABEL["sonnet"]]
    haiku = [log["outcome"] for log in done.named("llm_attempt") if log["model"] == LABEL["anthropic"]]
    assert sonnet == 5 * ["success"] and haiku == 3 * ["network_error"] + 2 * ["breaker_open"]


def test_a_single_run_asks_whatever_the_breaker_says(agent, tree, mocks):
    mock = mocks().on(OLLAMA, FAULT)
    for service in "abcde":
        tree.event(service=service)
    done = agent.run_once(rc=75, env=servers(mock, "ollama@20"))
    assert len(mock.requests) == 5 and len(done.named("chain_failed")) == 5
    last = [log["outcome"] for log in done.named("llm_attempt")][3:]
    assert last == 2 * ["breaker_open", "network_error"]
    mock.on(OLLAMA, proposal())
    agent.run_once(env=servers(mock, "ollama@20"))
    assert len(tree.actions()) == 5


def test_the_order_is_the_chains(agent, tree, mock):
    """Whatever is first is asked first, and nobody beside it."""
    for number, hops in enumerate((["openai", "ollama", "anthropic"], ["anthropic", "ollama"], ["ollama", "sonnet"])):
        before = len(mock.requests)
        tree.event(service=f"s{number}")
        agent.run_once(env=servers(mock, *hops))
        assert mock.paths[before:] == [PATH[hops[0]]]
        assert tree.action(f"container-restart-solaria-s{number}")["details"]["model"] == LABEL[hops[0]]


def test_eight_hops_and_the_last_one_answers(agent, tree, mock):
    hops = [f"openai/org/model-{number}:tag" for number in range(8)]
    for number in range(7):
        mock.on(PATH["openai"], say("no"), model=f"org/model-{number}:tag")
    tree.event()
    agent.run_once(env=servers(mock, *hops))
    assert [one["model"] for one in tree.action(ID)["details"]["attempts"]] == hops
    assert tree.action(ID)["details"]["model"] == hops[7]


def test_the_rules_table_at_the_end_always_answers(agent, tree, mock):
    mock.on(PATH["ollama"], refusal())
    tree.event()
    agent.run_once(env=servers(mock, "ollama", "rules"))
    assert [one["outcome"] for one in tree.action(ID)["details"]["attempts"]] == ["refusal", "success"]
    assert tree.action(ID)["details"]["model"] == "rules"


def test_a_failed_chain_records_no_cooldown_and_the_event_is_tried_again(agent, tree, mock):
    mock.on(PATH["ollama"], refusal(), say("no"), proposal()).on(PATH["openai"], error(400), proposal(reason=""))
    tree.event()
    env = servers(mock, "ollama", "openai")
    for _ in range(2):
        done = agent.run_once(rc=75, env=env)
        assert len(done.named("chain_failed")) == 1 and tree.actions() == {}
        assert agent.status()["cooldowns"] == []
    done = agent.run_once(env=env)
    assert len(done.named("proposed")) == 1 and len(agent.status()["cooldowns"]) == 1


def test_metrics_of_the_hops_are_in_the_status_after_every_event(agent, mocks):
    asking = Asking(agent, mocks, "ollama", proposal(), say("no"), FAULT, proposal())
    for service in "abcd":
        asking.event(service)
    hop = wait_for("all of it", lambda: (one := asking.hop())["success"] == 2 and one)
    assert (hop["fallback"], hop["error"], hop["input_tokens"], hop["output_tokens"]) == (1, 1, 3 * 812, 3 * 47)
    assert hop["breaker"] == "closed"
