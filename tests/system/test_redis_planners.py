"""Several planners on one Redis, each with a tree of its own: together they propose once for each
fault, all of them work, and what one of them leaves undone another does."""

import contextlib
import json
import signal

from agent import fault, stays, wait_for
from apis import OPENAI
from redis_peers import bus_of, planners, wait_subscribed
from redis_streams import GROUP, NAME, Gate, Stream, count_of, exactly_once, keys_of, names, services

SMALL_CLAIMS = {"LLM_CHAIN": "openai@1", "OLLAMA_COLD_SECONDS": 0}  # 1 + 1 + 1 + 0 + 15 s


def started(agents, stream):
    daemons = [agent.start() for agent in agents]
    wait_subscribed(stream.redis, len(agents))
    stream.wait_read(count=len(agents))
    return daemons


def publish(redis, services, **members):
    redis.all(("PUBLISH", "health_events", json.dumps(fault(service=service, **members))) for service in services)


def told_of(*agents):
    """How many audit events there are: each comes just after its action."""
    return sum(len(list(agent.tree.path.glob(f"events/*/{agent.env['NODE_NAME']}/evt-*.json"))) for agent in agents)


def wait_all(agents, count):
    """So many actions, each with its audit event."""
    wait_for("all", lambda: count_of(*agents) >= count and told_of(*agents) >= count, 90)


