"""The same event by two ways, or to two planners: one proposal, by the event's id where it has one, by the
cooldown otherwise."""

import hashlib
import signal

import pytest

from agent import fault, stays, wait_for
from apis import OPENAI
from chain import servers
from redis_daemon import ID, KEY, is_within, proposed_is
from redis_peers import Listener, bus, planners, wait_subscribed
from steps import hang, proposal

def identity_key(node, source, id):
    return "planner:event:" + hashlib.sha256(f"{node}\0{source}\0{id}".encode()).hexdigest()[:16]


NAMED = {"id": "evt-1", "source": "node-agent"}


def by_file(agent, _redis, **members):
    agent.tree.event(**members)


def by_bus(_agent, redis, **members):
    assert redis.publish(fault(**members)) >= 1


WAYS = {"file, then bus": (by_file, by_bus), "bus, then file": (by_bus, by_file), "bus twice": (by_bus, by_bus),
        "file twice": (by_file, by_file)}


@pytest.mark.parametrize("gone", [False, True], ids=["still open", "gone"])
@pytest.mark.parametrize("name", WAYS)
def test_one_event_by_two_ways(agent, redis, name, gone):
    """One proposal; also when neither an action nor a cooldown tells any more."""
    first, second = WAYS[name]
    daemon = agent.start(env=bus(redis, COOLDOWN_SECONDS=0))
    wait_subscribed(redis)
    first(agent, redis, **NAMED)
    proposed_is(agent, daemon)
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")
    if gone:
        agent.tree.move_action(ID, "completed")
        redis("DEL", KEY)
    second(agent, redis, **NAMED)
    log = daemon.wait_log("duplicate")
    assert len(log) == 1 and len(daemon.named("proposed")) == 1
    assert len(agent.tree.actions()) == (0 if gone else 1)
    # Another event of that fault is not the same one.
    if gone:
        by_bus(agent, redis, **{**NAMED, "id": "evt-2"})
        daemon.wait_log("proposed", count=2)


def test_an_id_is_one_of_its_node_and_source_alone(agent, redis):
    daemon = agent.start(env=bus(redis, COOLDOWN_SECONDS=0))
    wait_subscribed(redis)
    for number, members in enumerate([{}, {"source": "observer"}, {"node": "nas"}, {"id": "evt-2"}, {"id": 1}], 1):
        by_bus(agent, redis, **{**NAMED, **members})
        daemon.wait_log("proposed", count=number)
        agent.tree.clear_pending()
    by_bus(agent, redis, **NAMED)
    daemon.wait_log("duplicate")
    assert daemon.named("proposed")[5:] == []


def test_event_id_is_another_spelling(agent, redis):
    daemon = agent.start(env=bus(redis, COOLDOWN_SECONDS=0))
    wait_subscribed(redis)
    by_bus(agent, redis, **NAMED)
    proposed_is(agent, daemon)
    agent.tree.clear_pending()
    by_file(agent, redis, source=NAMED["source"], event_id=NAMED["id"])
    daemon.wait_log("duplicate")


def test_it_is_remembered_over_a_restart(agent, redis):
    env = bus(redis, COOLDOWN_SECONDS=0)
    by_file(agent, redis, **NAMED)
    agent.run_once(env=env)
    agent.tree.clear_pending()
    redis("FLUSHALL")
    daemon = agent.start(env=env)
    wait_subscribed(redis)
    by_bus(agent, redis, **NAMED)
    daemon.wait_log("duplicate")
    assert agent.tree.actions() == {}


def test_a_copy_of_what_is_in_hand_is_no_repeat(agent, redis, mock):
    """It is not counted as one, and not asked for again."""
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@30", COOLDOWN_SECONDS=0)))
    wait_subscribed(redis)
    by_file(agent, redis, **NAMED)
    mock.wait_requests(1)
    by_bus(agent, redis, **NAMED)
    by_bus(agent, redis, **{**NAMED, "id": "evt-2"})
    daemon.wait_log("joined")
    mock.on(OPENAI, proposal())
    daemon.send(signal.SIGHUP)
    proposed_is(agent, daemon)
    assert agent.tree.action(ID)["details"]["suppressed_count"] == 1
    agent.tree.clear_pending()
    before = len(mock.requests)
    for id in ("evt-1", "evt-2"):
        by_bus(agent, redis, **{**NAMED, "id": id})
    daemon.wait_log("duplicate", count=2)
    stays("not asked", lambda: len(mock.requests) == before, 0.3)


def test_an_event_that_another_planner_has_handled(program, tmp_path, redis):
    """Known on the bus for a day, whatever becomes of the cooldown's key."""
    key = identity_key("solaria", "node-agent", "evt-1")
    with planners(program, tmp_path, redis, 2, COOLDOWN_SECONDS=0) as (one, two):
        by_file(one, redis, **NAMED)
        one.run_once()
        day = 24 * 3600 * 1000
        assert redis("GET", key) == "planner0" and is_within(redis, key, day, day - 60000)
        redis("DEL", KEY)
        by_file(two, redis, **NAMED)
        log = two.run_once().named("shared")
        assert len(log) == 1 and "planner0" in log[0]["reason"] and two.tree.actions() == {}
        assert redis("EXISTS", KEY) == 0 and redis("GET", key) == "planner0"
        by_file(two, redis, **{**NAMED, "id": "evt-2"})
        two.run_once()
        assert list(two.tree.actions()) == [ID]


def test_what_joined_it_is_not_handled_with_it(agent, redis, mock):
    """Another planner has handled the first event of a piece of work; the second is news."""
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@30", LLM_CONCURRENCY=1)))
    wait_subscribed(redis)
    by_file(agent, redis, service="busy")
    mock.wait_requests(1)
    redis("SET", identity_key("solaria", "node-agent", "evt-1"), "other", "PX", 60000)
    by_bus(agent, redis, **NAMED)
    by_bus(agent, redis, **{**NAMED, "id": "evt-2", "severity": "warning"})
    daemon.wait_log("joined")
    with Listener(redis) as orders:
        mock.on(OPENAI, proposal())
        daemon.send(signal.SIGHUP)
        proposed_is(agent, daemon)
    claims = [line for line in orders.messages if '"EVAL"' in line and "claim" in line and KEY in line]
    assert len(claims) <= 3 and daemon.named("shared") == []


def test_an_event_of_another_node_name_is_ours(agent, redis):
    """Its own mark on the bus never refuses a planner."""
    redis("SET", identity_key("solaria", "node-agent", "evt-1"), "planner", "PX", 60000)
    by_file(agent, redis, **NAMED)
    agent.run_once(env=bus(redis))
    assert list(agent.tree.actions()) == [ID]


def test_without_an_id_the_cooldown_decides(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_subscribed(redis)
    by_file(agent, redis)
    proposed_is(agent, daemon)
    agent.tree.move_action(ID, "completed")
    by_bus(agent, redis)
    daemon.wait_log("cooldown")
    assert agent.tree.actions() == {} and redis("KEYS", "planner:event:*") == []


def test_a_mark_of_another_type(agent, redis):
    """It is named, and hinders nobody."""
    key = identity_key("solaria", "node-agent", "evt-1")
    redis("LPUSH", key, "x")
    by_file(agent, redis, **NAMED)
    done = agent.run_once(env=bus(redis))
    assert list(agent.tree.actions()) == [ID]
    assert key in done.named("shared_cooldown_foreign")[0]["error"]
