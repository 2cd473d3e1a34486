"""What the planner tells over Redis: llm_router_metrics, planner:status:<node>, the stream of actions."""

import json
import re
import time

import pytest

from agent import STAMP, clean_json, fault, iso, stays, wait_for
from apis import ANTHROPIC, OLLAMA, OPENAI
from chain import KEY as SECRET
from chain import LABEL, servers
from redis_daemon import wait_ready
from redis_peers import METRICS, Listener, bus, bus_of, wait_subscribed
from redis_proxies import Proxy
from steps import error, proposal, refusal, say

STATUS = "planner:status:planner"
STREAM = "homelab:actions"
ID = "container-restart-solaria-web"


# ---- llm_router_metrics --------------------------------------------------------------------------

TOP = {"timestamp", "node", "context", "success", "model_used", "total_latency_ms", "attempts", "metrics"}
ATTEMPT = {"model", "outcome", "status", "latency_ms", "error"}
HOP = {"success", "fallback", "error", "success_rate"}
TOKENS = {"input_tokens", "output_tokens"}  # what each attempt cost, beside the contract's members


def checked(payload):
    """The message, whose members are those of the contract."""
    message = clean_json(payload)
    assert set(message) == TOP, set(message)
    assert STAMP.match(message["timestamp"]) and abs(len(message["timestamp"]) - len(iso(fraction=True))) < 8
    assert isinstance(message["success"], bool) and isinstance(message["total_latency_ms"], int)
    assert message["attempts"] and message["metrics"]
    for one in message["attempts"]:
        assert set(one) - TOKENS == ATTEMPT, set(one)
        assert one["status"] is None or isinstance(one["status"], int)
        assert isinstance(one["latency_ms"], int) and (one["error"] is None or one["error"])
    for one in message["metrics"].values():
        assert set(one) - TOKENS == HOP, set(one)
        done = one["success"] + one["fallback"] + one["error"]
        assert one["success_rate"] == (round(one["success"] / done, 3) if done else 0)
    return message


@pytest.fixture
def heard(redis):
    with Listener(redis, METRICS) as listener:
        yield listener


def messages(heard, count):
    return [checked(payload) for _, payload in heard.wait(count)]


def test_after_a_success(agent, redis, mock, heard):
    agent.tree.event()
    agent.run_once(env=bus(redis, **servers(mock, "ollama")))
    [one] = messages(heard, 1)
    assert (one["node"], one["context"], one["success"], one["model_used"]) == \
        ("planner", "solaria/web", True, LABEL["ollama"])
    [attempt] = one["attempts"]
    assert (attempt["model"], attempt["outcome"], attempt["status"], attempt["error"]) == \
        (LABEL["ollama"], "success", 200, None)
    hop = one["metrics"][LABEL["ollama"]]
    assert (hop["success"], hop["fallback"], hop["error"], hop["success_rate"]) == (1, 0, 0, 1)


def test_after_a_failure(agent, redis, mock, heard):
    mock.on(OLLAMA, error(400))
    mock.on(OPENAI, refusal())
    agent.tree.event()
    agent.run_once(rc=75, env=bus(redis, **servers(mock, "ollama", "openai")), err="")
    [one] = messages(heard, 1)
    assert one["success"] is False and one["model_used"] is None
    assert [(attempt["model"], attempt["outcome"], attempt["status"]) for attempt in one["attempts"]] == \
        [(LABEL["ollama"], "http_error", 400), (LABEL["openai"], "refusal", 200)]
    assert all(attempt["error"] for attempt in one["attempts"])
    hops = {label: (hop["success"], hop["fallback"], hop["error"]) for label, hop in one["metrics"].items()}
    assert hops == {LABEL["ollama"]: (0, 0, 1), LABEL["openai"]: (0, 1, 0)}


