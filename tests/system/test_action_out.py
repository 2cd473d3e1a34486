"""The action file, and modes, owners, whole files."""

import json
import os
import stat
import time

import pytest

from agent import fault, hashed_id, utc_day


def test_the_body_is_exactly_what_the_contract_shows(agent, tree):
    event = fault(node="solaria", correlation_id="corr-1", message="exit code 137")
    before = int(time.time())
    tree.event(**event | {"type": event["type"]})
    agent.run_once()
    action = tree.action("container-restart-solaria-web")
    assert list(action) == ["action_id", "service", "node", "type", "risk", "status", "created_at",
                            "updated_at", "correlation_id", "proposed_by", "details", "transition_history"]
    details = action["details"]
    assert list(details) == ["reason", "confidence", "requires_human", "action", "model", "policy",
                             "suppressed_count", "event", "attempts"]
    created = action["created_at"]
    assert before <= created <= time.time() and isinstance(created, int)
    attempts = details.pop("attempts")
    reason = details.pop("reason")
    confidence = details.pop("confidence")
    policy = details.pop("policy")
    assert action == {
        "action_id": "container-restart-solaria-web", "service": "web", "node": "solaria",
        "type": "container_restart", "risk": "guarded", "status": "pending", "created_at": created,
        "updated_at": created, "correlation_id": "corr-1", "proposed_by": "planner-agent",
        "details": {"requires_human": True, "action": "restart", "model": "rules", "suppressed_count": 0,
                    "event": {"type": "service_unhealthy", "severity": "error",
                              "timestamp": event["timestamp"], "source": "node-agent",
                              "message": "exit code 137"}},
        "transition_history": [{"from": None, "to": "pending", "timestamp": created, "by": "planner-agent"}]}
    assert 1 <= len(reason.encode()) <= 1000 and "137" in reason
    assert 0 <= confidence < 0.7
    assert all(isinstance(name, str) and name for name in policy)
    assert len(attempts) == 1
    assert list(attempts[0]) == ["model", "outcome", "latency_ms"]
    assert attempts[0]["model"] == "rules" and attempts[0]["outcome"] == "success"
    assert isinstance(attempts[0]["latency_ms"], int)


def test_an_event_without_source_and_message_still_makes_a_whole_body(agent, tree):
    tree.event(source=None, message=None)
    agent.run_once()
    event = tree.action()["details"]["event"]
    assert {"type", "severity", "timestamp"} <= set(event)


@pytest.mark.parametrize("seen", ["exit code 137", "97%", "connection refused by 10.0.0.4:1883"])
def test_the_reason_names_what_was_seen(agent, tree, seen):
    tree.event("containers_not_running", message=f"saw {seen}")
    agent.run_once()
    assert seen.split()[-1] in tree.action()["details"]["reason"]


def test_a_long_message_is_bounded(agent, tree):
    tree.event(message="x" * 60000, payload=["y" * 1000])
    agent.run_once()
    path = tree.action_path("container-restart-solaria-web")
    assert path.stat().st_size < 16384
    assert len(tree.action()["details"]["reason"].encode()) <= 1000


@pytest.mark.parametrize("cut", range(1020, 1030))
def test_a_long_message_is_never_cut_within_a_character(agent, tree, cut):
    tree.event(message="x" * cut + "🐢" * 400)
    agent.run_once()
    message = tree.action()["details"]["event"]["message"]
    assert "\ufffd" not in message and message.startswith("x" * 500)


def test_a_redeploy_has_its_own_type_and_id(agent, tree):
    """Some event of the table leads to a redeploy: a failed deployment is what it is for."""
    tree.event("deployment_failed")
    agent.run_once()
    action = tree.action()
    if action["details"]["action"] == "redeploy":
        assert (action["type"], action["action_id"], action["risk"]) == ("redeploy", "redeploy-solaria-web", "guarded")
    else:
        assert action["details"]["action"] in ("notify", "restart")


