"""The cooldown that planners on one Redis share: what each value of the key means to a claim, how long
it stands, who takes it away."""

import json
import signal
import time

import pytest

from agent import fault, stays, wait_for
from apis import OLLAMA, OPENAI
from chain import servers
from redis_daemon import ID, KEY, in_parallel, is_within, proposed_is, wait_ready
from redis_peers import Listener, bus, planner_on, planners, queue_of, wait_subscribed
from redis_streams import Gate
from steps import error, hang, proposal

SEVERITIES = ("info", "warning", "error", "critical")
MARGIN = 15000  # ms, beyond what the chain may take
LOOK = 1000  # which models are loaded
RULES = 2 * 1000 + LOOK + MARGIN  # of a chain of the rules alone: its hop, and once more


# ---- What stands there ---------------------------------------------------------------------------

OURS = {
    "nothing": None,
    "our own claim": "claim:planner",
    "our own done": "done:planner:error",
    "our own done, graver": "done:planner:critical",
    "our own done of no severity": "done:planner",
    "another's done, of a lower severity": "done:other:warning",
    "another's done, far lower": "done:other:info",
}
DONE = {
    "another's done": ("done:other:error", "other"),
    "another's done, graver": ("done:other:critical", "other"),
    "another's done of no severity": ("done:other", "other"),
    "another's done of an unknown one": ("done:other:fatal", "other"),
    "another's done of an empty one": ("done:other:", "other"),
    "a longer name": ("done:planner2:error", "planner2"),
    "a name with dots": ("done:node-b.lan:error", "node-b.lan"),
    "a done of nobody": ("done:", ""),
    "garbage": ("\x00\x01 garbage \ufffd", ""),
    "nothing at all": ("", ""),
    "another word": ("busy:planner:error", ""),
    "another case": ("CLAIM:planner", ""),
}


@pytest.mark.parametrize("name", OURS)
def test_what_yields_to_a_claim(agent, redis, name):
    if OURS[name] is not None:
        redis("SET", KEY, OURS[name], "PX", 60000)
    agent.tree.event()
    done = agent.run_once(env=bus(redis))
    assert list(agent.tree.actions()) == [ID] and done.named("shared", "claimed_elsewhere") == []
    assert redis("GET", KEY) == "done:planner:error"


@pytest.mark.parametrize("name", DONE)
def test_what_ends_the_event(agent, redis, name):
    value, owner = DONE[name]
    redis("SET", KEY, value, "PX", 60000)
    agent.tree.event()
    done = agent.run_once(env=bus(redis))
    log = done.named("shared")
    assert agent.tree.actions() == {} and len(log) == 1 and owner in log[0]["reason"]
    assert redis("GET", KEY) == value and is_within(redis, KEY, 60000)
    assert agent.count("shared") == 1
    # It was finished, and began no cooldown here.
    redis("DEL", KEY)
    assert agent.run_once(env=bus(redis)).named("shared", "proposed") == []
    agent.tree.event()
    assert agent.run_once(env=bus(redis)).named("proposed")


@pytest.mark.parametrize("theirs", SEVERITIES)
@pytest.mark.parametrize("ours", SEVERITIES[1:])
def test_a_higher_severity_passes(agent, redis, theirs, ours):
    redis("SET", KEY, f"done:other:{theirs}", "PX", 60000)
    agent.tree.event(severity=ours)
    agent.run_once(env=bus(redis))
    passes = SEVERITIES.index(ours) > SEVERITIES.index(theirs)
    assert (list(agent.tree.actions()) == [ID]) is passes
    assert redis("GET", KEY) == (f"done:planner:{ours}" if passes else f"done:other:{theirs}")


def test_it_passes_once(program, tmp_path, redis):
    """Then the other planner's event of that severity finds the done of this one."""
    with planners(program, tmp_path, redis, 2) as (one, two):
        one.tree.event(severity="warning")
        one.run_once()
        two.tree.event(severity="error")
        two.run_once()
        assert len(one.tree.actions()) == len(two.tree.actions()) == 1
        for agent in (one, two):
            agent.tree.clear_pending()
            agent.tree.event(severity="error", message="again")
        # What we began ourselves, of a lower severity, lets ours pass; but not another's of the same.
        assert one.run_once().named("shared") and two.run_once().named("cooldown")
        assert one.tree.actions() == two.tree.actions() == {}


NO_TIME = {"another's claim": "claim:other", "another's done": "done:other:error", "garbage": "garbage"}


