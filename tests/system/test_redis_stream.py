"""Events from Redis streams: what an entry may look like, when it is acknowledged, and that none is
lost, whatever becomes of planner, server, stream and group."""

import contextlib
import json
import random
import threading
import time

import pytest

from agent import fault, iso, stays, wait_for
from apis import OPENAI
from chain import data_of, servers
from redis_daemon import in_parallel
from redis_peers import Redis, bus, bus_of, planner_on, wait_subscribed
from redis_proxies import Proxy
from redis_streams import ENTRIES_MAX, GROUP, IDLE, NAME, SLOTS, Gate, Stream, names, services, wait_services
from server import MockServer
from steps import error, proposal

ID = "container-restart-solaria-web"
KEY = "planner:cooldown:solaria/web"
AGAIN = ("duplicate", "already_open", "cooldown", "resumed")  # the ends of an event that was read twice


@pytest.fixture
def stream(redis):
    return Stream(redis)


def streams_of(agent):
    return bus_of(agent)["streams"]


@pytest.fixture(scope="module", autouse=True)
def patient(program, tmp_path_factory):
    """A planner that runs while all these tests do, and what was left by one that died meanwhile."""
    with Redis() as redis, contextlib.ExitStack() as stack:
        agent = planner_on(program, tmp_path_factory.mktemp("patient"), redis, "patient", REDIS_STREAM=NAME)
        stack.callback(agent.end)
        stream = Stream(redis)
        daemon = agent.start()
        stream.wait_read(daemon)
        redis.all([("MULTI",), *(stream.command(service=service) for service in names(100)),
                   ("XREADGROUP", "GROUP", GROUP, "dead", "STREAMS", NAME, ">"), ("EXEC",)])
        assert stream.consumers()["dead"] == 100
        stream.make_idle("dead", list(stream.holds()))
        yield agent, stream, daemon


# ---- What an entry may look like -----------------------------------------------------------------

FLAT = {"type": "service_unhealthy", "node": "solaria", "service": "web", "severity": "error",
        "message": "web failed its health check"}
OTHER = fault(node="evil", service="wrong")

NOW = fault(timestamp="{now}")  # of the moment when it is put there: no model is asked about an old one

# name: (fields of the entry, what is known of the event beside node, service and type)
FORMS = {
    "event": ({"event": json.dumps(NOW)}, {}),
    "data": ({"data": json.dumps(NOW)}, {}),
    "payload": ({"payload": json.dumps(NOW)}, {}),
    "blanks before it": ({"event": " \r\n\t" + json.dumps(NOW) + "\n"}, {}),
    "fields beside it": ({"source": "x", "event": json.dumps(NOW), "v": "2"}, {"source": "node-agent"}),
    "event before data": ({"data": json.dumps(OTHER), "event": json.dumps(NOW)}, {}),
    "data before payload": ({"payload": json.dumps(OTHER), "data": json.dumps(NOW)}, {}),
    "data, and a word as event": ({"event": "update", "data": json.dumps(NOW)}, {}),
    "an envelope in it": ({"data": json.dumps({"kind": "update", "update": NOW})}, {}),
    "a key in it": ({"event": json.dumps({"change": "service_unhealthy", "key": "solaria/web"})}, {}),
    "flat": (FLAT, {"severity": "error", "message": FLAT["message"]}),
    "flat, of the second generation": (
        {"event_type": "service_unhealthy", "host": "solaria", "container": "web", "level": "critical", "ts": "{now}"},
        {"severity": "critical"}),
    "flat, event is the type": ({"event": "service_unhealthy", "hostname": "solaria", "container_name": "web"}, {}),
    "flat, a key": ({"type": "service_unhealthy", "key": "solaria/web"}, {}),
    "flat, a JSON payload": ({**FLAT, "payload": '{"exit_code": 137}'}, {"details": {"exit_code": 137}}),
    "flat, a JSON list": ({**FLAT, "details": '["oom", 2]'}, {"details": ["oom", 2]}),
    "flat, data": ({**FLAT, "data": ' {"deep": [[[]]]} '}, {"details": {"deep": [[[]]]}}),
    "flat, text as payload": ({**FLAT, "payload": "{oops"}, {"details": "{oops"}),
    "flat, a number as payload": ({**FLAT, "payload": "137"}, {"details": "137"}),
    "flat, an event as payload": ({**FLAT, "payload": json.dumps(OTHER)}, {"details": OTHER}),
    "flat, JSON elsewhere": ({**FLAT, "message": '{"a": 1}'}, {"message": '{"a": 1}'}),
    "flat, with quotes": ({**FLAT, "message": 'a "b" \\ \n\t\u2028 é'}, {"message": 'a "b" \\ \n\t\u2028 é'}),
    "many fields": ({**FLAT, **{f"f{n}": "x" * 20 for n in range(1500)}}, {}),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_entry_may_look_like_this(agent, stream, mock, name):
    fields, known = FORMS[name]
    stream.create()
    id = stream.put({field: value.replace("{now}", iso()) for field, value in fields.items()})
    agent.run_once(env=stream.env(**servers(mock, "openai")))
    action = agent.tree.action(ID)
    assert action["correlation_id"] == f"{NAME}:{id}"
    told, document = action["details"]["event"], data_of(mock.requests[0])[0]
    assert told["type"] == "service_unhealthy"
    for member, value in known.items():
        if member == "details":
            assert value in [document[member] for member in document] or value in document["event"].values(), document
        else:
            assert told[member] == value
    assert stream.held() == 0 and stream.buried() == []


def test_a_correlation_id_of_its_own_stays(agent, stream):
    stream.create().add(correlation_id="corr-1")
    agent.run_once(env=stream.env())
    assert agent.tree.action(ID)["correlation_id"] == "corr-1"


def padded(size):
    """An event's document of so many bytes."""
    text = json.dumps(fault(message=""))
    return text[:-1] + " " * (size - len(text)) + "}"


def deep(levels):
    text = json.dumps(fault(payload=0))
    return text.replace('"payload": 0', '"payload": ' + "[" * levels + "]" * levels)


MALFORMED = {  # the fields, the reason
    "not JSON": ({"event": '{"type": '}, "not_json"),
    "two documents": ({"event": json.dumps(fault()) * 2}, "not_json"),
    "no type": ({"event": '{"node": "solaria"}'}, "no_type"),
    "no node": ({"event": '{"type": "service_unhealthy"}'}, "no_node"),
    "an array": ({"event": "[1]"}, None),
    "no words at all": ({"": ""}, "no_type"),
    "a number": ({"n": "17"}, "no_type"),
    "flat, no node": ({"type": "service_unhealthy", "service": "web"}, "no_node"),
    "flat, no type": ({"node": "solaria", "service": "web"}, "no_type"),
    "a field twice": ([("node", "solaria"), ("type", "service_unhealthy"), ("node", "nas")], "duplicate"),
    "the document twice": ([("event", json.dumps(fault())), ("event", json.dumps(fault()))], "duplicate"),
    "a member twice": ({"event": '{"type":"service_unhealthy","node":"a","node":"b"}'}, "duplicate"),
    "a name that is too long": ({"event": json.dumps(fault(node="n" * 129))}, "bad_name"),
    "no UTF-8": ({"event": json.dumps(fault(message="@")).encode().replace(b"@", b"\xff")}, "not_utf8"),
    "no UTF-8, flat": ({**FLAT, "message": b"\xff"}, "not_utf8"),
    "no UTF-8 in a name": ([*FLAT.items(), (b"\xc3", "x")], "not_utf8"),
    "a NUL": ({"event": json.dumps(fault(message="@")).replace("@", "\0")}, None),
    "a NUL, flat": ({**FLAT, "message": "a\0b"}, None),
    "too deep": ({"event": deep(16)}, "too_deep"),
    "too large": ({"event": padded(65537)}, "too_large"),
    "far too large": ({"event": padded(5 << 20)}, "too_large"),
    "too large, flat": ({**FLAT, "message": "m" * 65537}, "too_large"),
    "too large together": ({**FLAT, "message": "m" * 40000, "payload": "p" * 40000}, "too_large"),
    "too large when escaped": ({**FLAT, "message": '"' * 40000}, "too_large"),
    "a name that is too large": ([*FLAT.items(), ("n" * 70000, "x")], "too_large"),
}


def size_of(fields):
    return sum(len(part) for pair in fields.items() for part in pair)


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_event_goes_to_the_dead_stream(agent, stream, name):
    """With the reason, and the stream goes on."""
    fields, reason = MALFORMED[name]
    stream.create()
    before, id, after = stream.add(service="before"), stream.put(fields), stream.add(service="after")
    done = agent.run_once(env=stream.env())
    assert services(agent) == ["after", "before"] and stream.held() == 0
    (buried,) = stream.buried()
    assert buried["id"] == id and (buried["reason"] == reason or reason is None and buried["reason"])
    assert buried["deliveries"] == "1"
    # The fields stand there too, where they could be read.
    for field, value in fields.items() if isinstance(fields, dict) else []:
        text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        assert buried.get(field, "") == text or size_of(fields) > 65536 and buried.get(field, "") == ""
    logs = done.named("refused")
    assert len(logs) == 1 and id in json.dumps(logs[0]) and logs[0]["reason"] == buried["reason"]
    assert agent.count("refused") == 1 and streams_of(agent)["dead"] == 1
    assert {before, id, after} == {one for one, _ in stream.entries()}, "entries are not removed"


def test_of_a_large_one_the_small_fields_are_kept(agent, stream):
    stream.create().put({"source": "node-agent", "blob": "x" * 100000, "node": "solaria"})
    agent.run_once(env=stream.env())
    (buried,) = stream.buried()
    assert buried["source"] == "node-agent" and buried["node"] == "solaria" and buried.get("blob", "") == ""


@pytest.mark.parametrize("size", [65535, 65536])
def test_what_just_fits_is_an_event(agent, stream, size):
    stream.create().put({"event": padded(size)})
    agent.run_once(env=stream.env())
    assert services(agent) == ["web"] and stream.buried() == []


def test_many_that_are_large_in_one_read(agent, stream):
    """Together more than a reply may have."""
    stream.create()
    for service in names(64):
        stream.put({"event": json.dumps(fault(service=service, message="m" * 60000))})
    stream.add(service="last")
    daemon = agent.start(env=stream.env())
    wait_services(agent, [*names(64), "last"], daemon)
    stream.wait_finished(daemon)
    assert stream.buried() == []


@pytest.mark.parametrize("place", ["first", "last"])
def test_an_entry_that_no_reply_can_have(agent, stream, place):
    """Of 20,000 fields: it is given up, and others are not."""
    stream.create()
    if place == "last":
        stream.fill(names(20))
    id = stream.put((f"f{n}", "x") for n in range(20000))
    if place == "first":
        stream.fill(names(20))
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(20), daemon, 60)
    stream.wait_finished(daemon, 60)
    (buried,) = stream.buried()
    assert buried["id"] == id and buried["reason"]
    stream.add(service="next")
    stream.wait_finished(daemon)
    assert "next" in services(agent)


