"""Events by pub/sub: both shapes on both channels, what is refused, what comes while calls are in
flight, what finds no slot, and channels on which nobody speaks."""

import json
import re
import signal
import threading

import pytest

from agent import fault, iso, stays, wait_for
from apis import OPENAI
from chain import servers
from redis_peers import CHANNELS, Listener, bus, bus_of, planners, queue_of, said_at, wait_subscribed
from redis_proxies import Scripted
from steps import hang, proposal

ID = "container-restart-solaria-web"
QUEUE = 768  # keys with work open at once
DURABLE = 512  # of these, for events that wait in a file or a stream


@pytest.fixture
def started(agent, redis):
    """A daemon that listens; its chain is the rules."""
    daemon = agent.start(env=bus(redis))
    wait_subscribed(redis)
    return daemon


def channel(agent, name=CHANNELS[0]):
    return next(one for one in bus_of(agent)["channels"] if one["name"] == name)


def outcomes(daemon):
    """{outcome: how many}, of decisions that are an end or a slot."""
    counted = {}
    for log in daemon.logs:
        if log["event"] in ("decision", "event_refused"):
            counted[log["outcome"]] = counted.get(log["outcome"], 0) + 1
    return counted


# ---- What is taken -------------------------------------------------------------------------------

# A fault is of the moment when it is sent: no model is asked about an old one.
SHAPES = {
    "A": fault(timestamp="{now}"),
    "A, as its oldest writers": {"event_type": "service_unhealthy", "host": "solaria", "container": "web", "level": "error"},
    "B: event": {"update": 1, "event": fault(timestamp="{now}")},
    "B: data": {"kind": "world", "data": fault(timestamp="{now}")},
    "B: payload": {"payload": fault(timestamp="{now}")},
    "B: update": {"update": fault(timestamp="{now}")},
    "B: key": {"type": "service_unhealthy", "key": "solaria/web", "severity": "error"},
    "B: change": {"change": "service_unhealthy", "key": "solaria/web", "severity": "error"},
}


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_both_shapes_on_both_channels(agent, tree, redis, started, shape, name):
    assert redis.publish(json.dumps(SHAPES[shape]).replace("{now}", iso()), name) == 1
    log = started.wait_log("proposed")[0]
    assert re.fullmatch(rf"{name}:[0-9a-f]{{8}}\.1", log["origin"]) and log["action_id"] == ID
    action = tree.action(ID)
    assert (action["node"], action["service"]) == ("solaria", "web") and action["correlation_id"]
    wait_for("the count", lambda: channel(agent, name)["messages"] == 1)
    assert channel(agent, next(one for one in CHANNELS if one != name))["messages"] == 0


def test_a_correlation_id_is_made_of_the_channel_and_a_number(tree, redis, started):
    """And of the start: after a restart the numbers begin anew."""
    for service in ("a", "b"):
        redis.publish(fault(service=service))
    redis.publish(fault(service="c"), CHANNELS[1])
    redis.publish(fault(service="d", correlation_id="its-own"))
    started.wait_log("proposed", count=4)
    made = {action["service"]: action["correlation_id"] for action in tree.actions().values()}
    assert made["d"] == "its-own"
    found = [re.fullmatch(r"(\w+):([0-9a-f]{8})\.(\d)", made[service]).groups() for service in "abc"]
    assert [(name, number) for name, _, number in found] == \
        [("health_events", "1"), ("health_events", "2"), ("world_updates", "1")]
    assert len({start for _, start, _ in found}) == 1


def test_benign_and_recovering_ones_do_as_in_files(agent, tree, redis, mock):
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai")))
    wait_subscribed(redis)
    redis.publish(fault("service_healthy", service="other", severity="info"))
    daemon.wait_log("benign")
    redis.publish(fault())
    mock.wait_requests(1)
    redis.publish(fault("service_healthy", severity="info"), CHANNELS[1])
    daemon.wait_log("recovered")
    wait_for("the claim's end", lambda: redis("EXISTS", "planner:cooldown:solaria/web") == 0)
    assert tree.actions() == {}


def test_a_largest_event_is_taken(tree, redis, started):
    event = fault()
    event["message"] += (65536 - len(json.dumps(event))) * "x"
    assert len(json.dumps(event)) == 65536
    redis.publish(event)
    started.wait_log("proposed")
    assert list(tree.actions()) == [ID]


def test_once_hears_nothing(agent, redis):
    """A single run has no time to listen."""
    with Listener(redis) as orders:
        agent.run_once(env=bus(redis))
        orders.wait(1)
    assert not any('"SUBSCRIBE"' in line for line in orders.messages)


# ---- What is refused -----------------------------------------------------------------------------


def sized(size):
    event = fault()
    event["message"] += (size - len(json.dumps(event))) * "x"
    return json.dumps(event)


