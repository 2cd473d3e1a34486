"""The cooldown."""

import os
import time

import pytest

from agent import wait_for

ID = "container-restart-solaria-web"


def propose(agent, tree, env=None, **event):
    tree.event(**event)
    done = agent.run_once(env=env)
    return done


def done_with(tree):
    """The executor has carried it out: nothing is open."""
    tree.move_action(ID, "completed")


def test_a_repeat_within_the_cooldown_is_counted_and_not_proposed(agent, tree):
    propose(agent, tree)
    done_with(tree)
    for _ in range(3):
        assert len(propose(agent, tree).named("cooldown")) == 1
    assert tree.actions() == {} and len(tree.audits()) == 1
    assert agent.count("cooldown") >= 1


def test_the_cooldown_is_one_a_key_whatever_the_type(agent, tree):
    propose(agent, tree)
    done_with(tree)
    assert len(propose(agent, tree, type="high_memory").named("cooldown")) == 1
    assert propose(agent, tree, service="db").named("cooldown") == []
    assert len(tree.actions()) == 1


def test_it_is_compared_with_the_value_in_force(agent, tree):
    """What is kept is the stamp of its start."""
    propose(agent, tree, env={"COOLDOWN_SECONDS": 1})
    done_with(tree)
    time.sleep(1.2)
    assert len(propose(agent, tree, env={"COOLDOWN_SECONDS": 3600}).named("cooldown")) == 1
    propose(agent, tree, env={"COOLDOWN_SECONDS": 1})
    assert list(tree.actions()) == [ID]


def test_it_ends(agent, tree):
    env = {"COOLDOWN_SECONDS": 1}
    propose(agent, tree, env=env)
    done_with(tree)
    time.sleep(1.2)
    propose(agent, tree, env=env)
    assert list(tree.actions()) == [ID]


def test_cooldown_seconds_0_is_none(agent, tree):
    env = {"COOLDOWN_SECONDS": 0}
    for n in range(3):
        propose(agent, tree, env=env)
        assert list(tree.actions()) == [ID]
        tree.clear_pending()


def test_an_event_of_higher_severity_passes_once(agent, tree):
    propose(agent, tree, severity="warning")
    done_with(tree)
    propose(agent, tree, severity="error")
    assert tree.action()["details"]["event"]["severity"] == "error"
    done_with(tree)
    assert len(propose(agent, tree, severity="error").named("cooldown")) == 1
    propose(agent, tree, severity="critical")
    assert tree.action()["details"]["event"]["severity"] == "critical"
    done_with(tree)
    assert len(propose(agent, tree, severity="critical").named("cooldown")) == 1


@pytest.mark.parametrize("severity", ["warning", "error"])
def test_the_same_or_a_lower_severity_does_not_pass(agent, tree, severity):
    propose(agent, tree, severity="error")
    done_with(tree)
    assert len(propose(agent, tree, severity=severity).named("cooldown")) == 1


def test_the_proposal_carries_how_many_were_suppressed(agent, tree):
    propose(agent, tree)
    done_with(tree)
    for _ in range(3):
        propose(agent, tree)
    propose(agent, tree, severity="critical")
    assert tree.action()["details"]["suppressed_count"] == 3


def test_repeats_in_one_backlog_are_one_proposal(agent, tree):
    for n in range(10):
        tree.event(at=-20 + n, message=f"number {n}", name=f"{9 - n}.json")
    agent.run_once()
    action = tree.action()
    assert action["details"]["event"]["message"] == "number 9", "the newest wins"
    assert action["details"]["suppressed_count"] == 9
    assert len(tree.audits()) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_in_one_backlog_the_highest_severity_wins_then_the_newest(agent, tree, order):
    events = [dict(severity="error", at=-30, message="old error"),
              dict(severity="error", at=-20, message="new error"),
              dict(severity="warning", at=-10, message="warning")]
    for n, i in enumerate(order):
        tree.event(name=f"{n}.json", **events[i])
    agent.run_once()
    assert tree.action()["details"]["event"]["message"] == "new error"


def test_it_survives_a_restart_of_the_daemon(agent, tree):
    daemon = agent.start()
    tree.event()
    daemon.wait_log("proposed")
    daemon.stop()
    done_with(tree)
    daemon = agent.start()
    tree.event()
    daemon.wait_log("cooldown")
    assert tree.actions() == {}


