"""CONTRACTS, section 6: the audit event."""

import time

import pytest

from agent import iso, sha256, utc_day


def test_name_place_and_content(agent, tree):
    tree.event(correlation_id="corr-1")
    agent.run_once()
    action = tree.action("container-restart-solaria-web")
    (path, event), = tree.audits().items()
    created = action["created_at"]
    eight = sha256(b"container-restart-solaria-web\0corr-1")[:8]
    day = time.strftime("%Y-%m-%d", time.gmtime(created))
    assert path == tree.path / "events" / day / "planner" / f"evt-planner-{created * 1000}-{eight}.json"
    assert list(event) == ["timestamp", "node", "type", "severity", "source", "service", "correlation_id",
                           "id", "payload"]
    stamp = event.pop("timestamp")
    assert stamp[:19] == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created)) and stamp.endswith("Z")
    details = action["details"]
    assert event == {
        "node": "planner", "type": "remediation_started", "severity": "info", "source": "planner-agent",
        "service": "web", "correlation_id": "corr-1", "id": path.stem,
        "payload": {"action_id": "container-restart-solaria-web", "action": "restart",
                    "target_node": "solaria", "target_service": "web", "model": details["model"],
                    "confidence": details["confidence"], "requires_human": True}}


def test_one_a_proposal_and_none_without(agent, tree):
    for service in ("a", "b"):
        tree.event(service=service)
    tree.event("service_healthy", service="c")
    agent.run_once()
    assert sorted(event["payload"]["target_service"] for event in tree.audits().values()) == ["a", "b"]
    for _ in range(3):
        agent.run_once()
    assert len(tree.audits()) == 2


def test_it_is_never_read_back_as_work(agent, tree):
    tree.event()
    agent.run_once()
    for _ in range(2):
        done = agent.run_once(env={"COOLDOWN_SECONDS": 0})
        assert done.named("refused", "proposed", "already_open") == []
    assert agent.count("refused") == 0


def test_it_is_written_after_the_action_is_durable(agent, tree):
    trace = tree.path.parent / "trace"
    tree.event()
    agent.run_once(prefix=["strace", "-f", "-y", "-o", str(trace), "-e",
                           "trace=link,linkat,rename,renameat,renameat2,fsync,fdatasync"])
    lines = trace.read_text().splitlines()

    def first(*parts):
        return next(n for n, line in enumerate(lines) if all(part in line for part in parts) and "= 0" in line)

    action = first("container-restart-solaria-web.json")
    durable = next(n for n in range(action + 1, len(lines)) if "fsync(" in lines[n] and "actions/pending>" in lines[n])
    assert durable < first("evt-planner-")


def test_a_node_name_that_is_no_file_name_is_made_one(agent, tree):
    tree.event()
    agent.run_once(env={"NODE_NAME": "my host/1"}, rc=(0, 78))
    if tree.actions():
        assert len(tree.audits("my_host_1")) == 1


def test_the_same_action_proposed_again_has_an_audit_event_of_its_own(agent, tree):
    env = {"COOLDOWN_SECONDS": 0}
    tree.event()
    agent.run_once(env=env)
    tree.clear_pending()
    tree.event()
    agent.run_once(env=env)
    assert len(tree.audits()) == 2


@pytest.mark.parametrize("offset", [-86400, 86400])
def test_its_day_is_that_of_the_action_not_of_the_event(agent, tree, offset):
    tree.event(day=utc_day(offset), timestamp=iso(-10))
    agent.run_once()
    created = tree.action()["created_at"]
    assert [path.parent.parent.name for path in tree.audits()] == [time.strftime("%Y-%m-%d", time.gmtime(created))]