@pytest.mark.parametrize("name", NO_TIME)
def test_a_key_without_a_time_gets_one(agent, redis, name):
    """Nothing there lasts for ever."""
    redis("SET", KEY, NO_TIME[name])
    agent.tree.event()
    agent.run_once(rc=(0, 75), env=bus(redis, OLLAMA_COLD_SECONDS=0))
    assert agent.tree.actions() == {} and redis("GET", KEY) == NO_TIME[name]
    assert is_within(redis, KEY, RULES)


# ---- Another's claim -----------------------------------------------------------------------------


def test_anothers_claim_is_waited_for(agent, redis):
    """The event keeps its slot, says so once, and goes on when that time is over."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    began = time.monotonic()
    redis("SET", KEY, "claim:other", "PX", 5500)
    agent.tree.event()
    log = daemon.wait_log("claimed_elsewhere")
    assert "other" in log[0]["reason"]
    wait_for("the status", lambda: queue_of(agent)["queued"] == 1)
    proposed_is(agent, daemon)
    # Every 5 s there is a look: it is the end of the claim that brings this one.
    assert 5.4 < time.monotonic() - began < 9.9
    assert len([one for one in daemon.named("claimed_elsewhere") if one["level"] != "debug"]) == 1
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")


def test_a_claim_that_is_renewed_is_waited_for_again(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    redis("SET", KEY, "claim:other", "PX", 3000)
    agent.tree.event()
    daemon.wait_log("claimed_elsewhere")
    redis("SET", KEY, "claim:other", "PX", 60000)
    daemon.wait_log("claimed_elsewhere", count=2)
    stays("waiting", lambda: not agent.tree.actions(), 0.5)
    redis("PEXPIRE", KEY, 1)  # the end of its time, which is not waited for here
    proposed_is(agent, daemon)


def test_a_claim_that_is_given_back(agent, redis):
    """It is not waited for to its end: every few seconds there is a look."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    redis("SET", KEY, "claim:other", "PX", 100000)
    agent.tree.event()
    daemon.wait_log("claimed_elsewhere")
    redis("DEL", KEY)
    began = time.monotonic()
    proposed_is(agent, daemon, 30)
    assert time.monotonic() - began < 20


def test_a_claim_that_becomes_a_done(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    redis("SET", KEY, "claim:other", "PX", 60000)
    agent.tree.event()
    daemon.wait_log("claimed_elsewhere")
    redis("SET", KEY, "done:other:error", "PX", 60000)
    daemon.wait_log("shared")
    assert agent.tree.actions() == {}
    daemon.stop()
    redis("DEL", KEY)
    agent.run_once(env=bus(redis))
    assert agent.tree.actions() == {}, "it was finished"


def test_once_leaves_it_unfinished(agent, redis):
    redis("SET", KEY, "claim:other", "PX", 60000)
    agent.tree.event()
    began = time.monotonic()
    done = agent.run_once(rc=75, env=bus(redis), err="")
    assert time.monotonic() - began < 5 and done.named("claimed_elsewhere")
    assert agent.tree.actions() == {} and redis("GET", KEY) == "claim:other"
    redis("DEL", KEY)
    agent.run_once(env=bus(redis))
    assert list(agent.tree.actions()) == [ID]


def test_it_does_not_hold_up_others(agent, redis, mock):
    """Neither their slot nor their call."""
    daemon = agent.start(env=bus(redis, **servers(mock, "openai", LLM_CONCURRENCY=1)))
    wait_ready(daemon)
    for number in range(20):
        redis("SET", f"planner:cooldown:solaria/s{number}", "claim:other", "PX", 60000)
        agent.tree.event(service=f"s{number}")
    daemon.wait_log("claimed_elsewhere", count=20)
    agent.tree.event()
    proposed_is(agent, daemon)
    assert len(mock.requests) == 1


def test_a_recovery_drops_what_waits(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    redis("SET", KEY, "claim:other", "PX", 60000)
    agent.tree.event()
    daemon.wait_log("claimed_elsewhere")
    agent.tree.event("service_healthy", severity="info")
    daemon.wait_log("recovered")
    redis("DEL", KEY)
    # Every 5 s there is a look at what waits.
    stays("nothing is proposed", lambda: agent.tree.actions() == {}, 6)


def test_a_graver_event_does_not_pass_anothers_claim(agent, redis):
    """Whoever is at it will decide; afterwards it goes its own way."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    redis("SET", KEY, "claim:other", "PX", 60000)
    agent.tree.event(severity="warning")
    daemon.wait_log("claimed_elsewhere")
    agent.tree.event(severity="critical")
    daemon.wait_log("joined")
    stays("waiting", lambda: not agent.tree.actions(), 0.6)
    redis("PEXPIRE", KEY, 1)  # the end of its time, which is not waited for here
    proposed_is(agent, daemon)
    assert agent.tree.action(ID)["details"]["event"]["severity"] == "critical"
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:critical")


def test_while_it_waits_the_bus_goes(agent, redis):
    """Only then the local table decides."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    redis("SET", KEY, "claim:other", "PX", 100000)
    agent.tree.event()
    daemon.wait_log("claimed_elsewhere")
    redis.kill()
    proposed_is(agent, daemon)


# ---- Our own -------------------------------------------------------------------------------------

TIMES = {  # hops, OLLAMA_COLD_SECONDS, the claim's time in ms
    "one hop": (("openai@7",), 60, 2 * 7000 + 60000 + LOOK + MARGIN),
    "no waiting for a cold model": (("openai@7",), 0, 2 * 7000 + LOOK + MARGIN),
    "two hops": (("openai@5", "ollama@9"), 10, 14000 + 9000 + 10000 + LOOK + MARGIN),
}


@pytest.mark.parametrize("name", TIMES)
def test_how_long_a_claim_lasts(agent, redis, mock, name):
    hops, cold, most = TIMES[name]
    mock.on(OPENAI, hang())
    mock.on(OLLAMA, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, *hops, OLLAMA_COLD_SECONDS=cold, COOLDOWN_SECONDS=20)))
    wait_ready(daemon)
    agent.tree.event()
    mock.wait_requests(1)
    assert redis("GET", KEY) == "claim:planner" and is_within(redis, KEY, most)
    mock.on(OPENAI, proposal())
    mock.on(OLLAMA, proposal())
    daemon.send(signal.SIGHUP)
    proposed_is(agent, daemon)
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")
    assert is_within(redis, KEY, max(20000, most))


