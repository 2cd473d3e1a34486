"""Events that come too late, and clocks that tell nonsense."""

import json
import os
import time

import pytest

from agent import fault, iso


def test_a_stale_event_becomes_an_alert_of_the_rules_table(agent, tree):
    tree.event(at=-3700)
    agent.run_once()
    action = tree.action("alert-solaria-web-service_unhealthy")
    assert action["type"] == "alert_only"
    assert action["details"]["model"] == "rules" and "stale" in action["details"]["policy"]
    assert action["details"]["action"] == "notify"
    assert len(tree.audits()) == 1


def test_an_event_just_within_the_deadline_is_not_stale(agent, tree):
    tree.event(at=-3500)
    agent.run_once()
    assert "stale" not in tree.action("container-restart-solaria-web")["details"]["policy"]


def test_stale_is_measured_by_event_deadline_seconds(agent, tree):
    tree.event(at=-30)
    agent.run_once(env={"EVENT_DEADLINE_SECONDS": "20"})
    assert "stale" in tree.action()["details"]["policy"]


def test_the_newest_stale_event_of_a_key_speaks(agent, tree):
    for n, at in enumerate((-9000, -7000, -8000)):
        tree.event(at=at, message=f"number {n}", name=f"{n}.json")
    agent.run_once()
    assert tree.action()["details"]["event"]["message"] == "number 1"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_stale_event_with_a_later_recovery_is_dropped(agent, tree, order):
    """In files: a log's old lines are passed over by a first start."""
    pair = [fault(at=-9000), fault("service_healthy", severity="info", at=-8000)]
    for n, i in enumerate(order):
        tree.raw(json.dumps(pair[i]), name=f"{n}.json")
    assert len(agent.run_once().named("recovered")) == 1
    assert tree.actions() == {}


def test_a_stale_event_with_an_earlier_recovery_is_told(agent, tree):
    tree.event("service_healthy", severity="info", at=-9000)
    tree.event(at=-8000)
    agent.run_once()
    assert "stale" in tree.action()["details"]["policy"]


def test_a_stale_event_respects_the_cooldown(agent, tree):
    tree.event(at=-1)
    agent.run_once()
    tree.clear_pending()
    tree.event(at=-9000)
    agent.run_once()
    assert tree.actions() == {}


@pytest.mark.parametrize("stamp", ["1970-01-01T00:00:12Z", "2019-12-31T23:59:59Z", 0, 12, 1577836799,
                                   "2000-01-01T01:02:03"])
def test_a_time_before_2020_is_no_clock_and_the_arrival_counts(agent, tree, stamp):
    tree.event(timestamp=stamp)
    agent.run_once()
    action = tree.action("container-restart-solaria-web")
    assert "stale" not in action["details"]["policy"]


@pytest.mark.parametrize("stamp", [lambda: iso(90000), lambda: int(time.time() + 90000), lambda: 4e9,
                                   lambda: "2099-01-01T00:00:00Z", lambda: 99999999999999])
def test_a_time_over_a_day_ahead_is_no_clock_and_the_arrival_counts(agent, tree, stamp):
    """A recovery of now ends it, so it cannot lie in the future."""
    tree.event(timestamp=stamp(), service="db")
    tree.event(timestamp=stamp())
    agent.run_once()
    assert len(tree.actions()) == 2
    tree.clear_pending()
    tree.jsonl(fault(timestamp=stamp(), service="x"), fault("service_healthy", service="x", at=60))
    agent.run_once()
    assert tree.actions() == {}


def test_a_time_an_hour_ahead_is_its_own(agent, tree):
    """A recovery of now is older than it, and does not end it."""
    tree.jsonl(fault(at=3600), fault("service_healthy"))
    agent.run_once()
    assert len(tree.actions()) == 1


def test_an_old_file_with_a_fresh_arrival_is_judged_by_its_own_time(agent, tree):
    """rsync keeps mtimes: arrival is ctime, staleness the event's own time."""
    path = tree.event(at=-10)
    old = time.time() - 86400 * 30
    os.utime(path, (old, old))
    agent.run_once()
    assert "stale" not in tree.action()["details"]["policy"]
