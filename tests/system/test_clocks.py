"""Clocks that jump, under the real program: 1970 at boot and then NTP, a day back, a suspend. Nothing
that waits is frozen by it, and nothing fires."""

import re
import signal
import time

import pytest

from agent import begin_on_one_day, stays, utc_day, wait_for
from clocks import DAY_MS
from redis_peers import bus, wait_subscribed

ID = "container-restart-solaria-web"
NO_MODEL = {"LLM_CHAIN": "ollama", "OLLAMA_API_BASE": "http://127.0.0.1:1"}

# From which clock to which.
JUMPS = {
    "1970, then NTP": (lambda agent: agent.begin_1970(), lambda agent: agent.synchronize()),
    "back by a day": (lambda agent: None, lambda agent: agent.jump(wall=-DAY_MS)),
    "forward by a day": (lambda agent: None, lambda agent: agent.jump(wall=DAY_MS)),
    "back to 1970": (lambda agent: None, lambda agent: agent.begin_1970()),
}


@pytest.fixture(params=JUMPS.values(), ids=JUMPS)
def jumps(request):
    return request.param


def turn(daemon):
    """The loop notices at its next turn, after half a minute at the latest; here at once."""
    daemon.send(signal.SIGUSR1)


def set_clock(daemon, jumping, jump, count=1):
    jump(jumping)
    turn(daemon)
    return daemon.wait_log("clock_was_set", count=count)[-1]


# ---- Cooldowns ----------------------------------------------------------------------------------


def test_a_cooldown_goes_on_and_ends(jumping, tree, jumps):
    before, jump = jumps
    before(jumping)
    daemon = jumping.start(env={"COOLDOWN_SECONDS": 60})
    tree.event()
    daemon.wait_log("proposed")
    tree.clear_pending()
    set_clock(daemon, jumping, jump)
    tree.event()
    daemon.wait_log("cooldown")
    jumping.suspend(60000)
    tree.event()
    daemon.wait_log("proposed", count=2)


def test_a_cooldown_saved_before_the_jump_holds_after_it(jumping, tree, jumps):
    """Nobody would know, on the new clock, what the old one meant."""
    before, jump = jumps
    before(jumping)
    daemon = jumping.start()
    tree.event()
    daemon.wait_log("proposed")
    daemon.wait_log("state_saved")
    set_clock(daemon, jumping, jump)
    daemon.wait_log("state_saved", count=2)
    daemon.kill()
    tree.clear_pending()
    daemon = jumping.start()
    tree.event()
    daemon.wait_log("cooldown")
    assert tree.actions() == {}
    # It is not for ever, either.
    jumping.suspend(301000)
    tree.event()
    daemon.wait_log("proposed")


def test_a_cooldown_of_better_days_does_not_freeze_a_boot_in_1970(jumping, tree):
    tree.event()
    jumping.run_once()
    tree.clear_pending()
    jumping.begin_1970()
    daemon = jumping.start(env={"COOLDOWN_SECONDS": 60})
    tree.event()
    daemon.wait_log("cooldown")
    jumping.suspend(60000)
    tree.event()
    daemon.wait_log("proposed")
    set_clock(daemon, jumping, lambda agent: agent.synchronize())
    assert len(daemon.named("clock_was_set")) == 1


def test_a_suspend_ends_a_cooldown(jumping, tree):
    daemon = jumping.start()
    tree.event()
    daemon.wait_log("proposed")
    tree.clear_pending()
    jumping.suspend(8 * 3600 * 1000)
    tree.event()
    daemon.wait_log("proposed", count=2)
    assert daemon.named("clock_was_set") == []


# ---- Retries and deadlines ----------------------------------------------------------------------


def test_a_retry_waits_its_time(jumping, tree, jumps):
    before, jump = jumps
    before(jumping)
    daemon = jumping.start(env=NO_MODEL)
    tree.event()
    daemon.wait_log("chain_failed")
    set_clock(daemon, jumping, jump)
    stays("one try", lambda: len(daemon.named("chain_failed")) == 1, 1.5)
    jumping.suspend(40000)
    turn(daemon)
    daemon.wait_log("chain_failed", count=2)
    assert daemon.named("proposed") == []


def test_a_deadline_is_one_of_time_that_passed(jumping, tree, jumps):
    before, jump = jumps
    before(jumping)
    daemon = jumping.start(env={**NO_MODEL, "EVENT_DEADLINE_SECONDS": 60})
    tree.event()
    daemon.wait_log("chain_failed")
    set_clock(daemon, jumping, jump)
    stays("it is not given up", lambda: tree.actions() == {}, 1)
    jumping.suspend(61000)
    turn(daemon)
    daemon.wait_log("proposed")
    assert "chain_exhausted" in tree.action()["details"]["policy"]


def test_what_came_in_1970_is_not_over_when_it_is_read_in_2026(jumping, tree):
    """The file was made before the clock was set: it has been there for minutes, not for decades."""
    jumping.begin_1970()
    jumping.run_once()
    tree.event()
    jumping.synchronize()
    daemon = jumping.start(env={**NO_MODEL, "EVENT_DEADLINE_SECONDS": 60})
    daemon.wait_log("chain_failed")
    stays("it is tried again", lambda: tree.actions() == {}, 1)
    jumping.suspend(61000)
    turn(daemon)
    daemon.wait_log("proposed")