@pytest.mark.parametrize("cooldown,most", [(300, 300000), (20, 20000), (1, RULES), (0, RULES)])
def test_how_long_a_done_lasts(agent, redis, cooldown, most):
    """The larger of the cooldown and what a claim lasts."""
    agent.tree.event()
    agent.run_once(env=bus(redis, COOLDOWN_SECONDS=cooldown, OLLAMA_COLD_SECONDS=0))
    assert redis("GET", KEY) == "done:planner:error" and is_within(redis, KEY, most)


def test_a_reload_changes_both(agent, redis, tmp_path):
    settings = tmp_path / "env"
    settings.write_text("COOLDOWN_SECONDS=100\nOLLAMA_COLD_SECONDS=0\n")
    daemon = agent.start("--env-file", settings, env=bus(redis))
    wait_ready(daemon)
    agent.tree.event(service="a")
    wait_for("the done", lambda: redis("GET", "planner:cooldown:solaria/a") == "done:planner:error")
    assert is_within(redis, "planner:cooldown:solaria/a", 100000)
    settings.write_text("COOLDOWN_SECONDS=5\nOLLAMA_COLD_SECONDS=40\n")
    daemon.send(signal.SIGHUP)
    daemon.wait_log("config_loaded", count=1)
    agent.tree.event(service="b")
    wait_for("the done", lambda: redis("GET", "planner:cooldown:solaria/b") == "done:planner:error")
    assert is_within(redis, "planner:cooldown:solaria/b", 40000 + RULES)


def test_an_ignored_fault_is_done_too(agent, redis, mock):
    mock.on(OPENAI, proposal(action="ignore"))
    agent.tree.event()
    agent.run_once(env=bus(redis, **servers(mock, "openai")))
    assert agent.tree.actions() == {} and redis("GET", KEY) == "done:planner:error"


def test_when_the_chain_fails_the_claim_goes(agent, redis, mock):
    """Another planner's models may know better."""
    mock.on(OPENAI, error(400))
    daemon = agent.start(env=bus(redis, **servers(mock, "openai")))
    wait_ready(daemon)
    with Listener(redis) as orders:
        agent.tree.event()
        daemon.wait_log("chain_failed")
        wait_for("that it is gone", lambda: redis("EXISTS", KEY) == 0)
        wait_for("the claim", lambda: any("claim:planner" in line for line in list(orders.messages)))
    stays("it stays so", lambda: redis("EXISTS", KEY) == 0, 0.3)


