"""Planners and their Redis server are killed again and again while entries come by the stream: none is
acknowledged and lost, and every fault comes to exactly one proposal.

What was proposed is counted by its audit events: each has a name of its own for each event that led
to an action, so that a second proposal for a fault shows, though its action has the same name."""

import collections
import json
import random
import signal
import threading
import time

import pytest

from agent import check_logs, fault, wait_for
from redis_peers import bus, planners, wait_subscribed
from redis_streams import NAME, Stream, count_of, exactly_once, names
from test_random_kills import Executor

QUIET = {"LOG_LEVEL": "info"}


@pytest.fixture
def stream(redis):
    return Stream(redis)


def audited(agent):
    """{service: how many audit events}"""
    return collections.Counter(event["payload"]["target_service"] for event in agent.tree.audits(agent.env["NODE_NAME"]).values())


def proposed_once(agent, wanted):
    found, there = audited(agent), in_tree(agent)
    lost, twice = sorted(set(wanted) - there), sorted(one for one, count in found.items() if count > 1)
    assert lost == [], f"never proposed: {len(lost)} {lost[:20]}"
    assert twice == [], f"proposed twice: {len(twice)} {twice[:20]}"
    assert there == set(wanted) and set(found) == there
    assert agent.tree.dot_files() == []
    assert not any("damaged" in path.name for path in agent.tree.state.iterdir())


def killed_soon(agent, dice, env, most=0.5):
    daemon = agent.start(env=env, ready=False)
    time.sleep(0.02 + dice.random() ** 2 * most)
    daemon.kill()
    check_logs(b"".join(daemon.lines[:-1]), "daemon")


def in_tree(agent):
    return {path.stem.rpartition("-")[2] for place in ("pending", "completed")
            for path in (agent.tree.path / "actions" / place).glob("*.json")}


@pytest.mark.parametrize("approved", [False, True])
def test_killed_between_an_action_and_its_audit_event_of_a_message_that_never_comes_again(agent, redis, approved):
    """The first directory that it makes is the audit event's."""
    agent.run_once()
    daemon = agent.start(env=bus(redis), prefix=["strace", "-f", "-o", "/dev/null", "-e", "trace=mkdir,mkdirat",
                                                 "-e", "inject=mkdir,mkdirat:signal=KILL:when=1"])
    daemon.expected_rc = (-signal.SIGKILL,)
    wait_subscribed(redis)
    redis("PUBLISH", "health_events", json.dumps(fault()))
    daemon.process.wait(60)
    action = agent.tree.action()
    assert agent.tree.audits() == {}
    if approved:
        agent.cmd("approve", action["action_id"])
    agent.start(env=bus(redis))
    (_, event), = agent.tree.audits().items()
    assert event["payload"]["action_id"] == action["action_id"] and event["correlation_id"] == action["correlation_id"]
    assert agent.tree.dot_files() == []


@pytest.mark.parametrize("lost_while", ["dead", "running"])
def test_killed_at_random_and_the_server_loses_its_data_once(agent, stream, lost_while):
    """The producer sees that a fault has no proposal yet, and reports it again, as node-agents do."""
    dice = random.Random(11 if lost_while == "dead" else 12)
    wanted, rounds, added = names(9000), 20, []
    env = stream.env(**QUIET)
    stream.create()

    def lose_data():
        stream.redis("FLUSHALL")
        found = in_tree(agent)
        stream.fill([service for service in dict.fromkeys(added) if service not in found])

    for number in range(rounds):
        fresh = wanted[len(wanted) * number // rounds:len(wanted) * (number + 1) // rounds]
        repeats = dice.sample(added, 50) if added else []
        stream.fill([*fresh, *repeats])
        added += [*fresh, *repeats]
        if number == rounds // 2:
            if lost_while == "dead":
                lose_data()
            else:
                timer = threading.Timer(0.2, lose_data)
                timer.start()
                killed_soon(agent, dice, env, 0)
                daemon = agent.start(env=env)
                timer.join()
                time.sleep(dice.random() * 0.3)
                daemon.kill()
                continue
        killed_soon(agent, dice, env)
    assert len(added) >= 9900
    daemon = agent.start(env=env)
    stream.wait_finished(daemon, 150)
    daemon.stop()
    assert stream.held() == 0 and stream.buried() == []
    proposed_once(agent, wanted)
    assert len(agent.tree.actions()) == len(wanted)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_while_all_is_taken_at_once(agent, stream, seed):
    """Neither cooldown nor open action hides what would be proposed twice."""
    dice, executor = random.Random(seed), Executor(agent.tree)
    wanted, rounds = names(3000), 20
    env = stream.env(COOLDOWN_SECONDS=0, **QUIET)
    stream.create()
    agent.run_once(env=env)
    executor.start()
    for number in range(rounds):
        stream.fill(wanted[150 * number:150 * number + 150])
        killed_soon(agent, dice, env, 0.25)
    daemon = agent.start(env=env)
    stream.wait_finished(daemon, 150)
    daemon.stop()
    executor.wait_done()
    twice = [service for service, count in collections.Counter(executor.taken).items() if count > 1]
    assert twice == [], f"proposed twice: {twice[:20]}"
    assert sorted(executor.taken) == wanted and stream.held() == 0
    proposed_once(agent, wanted)


@pytest.mark.parametrize("seed", [3, 4])
def test_planner_and_server_are_killed_at_random(agent, stream, seed):
    dice, wanted = random.Random(seed), names(3000)
    env = stream.env(**QUIET)
    stream.create()
    daemon = agent.start(env=env)
    for number in range(12):
        stream.fill(wanted[250 * number:250 * number + 250])
        time.sleep(dice.random() * 0.15)
        if dice.random() < 0.5:
            stream.redis.restart()
        else:
            daemon.kill()
            daemon = agent.start(env=env, ready=False)
    stream.wait_finished(daemon, 150)
    daemon.stop()
    proposed_once(agent, wanted)
    assert stream.held() == 0 and stream.buried() == []


@pytest.mark.parametrize("seed", [5, 6])
def test_one_of_three_is_killed_at_random(program, tmp_path, redis, seed):
    """And comes back at once, as its service manager sees to."""
    dice, stream = random.Random(seed), Stream(redis)
    with planners(program, tmp_path, redis, 3, REDIS_STREAM=NAME, OLLAMA_COLD_SECONDS=0, **QUIET) as agents:
        daemons = [agent.start() for agent in agents]
        wait_subscribed(redis, 3)
        stream.wait_read(count=3)
        heard, read = names(200, "heard"), names(3000, "read")
        redis.all(("PUBLISH", "health_events", json.dumps(fault(service=service))) for service in heard)
        victim = dice.randrange(3)
        for number in range(10):
            stream.fill(read[300 * number:300 * number + 300])
            time.sleep(dice.random() * 0.2)
            daemons[victim].kill()
            daemons[victim] = agents[victim].start(ready=False)
        stream.wait_finished(seconds=150)
        wait_for("all", lambda: count_of(*agents) >= 3200, 90)
        wait_for("the end of all claims", lambda: not [
            value for value in redis("MGET", *redis("KEYS", "planner:cooldown:*")) if value and value.startswith("claim:")], 60)
        exactly_once(agents, [*heard, *read])
        assert all(agent.tree.actions() for agent in agents)
        # They run, and what they save has another name for a moment.
        wait_for("no dot files", lambda: [agent for agent in agents if agent.tree.dot_files()] == [])