def test_a_thousand_malformed_ones(agent, stream):
    stream.create()
    stream.redis.all(("XADD", NAME, "*", "event", "{") for _ in range(1000))
    stream.add()
    daemon = agent.start(env=stream.env())
    wait_services(agent, ["web"], daemon)
    stream.wait_finished(daemon)
    assert len(stream.buried()) == 1000
    # The server knows of the last acknowledgement before the planner has its answer.
    wait_for("nothing is held", lambda: streams_of(agent)["held"] == 0)


# ---- The group -----------------------------------------------------------------------------------


def test_a_group_is_made_from_the_end(agent, stream):
    """What was there before anybody read it is history."""
    stream.fill(names(5, "old"))
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.add(service="new")
    wait_services(agent, ["new"], daemon)
    stream.wait_finished(daemon)
    assert stream.group()["consumers"] == 1 and agent.tree.audits().__len__() == 1


def test_a_stream_that_is_not_there_is_read_from_its_first_entry(agent, stream):
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.add()
    wait_services(agent, ["web"], daemon)


def test_a_group_that_is_there_stays_as_it_is(agent, stream):
    stream.fill(names(5))
    stream.create()
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(5), daemon)
    stream.wait_finished(daemon)


def test_the_consumer_is_the_node(agent, stream):
    daemon = agent.start(env=stream.env(NODE_NAME="node-b.lan"))
    stream.wait_read(daemon)
    stream.add()
    wait_services(agent, ["web"], daemon)
    assert list(stream.consumers()) == ["node-b.lan"]


def test_another_group_is_not_ours(agent, stream):
    stream.redis("XGROUP", "CREATE", NAME, "observer", "0", "MKSTREAM")
    stream.add(service="old")
    stream.redis("XREADGROUP", "GROUP", "observer", "planner", "STREAMS", NAME, ">")
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.add(service="new")
    wait_services(agent, ["new"], daemon)
    stream.wait_finished(daemon)
    assert stream.redis("XPENDING", NAME, "observer")[0] == 1


def test_several_streams(agent, redis):
    streams = [Stream(redis, name) for name in ("homelab:events", "b", "c:d", "e.f", "g/h", "{i}", "j-k", "l_m")]
    daemon = agent.start(env=bus(redis, REDIS_STREAM=" , ".join(one.name for one in streams)))
    for one in streams:
        one.wait_read(daemon)
    for number, one in enumerate(streams):
        one.fill(names(30, f"n{number}-"))
        one.put({"event": "{"})
    wait_services(agent, [service for number in range(8) for service in names(30, f"n{number}-")], daemon)
    for one in streams:
        one.wait_finished(daemon)
        assert [fields["reason"] for fields in one.buried()] == ["not_json"]
    # The same id in two of them is not the same entry.
    before = len(agent.tree.actions())
    for one in streams[:2]:
        one.put({"event": json.dumps(fault(service=f"same-{one.name[0]}"))}, id="9999999999999-1")
    wait_for("both", lambda: len(agent.tree.actions()) == before + 2)
    for one in streams[:2]:
        one.wait_finished(daemon)


def test_a_full_stream_does_not_starve_the_other(agent, redis, mock):
    one, two = Stream(redis, "one"), Stream(redis, "two")
    mock.on(OPENAI, proposal().delay(0.01))
    daemon = agent.start(env=bus(redis, REDIS_STREAM="one,two", **servers(mock, "openai")))
    one.wait_read(daemon)
    two.wait_read(daemon)
    one.fill(names(2000))
    wait_for("many of it", lambda: one.held() >= 200)
    two.add(service="urgent", severity="critical")
    wait_for("the other", lambda: "container-restart-solaria-urgent" in agent.tree.actions())
    assert one.held() > 0, "it was not full any more"


# ---- Back-pressure -------------------------------------------------------------------------------


def test_no_more_is_read_than_finds_a_slot(agent, stream, mock):
    """What does not, waits in Redis: nothing is dropped."""
    wanted = names(1500)
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=8)))
        stream.wait_read(daemon)
        stream.fill(wanted)
        wait_for("a full queue", lambda: stream.held() >= SLOTS and len(daemon.named("queued")) >= SLOTS)
        stays("no more", lambda: stream.held() == SLOTS, 0.7)
        assert len(daemon.named("queued")) == SLOTS and not stream.is_waited_for()
        files = names(100, "file")
        for service in files:
            agent.tree.event(service=service)
        most = [0]
        gate.open()

        def ended():
            most[0] = max(most[0], stream.held())
            return stream.is_finished()

        wait_for("all", ended, 120)
        # What is being acknowledged and what is being read may stand there at once.
        assert most[0] <= SLOTS + 64
        wait_services(agent, [*wanted, *files], daemon)
        assert daemon.named("queue_full") == [] and stream.buried() == []