def test_an_alert_has_its_own_type_id_and_risk(agent, tree):
    tree.event("disk_pressure", service=None)
    agent.run_once()
    action = tree.action("alert-solaria-all-disk_pressure")
    assert (action["type"], action["risk"], action["service"]) == ("alert_only", "nominal", "all")


# ---- Ids ----------------------------------------------------------------------------------------


def test_an_id_over_200_bytes_is_cut_and_hashed(agent, tree):
    node, service, kind = "n" * 100, "s" * 90, "service_unhealthy"
    tree.event(kind, node, service)
    agent.run_once()
    plain = f"container-restart-{node}-{service}"
    assert len(plain) > 200
    want = hashed_id(plain, "container_restart", node, service, kind)
    assert list(tree.actions()) == [want] and len(want) == 200


def test_an_id_of_200_bytes_is_left_alone(agent, tree):
    node, service = "n" * 100, "s" * (200 - 100 - len("container-restart--"))
    tree.event(node=node, service=service)
    agent.run_once()
    assert list(tree.actions()) == [f"container-restart-{node}-{service}"]


def test_the_longest_names_of_all_make_an_id(agent, tree):
    kind, node, service = "t" * 128, "n" * 128, "s" * 128
    tree.event(kind, node, service)
    agent.run_once()
    action = tree.action()
    assert len(action["action_id"]) == 200
    done = agent.cmd("approve", action["action_id"])
    assert done.rc == 0 and list(tree.actions("approved")) == [action["action_id"]]


def test_long_ids_of_two_events_differ(agent, tree):
    for service in ("s" * 127 + "a", "s" * 127 + "b"):
        tree.event(node="n" * 128, service=service)
    agent.run_once()
    assert len(tree.actions()) == 2


def test_an_id_that_stands_for_another_node_or_service_is_hashed(agent, tree):
    tree.event(node="a-b", service="c")
    agent.run_once()
    tree.event(node="a", service="b-c")
    agent.run_once()
    want = hashed_id("container-restart-a-b-c", "container_restart", "a", "b-c", "service_unhealthy")
    assert sorted(tree.actions()) == ["container-restart-a-b-c", want]
    assert tree.action("container-restart-a-b-c")["node"] == "a-b"
    assert (tree.action(want)["node"], tree.action(want)["service"]) == ("a", "b-c")


def test_the_same_collision_within_one_run(agent, tree):
    tree.event(node="a-b", service="c")
    tree.event(node="a", service="b-c")
    agent.run_once()
    assert sorted((action["node"], action["service"]) for action in tree.actions().values()) == \
        [("a", "b-c"), ("a-b", "c")]


def test_a_hashed_id_is_found_open_again(agent, tree):
    tree.event(node="a-b", service="c")
    tree.event(node="a", service="b-c")
    agent.run_once()
    before = tree.actions()
    tree.event(node="a", service="b-c")
    tree.event(node="a-b", service="c")
    done = agent.run_once(env={"COOLDOWN_SECONDS": 0})
    assert len(done.named("already_open")) == 2
    assert tree.actions() == before


def test_a_file_of_that_name_that_is_no_action_is_not_overwritten(agent, tree):
    path = tree.put_action("pending", {"action_id": "container-restart-solaria-web"}, raw="what is this\n")
    tree.event()
    agent.run_once(rc=(0, 75))
    assert path.read_text() == "what is this\n"
    others = [p for p in path.parent.glob("*.json") if p != path]
    assert len(others) == 1, "the fault vanished"
    assert json.loads(others[0].read_text())["service"] == "web"


# ---- Modes, owners, whole files -----------------------------------------------------------------


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_whatever_the_umask(agent, tree, umask):
    tree.event()
    agent.run_once(umask=umask)
    assert mode(tree.action_path("container-restart-solaria-web")) == 0o640
    assert [mode(path) for path in tree.audits()] == [0o644]
    assert mode(tree.heartbeat) == 0o644
    files = [path for path in tree.state.iterdir() if path.is_file()]
    assert files and {path.name: oct(mode(path)) for path in files if mode(path) != 0o600} == {}
    agent.cmd("approve", "container-restart-solaria-web", umask=umask)
    assert mode(tree.action_path("container-restart-solaria-web", "approved")) == 0o640