def test_after_each_call_with_all_hops(agent, redis, mock, heard):
    """Also those that were not asked; counters go on."""
    mock.on(OLLAMA, say("nie wiem"), proposal(), proposal())
    mock.on(ANTHROPIC, proposal())
    daemon = agent.start(env=bus(redis, **servers(mock, "ollama", "anthropic", "openai")))
    wait_ready(daemon)
    for number, service in enumerate(("a", "b", "c"), 1):
        agent.tree.event(service=service)
        daemon.wait_log("proposed", count=number)
    told = messages(heard, 3)
    assert [one["context"] for one in told] == ["solaria/a", "solaria/b", "solaria/c"]
    assert [one["model_used"] for one in told] == [LABEL["anthropic"], LABEL["ollama"], LABEL["ollama"]]
    assert [len(one["attempts"]) for one in told] == [2, 1, 1]
    assert all(set(one["metrics"]) == {LABEL[name] for name in ("ollama", "anthropic", "openai")} for one in told)
    last = told[-1]["metrics"][LABEL["ollama"]]
    assert (last["success"], last["fallback"], last["success_rate"]) == (2, 1, 0.667)
    assert told[-1]["metrics"][LABEL["openai"]]["success_rate"] == 0
    assert SECRET not in json.dumps(told)
    wait_for("the count", lambda: bus_of(agent)["metrics_sent"] == 3)
    stays("no more", lambda: len(heard.messages) == 3, 0.2)


def test_the_rules_are_no_call_of_a_model(agent, redis, heard):
    """Or they are, as the chain's last hop: what is told then is of that form."""
    agent.tree.event()
    agent.run_once(env=bus(redis))
    for _, payload in heard.messages:
        assert checked(payload)["model_used"] == "rules"


def test_names_that_nobody_expected(agent, redis, mock, heard):
    """The longest, with what must be escaped."""
    agent.tree.event(node="n\"\u202e\n" + 30 * "é", service=60 * "ж")
    agent.run_once(env=bus(redis, **servers(mock, "ollama")))
    [one] = messages(heard, 1)
    assert re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", one["context"])


def test_nobody_is_held_up_by_it(agent, redis, mock):
    """No server, no listener, no room: no proposal is later or lost for it."""
    mock.on(OPENAI, proposal())
    with Proxy(redis) as proxy:
        daemon = agent.start(env=bus(proxy, **servers(mock, "openai", LLM_CONCURRENCY=2)))
        wait_ready(daemon)

        def seconds_for(prefix, proposed):
            began = time.monotonic()
            for number in range(20):
                agent.tree.event(service=f"{prefix}{number}")
            daemon.wait_log("proposed", count=proposed, seconds=60)
            return time.monotonic() - began

        with_it = seconds_for("before", 20)
        wait_for("the count", lambda: bus_of(agent)["metrics_sent"] == 20)
        proxy.ends_at_once = True
        proxy.cut()
        daemon.wait_log("redis_lost", count=2)
        assert seconds_for("after", 40) < 3 + 2 * with_it, with_it
        wait_for("the count", lambda: bus_of(agent)["metrics_lost"] == 20)
        assert bus_of(agent)["metrics_sent"] == 20


def test_route_tells_nobody(agent, redis, mock, heard):
    """The contract speaks of the planner's calls."""
    agent.cmd("route", "--prompt", "what now?", env=bus(redis, **servers(mock, "openai")), err="")
    time.sleep(0.2)
    assert heard.messages == []


# ---- planner:status:<node> -----------------------------------------------------------------------