def test_repeats_take_no_slot_and_are_kept_all_the_same(agent, stream, mock):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        stream.fill(["web"] * 3000)
        wait_for("all of them", lambda: stream.held() == 3000)
        gate.open()
        stream.wait_finished(daemon)
        daemon.wait_log("proposed")
        assert len(daemon.named("queued")) == 1
    assert agent.tree.action(ID)["details"]["suppressed_count"] == 2999


def test_more_repeats_than_can_be_remembered(agent, stream, mock):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        stream.fill(["web"] * (ENTRIES_MAX + 2000))
        wait_for("a full table", lambda: stream.held() >= ENTRIES_MAX)
        stays("no more", lambda: stream.held() == ENTRIES_MAX, 0.5)
        gate.open()
        stream.wait_finished(daemon)
    assert services(agent) == ["web"]
    stream.add(service="db")
    wait_for("it goes on", lambda: services(agent) == ["db", "web"])


# ---- When an entry is acknowledged ---------------------------------------------------------------


def test_not_while_the_model_thinks(agent, stream, mock):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        stream.add()
        gate.wait()
        stays("pending", lambda: stream.held() == 1, 0.5)
        gate.open()
        stream.wait_finished(daemon)
    daemon.stop()
    assert services(agent) == ["web"] and streams_of(agent)["acknowledged"] == 1


def test_not_when_the_chain_fails(agent, stream, mock):
    mock.on(OPENAI, error(503))
    daemon = agent.start(env=stream.env(**servers(mock, "openai")))
    stream.wait_read(daemon)
    stream.add()
    stream.add()
    daemon.wait_log("chain_failed")
    wait_for("both", lambda: stream.held() == 2)
    stays("pending", lambda: stream.held() == 2, 0.5)
    daemon.stop()
    assert stream.held() == 2, "a stop is no end either"
    agent.run_once(rc=75, env=stream.env(**servers(mock, "openai")))
    assert stream.held() == 2
    agent.run_once(env=stream.env())
    assert services(agent) == ["web"] and stream.held() == 0


def test_not_while_a_deployment_holds_it(agent, stream):
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.add("deployment_started", severity="info", at=-20)
    wait_for("benign", stream.is_finished)
    stream.add(at=-10)
    stream.add(at=-5)
    daemon.wait_log("held")
    wait_for("both", lambda: stream.held() == 2)
    stays("pending", lambda: stream.held() == 2, 0.3)
    stream.add("deployment_completed", severity="info")
    stream.wait_finished(daemon)
    assert agent.tree.actions() == {}


def test_not_while_another_planner_is_at_it(agent, stream):
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.redis("SET", KEY, "claim:other", "PX", 60000)
    stream.add()
    daemon.wait_log("claimed_elsewhere")
    stays("pending", lambda: stream.held() == 1, 0.7)
    stream.redis("PEXPIRE", KEY, 1)  # the end of its time, which is not waited for here
    stream.wait_finished(daemon)
    assert services(agent) == ["web"]


def test_not_while_it_cannot_be_written(user_agent, stream):
    pending = user_agent.tree.directory(user_agent.tree.path / "actions" / "pending")
    daemon = user_agent.start(env=stream.env())
    stream.wait_read(daemon)
    pending.chmod(0o555)
    stream.add()
    daemon.wait_log("disk_fault")
    stays("pending", lambda: stream.held() == 1, 0.5)
    daemon.stop()
    pending.chmod(0o755)
    user_agent.run_once(env=stream.env())
    assert services(user_agent) == ["web"] and stream.held() == 0


def test_joined_and_displaced_ones_with_their_key(agent, stream, mock):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        stream.add(service="busy")
        gate.wait()
        for severity in ("warning", "warning", "error", "critical", "warning", "error"):
            stream.add(severity=severity, message=severity)
        stream.wait_in_hand(daemon, 7)
        stays("pending", lambda: stream.held() == 7, 0.4)
        gate.open()
        stream.wait_finished(daemon)
    action = agent.tree.action(ID)
    assert action["details"]["event"]["severity"] == "critical" and action["details"]["suppressed_count"] == 5


def test_a_graver_one_that_waits_behind_is_acknowledged_after_its_own_turn(agent, stream, mock):
    """And what joined it, with it."""
    first, second = Gate(mock, action="ignore"), Gate(mock)
    steps = iter([first.step, second.step])
    mock.on(OPENAI, lambda request: next(steps)(request))
    with first, second:
        daemon = agent.start(env=stream.env(**first.env(COOLDOWN_SECONDS=0)))
        stream.wait_read(daemon)
        early = [stream.add(severity="warning"), stream.add(severity="warning")]
        first.wait()
        late = [stream.add(severity="critical"), stream.add(severity="critical")]
        stream.wait_in_hand(daemon, 4)
        first.open()
        second.wait(2)
        wait_for("the first two", lambda: not set(early) & set(stream.holds()))
        stays("the others", lambda: sorted(stream.holds()) == sorted(late), 0.3)
        assert agent.tree.actions() == {}
        second.open()
        stream.wait_finished(daemon)
    assert agent.tree.action(ID)["details"]["suppressed_count"] == 1


def by_writing(agent, stream, **members):
    agent.tree.event(**members)
    agent.run_once(env={"REDIS_URL": None})


def ends(name):
    """What goes before, the settings, the entries, the outcome of the last, how many actions."""
    rejected = {"action_id": ID, "service": "web", "node": "solaria", "type": "container_restart", "risk": "guarded",
                "status": "rejected", "created_at": int(time.time()), "updated_at": int(time.time()),
                "correlation_id": "x", "proposed_by": "planner-agent", "details": {"event": {"severity": "error"}},
                "transition_history": [{"from": "pending", "to": "rejected", "timestamp": int(time.time())}]}
    return {
        "proposed": (None, {}, [fault()], "proposed", 1),
        "benign": (None, {}, [fault("service_healthy", severity="info")], "benign", 0),
        "unknown and info": (None, {}, [fault("weather", severity="info")], "benign", 0),
        "not watched": (None, {"WATCH_NODES": "nas"}, [fault()], "not_watched", 0),
        "cooldown": (lambda agent, _: (by_writing(agent, None), agent.tree.clear_pending()), {}, [fault()], "cooldown", 0),
        "already open": (lambda agent, _: by_writing(agent, None), {"COOLDOWN_SECONDS": 0}, [fault()], "already_open", 1),
        "rejected lately": (lambda agent, _: agent.tree.put_action("rejected", rejected), {}, [fault()], "rejected_lately", 0),
        "recovered": (None, {}, [fault("service_recovered", severity="info"), fault(at=-5)], "recovered", 0),
        "recovered in the queue": (None, {}, [fault(at=-5), fault("service_recovered", severity="info")], None, None),
        "stale": (None, {}, [fault(at=-9000)], "proposed", 1),
        "duplicate": (None, {"COOLDOWN_SECONDS": 0}, [fault(id="1"), fault(id="1")], "duplicate", 1),
        "joined": (None, {}, [fault(), fault(message="again")], None, 1),
        "decided by another": (lambda _, stream: stream.redis("SET", KEY, "done:other:error"), {}, [fault()], "shared", 0),
        "inside a deployment": (None, {}, [fault("deployment_started", severity="info", at=-20), fault(at=-10),
                                           fault("deployment_completed", severity="info", at=-5)], "deployed", 0),
        "rules cannot": (None, {}, [fault(service="all")], "proposed", 1),
    }[name]


