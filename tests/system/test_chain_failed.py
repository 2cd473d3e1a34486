"""When every hop was rejected, and when the deadline is over."""

import time

import pytest

ID = "container-restart-solaria-web"
# A chain of one hop that nobody answers (port 9, discard, has no server; and no key, no cost).
DEAD = {"LLM_CHAIN": "ollama", "OLLAMA_API_BASE": "http://127.0.0.1:9", "OLLAMA_HOST": None}


def test_nothing_is_proposed_and_the_event_stays_unfinished(agent, tree):
    tree.event()
    done = agent.run_once(rc=75, env=DEAD)
    assert len(done.named("chain_failed")) == 1
    assert tree.actions() == {} and tree.audits() == {}


def test_no_cooldown_is_recorded(agent, tree):
    tree.event()
    agent.run_once(rc=75, env=DEAD)
    done = agent.run_once()
    assert list(tree.actions()) == [ID] and done.named("cooldown") == []


def test_once_tries_every_unfinished_event_once_whatever_its_retry_time(agent, tree):
    tree.event(service="a")
    tree.event(service="b")
    for _ in range(3):
        assert len(agent.run_once(rc=75, env=DEAD).named("chain_failed")) == 2
    agent.run_once()
    assert len(tree.actions()) == 2 and len(tree.audits()) == 2


def test_given_up_it_becomes_an_alert_of_the_rules_table(agent, tree):
    tree.event(at=1)  # not stale, however slowly it is written
    agent.run_once(rc=75, env=DEAD)
    time.sleep(1.3)
    agent.run_once(rc=(0, 75), env={**DEAD, "EVENT_DEADLINE_SECONDS": 1})
    agent.run_once(rc=0, env={**DEAD, "EVENT_DEADLINE_SECONDS": 1})
    action = tree.action("alert-solaria-web-service_unhealthy")
    assert action["type"] == "alert_only" and action["details"]["model"] == "rules"
    assert "chain_exhausted" in action["details"]["policy"]
    assert len(tree.audits()) == 1


def test_at_least_one_attempt_is_made_always(agent, tree):
    """Within the deadline by its own time, over it by the time it is read: the chain is asked."""
    tree.event()
    time.sleep(2.2)
    agent.run_once(env={"EVENT_DEADLINE_SECONDS": 2})
    assert "chain_exhausted" not in tree.action()["details"]["policy"]
    assert list(tree.actions()) == [ID]


def test_a_recovery_read_meanwhile_ends_it(agent, tree):
    tree.event(at=-20)
    agent.run_once(rc=75, env=DEAD)
    tree.event("service_healthy", at=-5)
    done = agent.run_once(env=DEAD)
    assert tree.actions() == {} and len(done.named("recovered")) == 1
    agent.run_once()
    assert tree.actions() == {}


@pytest.mark.parametrize("first,then", [("warning", "error"), ("error", "warning")])
def test_while_it_waits_the_highest_severity_of_its_key_is_kept(agent, tree, first, then):
    tree.event(severity=first, at=-20)
    agent.run_once(rc=75, env=DEAD)
    tree.event(severity=then, at=-10)
    agent.run_once(rc=75, env=DEAD)
    agent.run_once()
    assert tree.action()["details"]["event"]["severity"] == "error"
    assert len(tree.audits()) == 1


def test_the_daemon_goes_on_with_everything_else(agent, tree):
    daemon = agent.start(env=DEAD)
    tree.event()
    daemon.wait_log("chain_failed")
    tree.event("service_healthy", at=5)
    daemon.wait_log("recovered")
    tree.event(service="old", at=-9000)  # stale: no chain is needed
    daemon.wait_log("proposed")
    assert daemon.stop() < 1
    assert list(tree.actions()) == ["alert-solaria-old-service_unhealthy"]


def test_what_the_daemon_could_not_ask_is_asked_after_a_restart(agent, tree):
    daemon = agent.start(env=DEAD)
    tree.event()
    daemon.wait_log("chain_failed")
    daemon.stop()
    daemon = agent.start()
    daemon.wait_log("proposed", seconds=90)
    assert list(tree.actions()) == [ID] and len(tree.audits()) == 1
