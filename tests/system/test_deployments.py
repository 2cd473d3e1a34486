"""A deployment holds the faults of its key until it ends."""

import pytest

from agent import fault, stays


def test_started_holds_the_fault_and_once_says_that_something_is_unfinished(agent, tree):
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10))
    done = agent.run_once(rc=75)
    assert tree.actions() == {}
    assert done.named("held")


def test_a_fault_read_before_the_start_that_is_older_is_held_too(agent, tree):
    """File names are random: the fault inside the deployment may be read first."""
    tree.jsonl(fault(at=-10), fault("deployment_started", severity="info", at=-20))
    agent.run_once(rc=75)
    assert tree.actions() == {}


def test_it_is_held_over_a_restart(agent, tree):
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10))
    agent.run_once(rc=75)
    agent.run_once(rc=75)
    assert tree.actions() == {}


def test_completed_drops_what_was_held(agent, tree):
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10),
               fault("deployment_completed", severity="info", at=-5))
    done = agent.run_once()
    assert tree.actions() == {} and len(done.named("deployed")) == 1


def test_completed_in_a_later_run_drops_what_was_held(agent, tree):
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10))
    agent.run_once(rc=75)
    tree.jsonl(fault("deployment_completed", severity="info", at=-5))
    agent.run_once()
    assert tree.actions() == {}
    agent.run_once()
    assert tree.actions() == {}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2), (2, 0, 1), (0, 2, 1)])
def test_completed_drops_in_every_reading_order(agent, tree, order):
    events = [fault("deployment_started", severity="info", at=-20), fault(at=-10),
              fault("deployment_completed", severity="info", at=-5)]
    tree.jsonl(*(events[i] for i in order))
    agent.run_once()
    assert tree.actions() == {}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_failed_is_handled_and_what_was_held_joins_it(agent, tree, order):
    events = [fault("deployment_started", severity="info", at=-20), fault(at=-10),
              fault("deployment_failed", at=-5)]
    tree.jsonl(*(events[i] for i in order))
    agent.run_once()
    assert len(tree.actions()) == 1 and len(tree.audits()) == 1
    if order == (0, 1, 2):
        assert tree.action()["details"]["event"]["type"] == "deployment_failed"


def test_failed_without_a_start_is_a_fault_like_others(agent, tree):
    tree.event("deployment_failed")
    agent.run_once()
    assert tree.action()["details"]["event"]["type"] == "deployment_failed"


def test_a_late_fault_inside_a_completed_deployment_is_dropped(agent, tree):
    daemon = agent.start()
    tree.event("deployment_started", severity="info", at=-60)
    tree.event("deployment_completed", severity="info", at=-30)
    tree.event(service="other")
    daemon.wait_log("proposed")
    tree.event(at=-45)
    daemon.wait_log("deployed")
    tree.event(at=-10)
    daemon.wait_log("proposed", count=2)
    assert len(tree.actions()) == 2


@pytest.mark.parametrize("at", [-90, -10], ids=["before", "after"])
def test_a_fault_outside_a_completed_deployment_is_handled(agent, tree, at):
    tree.jsonl(fault("deployment_started", severity="info", at=-60),
               fault("deployment_completed", severity="info", at=-30), fault(at=at))
    agent.run_once()
    assert len(tree.actions()) == 1


def test_a_deployment_holds_only_its_own_key(agent, tree):
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10, service="db"),
               fault(at=-10, node="orion"))
    agent.run_once()
    assert sorted(tree.actions()) == ["container-restart-orion-web", "container-restart-solaria-db"]


def test_the_daemon_holds_and_then_drops_or_handles(agent, tree):
    daemon = agent.start()
    for service in ("good", "bad"):
        tree.event("deployment_started", severity="info", service=service, at=-20)
    tree.event(service="witness")
    daemon.wait_log("proposed")
    for service in ("good", "bad"):
        tree.event(service=service)
    daemon.wait_log("held", count=2)
    stays("held", lambda: len(tree.actions()) == 1, 1)
    tree.event("deployment_completed", severity="info", service="good", at=1)
    tree.event("deployment_failed", service="bad", at=1)
    daemon.wait_log("proposed", count=2)
    stays("one more action", lambda: len(tree.actions()) == 2, 0.5)
    assert {action["service"] for action in tree.actions().values()} == {"witness", "bad"}
    assert len(tree.audits()) == 2


def test_a_recovery_drops_what_a_deployment_holds(agent, tree):
    tree.jsonl(fault("deployment_started", severity="info", at=-20), fault(at=-10),
               fault("service_healthy", severity="info", at=-5))
    agent.run_once()
    assert tree.actions() == {}
