"""Recoveries drop the faults they end, in whatever order files are read."""

import pytest

from agent import fault, stays

RECOVERIES = ["service_healthy", "service_recovered", "mqtt_recovered", "healthcheck_healthy", "memory_resolved"]
BOTH_ORDERS = pytest.mark.parametrize("recovery_first", [False, True], ids=["fault_first", "recovery_first"])


def put(tree, how, fault_event, recovery_event, recovery_first):
    """Several keys, so that the order of a directory cannot favour one side."""
    for n in range(8):
        pair = [{**fault_event, "service": f"web{n}"}, {**recovery_event, "service": f"web{n}"}]
        if recovery_first:
            pair.reverse()
        if how == "lines":
            tree.jsonl(*pair)
        else:
            for i, event in enumerate(pair):
                tree.event(name=f"{n}-{i}.json", **as_members(event))


def as_members(event):
    event = dict(event)
    return {"type": event.pop("type"), "node": event.pop("node"), "service": event.pop("service"), **event}


@pytest.mark.parametrize("how", ["files", "lines"])
@pytest.mark.parametrize("type", RECOVERIES)
@BOTH_ORDERS
def test_a_recovery_drops_the_older_fault_in_both_reading_orders(agent, tree, how, type, recovery_first):
    put(tree, how, fault(at=-20), fault(type, at=-10, severity="info"), recovery_first)
    done = agent.run_once()
    assert tree.actions() == {} and tree.audits() == {}
    assert len(done.named("recovered")) == 8


@pytest.mark.parametrize("how", ["files", "lines"])
@BOTH_ORDERS
def test_a_fault_newer_than_the_recovery_is_handled(agent, tree, how, recovery_first):
    put(tree, how, fault(at=-10), fault("service_healthy", at=-20, severity="info"), recovery_first)
    agent.run_once()
    assert len(tree.actions()) == 8


@BOTH_ORDERS
def test_a_recovery_of_the_same_moment_is_not_older(agent, tree, recovery_first):
    at = fault()["timestamp"]
    put(tree, "lines", fault(timestamp=at), fault("service_healthy", timestamp=at), recovery_first)
    agent.run_once()
    assert tree.actions() == {}


@BOTH_ORDERS
def test_a_recovery_from_another_source_drops_nothing(agent, tree, recovery_first):
    put(tree, "lines", fault(at=-20, source="node-agent"),
        fault("service_healthy", at=-10, source="stability-agent"), recovery_first)
    agent.run_once()
    assert len(tree.actions()) == 8


@BOTH_ORDERS
@pytest.mark.parametrize("unnamed", ["fault", "recovery", "both"])
def test_a_source_that_is_not_named_matches_all(agent, tree, recovery_first, unnamed):
    sources = {"fault": (None, "node-agent"), "recovery": ("node-agent", None), "both": (None, None)}[unnamed]
    put(tree, "lines", fault(at=-20, source=sources[0]), fault("service_healthy", at=-10, source=sources[1]),
        recovery_first)
    agent.run_once()
    assert tree.actions() == {}


def test_each_sources_newest_recovery_counts(agent, tree):
    """The newest recovery of one source must not hide an older one of the fault's own source."""
    tree.jsonl(fault("service_healthy", at=-5, source="a"), fault("service_healthy", at=-15, source="b"),
               fault(at=-20, source="b"), fault("service_healthy", at=-15, source="b", service="db"),
               fault("service_healthy", at=-5, source="a", service="db"), fault(at=-10, source="b", service="db"))
    agent.run_once()
    assert [action["service"] for action in tree.actions().values()] == ["db"]


def test_an_older_recovery_read_later_does_not_replace_a_newer_one(agent, tree):
    tree.jsonl(fault("service_healthy", at=-5), fault("service_healthy", at=-30), fault(at=-10))
    agent.run_once()
    assert tree.actions() == {}


def test_a_recovery_of_another_key_drops_nothing(agent, tree):
    tree.jsonl(fault(at=-20), fault("service_healthy", at=-10, service="db"),
               fault("service_healthy", at=-10, node="orion"), fault("service_healthy", at=-10, service=None))
    agent.run_once()
    assert list(tree.actions()) == ["container-restart-solaria-web"]


@BOTH_ORDERS
def test_node_online_drops_a_node_offline(agent, tree, recovery_first):
    pair = [fault("node_offline", service=None, at=-20), fault("node_online", service=None, at=-10)]
    tree.jsonl(*(reversed(pair) if recovery_first else pair))
    agent.run_once()
    assert tree.actions() == {}


@BOTH_ORDERS
@pytest.mark.parametrize("type", ["high_memory", "disk_pressure", "node_offlineish"])
def test_node_online_drops_only_a_node_offline(agent, tree, recovery_first, type):
    pair = [fault(type, service=None, at=-20), fault("node_online", service=None, at=-10)]
    tree.jsonl(*(reversed(pair) if recovery_first else pair))
    agent.run_once()
    assert tree.action()["details"]["event"]["type"] == type


def test_node_online_does_not_hide_a_recovery_of_the_whole_node(agent, tree):
    tree.jsonl(fault("memory_recovered", service=None, at=-10), fault("node_online", service=None, at=-5),
               fault("high_memory", service=None, at=-20))
    agent.run_once()
    assert tree.actions() == {}


def test_a_recovery_does_not_reset_the_cooldown(agent, tree):
    """Flapping must not defeat it."""
    tree.event(at=-30)
    agent.run_once()
    tree.move_action("container-restart-solaria-web", "completed")
    tree.event("service_healthy", at=-20)
    agent.run_once()
    tree.event(at=-10)
    assert len(agent.run_once().named("cooldown")) == 1
    assert tree.actions() == {}


def test_a_service_that_flaps_all_day_makes_one_proposal(agent, tree):
    for n in range(20):
        tree.event(at=-100 + 4 * n)
        tree.event("service_healthy", at=-98 + 4 * n)
    tree.event(at=-1)
    agent.run_once()
    assert len(tree.actions()) == 1 and len(tree.audits()) == 1


def test_the_daemon_drops_a_fault_read_after_its_recovery(agent, tree):
    daemon = agent.start()
    tree.event("service_healthy", at=-5)
    tree.event("service_unhealthy", service="db")
    daemon.wait_log("proposed")
    tree.event(at=-10)
    daemon.wait_log("recovered")
    stays("only db is proposed", lambda: list(tree.actions()) == ["container-restart-solaria-db"], 0.5)