@contextlib.contextmanager
def standing_still(daemons):
    for one in daemons:
        one.send(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in daemons:
            one.send(signal.SIGCONT)


def claims(redis):
    """Those that stand; one may go while we look."""
    keys = redis("KEYS", "planner:cooldown:*")
    return [value for value in (redis("MGET", *keys) if keys else []) if value and not value.startswith("done:")]


def is_at_rest(agent, messages):
    """It has heard so many messages, and has nothing in hand."""
    found = agent.status()["planner"]
    return sum(one["messages"] for one in found["redis"]["channels"]) == messages and found["queue"]["keys"] == 0


def stops_when_asked(mock, gate, daemon):
    """The planner stands still from the moment on in which its model is asked: the model's limit is short."""
    def step(request):
        daemon.send(signal.SIGSTOP)
        return gate.step(request)

    mock.on(OPENAI, step)


def test_three_planners_share_the_work(program, tmp_path, redis):
    """5,000 faults on the stream, and 400 that all three hear."""
    stream = Stream(redis)
    with planners(program, tmp_path, redis, 3, REDIS_STREAM=NAME, LOG_LEVEL="info") as agents:
        daemons = started(agents, stream)
        heard, read = names(400, "heard"), names(5000, "read")
        # Whoever hears a fault a little sooner gets it, and that may always be the same one.
        for number, busy in enumerate((daemons[1:], daemons[:1])):
            first = heard[40 * number:40 * number + 40]
            with standing_still([one for one in daemons if one not in busy]):
                publish(redis, first)
                wait_all(agents, 40 * number + 40)
        publish(redis, heard[80:])
        stream.fill(read)
        stream.wait_finished(seconds=120)
        wait_all(agents, 5400)
        wait_for("quiet", lambda: not claims(redis), 60)
        exactly_once(agents, [*heard, *read])
        assert sorted(stream.consumers()) == ["planner0", "planner1", "planner2"]
        for agent, daemon in zip(agents, daemons):
            done = services(agent)
            assert len([one for one in done if one.startswith("read")]) >= 500, [len(services(one)) for one in agents]
            assert daemon.named("queue_full") == []
        assert len([agent for agent in agents if any(one.startswith("heard") for one in services(agent))]) >= 2


def test_what_is_heard_while_the_stream_is_full(program, tmp_path, redis):
    """A message that finds no slot with anybody is lost, as pub/sub may; never silently."""
    stream = Stream(redis)
    with planners(program, tmp_path, redis, 3, REDIS_STREAM=NAME, LOG_LEVEL="info") as agents:
        daemons = started(agents, stream)
        read, heard = names(4000, "read"), names(400, "heard")
        stream.fill(read)
        for at in range(0, 400, 40):
            publish(redis, heard[at:at + 40])
        stream.wait_finished(seconds=120)
        wait_for("the end of all that was heard", lambda: all(is_at_rest(agent, 400) for agent in agents), 90)
        for daemon in daemons:
            daemon.stop()
        found = keys_of(agents)
        assert max(found.values()) == 1 and set(read) <= set(found)
        lost = set(heard) - set(found)
        for agent in agents:
            assert sum(one["messages"] for one in bus_of(agent)["channels"]) == 400
            assert agent.count("queue_full") >= len(lost)


def test_by_both_ways_at_once(program, tmp_path, redis):
    """A node-agent publishes each fault, and adds it to the stream."""
    stream = Stream(redis)
    with planners(program, tmp_path, redis, 3, REDIS_STREAM=NAME, LOG_LEVEL="info") as agents:
        started(agents, stream)
        wanted = names(400)
        for service in wanted:
            event = fault(service=service, id=f"id-{service}")
            redis.all([("PUBLISH", "health_events", json.dumps(event)), ("XADD", NAME, "*", "event", json.dumps(event))])
        stream.wait_finished(seconds=120)
        wait_all(agents, 400)
        exactly_once(agents, wanted)


def test_one_model_is_asked_once_for_each(program, tmp_path, redis, mock):
    stream = Stream(redis)
    with Gate(mock) as gate, planners(program, tmp_path, redis, 3, REDIS_STREAM=NAME, **gate.env()) as agents:
        started(agents, stream)
        wanted = names(60)
        publish(redis, wanted[:30])
        stream.fill(wanted)
        gate.wait(3)
        gate.open()
        stream.wait_finished(seconds=120)
        wait_all(agents, 60)
        exactly_once(agents, wanted)
        assert len(mock.requests) == 60


def test_a_claims_owner_is_killed_while_its_model_thinks(program, tmp_path, redis, mock):
    """When the claim's time is over, another planner proposes what both have heard; and what the dead
    one had from the stream, once that is taken over."""
    stream = Stream(redis)
    with Gate(mock) as gate, planners(program, tmp_path, redis, 2, REDIS_STREAM=NAME, **gate.env(**SMALL_CLAIMS)) as (one, two):
        first = one.start()
        stream.wait_read(first)
        wait_subscribed(redis)
        stops_when_asked(mock, gate, first)  # and is killed so
        heard = json.dumps(fault(service="heard"))  # by one alone, by now
        entries = [stream.command(service=service) for service in names(40, "read")]
        redis.all([("MULTI",), *entries, ("PUBLISH", "health_events", heard), ("EXEC",)])
        gate.wait()
        wait_for("all", lambda: stream.held() == 40)
        claimed = [key for key in redis("KEYS", "planner:cooldown:*") if redis("GET", key) == "claim:planner0"]
        assert len(claimed) == 1
        first.kill()
        stream.make_idle("planner0", list(stream.holds()))
        second = two.start(env={"LLM_CHAIN": "rules"})
        wait_subscribed(redis)
        publish(redis, ["heard"])
        wait_for("the others", lambda: count_of(two) >= 40)
        assert not set(service_of(claimed)) & set(services(two)), "claimed by a planner that may still live"
        assert redis("PTTL", claimed[0]) <= 18000
        wait_for("the claimed one", lambda: len(services(two)) == 41, 60)
        stream.wait_finished(second)
        assert services(two) == sorted([*names(40, "read"), "heard"]) and one.tree.actions() == {}


def test_a_planner_stands_still_for_longer_than_its_claim_lasts(program, tmp_path, redis, mock):
    """And goes on as if nothing had been: what its model says by then is another's to decide."""
    with Gate(mock) as gate, planners(program, tmp_path, redis, 2, **gate.env(**SMALL_CLAIMS)) as (one, two):
        first, second = one.start(), two.start(env={"LLM_CHAIN": "rules"})
        wait_subscribed(redis, 2)
        second.send(signal.SIGSTOP)
        stops_when_asked(mock, gate, first)
        publish(redis, ["heard"])
        gate.wait()
        second.send(signal.SIGCONT)
        gate.open()
        wait_for("the other", lambda: services(two) == ["heard"], 60)
        first.send(signal.SIGCONT)
        first.wait_log("shared")
        assert one.tree.actions() == {} and redis("GET", "planner:cooldown:solaria/heard") == "done:planner1:error"


def service_of(keys):
    return [key.rpartition("/")[2] for key in keys]


def is_reading(redis, node):
    """Has it asked for entries of the stream?"""
    return any(one["name"] == f"planner-agent:{node}" and one["cmd"] in ("xreadgroup", "xack") for one in redis.clients())


def test_a_planner_that_comes_and_one_that_goes(program, tmp_path, redis):
    """A clean stop in the middle of its work: its entries stay its own, and are done when it is back."""
    stream = Stream(redis)
    with planners(program, tmp_path, redis, 3, REDIS_STREAM=NAME, LOG_LEVEL="info") as agents:
        started(agents[:2], stream)
        wanted = names(3000)
        stream.fill(wanted[:1500])
        agents[2].start()
        stream.wait_read(count=1)
        wait_for("the third", lambda: is_reading(redis, "planner2"), 60)
        agents[0].daemons[0].stop()
        left = set(stream.holds("planner0"))
        stream.fill(wanted[1500:])
        wait_for("the others' work", lambda: stream.group().get("lag", 0) == 0 and set(stream.holds()) <= left, 90)
        agents[0].start()
        stream.wait_finished(seconds=90)
        exactly_once(agents, wanted)
        assert all(services(agent) for agent in agents)


def test_all_of_them_lose_the_server_and_its_data(program, tmp_path, redis, mock):
    """All make the group again, and none from the end; what was in hand is done by who has it."""
    stream = Stream(redis)
    with Gate(mock) as gate, planners(program, tmp_path, redis, 3, REDIS_STREAM=NAME, **gate.env(LLM_CONCURRENCY=4)) as agents:
        started(agents, stream)
        before, after = names(120, "before"), names(300, "after")
        stream.fill(before)
        wait_for("all", lambda: stream.held() == 120)
        redis.all([("MULTI",), ("FLUSHALL",), *(stream.command(service=service) for service in after), ("EXEC",)])
        gate.open()
        wait_all(agents, 420)
        stream.wait_finished(seconds=60)
        exactly_once(agents, [*before, *after])
        assert len(mock.requests) == 420 and redis("XINFO", "GROUPS", NAME)[0][1] == GROUP
        stays("quiet", lambda: count_of(*agents) == 420, 0.3)