REFUSED = {
    "empty": ("", "not_json"),
    "a word": ("hello", "not_json"),
    "half": ('{"type": "service_unhealthy", "node": "sol', "not_json"),
    "two": (json.dumps(fault()) * 2, "not_json"),
    "binary": (bytes(range(256)), None),
    "not UTF-8": (json.dumps(fault()).encode().replace(b"web", b"w\xffb"), "not_utf8"),
    "a raw NUL": (json.dumps(fault()).encode().replace(b"web", b"w\0b"), None),
    "NULs alone": (b"\0" * 100, None),
    "a list": ("[1]", "not_object"),
    "a string": ('"service_unhealthy"', "not_object"),
    "a number": ("17", "not_object"),
    "no type": (json.dumps({"node": "solaria"}), "no_type"),
    "no node": (json.dumps({"type": "service_unhealthy"}), "no_node"),
    "a member twice": ('{"type": "a", "type": "b", "node": "solaria"}', "duplicate"),
    "a long name": (json.dumps(fault(service=129 * "w")), "bad_name"),
    "nested": ('{"type":"a","node":"b","details":' + 17 * "[" + 17 * "]" + "}", "too_deep"),
    "nested without end": (30000 * "[", None),
    "65,537 bytes": (sized(65537), "too_large"),
    "100 KB": (sized(100000), "too_large"),
    "5 MB": (sized(5000000), "too_large"),
    "5 MB of nothing": (b"\0" * 5000000, "too_large"),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_each_refused_one_is_counted_and_named(agent, tree, redis, started, name):
    """In one go, good ones between them; nothing is lost, and no connection."""
    number = 0
    for case, (payload, _) in REFUSED.items():
        redis.publish(payload, name)
        redis.publish(fault(service=f"s{number}"), name)
        number += 1
    started.wait_log("proposed", count=len(REFUSED))
    logs = started.wait_log("event_refused", count=len(REFUSED))
    assert len(logs) == len(REFUSED)
    for at, (case, log) in enumerate(zip(REFUSED, logs)):
        assert re.fullmatch(rf"{name}:[0-9a-f]{{8}}\.{2 * at + 1}", log["origin"]), (case, log)
        assert log["level"] == "warning" and log["reason"] == (REFUSED[case][1] or log["reason"]) != "", (case, log)
    wait_for("the count", lambda: agent.count("refused") == len(REFUSED))
    assert channel(agent, name)["messages"] == 2 * len(REFUSED) and len(tree.actions()) == len(REFUSED)
    assert started.named("redis_lost") == []


NO_STRINGS = {
    "a number": b":1\r\n",
    "a null": b"$-1\r\n",
    "an array": b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "a null array": b"*-1\r\n",
    "a status": b"+OK\r\n",
    "an error": b"-ERR no\r\n",
}


@pytest.mark.parametrize("name", NO_STRINGS)
def test_a_payload_that_is_no_string(agent, name):
    """No server sends it. It is counted as refused, or the connection ended; never more."""
    message = b"*3\r\n$7\r\nmessage\r\n$13\r\nhealth_events\r\n" + NO_STRINGS[name]
    with Scripted() as server:
        daemon = agent.start(env=bus(server.url))
        daemon.wait_log("redis_ready", count=2)
        server.push(message, "SUBSCRIBE")
        daemon.wait_log("event_refused", "redis_lost")
        agent.tree.event()
        daemon.wait_log("proposed")


# ---- While calls are in flight -------------------------------------------------------------------


def test_it_is_drained_while_models_think(agent, redis, mock):
    """Messages are taken at once, whatever the chain does."""
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@60", LLM_CONCURRENCY=2)))
    wait_subscribed(redis)
    redis.all(("PUBLISH", CHANNELS[0], json.dumps(fault(service=f"s{n % 100}"))) for n in range(3000))
    mock.wait_requests(2)
    redis.all(("PUBLISH", CHANNELS[1], json.dumps(fault(service=f"s{n % 100}"))) for n in range(3000))
    wait_for("all of them", lambda: sum(one["messages"] for one in bus_of(agent)["channels"]) == 6000)
    assert len(mock.requests) == 2
    wait_for("what is said of them", lambda: sum(outcomes(daemon).values()) >= 6000, 60)
    seen = outcomes(daemon)
    assert seen["queued"] == 100 and seen["joined"] + seen["queued"] == 6000, seen
    assert redis.clients() and daemon.named("redis_lost") == []
    mock.on(OPENAI, proposal())
    daemon.send(signal.SIGHUP)  # asks anew
    daemon.wait_log("proposed", count=100, seconds=60)
    counted = sum(action["details"]["suppressed_count"] for action in agent.tree.actions().values())
    assert counted == 5900


def test_more_keys_than_slots_are_counted_never_silent(agent, redis, mock):
    """The lowest severity goes first; what was asked stays."""
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@60", LLM_CONCURRENCY=2, LOG_LEVEL="debug")))
    wait_subscribed(redis)
    sent = [fault(service=f"w{n}", severity="warning") for n in range(QUEUE)]
    redis.all(("PUBLISH", CHANNELS[0], json.dumps(one)) for one in sent)
    wait_for("a full queue", lambda: outcomes(daemon).get("queued") == QUEUE)
    mock.wait_requests(2)
    assert daemon.named("queue_full") == []
    # As grave: the newcomer goes. Graver: one that waits does.
    redis.all(("PUBLISH", CHANNELS[0], json.dumps(fault(service=f"x{n}", severity="warning"))) for n in range(50))
    redis.all(("PUBLISH", CHANNELS[0], json.dumps(fault(service=f"e{n}", severity="error"))) for n in range(100))
    redis.all(("PUBLISH", CHANNELS[1], json.dumps(fault(service=f"c{n}", severity="critical"))) for n in range(30))
    redis.all(("PUBLISH", CHANNELS[1], json.dumps(fault(service=f"y{n}", severity="warning"))) for n in range(20))
    logs = daemon.wait_log("queue_full", count=200)
    stays("counted", lambda: len(daemon.named("queue_full")) == 200, 0.2)
    assert {log["severity"] for log in logs} == {"warning"} and {log["level"] for log in logs} == {"warning"}
    gone = {log["service"] for log in logs}
    assert len(gone) == 200 and {f"x{n}" for n in range(50)} | {f"y{n}" for n in range(20)} <= gone
    asked = {request.json["messages"][-1]["content"] for request in mock.requests}
    assert not any(f'"{service}"' in text for service in gone for text in asked)
    wait_for("the count", lambda: agent.count("queue_full") == 200)
    mock.on(OPENAI, proposal())
    daemon.send(signal.SIGHUP)
    daemon.wait_log("proposed", count=QUEUE, seconds=120)
    left = {action["service"] for action in agent.tree.actions().values()}
    assert len(left) == QUEUE and not left & gone
    assert {f"e{n}" for n in range(100)} | {f"c{n}" for n in range(30)} <= left


def test_a_full_queue_of_grave_faults_refuses_lesser_ones(agent, redis, mock):
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@60", LLM_CONCURRENCY=1)))
    wait_subscribed(redis)
    redis.all(("PUBLISH", CHANNELS[0], json.dumps(fault(service=f"c{n}", severity="critical"))) for n in range(QUEUE))
    redis.all(("PUBLISH", CHANNELS[0], json.dumps(fault(service=f"e{n}", severity="error"))) for n in range(40))
    logs = daemon.wait_log("queue_full", count=40)
    assert {log["service"] for log in logs} == {f"e{n}" for n in range(40)}
    # A file waits for its turn instead: it displaces nobody, and is not lost.
    agent.tree.event(service="patient", severity="warning")
    stays("no more", lambda: len(daemon.named("queue_full")) == 40, 0.5)
    mock.on(OPENAI, proposal())
    daemon.send(signal.SIGHUP)
    daemon.wait_log("proposed", count=QUEUE + 1, seconds=120)
    assert "container-restart-solaria-patient" in agent.tree.actions()


def test_a_file_is_not_displaced(agent, redis, mock):
    """It is durable: only what came by pub/sub gives way. Files leave room for it."""
    mock.on(OPENAI, hang())
    for number in range(DURABLE + 50):
        agent.tree.event(service=f"f{number}", severity="info" if number % 2 else "warning", type="disk_pressure")
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@60", LLM_CONCURRENCY=1)))
    wait_subscribed(redis)
    wait_for("all files", lambda: outcomes(daemon).get("queued", 0) == DURABLE)
    redis.all(("PUBLISH", CHANNELS[0], json.dumps(fault(service=f"c{n}", severity="critical"))) for n in range(QUEUE - DURABLE))
    wait_for("a full queue", lambda: outcomes(daemon).get("queued", 0) == QUEUE)
    assert daemon.named("queue_full") == []
    redis.publish(fault(service="late", severity="critical"))
    assert [one["service"] for one in daemon.wait_log("queue_full")] == ["late"]
    stays("no more", lambda: outcomes(daemon)["queued"] == QUEUE, 0.3)


def test_the_sum_of_outcomes_is_what_was_sent(agent, redis, mock):
    """Of a storm of anything, while a model is slow."""
    mock.on(OPENAI, proposal().delay(0.005))
    env = bus(redis, **servers(mock, "openai", LLM_CONCURRENCY=2, COOLDOWN_SECONDS=300, LOG_LEVEL="debug"))
    daemon = agent.start(env=env)
    wait_subscribed(redis)
    severities = ("warning", "error", "critical", "warning")
    payloads = [json.dumps(fault(service=f"s{n * 7919 % 1200}", severity=severities[n % 4])) if n % 10 else "no event"
                for n in range(3000)]
    threads = [threading.Thread(target=lambda name=name, part=part: redis.all(("PUBLISH", name, one) for one in part))
               for name, part in zip(CHANNELS, (payloads[::2], payloads[1::2]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for("all of them", lambda: sum(one["messages"] for one in bus_of(agent)["channels"]) == 3000)
    wait_for("an empty queue", lambda: not any(queue_of(agent).values()), 120)
    ends = ("proposed", "joined", "cooldown", "queue_full", "already_open")
    wait_for("what is said of them", lambda: sum(outcomes(daemon).get(name, 0) for name in (*ends, "refused")) >= 3000, 60)
    seen = outcomes(daemon)
    assert seen["refused"] == 300
    assert sum(seen.get(name, 0) for name in ends) == 2700, seen
    assert seen["queue_full"] > 0 and seen["proposed"] == len(agent.tree.actions()) > 400


# ---- Silence -------------------------------------------------------------------------------------


def silences(daemon, name):
    return [log for log in daemon.named("redis_channel_silent") if log["channel"] == name and log["level"] == "warning"]


def test_a_channel_on_which_nobody_speaks_is_named_once(agent, redis):
    daemon = agent.start(env=bus(redis, SILENCE_WARN_SECONDS=1))
    wait_subscribed(redis)
    for name in CHANNELS:
        wait_for("the warning", lambda name=name: silences(daemon, name))
        assert said_at(silences(daemon, name)[0]) - daemon.began_ns / 1e9 > 0.99, "too early"
        wait_for("the status", lambda name=name: channel(agent, name)["silent"] is True)
    assert agent.cmd("status").out.count("SILENT") == 2
    stays("one warning", lambda: all(len(silences(daemon, name)) == 1 for name in CHANNELS), 2.2)

    def heard():
        """It counts for a second, in which the status is to be had."""
        redis.publish(fault("service_healthy"))
        return channel(agent)["silent"] is False

    wait_for("the status", heard)
    assert channel(agent, CHANNELS[1])["silent"] is True
    wait_for("silent again", lambda: channel(agent)["silent"] is True)
    # At most one warning an hour.
    assert len(silences(daemon, CHANNELS[0])) == 1


def test_a_channel_on_which_somebody_speaks_is_not(agent, redis):
    # So long that the start and a pause of this loop are no silence.
    daemon = agent.start(env=bus(redis, SILENCE_WARN_SECONDS=6))
    wait_subscribed(redis)

    def speak():
        redis.publish("nonsense counts too")
        return True

    stays("no warning", lambda: speak() and not silences(daemon, CHANNELS[0]), 7.5)
    wait_for("the other's", lambda: speak() and silences(daemon, CHANNELS[1]))
    assert silences(daemon, CHANNELS[0]) == [] and len(silences(daemon, CHANNELS[1])) == 1


@pytest.mark.parametrize("url", ["the server's", "nobody's"])
def test_without_a_connection_too(agent, redis, url):
    """A bus that is not there is silent as well."""
    daemon = agent.start(env=bus(redis.url if url == "the server's" else "redis://127.0.0.1:1", SILENCE_WARN_SECONDS=1))
    wait_for("both warnings", lambda: all(silences(daemon, name) for name in CHANNELS))


def test_silence_0_never_warns_and_a_reload_counts(agent, tmp_path, redis):
    settings = tmp_path / "env"
    settings.write_text("SILENCE_WARN_SECONDS=0\n")
    daemon = agent.start("--env-file", settings, env=bus(redis))
    wait_subscribed(redis)
    stays("no warning", lambda: not any(silences(daemon, name) for name in CHANNELS), 1.5)
    settings.write_text("SILENCE_WARN_SECONDS=1\n")
    daemon.send(signal.SIGHUP)
    wait_for("both warnings", lambda: all(silences(daemon, name) for name in CHANNELS))


# ---- Several planners ----------------------------------------------------------------------------


def test_every_planner_hears_it_and_one_proposes(program, tmp_path, redis):
    with planners(program, tmp_path, redis) as agents:
        daemons = [one.start() for one in agents]
        wait_subscribed(redis, 3)
        for number in range(60):
            assert redis.publish(fault(service=f"s{number}")) == 3
        # Who comes second waits for the claim, or finds what the first has decided.
        wait_for("all of them", lambda: all(
            len({log["service"] for log in daemon.named("proposed", "shared", "claimed_elsewhere")}) == 60
            for daemon in daemons))
        wait_for("the proposals", lambda: sum(len(one.tree.actions()) for one in agents) >= 60)
        found = [service for one in agents for service in one.tree.actions()]
        assert len(found) == 60 == len(set(found)), sorted(found)