ENDS = ["proposed", "benign", "unknown and info", "not watched", "cooldown", "already open", "rejected lately",
        "recovered", "recovered in the queue", "stale", "duplicate", "joined", "decided by another",
        "inside a deployment", "rules cannot"]


@pytest.mark.parametrize("name", ENDS)
def test_acknowledged_once_it_is(agent, stream, name):
    before, env, events, outcome, actions = ends(name)
    if before:
        before(agent, stream)
    stream.create()
    for event in events:
        stream.redis.add(event)
    done = agent.run_once(env=stream.env(**env))
    assert stream.held() == 0 and stream.is_finished() and stream.buried() == []
    if outcome:
        assert done.named(outcome)
    if actions is not None:
        assert len(agent.tree.actions()) == actions
    assert streams_of(agent) | {"names": 0} == {
        "names": 0, "entries": len(events), "acknowledged": len(events), "held": 0, "doomed": 0, "dead": 0, "taken_over": 0}


def test_acknowledged_once_it_is_ignored(agent, stream, mock):
    mock.on(OPENAI, proposal(action="ignore"))
    stream.create().add()
    agent.run_once(env=stream.env(**servers(mock, "openai")))
    assert stream.held() == 0 and agent.tree.actions() == {}


def test_acknowledged_once_a_recovery_takes_it_from_the_model(agent, stream, mock):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        stream.add(at=-5)
        stream.add(at=-4)
        gate.wait()
        wait_for("both", lambda: stream.held() == 2)
        stream.add("service_healthy", severity="info")
        stream.wait_finished(daemon)
        assert agent.tree.actions() == {} and stream.redis("EXISTS", KEY) == 0


def test_acknowledged_once_it_is_given_up_into_an_alert(agent, stream, mock):
    mock.on(OPENAI, error(400).delay(1.2))
    # Without a time of their own they are as old as their arrival, however long that takes: not too old for a model.
    stream.create().fill(["web"] * 3, timestamp=None)
    done = agent.run_once(env=stream.env(**servers(mock, "openai"), EVENT_DEADLINE_SECONDS=1))
    assert stream.held() == 0 and done.named("chain_failed")
    action = agent.tree.action("alert-solaria-web-service_unhealthy")
    assert "chain_exhausted" in action["details"]["policy"]


# ---- After a kill --------------------------------------------------------------------------------


def test_own_pending_entries_come_first_after_a_kill(agent, stream, mock):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        stream.fill(names(40, "old"))
        wait_for("all", lambda: stream.held() == 40)
        daemon.kill()
    assert stream.held() == 40
    stream.fill(names(40, "new"))
    daemon = agent.start(env=stream.env())
    stream.wait_finished(daemon)
    order = [log["service"] for log in daemon.wait_log("proposed", count=80)]
    assert sorted(order) == sorted(names(40, "old") + names(40, "new"))
    assert sorted(order[:40]) == names(40, "old")
    assert len(agent.tree.audits()) == 80


def test_more_own_pending_entries_than_find_a_slot(agent, stream):
    """Left by a planner that had more room, say; new ones wait until they are through."""
    stream.create()
    stream.fill(names(1300))
    stream.read_as("planner")
    stream.fill(names(200, "new"))
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(1300) + names(200, "new"), daemon)
    stream.wait_finished(daemon)
    order = [log["service"] for log in daemon.wait_log("proposed", count=1500, seconds=60)]
    assert sorted(order[:1300]) == names(1300) and len(order) == 1500


def test_more_own_pending_entries_than_can_be_remembered(agent, stream):
    stream.create()
    stream.fill(["web"] * (ENTRIES_MAX + 500) + ["last"])
    stream.read_as("planner")
    daemon = agent.start(env=stream.env())
    stream.wait_finished(daemon, 120)
    assert services(agent) == ["last", "web"] and len(agent.tree.audits()) == 2


def test_restarts_are_no_failures(agent, stream, mock):
    with Gate(mock) as gate:
        for number in range(6):
            daemon = agent.start(env=stream.env(**gate.env()))
            if number == 0:
                stream.wait_read(daemon)
                stream.add()
            gate.wait(number + 1)
            daemon.kill()
    (_, _, deliveries), = stream.holds().values()
    assert 1 <= deliveries <= 7 and stream.buried() == []
    agent.start(env=stream.env())
    stream.wait_finished()
    assert services(agent) == ["web"] and stream.buried() == []


@pytest.mark.parametrize("deliveries", [99, 100, 101, 5000])
def test_delivered_too_often(agent, stream, deliveries):
    stream.create()
    bad, good = stream.add(), stream.add(service="db")
    stream.read_as("planner")
    stream.redis("XCLAIM", NAME, GROUP, "planner", 0, bad, "RETRYCOUNT", deliveries, "JUSTID")
    done = agent.run_once(env=stream.env())
    assert stream.held() == 0
    if deliveries <= 100:
        assert services(agent) == ["db", "web"] and stream.buried() == []
        return
    assert services(agent) == ["db"]
    (buried,) = stream.buried()
    assert buried["id"] == bad and buried["deliveries"] == str(deliveries)
    assert "deliver" in buried["reason"] and json.loads(buried["event"])["service"] == "web"
    assert len(done.named("refused")) == 1 and good


GONE = {
    "XDEL": lambda stream, ids: stream.redis("XDEL", NAME, *ids),
    "XTRIM": lambda stream, ids: stream.redis("XTRIM", NAME, "MAXLEN", 0),
}


@pytest.mark.parametrize("how", GONE)
def test_own_pending_entries_that_are_no_more(agent, stream, how):
    """There is nothing to be handled: they are acknowledged, and hinder nobody."""
    stream.create()
    GONE[how](stream, stream.fill(names(100)) and stream.read_as("planner"))
    assert stream.held() == 100
    stream.add()
    agent.run_once(env=stream.env())
    assert services(agent) == ["web"] and stream.held() == 0 and stream.buried() == []


@pytest.mark.parametrize("how", GONE)
def test_entries_in_hand_that_are_no_more(agent, stream, mock, how):
    """The planner knows them: they are handled all the same."""
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        ids = stream.fill(names(40))
        wait_for("all", lambda: stream.held() == 40)
        GONE[how](stream, ids)
        stream.add()
        gate.open()
        stream.wait_finished(daemon)
    assert services(agent) == sorted([*names(40), "web"])


def test_pending_entries_that_go_before_they_found_a_slot(agent, stream, mock):
    stream.create()
    stream.fill(names(1000))
    ids = stream.read_as("planner")
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=8)))
        wait_for("a full queue", lambda: len(daemon.named("queued")) == SLOTS)
        stream.redis("XDEL", NAME, *ids[900:])
        gate.open()
        wait_for("the others", lambda: stream.held() == 0, 120)
    assert services(agent) == names(900) and stream.buried() == []


def test_a_kill_between_the_action_and_its_acknowledgement(agent, redis):
    """It is found again, and not proposed again; also where cooldown and action are gone by then."""
    stream = Stream(redis)
    with Proxy(redis) as proxy:
        env = {"REDIS_URL": proxy.url, "REDIS_STREAM": NAME}
        daemon = agent.start(env=env)
        stream.wait_read(daemon)
        stream.add(id="evt-1")
        wait_for("the action", lambda: agent.tree.actions())
        stream.wait_finished(daemon)
        agent.tree.move_action(ID, "completed")
        redis("DEL", KEY)
        proxy.bend = lambda _link, way, data: b"" if way == "up" and b"XACK" in data else data
        stream.add(service="db", id="evt-2")
        wait_for("the action", lambda: agent.tree.actions())
        time.sleep(0.2)
        assert stream.held() == 1
        daemon.kill()
    daemon = agent.start(env=stream.env())
    stream.wait_finished(daemon)
    assert services(agent) == ["db"] and len(agent.tree.audits()) == 2
    assert daemon.named("proposed") == []