def test_held_faults_wait_for_their_deployment(jumping, tree, jumps):
    before, jump = jumps
    before(jumping)
    daemon = jumping.start()
    tree.event("deployment_started", severity="info", timestamp=None)
    time.sleep(0.5)
    tree.event(timestamp=None)
    wait_for("it is held", lambda: turn(daemon) or jumping.status()["planner"]["queue"]["held"] == 1)
    set_clock(daemon, jumping, jump)
    stays("it is held", lambda: daemon.named("proposed") == [], 1.5)
    jumping.suspend(11 * 60 * 1000)
    turn(daemon)
    daemon.wait_log("proposed")


# ---- Heartbeat, silence, files, names -----------------------------------------------------------


def test_the_heartbeat_follows_within_half_a_minute(jumping, tree):
    """Nothing happens, and yet a health check must not fail for two minutes."""
    daemon = jumping.start()
    daemon.wait_log("first_start")  # from here on it sleeps: its next scan is twenty seconds off
    jumping.cmd("healthcheck")
    jumping.jump(wall=-DAY_MS)
    jumping.cmd("healthcheck", rc=1)
    wait_for("a new one", lambda: jumping.cmd("healthcheck", rc=(0, 1)).rc == 0, 40)


def test_silence_is_one_of_time_that_passed(jumping, tree, redis):
    daemon = jumping.start(env=bus(redis))
    wait_subscribed(redis)
    for number, jump in enumerate((DAY_MS, -2 * DAY_MS), 1):
        set_clock(daemon, jumping, lambda agent: agent.jump(wall=jump), count=number)
    stays("no warning", lambda: daemon.named("redis_channel_silent") == [], 1)
    jumping.suspend(3601000)
    turn(daemon)
    daemon.wait_log("redis_channel_silent", count=2)
    stays("one a channel", lambda: len(daemon.named("redis_channel_silent")) == 2, 1)


def test_nothing_is_lost_or_read_twice(jumping, tree, jumps):
    before, jump = jumps
    before(jumping)
    daemon = jumping.start(env={"COOLDOWN_SECONDS": 0})
    for n in range(5):
        tree.event(service=f"a{n}")
    daemon.wait_log("proposed", count=5)
    daemon.wait_log("state_saved")
    if daemon.named("proposed", "state_saved")[-1]["event"] != "state_saved":
        # It was saved before the last ones came, and is saved again in a minute.
        jumping.suspend(61000)
        turn(daemon)
        daemon.wait_log("state_saved", count=2)
    set_clock(daemon, jumping, jump)
    for n in range(5):
        tree.event(service=f"b{n}")
    daemon.wait_log("proposed", count=10)
    daemon.kill()
    tree.clear_pending()
    # The second five were not saved yet; with their actions gone, they are handled once more.
    for n in range(5):
        tree.event(service=f"c{n}")
    done = jumping.run_once(env={"COOLDOWN_SECONDS": 0})
    services = sorted(action["service"] for action in tree.actions().values())
    assert services[-5:] == [f"c{n}" for n in range(5)] and not [s for s in services if s < "b"], done
    tree.clear_pending()
    jumping.run_once(env={"COOLDOWN_SECONDS": 0})
    assert tree.actions() == {}


def test_audit_events_are_named_by_the_action_they_belong_to(jumping, tree):
    jumping.begin_1970()
    daemon = jumping.start()
    tree.event(service="a")
    daemon.wait_log("proposed")
    set_clock(daemon, jumping, lambda agent: agent.synchronize())
    tree.event(service="b")
    daemon.wait_log("proposed", count=2)
    daemon.stop()
    jumping.run_once()
    days = []
    for service in ("a", "b"):
        created = tree.action(f"container-restart-solaria-{service}")["created_at"]
        days.append(time.strftime("%Y-%m-%d", time.gmtime(created)))
        (path,) = tree.path.glob(f"events/{days[-1]}/planner/evt-planner-*.json")
        assert path.name.startswith(f"evt-planner-{created * 1000}-")
    assert days[0] == "1970-01-01" and days[1] in (utc_day(-3600), utc_day())


def test_paid_calls_of_a_day(jumping, tree, mocks):
    """A clock that goes back to yesterday, or to 1970, gives no second budget; the next day does."""
    begin_on_one_day()
    mock = mocks()
    env = {"LLM_CHAIN": "anthropic/claude-haiku-4-5", "ANTHROPIC_API_BASE": mock.url, "ANTHROPIC_API_KEY": "sk-ant-test",
           "CLOUD_CALLS_PER_DAY": 1, "COOLDOWN_SECONDS": 0}
    daemon = jumping.start(env=env)
    tree.event(service="a")
    daemon.wait_log("proposed")
    for number, jump in enumerate((lambda agent: agent.jump(wall=-DAY_MS), lambda agent: agent.begin_1970(),
                                   lambda agent: agent.synchronize()), 1):
        set_clock(daemon, jumping, jump, count=number)
        tree.event(service=f"b{number}")
        daemon.wait_log("chain_failed", count=number)
    assert len(mock.requests) == 1
    set_clock(daemon, jumping, lambda agent: agent.jump(wall=DAY_MS), count=4)
    tree.event(service="c", timestamp=None)
    daemon.wait_log("proposed", count=2)
    assert len(mock.requests) == 2


def test_the_start_is_told_on_the_clock_as_it_is_now(jumping, tree):
    jumping.begin_1970()
    daemon = jumping.start()
    set_clock(daemon, jumping, lambda agent: agent.synchronize())
    turn(daemon)
    wait_for("the status", lambda: jumping.status()["planner"]["started_at"].startswith(utc_day()[:4]))
    assert daemon.wait_log("status")[-1]["uptime_s"] < 60
    assert re.search(r"started \d+ s ago", jumping.cmd("status").out)
