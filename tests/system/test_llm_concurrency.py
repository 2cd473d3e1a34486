"""Calls beside each other, and the daemon while they hang: never more of them than LLM_CONCURRENCY, and
the loop goes on."""

import signal
import threading

import pytest

from agent import stays, wait_for
from apis import ANTHROPIC, OLLAMA, OPENAI
from chain import AT_ONCE, ID, LABEL, attempts_of, hop_of, servers, tried
from steps import hang, proposal, refusal, wait


class Gauge:
    """A step that counts how many calls are open at once. It keeps each open until there have been that
    many, and for a while."""

    def __init__(self, enough, seconds):
        self.enough, self.seconds = enough, seconds
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def __call__(self, _request):
        gauge = self

        def stay(channel):
            while gauge.most < gauge.enough:
                wait(channel, 0.01)
            wait(channel, gauge.seconds)

        def leave(_channel):
            with gauge.lock:
                gauge.now -= 1

        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        return proposal().more("stops", ("start", stay), ("start", leave))


@pytest.mark.parametrize("limit", [1, 2, 8])
@pytest.mark.parametrize("how", ["daemon", "once"])
def test_never_more_than_that_and_no_fewer(agent, tree, mock, limit, how):
    gauge = Gauge(limit, 0.05)
    mock.on(OPENAI, gauge)
    for number in range(20):
        tree.event(service=f"s{number}")
    env = servers(mock, "openai@10", LLM_CONCURRENCY=limit)
    if how == "once":
        agent.run_once(env=env)
    else:
        agent.start(env=env).wait_log("proposed", count=20)
    assert gauge.most == limit and len(tree.actions()) == 20 and len(mock.requests) == 20
    assert len(mock.connections) <= limit


@pytest.mark.parametrize("value", ["0", "9", "-1", "two", "1.5"])
def test_a_number_that_is_none(agent, tree, mock, value):
    tree.event()
    agent.run_once(rc=78, env=servers(mock, "ollama", LLM_CONCURRENCY=value), err="LLM_CONCURRENCY")
    assert mock.requests == []


@pytest.fixture
def hanging(agent, tree, mock):
    """A daemon both of whose calls hang; the chain goes on behind a minute."""
    mock.on(OLLAMA, hang())
    daemon = agent.start(env=servers(mock, "ollama@60", "openai", LLM_CONCURRENCY=2, HEARTBEAT_SECONDS=1))
    for service in "ab":
        tree.event(service=service)
    mock.wait_requests(2)
    return daemon


def test_while_calls_hang_others_are_taken_and_repeats_are_counted(tree, mock, hanging):
    for _ in range(3):
        tree.event(service="a")
    tree.event(service="c")
    tree.event("service_healthy", service="x")
    tree.event(service="old", at=-9000)
    hanging.wait_log("joined", count=3)
    hanging.wait_log("benign", "recovered")
    queued = hanging.wait_log("queued", count=4)
    assert {log["service"] for log in queued} >= {"a", "b", "c"}
    assert len(mock.requests) == 2
    stays("two calls", lambda: len(mock.requests) == 2, 0.3)
    mock.on(OLLAMA, proposal())
    hanging.send(signal.SIGHUP)  # asks anew
    hanging.wait_log("proposed", count=4)
    assert tree.action("container-restart-solaria-a")["details"]["suppressed_count"] == 3
    assert tree.action("container-restart-solaria-c")["details"]["suppressed_count"] == 0


def test_while_calls_hang_the_heart_beats(agent, tree, hanging):
    seen = set()
    wait_for("two beats more", lambda: seen.add(tree.heartbeat.stat().st_mtime_ns) or len(seen) >= 3)
    agent.cmd("healthcheck")
    assert hanging.alive_or_fail() and agent.status()["planner"]["state"] == "running"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_calls_hang_it_ends_at_once(agent, tree, mock, hanging, number):
    assert hanging.stop(number) < AT_ONCE
    assert tree.actions() == {}
    mock.wait_for("the end of its connections", lambda: all(one.closed for one in mock.connections))
    mock.on(OLLAMA, proposal())
    agent.run_once(env=servers(mock, "ollama"))
    assert len(tree.actions()) == 2, "what was asked is asked again"


def test_a_recovery_ends_the_call(tree, mock, hanging):
    tree.event("service_healthy", service="a", at=1)
    hanging.wait_log("recovered")
    mock.wait_for("the end of a call", lambda: [one for one in mock.connections if one.closed])
    tree.event(service="c")
    mock.wait_requests(3)
    assert tree.actions() == {}