@pytest.mark.parametrize("value", ["claim:other", "done:other:error", "garbage"])
def test_what_is_not_ours_is_not_taken_away(agent, redis, mock, value):
    """Compare, then delete: our time was over, and another came."""
    mock.on(OPENAI, error(400).delay(0.5))
    daemon = agent.start(env=bus(redis, **servers(mock, "openai")))
    wait_ready(daemon)
    agent.tree.event()
    mock.wait_requests(1)
    redis("SET", KEY, value, "PX", 60000)
    daemon.wait_log("chain_failed")
    stays("it stands", lambda: redis("GET", KEY) == value, 0.5)


def test_a_recovery_takes_the_claim_back(agent, redis, mock):
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@30")))
    wait_ready(daemon)
    agent.tree.event()
    mock.wait_requests(1)
    assert redis("GET", KEY) == "claim:planner"
    agent.tree.event("service_healthy", severity="info")
    daemon.wait_log("recovered")
    wait_for("that it is gone", lambda: redis("EXISTS", KEY) == 0)


def test_a_clean_stop_takes_the_claim_back(agent, redis, mock):
    """Who stops while a model thinks decides nothing: the others need not wait for the time's end."""
    mock.on(OPENAI, hang())
    daemon = agent.start(env=bus(redis, **servers(mock, "openai@30")))
    wait_ready(daemon)
    agent.tree.event()
    mock.wait_requests(1)
    daemon.stop()
    wait_for("that it is gone", lambda: redis("EXISTS", KEY) == 0)


def test_a_kill_leaves_a_claim_which_is_taken_over(agent, redis, mock):
    mock.on(OPENAI, hang())
    env = bus(redis, **servers(mock, "openai@30"))
    daemon = agent.start(env=env)
    wait_ready(daemon)
    agent.tree.event()
    mock.wait_requests(1)
    daemon.kill()
    assert redis("GET", KEY) == "claim:planner"
    mock.on(OPENAI, proposal())
    began = time.monotonic()
    proposed_is(agent, agent.start(env=env), 30)
    assert time.monotonic() - began < 15  # the claim would last for minutes
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")


def test_a_claims_owner_is_killed_and_another_proposes(program, tmp_path, redis, mock):
    mock.on(OPENAI, hang())
    with planners(program, tmp_path, redis, 2, **servers(mock, "openai@30")) as (one, two):
        first, second = one.start(), two.start()
        wait_ready(first)
        wait_ready(second)
        one.tree.event()
        mock.wait_requests(1)
        first.kill()
        mock.on(OPENAI, proposal())
        two.tree.event()
        second.wait_log("claimed_elsewhere")
        redis("PEXPIRE", KEY, 1000)  # the end of its time, which is not waited for here
        proposed_is(two, second)
        wait_for("the done", lambda: redis("GET", KEY) == "done:planner1:error")


def test_a_done_after_a_lost_claim(agent, redis, mock):
    """The server lost its data while a model thought: the decision is told all the same."""
    with Gate(mock) as gate:
        daemon = agent.start(env=bus(redis, **servers(mock, "openai@30")))
        wait_ready(daemon)
        agent.tree.event()
        gate.wait()
        redis("FLUSHALL")
        gate.open()
        proposed_is(agent, daemon)
        wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")


