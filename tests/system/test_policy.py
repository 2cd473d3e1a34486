"""The five rules, as far as the rules hop lets them be seen."""

import json

import pytest

from agent import fault


def policy(tree):
    return tree.action()["details"]["policy"]


@pytest.mark.parametrize("node", ["chelsty", "chelsty-1", "CHELSTY-2", "Chelsty_x"])
@pytest.mark.parametrize("floor", ["0.7", "0"])
def test_rule_1_a_human_only_node_always_asks_a_human(agent, tree, node, floor):
    tree.event(node=node)
    agent.run_once(env={"CONFIDENCE_FLOOR": floor})
    action = tree.action()
    assert action["details"]["requires_human"] is True and action["risk"] == "critical"


def test_rule_1_is_for_those_nodes_only(agent, tree):
    tree.event(node="not-chelsty")
    agent.run_once()
    assert tree.action()["risk"] == "guarded"
    assert "human_only_node" not in policy(tree)


@pytest.mark.parametrize("globs,human", [("solaria", True), ("a,SOL*", True), ("chelsty*", False), ("", False)])
def test_rule_1_follows_human_only_nodes(agent, tree, globs, human):
    tree.event()
    agent.run_once(env={"HUMAN_ONLY_NODES": globs, "CONFIDENCE_FLOOR": "0"})
    assert (tree.action()["risk"] == "critical") is human


@pytest.mark.parametrize("alias", ['{"chelsty-1":"north"}', '{"north":"chelsty-1"}'])
def test_rule_1_matches_the_name_as_it_came_and_after_aliasing(agent, tree, alias):
    tree.event(node="chelsty-1" if "north\"}" in alias else "north")
    agent.run_once(env={"NODE_ALIAS_MAP": alias})
    assert tree.action()["risk"] == "critical"


@pytest.mark.parametrize("type", ["disk_pressure", "disk_pressure_critical", "DISK_PRESSURE_x"])
def test_rule_2_disk_pressure_is_only_told(agent, tree, type):
    tree.event(type, severity="critical")
    agent.run_once()
    action = tree.action()
    assert action["type"] == "alert_only" and action["details"]["action"] == "notify"


def test_rule_2_follows_notify_only_events_and_is_named(agent, tree):
    tree.event()
    agent.run_once(env={"NOTIFY_ONLY_EVENTS": "x,service_*"})
    action = tree.action("alert-solaria-web-service_unhealthy")
    assert (action["type"], action["risk"], action["details"]["action"]) == ("alert_only", "nominal", "notify")
    assert "notify_only_event" in policy(tree)


def test_rule_3_low_confidence_asks_a_human(agent, tree):
    tree.event()
    agent.run_once()
    details = tree.action()["details"]
    assert details["confidence"] < 0.7 and details["requires_human"] is True


@pytest.mark.parametrize("service", ["a b", "-x", ".x", "a/b", "ż", "a\nb"], ids=ascii)
def test_rule_4_an_unsafe_service_is_only_told(agent, tree, service):
    tree.event(service=service)
    agent.run_once()
    action = tree.action()
    assert action["type"] == "alert_only" and action["details"]["requires_human"] is True
    assert "unsafe_name" in policy(tree)


@pytest.mark.parametrize("node", ["a b", "-x", ".x", "a/b", "ż"], ids=ascii)
def test_rule_4_an_unsafe_node_is_only_told(agent, tree, node):
    tree.event(node=node)
    agent.run_once()
    action = tree.action()
    assert action["type"] == "alert_only" and action["details"]["requires_human"] is True
    assert "unsafe_name" in policy(tree)


@pytest.mark.parametrize("node", ["_x", "a b"])
def test_rule_4_looks_at_the_name_as_it_came(agent, tree, node):
    """An alias does not make an unsafe name safe."""
    tree.event(node=node)
    agent.run_once(env={"NODE_ALIAS_MAP": '{"%s":"solaria"}' % node})
    action = tree.action()
    assert action["node"] == "solaria" and action["type"] == "alert_only"


@pytest.mark.parametrize("service", [None, "", "all"])
def test_rule_4_the_whole_node_is_never_restarted(agent, tree, service):
    tree.event(service=service)
    agent.run_once()
    action = tree.action("alert-solaria-all-service_unhealthy")
    assert action["type"] == "alert_only" and action["details"]["requires_human"] is True


@pytest.mark.parametrize("service", ["a", "A.b_c-9", "9x", "a..b", "a" * 128])
def test_rule_4_leaves_a_plain_name_alone(agent, tree, service):
    tree.event(service=service)
    agent.run_once()
    assert tree.action()["type"] == "container_restart"
    assert "unsafe_name" not in policy(tree)


@pytest.mark.parametrize("type", ["service_unhealthy", "node_offline", "something_else", "high_cpu",
                                  "ha_recorder_lag", "disk_usage_high"])
def test_rule_5_critical_is_never_ignored(agent, tree, type):
    tree.event(type, severity="critical")
    agent.run_once()
    assert tree.action()["details"]["action"] != "ignore"


def test_rules_that_changed_nothing_are_not_named(agent, tree):
    tree.event()
    agent.run_once(env={"CONFIDENCE_FLOOR": "0"})
    assert policy(tree) == []


def test_every_rule_that_changed_something_is_named_once(agent, tree):
    tree.event(node="chelsty 1")
    agent.run_once(env={"NOTIFY_ONLY_EVENTS": "*"})
    names = policy(tree)
    assert len(names) == len(set(names)) and "notify_only_event" in names


def test_an_event_has_no_way_to_name_a_command_or_a_path(agent, tree):
    tree.raw(json.dumps(fault(command="rm -rf /", payload={"action": "restart", "cmd": "x"},
                                            action="redeploy", risk="nominal", status="approved",
                                            details={"requires_human": False, "confidence": 1})))
    agent.run_once()
    action = tree.action("container-restart-solaria-web")
    assert action["status"] == "pending" and action["risk"] == "guarded"
    assert action["details"]["requires_human"] is True
    assert "rm -rf" not in tree.action_path("container-restart-solaria-web").read_text()