def test_files_get_owner_and_group_of_their_directory(agent, tree):
    """As root any; otherwise the user's own, which is all that one may set."""
    user, group = (1234, 5678) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    days = [f"events/{utc_day(offset)}/planner" for offset in (0, 86400)]
    for place in ("actions/pending", "actions/approved", *days, "state/planner-agent"):
        (tree.path / place).mkdir(parents=True)
        os.chown(tree.path / place, user, group)
    os.chown(tree.path / "state", user, group)
    tree.event()
    agent.run_once()
    audit = next(iter(tree.audits()))
    owned = [tree.action_path("container-restart-solaria-web"), audit, tree.heartbeat,
             *(path for path in tree.state.iterdir() if path.is_file())]
    agent.cmd("approve", "container-restart-solaria-web")
    owned[0] = tree.action_path("container-restart-solaria-web", "approved")
    wrong = {str(path): (path.stat().st_uid, path.stat().st_gid) for path in owned
             if (path.stat().st_uid, path.stat().st_gid) != (user, group)}
    assert wrong == {}


def test_directories_that_root_makes_get_the_owner_of_the_tree(agent, tree):
    """Or the operator's own commands could not write into them."""
    user = 1234 if os.geteuid() == 0 else os.geteuid()
    os.chown(tree.path, user, -1)
    tree.event()
    os.chown(tree.path / "events", user, -1)
    agent.run_once()
    made = [tree.path / "actions", tree.path / "actions" / "pending", tree.state]
    assert {str(path): path.stat().st_uid for path in made if path.stat().st_uid != user} == {}


def test_no_temporary_file_is_left(agent, tree):
    for n in range(5):
        tree.event(service=f"web{n}")
    agent.run_once()
    agent.cmd("approve", "container-restart-solaria-web1")
    agent.cmd("reject", "container-restart-solaria-web2")
    assert tree.dot_files() == []


def test_left_over_temporary_files_of_ours_are_removed_at_start_and_others_kept(agent, tree):
    """What ours look like is learnt from a killed run; here: another's dot file must survive."""
    pending = tree.path / "actions" / "pending"
    pending.mkdir(parents=True)
    (pending / ".syncthing.tmp").write_text("not ours")
    (pending / ".nfs0001").write_text("not ours")
    agent.run_once()
    assert sorted(path.name for path in pending.iterdir()) == [".nfs0001", ".syncthing.tmp"]


def test_a_reader_never_sees_half_a_file(agent, tree):
    """The action and the audit event are linked or renamed into place, after fsync (see strace)."""
    trace = tree.path.parent / "trace"
    tree.event()
    agent.run_once(prefix=["strace", "-f", "-y", "-o", str(trace),
                           "-e", "trace=openat,open,creat,link,linkat,rename,renameat,renameat2,fsync,fdatasync"])
    lines = trace.read_text().splitlines()
    for name, directory in (("container-restart-solaria-web.json", "actions/pending"), ("evt-planner-", "planner>")):
        made = [n for n, line in enumerate(lines) if name in line and ("link" in line or "rename" in line)
                and "unlink" not in line and ") = 0" in line]
        assert made, f"{name} was not linked into place"
        assert not any(name in line and "O_CREAT" in line and ".json\"" in line and "/." not in line
                       and "\"." not in line for line in lines), f"{name} was made in place"
        synced = [n for n, line in enumerate(lines) if "sync(" in line and line.rstrip().endswith("= 0")]
        assert any(n < made[0] for n in synced), f"{name}: no fsync before it appears"
        assert any(n > made[0] and directory in lines[n] for n in synced), f"{name}: directory not synced"