def test_a_cooldown_of_our_own_needs_no_bus(agent, redis):
    """Asked is the local table, first."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    agent.tree.event()
    proposed_is(agent, daemon)
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")
    agent.tree.clear_pending()
    redis("DEL", KEY)
    agent.tree.event()
    daemon.wait_log("cooldown")
    assert redis("EXISTS", KEY) == 0 and agent.tree.actions() == {}


def test_many_planners_ask_one_model_once(program, tmp_path, redis, mock):
    """Of everything that each of them hears."""
    # So slow that each of them gets some, also where it is kept waiting for its processor.
    mock.on(OPENAI, proposal().delay(0.05))
    with planners(program, tmp_path, redis, 3, **servers(mock, "openai")) as agents:
        daemons = [one.start() for one in agents]
        wait_subscribed(redis, 3)
        redis.all(("PUBLISH", "health_events", json.dumps(fault(service=f"s{n}"))) for n in range(100))
        wait_for("all", lambda: sum(len(one.tree.actions()) for one in agents) >= 100, 60)
        stays("once", lambda: len(mock.requests) == 100 and sum(len(one.tree.actions()) for one in agents) == 100, 0.5)
        assert len({service for one in agents for service in one.tree.actions()}) == 100
        wait_for("what they say of all", lambda: len({log["service"] for daemon in daemons for log in daemon.named(
            "proposed", "shared", "claimed_elsewhere")}) == 100)
        wait_for("that each has proposed", lambda: all(daemon.named("proposed") for daemon in daemons))


def test_two_planners_of_one_bus_and_a_lost_connection(program, tmp_path, redis):
    """Alone, each may propose once; together again, no more."""
    with planners(program, tmp_path, redis, 2) as agents:
        daemons = [one.start() for one in agents]
        for daemon in daemons:
            wait_ready(daemon)
        redis.kill()
        for daemon in daemons:
            daemon.wait_log("redis_lost", count=2)
        for agent in agents:
            agent.tree.event()
        for agent, daemon in zip(agents, daemons):
            proposed_is(agent, daemon)
        redis.start()
        for daemon in daemons:
            wait_ready(daemon, 2)
        for agent in agents:
            agent.tree.event(service="db")
        wait_for("the end of both", lambda: all(
            [log for log in daemon.named("proposed", "shared", "claimed_elsewhere") if log["service"] == "db"]
            for daemon in daemons))
        wait_for("the proposal", lambda: any("container-restart-solaria-db" in agent.tree.actions() for agent in agents))
        assert sum("container-restart-solaria-db" in agent.tree.actions() for agent in agents) == 1


def test_planner_on_names_its_node(program, tmp_path, redis):
    agent = planner_on(program, tmp_path / "one", redis, "node-b.lan")
    agent.tree.event()
    agent.run_once()
    assert redis("GET", KEY) == "done:node-b.lan:error"


# ---- As long as something is open ----------------------------------------------------------------


def test_it_is_prolonged_while_a_restart_is_open(program, tmp_path, redis):
    """Each third of its time; here of 15 s."""
    def started(agent, service, node):
        env = bus(redis, NODE_NAME=node, COOLDOWN_SECONDS=1, OLLAMA_COLD_SECONDS=0)
        daemon = agent.start(env=env)
        wait_ready(daemon)
        agent.tree.event(service=service)
        key = f"planner:cooldown:solaria/{service}"
        wait_for("the done", lambda: redis("GET", key) == f"done:{node}:error")
        return daemon, key

    def moved_to(place):
        def run(agent):
            _, key = started(agent, place, place)
            if place != "pending":
                agent.tree.move_action(f"container-restart-solaria-{place}", place)
            redis("PEXPIRE", key, 9000)
            # Prolonged, not set anew when it was over.
            wait_for("the whole time again", lambda: (left := redis("PTTL", key)) > 13000 or left < 0)
            assert redis("PTTL", key) > 9000 and redis("GET", key) == f"done:{place}:error"
            agent.tree.move_action(f"container-restart-solaria-{place}", "completed", place)
            redis("PEXPIRE", key, 6500)
            stays("nothing is open", lambda: redis("PTTL", key) <= 6500, 6)
        return run

    def gone(agent):
        _, key = started(agent, "gone", "gone")
        redis("DEL", key)
        wait_for("set again", lambda: redis("GET", key) == "done:gone:error")

    def anothers(agent):
        _, key = started(agent, "anothers", "anothers")
        redis("SET", key, "done:other:error", "PX", 12000)
        stays("left alone", lambda: redis("GET", key) == "done:other:error" and redis("PTTL", key) <= 12000, 6.5)

    def alert(agent):
        """A message to read is nothing that is being done."""
        daemon = agent.start(env=bus(redis, NODE_NAME="alert", COOLDOWN_SECONDS=1, OLLAMA_COLD_SECONDS=0))
        wait_ready(daemon)
        agent.tree.event("disk_pressure", service="alert")
        key = "planner:cooldown:solaria/alert"
        wait_for("the done", lambda: redis("GET", key) == "done:alert:error")
        redis("PEXPIRE", key, 9000)
        stays("left alone", lambda: redis("PTTL", key) <= 9000, 6.5)

    cases = {place: moved_to(place) for place in ("pending", "approved", "running")}
    in_parallel(program, tmp_path, {**cases, "gone": gone, "anothers": anothers, "alert": alert}, 6)


def test_a_server_that_lost_its_data_learns_what_is_open(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    agent.tree.event()
    proposed_is(agent, daemon)
    redis.kill()
    redis.wipe()
    redis.start()
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")


def test_a_planner_that_starts_says_what_is_open(agent, redis):
    """Written while there was no bus."""
    agent.tree.event()
    agent.run_once(env={"REDIS_URL": "redis://127.0.0.1:1"})
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")