# ---- What dead and living consumers hold ---------------------------------------------------------


def test_entries_of_a_dead_consumer_are_taken_over(agent, stream):
    stream.create()
    stream.fill(names(300))
    dead = stream.read_as("dead-planner")
    stream.fill(names(5, "alive"))
    alive = stream.read_as("living-planner")
    stream.make_idle("dead-planner", dead)
    stream.make_idle("living-planner", alive, IDLE - 60000)
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(300), daemon)
    wait_for("their acknowledgement", lambda: sorted(stream.holds()) == sorted(alive))
    stays("others' are not", lambda: stream.consumers()["living-planner"] == 5, 0.3)
    daemon.stop()
    assert streams_of(agent)["taken_over"] == 300


def test_more_of_a_dead_consumer_than_find_a_slot(agent, stream, mock):
    """They are taken as there is room; what cannot be had is left to others."""
    stream.create()
    stream.fill(names(1200))
    stream.make_idle("dead-planner", stream.read_as("dead-planner"))
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=8)))
        wait_for("some", lambda: stream.consumers().get("planner", 0) > 0)
        stays("no more than there is room for", lambda: stream.consumers()["planner"] <= SLOTS, 0.5)
        gate.open()
        wait_services(agent, names(1200), daemon)
        stream.wait_finished(daemon)


def test_too_often_delivered_and_taken_over(agent, stream):
    stream.create().add()
    ids = stream.read_as("dead-planner")
    stream.make_idle("dead-planner", ids, IDLE + 1000, "RETRYCOUNT", 101)
    daemon = agent.start(env=stream.env())
    wait_for("the dead stream", stream.buried)
    stream.wait_finished(daemon)
    assert agent.tree.actions() == {}


@pytest.mark.parametrize("how", GONE)
def test_entries_of_a_dead_consumer_that_are_no_more(agent, stream, how):
    stream.create()
    stream.fill(names(50))
    ids = stream.read_as("dead-planner")
    stream.make_idle("dead-planner", ids)
    GONE[how](stream, ids)
    stream.add()
    daemon = agent.start(env=stream.env())
    stream.wait_finished(daemon)
    assert services(agent) == ["web"]


def test_what_a_living_planner_holds_is_claimed_anew(program, tmp_path, stream, mock):
    """At the latest when it is connected again: it is not idle, however long the model thinks."""
    with Gate(mock) as gate, contextlib.ExitStack() as stack:
        one, two = (planner_on(program, tmp_path, stream.redis, name, REDIS_STREAM=NAME, **gate.env()) for name in ("one", "two"))
        stack.callback(one.end)
        stack.callback(two.end)
        daemon = one.start()
        stream.wait_read(daemon)
        ids = stream.fill(names(40))
        wait_for("all", lambda: stream.held() == 40)
        before = {id: deliveries for id, (_, _, deliveries) in stream.holds().items()}
        stream.make_idle("one", ids, IDLE - 100000)  # what is idle for longer, its own look would find
        # The one that has subscribed says PING when it was quiet for long: its last command tells nothing.
        (commands,) = [client["id"] for client in stream.redis.clients() if client["name"].endswith("one")
                       and client["cmd"] != "xreadgroup" and "P" not in client["flags"]]
        stream.redis("CLIENT", "KILL", "ID", commands)
        wait_for("the renewal", lambda: all(idle < 60000 for _, idle, _ in stream.holds().values()))
        two.start()
        stream.wait_read(count=2)
        stays("it keeps them", lambda: stream.consumers().get("two", 0) == 0, 0.5)
        assert {id: deliveries for id, (_, _, deliveries) in stream.holds().items()} == before
        gate.open()
        stream.wait_finished()
        assert services(one) == names(40) and two.tree.actions() == {}


def test_taken_from_a_planner_that_still_lives(program, tmp_path, stream, mock):
    """It stood still for too long, and both have it: the claim of the key decides."""
    with Gate(mock) as gate, contextlib.ExitStack() as stack:
        env = gate.env(LLM_CHAIN="openai@40", OLLAMA_COLD_SECONDS=0)
        one, two = (planner_on(program, tmp_path, stream.redis, name, REDIS_STREAM=NAME, **env) for name in ("one", "two"))
        stack.callback(one.end)
        stack.callback(two.end)
        daemon = one.start()
        stream.wait_read(daemon)
        stream.add()
        gate.wait()
        stream.make_idle("one", list(stream.holds()))
        other = two.start()
        other.wait_log("claimed_elsewhere")
        gate.open()
        wait_for("the proposal", lambda: services(one) == ["web"])
        wait_for("the acknowledgement", lambda: stream.held() == 0)
        assert two.tree.actions() == {} and len(mock.requests) == 1


# ---- Server, stream and group come and go --------------------------------------------------------

LOST = {
    "FLUSHALL": [("FLUSHALL",)],
    "XGROUP DESTROY": [("XGROUP", "DESTROY", NAME, GROUP)],
    "DEL": [("DEL", NAME)],
    "UNLINK": [("UNLINK", NAME)],
    "RENAME": [("RENAME", NAME, "elsewhere")],
    "SWAPDB": [("SWAPDB", 0, 1)],
}


@pytest.mark.parametrize("at_once", [False, True], ids=["later", "at once"])
@pytest.mark.parametrize("how", LOST)
def test_while_it_waits(agent, stream, how, at_once):
    """The group is made again, and never from the end: what came before it was there is read, too."""
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.fill(names(20, "before"))
    stream.wait_finished(daemon)
    stream.wait_read(daemon)
    more = [stream.command(service=service) for service in names(20)] if at_once else []
    stream.redis.all([("MULTI",), *LOST[how], *more, ("EXEC",)])
    if not at_once:
        stream.wait_read(daemon)
        stream.fill(names(20))
    wait_for("all", lambda: len(agent.tree.actions()) == 40)
    stream.wait_finished(daemon)
    assert services(agent) == sorted(names(20, "before") + names(20)) and len(agent.tree.audits()) == 40


@pytest.mark.parametrize("how", LOST)
def test_while_entries_are_in_hand(agent, stream, mock, how):
    """They are not lost with the stream: the planner has them."""
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=4)))
        stream.wait_read(daemon)
        stream.fill(names(40))
        wait_for("all", lambda: stream.held() == 40)
        stream.redis.all([("MULTI",), *LOST[how], stream.command(service="at-once"), ("EXEC",)])
        stream.wait_read(daemon)
        stream.add(service="later")
        gate.open()
        wait_services(agent, [*names(40), "at-once", "later"], daemon)
        stream.wait_finished(daemon)
        wait_for("nothing is held", lambda: streams_of(agent)["held"] == 0)
        assert len(agent.tree.audits()) == 42


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("down", [False, True], ids=["while it runs", "while it is down"])
def test_before_a_restart_with_entries_in_hand(agent, stream, mock, end, down):
    """They are pending in the group that it made; and what it has saved is not behind them."""
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=4)))
        stream.wait_read(daemon)
        stream.fill(names(40))
        wait_for("all", lambda: stream.held() == 40)
        if not down:
            stream.redis.all(LOST["XGROUP DESTROY"])
            wait_for("all of them again", lambda: stream.group() and stream.held() == 40)
        getattr(daemon, end)()
    if down:
        stream.redis.all(LOST["XGROUP DESTROY"])
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(40), daemon)
    stream.wait_finished(daemon)