def test_the_status_hash(agent, redis, mock):
    daemon = agent.start(env=bus(redis, **servers(mock, "ollama", "openai")))
    wait_for("the hash", lambda: redis("EXISTS", STATUS) == 1)
    found = redis.hash(STATUS)
    assert (found["state"], found["node"], found["pid"]) == ("running", "planner", str(daemon.pid))
    assert found["version"] and STAMP.match(found["started_at"]) and STAMP.match(found["updated_at"])
    assert (found["queue_keys"], found["proposed"], found["refused"], found["queue_full"]) == ("0", "0", "0", "0")
    assert f"hop:{LABEL['ollama']}" in found and f"hop:{LABEL['openai']}" in found
    assert all(isinstance(value, str) and value and "\n" not in value and "{" not in value for value in found.values())
    assert 170000 < redis("PTTL", STATUS) <= 180000
    agent.tree.event()
    daemon.wait_log("proposed")
    daemon.stop()
    found = redis.hash(STATUS)
    assert (found["state"], found["proposed"]) == ("stopped", "1") and "success 1" in found[f"hop:{LABEL['ollama']}"]
    assert 0 < redis("PTTL", STATUS) <= 180000


def test_the_hash_replaces_what_was_there(agent, redis):
    redis("HSET", STATUS, "hop:gone", "success 1")
    agent.start(env=bus(redis))
    wait_for("the hash", lambda: redis("HGET", STATUS, "state") == "running")
    assert redis("HEXISTS", STATUS, "hop:gone") == 0