def test_a_reload_while_calls_hang_asks_anew_by_the_new_chain(agent, tree, mocks, tmp_path):
    old, new = mocks().on(OLLAMA, hang()), mocks()
    env_file = tmp_path / "env"
    env_file.write_text(f"LLM_CHAIN=ollama@60\nOLLAMA_API_BASE={old.url}\n")
    env_file.chmod(0o600)
    in_file = {"LLM_CHAIN": None, "OLLAMA_API_BASE": None, "OPENAI_API_BASE": None}
    # Confined, a server at a new port takes a new start.
    daemon = agent.start("--env-file", env_file, "--unconfined", env={**servers(old), **in_file, "LLM_CONCURRENCY": 2})
    for service in "ab":
        tree.event(service=service)
    old.wait_requests(2)
    env_file.write_text(f"LLM_CHAIN=openai/local@30\nOPENAI_API_BASE={new.url}\n")
    daemon.send(signal.SIGHUP)
    daemon.wait_log("proposed", count=2)
    assert len(new.requests) == 2
    old.wait_for("the end of the old calls", lambda: all(one.closed for one in old.connections[:2]))
    for service in "ab":
        action = tree.action(f"container-restart-solaria-{service}")
        assert tried(action["details"]["attempts"]) == [(LABEL["openai"], "success")]
    daemon.stop()
    assert [one["model"] for one in agent.status()["planner"]["hops"]] == [LABEL["openai"]]


def test_a_bad_reload_while_calls_hang_changes_nothing(agent, tree, mocks, tmp_path):
    mock = mocks().on(OLLAMA, proposal().delay(1.0))
    env_file = tmp_path / "env"
    env_file.write_text("LLM_CHAIN=ollama@60\n")
    env_file.chmod(0o600)
    daemon = agent.start("--env-file", env_file, env={**servers(mock), "LLM_CHAIN": None})
    tree.event()
    mock.wait_requests(1)
    env_file.write_text("LLM_CHAIN=bogus/x\n")
    daemon.send(signal.SIGHUP)
    refused, = daemon.wait_log("config_refused")
    assert refused["level"] == "error" and "LLM_CHAIN" in refused["error"]
    daemon.wait_log("proposed")
    assert len(mock.requests) == 1 and tried(tree.action(ID)["details"]["attempts"]) == [(LABEL["ollama"], "success")]


def test_one_slow_hop_does_not_hold_up_the_other_event(agent, tree, mock):
    """Two slots: while one waits for its limit, the other goes through."""
    mock.on(OLLAMA, hang(), proposal())
    daemon = agent.start(env=servers(mock, "ollama@8", "openai", LLM_CONCURRENCY=2))
    tree.event(service="a")
    mock.wait_requests(1)
    for number in range(5):
        tree.event(service=f"s{number}")
    proposed = daemon.wait_log("proposed", count=6, seconds=30)
    assert [log["service"] for log in proposed][5] == "a", "the others did not wait for it"
    assert attempts_of(daemon.logs, "solaria/a") == [(LABEL["ollama"], "timeout"), (LABEL["openai"], "success")]


def test_hundreds_of_calls_and_none_is_lost(agent, tree, mock):
    """Refusals, answers and two hops, over a few connections."""
    count = 300
    mock.on(OLLAMA, *(10 * [proposal(), refusal(), proposal(action="ignore")]), proposal())
    mock.on(ANTHROPIC, proposal(action="notify"))
    tree.jsonl(*({**event, "service": f"s{number}"} for number, event in enumerate(count * [
        {"type": "service_unhealthy", "node": "solaria", "severity": "error"}])))
    env = servers(mock, "ollama", "anthropic", LLM_CONCURRENCY=8, CLOUD_CALLS_PER_DAY=1000)
    done = agent.run_once(env=env, timeout=300)
    assert len(done.named("proposed")) + len(done.named("ignored")) == count
    assert len(done.named("ignored")) == 10 == len(mock.asked(ANTHROPIC))
    assert len({one.connection for one in mock.asked(OLLAMA)}) <= 8 + 10, "a paid call may take the place of a kept one"
    hop = hop_of(agent.status(), LABEL["ollama"])
    assert (hop["success"], hop["fallback"], hop["error"]) == (count - 10, 10, 0)