@pytest.mark.parametrize("how", ["XGROUP DESTROY"])
def test_while_pending_entries_wait_for_a_slot(agent, stream, mock, how):
    """They were ours before the group was gone, and are in the stream."""
    stream.create()
    stream.fill(names(1000))
    stream.read_as("planner")
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=8)))
        wait_for("a full queue", lambda: len(daemon.named("queued")) == SLOTS)
        stream.redis.all(LOST[how])
        gate.open()
        wait_services(agent, names(1000), daemon)


@pytest.mark.parametrize("again", [False, True], ids=["connected", "connected anew"])
def test_while_pending_entries_are_not_yet_known(agent, stream, mock, again):
    """More than it can have in hand: those were not acknowledged, whatever it has seen behind them."""
    stream.create()
    stream.fill(["joined"] * ENTRIES_MAX + names(40))
    stream.read_as("planner")
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_in_hand(daemon, ENTRIES_MAX)
        if again:
            before = len(daemon.named("redis_ready"))
            stream.redis("CLIENT", "KILL", "TYPE", "normal")
            wait_for("both connections", lambda: len(daemon.named("redis_ready")) >= before + 2)
        stream.redis.all(LOST["XGROUP DESTROY"])
        gate.open()
        wait_services(agent, ["joined", *names(40)], daemon)
        stream.wait_finished(daemon)


@pytest.mark.parametrize("how", LOST)
def test_while_no_planner_is_there(agent, stream, how):
    """It knows the last that it has seen."""
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.fill(names(20, "before"))
    stream.wait_finished(daemon)
    daemon.stop()
    stream.redis.all([*LOST[how], *(stream.command(service=service) for service in names(20))])
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(20, "before") + names(20), daemon)
    stream.wait_finished(daemon)
    # Nothing that it had seen was read again.
    assert daemon.named(*AGAIN) == []


@pytest.mark.parametrize("how", ["FLUSHALL", "XGROUP DESTROY", "DEL"])
def test_while_a_planner_is_dead_that_had_just_begun(agent, stream, how):
    """Killed in its first seconds, it still knows that it was there before."""
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    saved = agent.tree.state / "streams"  # at once: what else is news is saved after a minute
    wait_for("that it is saved", lambda: saved.exists() and NAME in saved.read_text(), 10)
    daemon.kill()
    stream.redis.all([*LOST[how], *(stream.command(service=service) for service in names(20))])
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(20), daemon)


def test_a_single_run_while_entries_keep_coming(agent, stream):
    """It reads what is there, and waits for nothing."""
    stream.create()
    over = threading.Event()

    def produce():
        with stream.redis.client() as client:
            while not over.wait(0.02):
                client(*stream.command("service_healthy", severity="info"))

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        with Proxy(stream.redis) as proxy:
            proxy.delay = 0.03
            agent.run_once(env={"REDIS_URL": proxy.url, "REDIS_STREAM": NAME})
    finally:
        over.set()
        producer.join()


def test_what_a_lost_connection_was_given(agent, stream):
    """Something between the two has ended it for the planner alone: the server gives it what comes."""
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    (reader,) = [client["id"] for client in stream.redis.clients() if client["cmd"] == "xreadgroup"]
    with stream.redis.client() as half:
        half("CLIENT", "SETNAME", "half")
        given = []
        read = threading.Thread(target=lambda: given.append(half("XREADGROUP", "GROUP", GROUP, "planner", "BLOCK", 60000,
                                                                 "STREAMS", NAME, ">")))
        read.start()
        stream.wait_read(daemon, 2)
        stream.redis("CLIENT", "KILL", "ID", reader)
        daemon.wait_log("redis_lost")
        stream.wait_read(daemon, 2)
        stream.add()
        read.join()
    assert given[0]
    wait_services(agent, ["web"], daemon)
    stream.wait_finished(daemon)


def test_ids_that_begin_anew(agent, stream):
    """A server that lost its data and its clock: the newest id is below the last that was seen."""
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    stream.add(service="before")
    stream.wait_finished(daemon)
    stream.redis.all([("MULTI",), ("FLUSHALL",), *(
        ("XADD", NAME, f"{number}-1", "event", json.dumps(fault(service=f"s{number}"))) for number in range(1, 6)), ("EXEC",)])
    wait_services(agent, ["before", *(f"s{number}" for number in range(1, 6))], daemon)
    stream.wait_finished(daemon)
    stream.put({"event": json.dumps(fault(service="s6"))}, id="6-1")
    wait_for("the next", lambda: "container-restart-solaria-s6" in agent.tree.actions())


def test_ids_that_are_in_hand_and_come_again(agent, stream, mock):
    """They are other entries, of another life of the server."""
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        old, new = names(20, "old"), names(10, "new")
        first, second = ([("XADD", NAME, f"{number}-1", "event", json.dumps(fault(service=service)))
                          for number, service in enumerate(group, 1)] for group in (old, new))
        stream.redis.all([("FLUSHALL",), *first])
        wait_for("all", lambda: stream.group() and stream.held() == 20)
        stream.redis.all([("MULTI",), ("FLUSHALL",), *second, ("EXEC",)])
        stream.wait_read(daemon)
        gate.open()
        wait_services(agent, [*old, *new], daemon)
        stream.wait_finished(daemon)


def test_the_server_is_killed_in_the_middle(agent, stream, mock):
    """Its data stays: what was acknowledged, and what was not."""
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=4)))
        stream.wait_read(daemon)
        stream.fill(names(40))
        stream.wait_in_hand(daemon, 40)
        stream.redis.kill()
        gate.open()
        wait_services(agent, names(40), daemon)
        stream.redis.start()
        stream.wait_finished(daemon)
        stream.add(service="later")
        stream.wait_finished(daemon)
    assert len(agent.tree.audits()) == 41 and daemon.named(*AGAIN) == []


def test_the_server_is_wiped_in_the_middle(agent, stream, mock):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=4)))
        stream.wait_read(daemon)
        stream.fill(names(40))
        stream.wait_in_hand(daemon, 40)
        stream.redis.kill()
        stream.redis.wipe()
        stream.redis.start()
        stream.fill(names(10, "new"))
        gate.open()
        wait_services(agent, names(40) + names(10, "new"), daemon)
        stream.wait_finished(daemon)


def test_a_server_that_comes_later(agent, stream):
    stream.redis.kill()
    daemon = agent.start(env=stream.env())
    agent.tree.event(service="from-a-file")
    wait_services(agent, ["from-a-file"], daemon)
    stream.redis.start()
    stream.wait_read(daemon)
    stream.add()
    wait_services(agent, ["from-a-file", "web"], daemon)


# ---- What the server refuses ---------------------------------------------------------------------
# It is tried again after some seconds, so that these mostly wait: they run side by side.


def refused(daemon, command):
    return [log for log in daemon.named("stream_refused") if log["command"] == command]


def works_again(daemon):
    return [log["command"] for log in daemon.named("stream_works_again")]


def a_key_that_is_no_stream(agent, redis, _mock):
    """One clear error; the other stream is read."""
    good, bad = Stream(redis, "good"), Stream(redis, "bad")
    redis("SET", "bad", "text")
    daemon = agent.start(env=bus(redis, REDIS_STREAM="bad,good"))
    good.wait_read(daemon)
    good.add()
    wait_services(agent, ["web"], daemon)
    (log,) = daemon.wait_log("stream_refused")
    assert log["level"] == "error" and "WRONGTYPE" in log["error"] and log["stream"] == "bad"
    time.sleep(6)
    redis("DEL", "bad")
    bad.wait_read(daemon)
    bad.add(service="db")
    wait_services(agent, ["web", "db"], daemon)
    good.wait_finished(daemon)
    bad.wait_finished(daemon)
    assert len(daemon.wait_log("stream_works_again")) == len(daemon.named("stream_refused")) == 1


