"""Open actions are looked for before anything is proposed."""

import json
import os
import time

import pytest

from agent import clean_json, hashed_id
from steps import proposal

ID = "container-restart-solaria-web"
NO_COOLDOWN = {"COOLDOWN_SECONDS": 0}


def supervisors(action_id=ID, node="solaria", service="web", type="container_restart", **members):
    """The supervisor's own action: its members, no correlation, no details of ours."""
    now = int(time.time()) - 100
    return {"action_id": action_id, "service": service, "node": node, "type": type, "risk": "guarded",
            "status": "pending", "created_at": now, "updated_at": now, "proposed_by": "supervisor",
            "details": {"drift": {"desired": "running", "actual": "exited"}}, **members}


def proposed(agent, tree, **event):
    tree.event(**event)
    agent.run_once()
    return tree.action()


@pytest.mark.parametrize("place", ["pending", "approved", "running"])
def test_an_own_open_action_ends_the_event_as_already_open(agent, tree, place):
    proposed(agent, tree)
    if place != "pending":
        tree.move_action(ID, place)
    tree.event()
    done = agent.run_once(env=NO_COOLDOWN)
    already, = done.named("already_open")
    assert already["level"] == "info"
    assert sum(len(tree.actions(where)) for where in ("pending", "approved", "running")) == 1
    assert agent.count("already_open") == 1


@pytest.mark.parametrize("place", ["completed", "failed", "cancelled"])
def test_an_action_that_has_ended_is_not_open(agent, tree, place):
    proposed(agent, tree)
    tree.move_action(ID, place)
    tree.event()
    agent.run_once(env=NO_COOLDOWN)
    assert list(tree.actions("pending")) == [ID]


@pytest.mark.parametrize("place", ["pending", "approved", "running"])
@pytest.mark.parametrize("type,action_id", [("container_restart", ID), ("redeploy", "redeploy-solaria-web")])
def test_the_supervisors_action_is_open_too(agent, tree, place, type, action_id):
    """One fault has one button."""
    action = supervisors(action_id, type=type)
    path = tree.put_action(place, action)
    tree.event()
    assert len(agent.run_once().named("already_open")) == 1
    assert clean_json(path.read_text()) == action
    assert sum(len(tree.actions(where)) for where in ("pending", "approved", "running")) == 1
    assert tree.audits() == {}, "it is not ours to audit"


@pytest.mark.parametrize("correlation", [None, ""], ids=["null", "empty"])
def test_the_supervisors_action_without_correlation_is_not_taken_for_ours(agent, tree, correlation):
    tree.put_action("pending", supervisors(correlation_id=correlation))
    tree.event()
    assert len(agent.run_once().named("already_open")) == 1
    assert tree.audits() == {}


def test_already_open_leaves_the_cooldown_alone(agent, tree):
    path = tree.put_action("pending", supervisors())
    tree.event()
    agent.run_once()
    path.unlink()  # the supervisor cancels what has drifted back
    tree.event()
    agent.run_once()
    assert tree.action(ID)["proposed_by"] == "planner-agent"


def test_an_unread_alert_does_not_mute_other_faults_of_its_key(agent, tree):
    tree.event("high_memory", service=None)
    agent.run_once()
    tree.event("high_memory", service=None)
    tree.event("node_offline", service=None)
    done = agent.run_once(env=NO_COOLDOWN)
    assert sorted(tree.actions()) == ["alert-solaria-all-high_memory", "alert-solaria-all-node_offline"], done.logs


def test_an_open_alert_of_this_type_is_open(agent, tree):
    tree.event("high_memory", service=None)
    agent.run_once()
    tree.event("high_memory", service=None)
    assert len(agent.run_once(env=NO_COOLDOWN).named("already_open")) == 1
    assert len(tree.audits()) == 1


def test_an_open_alert_of_a_type_that_only_looks_alike_is_not_this_ones(agent, tree):
    """Both types make the same plain id; the body tells them apart."""
    tree.event("disk full", service=None)
    agent.run_once()
    tree.event("disk_full", service=None)
    agent.run_once(env=NO_COOLDOWN)
    plain = "alert-solaria-all-disk_full"
    other = hashed_id(plain, "alert_only", "solaria", "all", "disk_full")
    assert {key: action["details"]["event"]["type"] for key, action in tree.actions().items()} == \
        {plain: "disk full", other: "disk_full"}


def test_an_open_restart_ends_a_fault_of_another_type_of_its_key(agent, tree):
    proposed(agent, tree)
    tree.event("healthcheck_failed")
    assert len(agent.run_once(env=NO_COOLDOWN).named("already_open")) == 1
    assert list(tree.actions()) == [ID]