def test_after_a_reconnect_it_is_there_again(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    wait_for("the hash", lambda: redis("EXISTS", STATUS) == 1)
    redis.kill()
    redis.wipe()
    redis.start()
    wait_ready(daemon, 2, seconds=60)
    wait_for("the hash", lambda: redis("EXISTS", STATUS) == 1)


def test_a_status_key_of_another_type(agent, redis):
    """It was nobody else's to use: it becomes ours, or is left; nothing else suffers."""
    redis("LPUSH", STATUS, "x")
    daemon = agent.start(env=bus(redis))
    wait_subscribed(redis)
    redis.publish(fault())
    daemon.wait_log("proposed")


# ---- ACTIONS_STREAM ------------------------------------------------------------------------------


def entries(redis, stream=STREAM):
    found = []
    for _, flat in redis("XRANGE", stream, "-", "+"):
        assert flat[::2] == ["action_id", "action"], flat
        found.append((flat[1], flat[3]))
    return found


def ids(redis):
    return [id for id, _ in entries(redis)]


def test_each_new_action(agent, redis):
    daemon = agent.start(env=bus(redis, ACTIONS_STREAM=STREAM))
    wait_ready(daemon)
    for number, service in enumerate(("a", "b", "c"), 1):
        agent.tree.event(service=service)
        daemon.wait_log("proposed", count=number)
    wait_for("three", lambda: len(entries(redis)) == 3)
    for id, action in entries(redis):
        assert clean_json(action) == agent.tree.action(id)
        assert action.strip() == agent.tree.action_path(id).read_text().strip()
    assert ids(redis) == [f"container-restart-solaria-{service}" for service in "abc"]
    wait_for("the count", lambda: bus_of(agent)["actions_stream"] == {"name": STREAM, "added": 3, "refused": 0})
    stays("no more", lambda: len(ids(redis)) == 3, 0.3)


def test_once_tells_too(agent, redis):
    agent.tree.event()
    agent.run_once(env=bus(redis, ACTIONS_STREAM=STREAM))
    assert ID in ids(redis)


def test_an_ignored_fault_is_no_action(agent, redis, mock):
    mock.on(OPENAI, proposal(action="ignore"))
    daemon = agent.start(env=bus(redis, ACTIONS_STREAM=STREAM, **servers(mock, "openai")))
    wait_ready(daemon)
    agent.tree.event()
    daemon.wait_log("ignored")
    stays("nothing", lambda: redis("EXISTS", STREAM) == 0, 0.2)


def test_all_that_is_pending_again_after_each_connect(agent, redis):
    """At least once: what a lost server or a lost connection may have swallowed."""
    env = bus(redis, ACTIONS_STREAM=STREAM)
    for service in ("a", "b"):
        agent.tree.event(service=service)
    agent.run_once(env={})
    other = {**agent.tree.action("container-restart-solaria-a"), "action_id": "redeploy-of-the-supervisor",
             "proposed_by": "supervisor"}
    agent.tree.put_action("pending", other)
    agent.tree.move_action("container-restart-solaria-b", "approved")
    daemon = agent.start(env=env)
    wait_ready(daemon)
    wait_for("what is pending", lambda: set(ids(redis)) == {"container-restart-solaria-a", "redeploy-of-the-supervisor"})
    redis.kill()
    redis.wipe()
    daemon.wait_log("redis_lost", count=2)
    agent.tree.event(service="c")
    daemon.wait_log("proposed")
    redis.start()
    wait_for("all of it", lambda: set(ids(redis)) == {"container-restart-solaria-a", "container-restart-solaria-c",
                                                      "redeploy-of-the-supervisor"}, 60)
    assert all(clean_json(action) == agent.tree.action(id) for id, action in entries(redis))


def test_many_that_are_pending(agent, redis):
    for number in range(500):
        agent.tree.put_action("pending", {"action_id": f"alert-{number}", "node": "n", "service": "s", "type": "alert_only",
                                          "status": "pending", "details": {"reason": 2000 * "x"}})
    agent.start(env=bus(redis, ACTIONS_STREAM=STREAM))
    wait_for("all of them", lambda: redis("EXISTS", STREAM) and len(set(ids(redis))) == 500, 60)


def test_what_is_no_action_is_not_told(agent, redis):
    place = agent.tree.directory(agent.tree.path / "actions" / "pending")
    (place / "half.json").write_text('{"action_id": "half"')
    other = {"action_id": "name", "node": "n", "service": "s", "type": "alert_only", "status": "pending"}
    (place / "other-name.json").write_text(json.dumps(other))
    (place / "notes.txt").write_text("x")
    (place / ".hidden.json").write_text("{}")
    (place / "directory.json").mkdir()
    (place / "link.json").symlink_to("/etc/passwd")
    (place / "huge.json").write_text('{"action_id": "huge", "details": "' + (1 << 20) * "x" + '"}')
    agent.tree.event()
    agent.start(env=bus(redis, ACTIONS_STREAM=STREAM))
    wait_for("the good one", lambda: redis("EXISTS", STREAM) and ids(redis) == [ID])
    stays("that alone", lambda: set(ids(redis)) == {ID}, 0.4)


def test_a_stream_that_takes_nothing(agent, redis):
    """One warning; the proposals go on."""
    redis("SET", STREAM, "no stream")
    daemon = agent.start(env=bus(redis, ACTIONS_STREAM=STREAM))
    wait_ready(daemon)
    for number, service in enumerate(("a", "b", "c"), 1):
        agent.tree.event(service=service)
        daemon.wait_log("proposed", count=number)
    log = daemon.wait_log("actions_stream_refused")
    assert "WRONGTYPE" in log[0]["error"] and log[0]["level"] == "warning"
    stays("one line", lambda: len(daemon.named("actions_stream_refused")) == 1, 0.3)
    wait_for("the count", lambda: bus_of(agent)["actions_stream"]["refused"] >= 3)
    assert redis("GET", STREAM) == "no stream"


def test_it_is_cut_at_about_ten_thousand(agent, redis):
    redis.all(("XADD", STREAM, "*", "action_id", f"old-{number}", "action", "{}") for number in range(12000))
    daemon = agent.start(env=bus(redis, ACTIONS_STREAM=STREAM))
    wait_ready(daemon)
    agent.tree.event()
    daemon.wait_log("proposed")
    wait_for("the cut", lambda: 10000 <= redis("XLEN", STREAM) < 10200)


@pytest.mark.parametrize("name", ["a b", "", "a\tb", 129 * "s"])
def test_a_name_that_is_none(agent, redis, name):
    """Empty is none at all."""
    agent.cmd("run", "--once", rc=78 if name else 0, env=bus(redis, ACTIONS_STREAM=name),
              err="ACTIONS_STREAM" if name else None)