def it_becomes_no_stream_while_it_is_read(agent, redis, mock):
    stream = Stream(redis)
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        stream.fill(names(10))
        wait_for("all", lambda: stream.held() == 10)
        redis("SET", NAME, "text")
        gate.open()
        wait_services(agent, names(10), daemon)
        daemon.wait_log("stream_refused")
        assert redis("GET", NAME) == "text"
        redis("DEL", NAME)
        stream.add()
        wait_services(agent, [*names(10), "web"], daemon)
        stream.wait_finished(daemon)
        daemon.wait_log("stream_works_again")


@contextlib.contextmanager
def read_only(redis):
    redis("REPLICAOF", "127.0.0.1", "1")
    yield
    redis("REPLICAOF", "NO", "ONE")


@contextlib.contextmanager
def not_permitted(redis, *commands):
    redis("ACL", "SETUSER", "default", *(f"-{command}" for command in commands))
    yield
    redis("ACL", "SETUSER", "default", *(f"+{command}" for command in commands))


@contextlib.contextmanager
def no_replicas(redis):
    redis("CONFIG", "SET", "min-replicas-to-write", "1")
    yield
    redis("CONFIG", "SET", "min-replicas-to-write", "0")


REFUSALS = {"READONLY": read_only, "NOPERM": lambda redis: not_permitted(redis, "xack"), "NOREPLICAS": no_replicas}


def acknowledgements(how):
    """They are tried again, once said, and nothing is proposed twice meanwhile."""
    def run(agent, redis, mock):
        stream = Stream(redis)
        with Gate(mock) as gate:
            daemon = agent.start(env=stream.env(**gate.env(LLM_CONCURRENCY=4)))
            stream.wait_read(daemon)
            stream.fill(names(30))
            wait_for("all", lambda: stream.held() == 30)
            with REFUSALS[how](redis):
                gate.open()
                wait_services(agent, names(30), daemon)
                wait_for("the refusal", lambda: refused(daemon, "XACK"))
                stays("pending", lambda: stream.held() == 30, 0.7)
                (log,) = refused(daemon, "XACK")
                assert how in log["error"]
            stream.add(service="later")
            stream.wait_finished(daemon)
            wait_services(agent, [*names(30), "later"], daemon)
            wait_for("the news of it", lambda: "XACK" in works_again(daemon))
            assert works_again(daemon).count("XACK") == 1
            assert len(agent.tree.audits()) == 31
    return run


def a_dead_stream_that_cannot_be_written(agent, redis, _mock):
    """The entry is not acknowledged before it stands there; others go on."""
    stream = Stream(redis)
    redis("ACL", "SETUSER", "producer", "on", "nopass", "~*", "+@all")
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    with not_permitted(redis, "xadd"), redis.client() as producer:
        producer("AUTH", "producer", "x")
        bad = producer("XADD", NAME, "*", "event", "{")
        producer(*stream.command())
        wait_services(agent, ["web"], daemon)
        wait_for("the good one", lambda: list(stream.holds()) == [bad])
        wait_for("the refusal", lambda: refused(daemon, "XADD"))
        time.sleep(0.5)
        assert stream.buried() == [] and stream.held() == 1 and len(refused(daemon, "XADD")) == 1
    wait_for("the dead stream", lambda: len(stream.buried()) == 1)
    stream.wait_finished(daemon)
    assert stream.buried() == [{"id": bad, "reason": "not_json", "deliveries": "1", "event": "{"}]


def out_of_memory(agent, redis, _mock):
    """Nothing can be claimed or buried, but entries are read, and acknowledged."""
    stream = Stream(redis).create()
    stream.fill(names(20))
    stream.put({"event": "{"})
    redis("CONFIG", "SET", "maxmemory", "1")
    daemon = agent.start(env=stream.env())
    wait_services(agent, names(20), daemon)
    wait_for("the malformed one is left", lambda: stream.held() == 1)
    assert "OOM" in wait_for("the refusal", lambda: refused(daemon, "XADD"))[0]["error"]
    redis("CONFIG", "SET", "maxmemory", "0")
    stream.wait_finished(daemon)
    assert len(stream.buried()) == 1


def a_group_that_cannot_be_made(agent, redis, _mock):
    stream = Stream(redis)
    with not_permitted(redis, "xgroup"):
        daemon = agent.start(env=stream.env())
        daemon.wait_log("stream_refused")
        agent.tree.event(service="from-a-file")
        wait_services(agent, ["from-a-file"], daemon)
    stream.wait_read(daemon)
    stream.add()
    wait_services(agent, ["from-a-file", "web"], daemon)


def reading_that_is_not_permitted(agent, redis, _mock):
    stream = Stream(redis)
    with not_permitted(redis, "xreadgroup"):
        daemon = agent.start(env=stream.env())
        assert "NOPERM" in daemon.wait_log("stream_refused")[0]["error"]
        stream.add()
    wait_services(agent, ["web"], daemon)
    daemon.wait_log("stream_works_again")
    assert len(refused(daemon, "XREADGROUP")) == 1


def pending_ones_that_may_not_be_looked_at(agent, redis, _mock):
    """New ones are not read before the old ones are known."""
    stream = Stream(redis).create()
    stream.fill(names(5))
    stream.read_as("planner")
    with not_permitted(redis, "xpending"):
        daemon = agent.start(env=stream.env())
        daemon.wait_log("stream_refused")
        stream.add()
        time.sleep(0.5)
        assert agent.tree.actions() == {}
    wait_services(agent, [*names(5), "web"], daemon)
    stream.wait_finished(daemon)


ONCE_REFUSED = (a_key_that_is_no_stream, it_becomes_no_stream_while_it_is_read, a_dead_stream_that_cannot_be_written, out_of_memory,
                a_group_that_cannot_be_made, reading_that_is_not_permitted, pending_ones_that_may_not_be_looked_at)


def test_what_a_server_refuses_for_some_time(program, tmp_path):
    def run(case):
        def inside(agent):
            with Redis() as redis, MockServer() as mock:
                case(agent, redis, mock)
        return inside

    cases = {case.__name__: run(case) for case in ONCE_REFUSED}
    in_parallel(program, tmp_path, cases | {f"XACK: {how}": run(acknowledgements(how)) for how in REFUSALS}, 10)


# ---- The wire ------------------------------------------------------------------------------------


def test_the_connection_is_lost_between_proposal_and_acknowledgement(agent, redis, mock):
    stream = Stream(redis)
    with Proxy(redis) as proxy, Gate(mock) as gate:
        daemon = agent.start(env={"REDIS_URL": proxy.url, "REDIS_STREAM": NAME, **gate.env(LLM_CONCURRENCY=8)})
        stream.wait_read(daemon)
        stream.fill(names(40))
        wait_for("all", lambda: stream.held() == 40)
        gate.wait(8)
        proxy.hold("up")
        gate.open()
        wait_for("some proposals", lambda: len(agent.tree.actions()) >= 8)
        assert stream.held() == 40
        proxy.cut()
        proxy.release()
        stream.wait_finished(daemon)
        wait_services(agent, names(40), daemon)
        assert len(agent.tree.audits()) == 40 and daemon.named(*AGAIN) == []


def test_an_answer_of_the_reader_is_lost(agent, redis):
    """The server gave entries away, and nobody got them: they are ours."""
    stream = Stream(redis)
    with Proxy(redis) as proxy:
        daemon = agent.start(env={"REDIS_URL": proxy.url, "REDIS_STREAM": NAME})
        stream.wait_read(daemon)
        proxy.hold("down")
        stream.fill(names(40))
        wait_for("given away", lambda: stream.held() > 0)
        proxy.cut()
        proxy.release()
        wait_services(agent, names(40), daemon)
        stream.wait_finished(daemon)