def test_an_open_alert_of_this_type_ends_a_fault_that_would_be_a_restart(agent, tree):
    """The ids above: an alert of this event type, for instance one that was stale."""
    tree.event(at=-9000)
    agent.run_once()
    assert list(tree.actions()) == ["alert-solaria-web-service_unhealthy"]
    tree.event()
    assert len(agent.run_once(env=NO_COOLDOWN).named("already_open")) == 1
    assert len(tree.actions()) == 1


def test_an_action_of_this_id_for_another_node_is_not_this_ones(agent, tree):
    tree.put_action("approved", supervisors("container-restart-a-b-c", node="a-b", service="c"))
    tree.event(node="a", service="b-c")
    agent.run_once()
    action = tree.action()
    assert (action["node"], action["service"]) == ("a", "b-c")
    assert action["action_id"] != "container-restart-a-b-c", "approving it would overwrite the other"


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"action_id":"x"}', "\0" * 100, "{" * 100000],
                         ids=["empty", "cut", "array", "null", "other_id", "nul", "deep"])
@pytest.mark.parametrize("place", ["approved", "running", "rejected"])
def test_a_damaged_action_elsewhere_does_not_stop_the_planner(agent, tree, place, body):
    tree.put_action(place, {"action_id": ID}, raw=body)
    tree.event()
    agent.run_once()
    found = tree.actions("pending")
    assert len(found) == 1 and next(iter(found.values()))["service"] == "web"


def test_an_action_that_appears_while_the_chain_thinks_is_seen_before_the_file_is_linked(agent, tree, mock):
    """The model is asked, and the supervisor is faster than its answer."""
    def think(_):
        tree.put_action("pending", supervisors("redeploy-solaria-web", type="redeploy"))
        return proposal()

    mock.on("/api/chat", think)
    daemon = agent.start(env={"LLM_CHAIN": "ollama@30", "OLLAMA_API_BASE": mock.url})
    tree.event()
    daemon.wait_log("queued")
    daemon.wait_log("already_open")
    assert len(mock.asked("/api/chat")) == 1
    assert list(tree.actions()) == ["redeploy-solaria-web"] and tree.audits() == {}
    daemon.stop()


# ---- Claims -------------------------------------------------------------------------------------


def claim(agent, tree, action_id=ID):
    """What a killed approve leaves after its claim: a real one, killed as it writes the new file."""
    calls = "write,pwrite64,writev,pwritev"
    done = agent.cmd("approve", action_id, rc=-9, err="", prefix=[
        "strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when=1"])
    assert tree.actions() == {} and tree.actions("approved") == {}, done
    claims = [path for path in (tree.path / "actions" / "pending").iterdir() if path.name.startswith(".")]
    assert len(claims) == 1 and not claims[0].name.endswith(".json"), done
    return claims[0]


def test_a_claim_counts_as_open(agent, tree):
    proposed(agent, tree)
    claim(agent, tree)
    assert tree.actions() == {}
    tree.event()
    done = agent.run_once(env=NO_COOLDOWN)
    assert len(done.named("already_open")) == 1
    assert tree.actions() == {}, "a second action beside the claim"
    # The daemon leaves claims alone; the next command of the operator puts it back.
    agent.cmd("reject", "no-such-id", rc=1)
    assert list(tree.actions()) == [ID]


# ---- Rejected -----------------------------------------------------------------------------------


def test_a_fault_rejected_lately_is_not_proposed_again(agent, tree):
    proposed(agent, tree)
    agent.cmd("reject", ID)
    tree.event()
    done = agent.run_once(env=NO_COOLDOWN)
    assert tree.actions() == {} and len(tree.audits()) == 1
    assert len(done.named("already_open", "rejected_lately")) == 1


def test_a_fault_rejected_lately_is_proposed_again_when_the_severity_has_risen(agent, tree):
    proposed(agent, tree, severity="warning")
    agent.cmd("reject", ID)
    tree.event(severity="warning")
    agent.run_once(env=NO_COOLDOWN)
    assert tree.actions() == {}
    tree.event(severity="error")
    agent.run_once(env=NO_COOLDOWN)
    assert tree.action()["details"]["event"]["severity"] == "error"


@pytest.mark.parametrize("lower", ["info", "warning", "error"])
def test_a_fault_rejected_lately_of_the_same_or_lower_severity_stays_away(agent, tree, lower):
    proposed(agent, tree, severity="error")
    agent.cmd("reject", ID)
    tree.event(severity=lower)
    agent.run_once(env=NO_COOLDOWN)
    assert tree.actions() == {}