def test_it_survives_a_kill_of_the_daemon(agent, tree):
    """It is recorded with the proposal, within a second or two, not only at the end."""
    daemon = agent.start()
    tree.event()
    daemon.wait_log("proposed")
    time.sleep(2.5)
    daemon.kill()
    done_with(tree)
    daemon = agent.start()
    tree.event()
    daemon.wait_log("cooldown")
    assert tree.actions() == {}


def lost(agent, tree, **event):
    """A daemon that is killed in the minute after it saved its state; its second event was a message,
    or as good as one."""
    daemon = agent.start()
    tree.event(service="first")
    daemon.wait_log("proposed")
    wait_for("the state", lambda: (tree.state / "cooldowns").exists())
    tree.event(**event)
    daemon.wait_log("proposed", count=2)
    daemon.kill()
    assert b"web" not in (tree.state / "cooldowns").read_bytes()
    for path in (tree.path / "events").rglob("*.json"):
        if not path.name.startswith("evt-planner-"):
            path.unlink()


@pytest.mark.parametrize("place", ["completed", "failed", "cancelled"])
def test_it_survives_a_kill_before_it_is_saved(agent, tree, place):
    """The action tells of it, wherever it is by now."""
    lost(agent, tree, severity="error")
    tree.move_action(ID, place)
    daemon = agent.start()
    tree.event(severity="error")
    daemon.wait_log("cooldown")
    assert ID not in tree.actions()
    # As grave as its event was.
    tree.event(severity="critical")
    daemon.wait_log("proposed")
    assert tree.action(ID)["details"]["suppressed_count"] == 1


def test_what_was_found_is_saved(agent, tree):
    """The action may be too old to be looked at, at the start after the next."""
    lost(agent, tree)
    tree.move_action(ID, "completed")
    agent.start().stop()
    assert b"web" in (tree.state / "cooldowns").read_bytes()


def test_what_nothing_has_judged_has_none_after_a_kill_either(agent, tree):
    """An alert for what was too old says nothing of what is new."""
    lost(agent, tree, at=-2 * 3600)
    stale, = (action_id for action_id, action in tree.actions().items() if action["service"] == "web")
    assert tree.action(stale)["details"]["policy"] == ["stale"]
    tree.move_action(stale, "completed")
    daemon = agent.start()
    tree.event()
    daemon.wait_log("proposed")
    assert daemon.named("cooldown") == []


@pytest.mark.parametrize("members, repeated", [({}, False), ({"proposed_by": "supervisor"}, True),
                                               ({"created_at": 253402300799}, True), ({"created_at": None}, True),
                                               ({"node": "other"}, True), ({"service": "../web"}, True)],
                         ids=lambda value: str(value))
def test_only_actions_of_ours_begin_one(agent, tree, members, repeated):
    agent.run_once()
    tree.put_action("completed", {"action_id": "x", "node": "solaria", "service": "web", "type": "container_restart",
                                  "created_at": int(time.time()), "proposed_by": "planner-agent",
                                  "details": {"event": {"severity": "error"}}, **members})
    assert bool(propose(agent, tree).named("proposed")) == repeated


def test_it_survives_a_reboot(agent, tree):
    """The boot clock begins anew; the cooldown's start was before it."""
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-T"]
    tree.event()
    agent.run_once(prefix=[*unshare, "--boottime", "5000000", "--monotonic", "5000000"])
    done_with(tree)
    tree.event()
    assert len(agent.run_once().named("cooldown")) == 1
    tree.event()
    assert len(agent.run_once(prefix=[*unshare, "--boottime", "9000000", "--monotonic", "9000000"])
               .named("cooldown")) == 1
    # And it ends all the same.
    time.sleep(1.2)
    tree.event()
    agent.run_once(env={"COOLDOWN_SECONDS": 1})
    assert list(tree.actions()) == [ID]


def test_more_keys_than_the_table_has_room_for(agent, tree):
    """1024 keys; the oldest is evicted with a log line, nothing else is lost."""
    for start in range(0, 1100, 100):
        tree.jsonl(*({"type": "service_unhealthy", "node": "n", "service": f"s{n:04d}", "severity": "error"}
                     for n in range(start, start + 100)))
        agent.run_once()
    assert len(tree.actions()) == 1100 and len(tree.audits()) == 1100
    tree.clear_pending()
    tree.jsonl({"type": "service_unhealthy", "node": "n", "service": "s1099", "severity": "error"})
    assert len(agent.run_once().named("cooldown")) == 1
    assert tree.actions() == {}