def test_byte_by_byte(agent, redis):
    stream = Stream(redis)
    with Proxy(redis, split=True) as proxy:
        daemon = agent.start(env={"REDIS_URL": proxy.url, "REDIS_STREAM": NAME})
        stream.wait_read(daemon)
        stream.fill(names(30))
        stream.put({"event": "{"})
        wait_services(agent, names(30), daemon)
        stream.wait_finished(daemon)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_wire_that_breaks_at_random(agent, redis, seed):
    dice, stream, wanted = random.Random(seed), Stream(redis), []
    with Proxy(redis) as proxy:
        daemon = agent.start(env={"REDIS_URL": proxy.url, "REDIS_STREAM": NAME, "LOG_LEVEL": "info"})
        stream.wait_read(daemon)
        for _ in range(15):
            fresh = names(len(wanted) + 40)[len(wanted):]
            proxy.cut_after = {dice.choice(("up", "down")): dice.randrange(300, 12000)}
            stream.fill(fresh)
            wanted += fresh
            time.sleep(dice.random() * 0.3)
            if dice.random() < 0.4:
                proxy.cut(dice.random() < 0.5)
        proxy.cut_after = {}

        def often_enough():
            """How long it waits before it comes again is random, too."""
            time.sleep(0.1)
            return len(proxy.accepts) > 12 or proxy.cut()

        wait_for("a dozen connections", lambda: daemon.alive_or_fail() and often_enough(), 120)
        stream.wait_finished(daemon, 120)
        wait_services(agent, wanted, daemon)
        assert len(agent.tree.audits()) == len(wanted) == 600
        assert stream.buried() == []
        proposed = [log["service"] for log in daemon.wait_log("proposed", count=600, seconds=60)]
        assert len(proposed) == len(set(proposed)) == 600


# ---- run --once ----------------------------------------------------------------------------------


def test_once_reads_all_there_is(agent, stream):
    stream.create()
    stream.fill(names(2000))
    stream.put({"event": "{"})
    began = time.monotonic()
    done = agent.run_once(env=stream.env(LOG_LEVEL="info"))
    # With a wait at each of more than thirty reads it would be minutes.
    assert time.monotonic() - began < 45
    assert services(agent) == names(2000) and stream.is_finished() and len(stream.buried()) == 1
    assert len(done.named("proposed")) == 2000
    # And ends at once where there is nothing: a wait of any kind is of 3 s at least. The machine may have other work.
    took = []
    for _ in range(3):
        began = time.monotonic()
        agent.run_once(env=stream.env())
        took.append(time.monotonic() - began)
    assert min(took) < 2, took


def test_once_makes_the_group(agent, stream):
    stream.add(service="old")
    agent.run_once(env=stream.env())
    assert agent.tree.actions() == {} and stream.group()
    stream.add()
    agent.run_once(env=stream.env())
    assert services(agent) == ["web"] and stream.held() == 0


def test_once_begins_with_what_is_pending(agent, stream, mock):
    mock.on(OPENAI, error(400))
    stream.create().fill(names(5))
    assert len(agent.run_once(rc=75, env=stream.env(**servers(mock, "openai"))).named("chain_failed")) == 5
    assert stream.held() == 5
    agent.run_once(env=stream.env())
    assert services(agent) == names(5) and stream.held() == 0


@pytest.mark.parametrize("where", ["redis://127.0.0.1:1", "unix:///nowhere"])
def test_once_without_a_server(agent, where):
    """Something of the stream may wait there: that is not all done."""
    agent.tree.event()
    began = time.monotonic()
    agent.run_once(rc=75, env={"REDIS_URL": where, "REDIS_STREAM": NAME})
    assert services(agent) == ["web"] and time.monotonic() - began < 10


def test_once_with_a_server_that_is_silent(agent, stream):
    agent.tree.event()
    began = time.monotonic()
    with stream.redis.stopped():
        agent.run_once(rc=75, env=stream.env())
    assert services(agent) == ["web"] and time.monotonic() - began < 15


def test_once_with_a_server_that_refuses(agent, stream):
    stream.create().add()
    agent.tree.event(service="db")
    with not_permitted(stream.redis, "xack"):
        agent.run_once(rc=75, env=stream.env())
    assert services(agent) == ["db", "web"] and stream.held() == 1
    agent.run_once(env=stream.env())
    assert stream.held() == 0 and len(agent.tree.audits()) == 2


def test_once_offline(agent, stream):
    stream.create().add()
    agent.run_once(args=["--offline"], env=stream.env())
    assert agent.tree.actions() == {} and stream.group()["last-delivered-id"] == "0-0"


# ---- The same event by file and stream -----------------------------------------------------------

NAMED = {"id": "evt-1", "source": "node-agent"}


def by_file(agent, _stream, **members):
    agent.tree.event(**members)


def by_stream(_agent, stream, **members):
    stream.add(**members)


def by_bus(_agent, stream, **members):
    wait_subscribed(stream.redis)
    assert stream.redis.publish(fault(**members)) == 1


PAIRS = {"file, stream": (by_file, by_stream), "stream, file": (by_stream, by_file), "stream twice": (by_stream, by_stream),
         "bus, stream": (by_bus, by_stream), "stream, bus": (by_stream, by_bus)}


@pytest.mark.parametrize("members", [NAMED, {}], ids=["by its id", "by the cooldown"])
@pytest.mark.parametrize("pair", PAIRS)
def test_one_after_the_other(agent, stream, pair, members):
    daemon = agent.start(env=stream.env())
    stream.wait_read(daemon)
    PAIRS[pair][0](agent, stream, **members)
    wait_services(agent, ["web"], daemon)
    agent.tree.move_action(ID, "completed")
    PAIRS[pair][1](agent, stream, **members)
    daemon.wait_log("duplicate" if members else "cooldown")
    stream.wait_finished(daemon)
    assert agent.tree.actions() == {} and len(agent.tree.audits()) == 1


@pytest.mark.parametrize("members", [NAMED, {}], ids=["by its id", "by its key"])
@pytest.mark.parametrize("pair", PAIRS)
def test_both_while_the_model_thinks(agent, stream, mock, pair, members):
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        PAIRS[pair][0](agent, stream, **members)
        gate.wait()
        PAIRS[pair][1](agent, stream, **members)
        daemon.wait_log("duplicate" if members else "joined")
        assert stream.held() == (2 if pair == "stream twice" else 1)
        gate.open()
        stream.wait_finished(daemon)
        wait_services(agent, ["web"], daemon)
    assert agent.tree.action(ID)["details"]["suppressed_count"] == (0 if members else 1)
    assert len(mock.requests) == 1


@pytest.mark.parametrize("members", [NAMED, {}], ids=["by its id", "by its key"])
@pytest.mark.parametrize("pair", PAIRS)
def test_both_and_a_kill(agent, stream, mock, pair, members):
    """One of the ways still has it afterwards, and one is enough."""
    with Gate(mock) as gate:
        daemon = agent.start(env=stream.env(**gate.env()))
        stream.wait_read(daemon)
        PAIRS[pair][0](agent, stream, **members)
        gate.wait()
        PAIRS[pair][1](agent, stream, **members)
        daemon.wait_log("duplicate" if members else "joined")
        time.sleep(0.3)
        daemon.kill()
        gate.open()
        daemon = agent.start(env=stream.env(**gate.env()))
        wait_services(agent, ["web"], daemon)
        stream.wait_finished(daemon)
        wait_for("what is told of it", agent.tree.audits)
        stays("one", lambda: len(agent.tree.audits()) == 1, 0.3)


# ---- Last, because it takes a minute from the first on -------------------------------------------


def test_entries_of_a_consumer_that_died_while_we_run_are_taken_over(patient):
    agent, stream, daemon = patient
    wait_services(agent, names(100), daemon)
    stream.wait_finished(daemon)
    assert stream.consumers()["dead"] == 0