def test_a_fault_rejected_long_ago_is_proposed_again(agent, tree):
    proposed(agent, tree)
    agent.cmd("reject", ID)
    path = tree.action_path(ID, "rejected")
    action = clean_json(path.read_text())
    old = int(time.time()) - 4000
    action.update(created_at=old, updated_at=old)
    for step in action["transition_history"]:
        step["timestamp"] = old
    path.write_text(json.dumps(action))
    os.utime(path, (old, old))
    for audit in tree.audits():  # in its name is the action's time: the next start writes another
        audit.unlink()
    tree.event()
    agent.run_once(env=NO_COOLDOWN)
    assert list(tree.actions()) == [ID]
    assert len(tree.audits()) == 2


def test_an_action_proposed_long_ago_and_rejected_now_was_rejected_lately(agent, tree):
    """It is the rejection's age that counts: the operator has just said no."""
    old = int(time.time()) - 4000
    tree.put_action("pending", supervisors(created_at=old, updated_at=old))
    agent.cmd("reject", ID)
    tree.event(severity="warning")
    agent.run_once(env=NO_COOLDOWN)
    assert tree.actions() == {}


def test_repropose_after_seconds_0_proposes_at_once(agent, tree):
    proposed(agent, tree)
    agent.cmd("reject", ID)
    tree.event()
    agent.run_once(env={**NO_COOLDOWN, "REPROPOSE_AFTER_SECONDS": 0})
    assert list(tree.actions()) == [ID]


def test_repropose_after_seconds_is_the_setting(agent, tree):
    proposed(agent, tree)
    agent.cmd("reject", ID)
    time.sleep(2.1)
    tree.event()
    agent.run_once(env={**NO_COOLDOWN, "REPROPOSE_AFTER_SECONDS": 2})
    assert list(tree.actions()) == [ID]


def test_a_supervisors_rejected_action_counts_too(agent, tree):
    """It names no severity, which means warning, as in an event."""
    tree.put_action("pending", supervisors())
    agent.cmd("reject", ID)
    tree.event(severity="warning")
    agent.run_once(env=NO_COOLDOWN)
    assert tree.actions() == {}
    tree.event(severity="error")
    agent.run_once(env=NO_COOLDOWN)
    assert list(tree.actions()) == [ID]


def test_open_is_looked_at_before_rejected(agent, tree):
    tree.put_action("rejected", supervisors(created_at=int(time.time()), updated_at=int(time.time())))
    tree.put_action("running", supervisors())
    tree.event(severity="critical")
    assert len(agent.run_once(env=NO_COOLDOWN).named("already_open")) == 1


# ---- Our own, before a crash --------------------------------------------------------------------


def test_an_own_action_without_its_audit_event_is_finished(agent, tree):
    """Killed after the action, before the audit event: the event is still unfinished."""
    tree.event(correlation_id="corr-1")
    agent.run_once()
    before = tree.actions()
    audit, = tree.audits()
    audit.unlink()
    for path in tree.state_files():
        path.unlink()
    agent.run_once()
    assert tree.actions() == before
    assert list(tree.audits()) == [audit]
    tree.clear_pending()
    tree.event()
    assert len(agent.run_once().named("cooldown")) == 1, "the cooldown was not recorded"


def test_an_own_action_that_was_approved_meanwhile_is_finished_too(agent, tree):
    tree.event(correlation_id="corr-1")
    agent.run_once()
    audit, = tree.audits()
    audit.unlink()
    for path in tree.state_files():
        path.unlink()
    agent.cmd("approve", ID)
    agent.run_once()
    assert tree.actions() == {} and list(tree.actions("approved")) == [ID]
    assert list(tree.audits()) == [audit]


def test_events_may_share_a_correlation_id(agent, tree):
    """A writer that names the incident, not the event: one action while it is open, a new one after."""
    tree.event(correlation_id="incident-7", at=-20)
    agent.run_once(env=NO_COOLDOWN)
    tree.event(correlation_id="incident-7", at=-10)
    agent.run_once(env=NO_COOLDOWN)
    assert list(tree.actions()) == [ID] and len(tree.audits()) == 1
    tree.move_action(ID, "completed")
    tree.event(correlation_id="incident-7", at=-1)
    agent.run_once(env=NO_COOLDOWN)
    assert list(tree.actions()) == [ID], "it was taken for the one that has ended"


def test_events_of_two_services_may_share_a_correlation_id(agent, tree):
    for service in ("web", "db"):
        tree.event(service=service, correlation_id="incident-7")
    agent.run_once()
    assert len(tree.actions()) == 2 and len(tree.audits()) == 2
