"""The audit event."""

import json
import os
import pathlib
import stat
import struct
import time

import pytest

from agent import iso, sha256, utc_day, wait_for


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


def test_a_day_whose_mode_an_access_list_decides(agent, tree):
    """Other bits than its parent has, which nobody confined may mend."""
    events = tree.path / "events"
    events.mkdir(exist_ok=True)
    entry = struct.Struct("<HHI").pack
    nobody = 0xffffffff
    os.setxattr(events, "system.posix_acl_default", struct.pack("<I", 2) + entry(1, 7, nobody) + entry(4, 5, nobody)
                + entry(32, 0, nobody))
    tree.event("service_healthy")
    (events / tree.day).chmod(0o2775)
    daemon = agent.start()
    tree.event()
    daemon.wait_log("proposed")
    assert len(tree.audits()) == 1
    assert daemon.named("disk_fault") == []


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
@pytest.mark.parametrize("mode", [0o755, 0o2775, 0o3777, 0o700])
@pytest.mark.parametrize("by", ["run", "emit"])
def test_a_new_day_has_the_mode_of_events(agent, tree, umask, mode, by):
    """Other agents write there, too, with their group. The confined may not set the bit that passes
    the group on, nor who runs under systemd."""
    tree.event(day=utc_day(-86400))
    events = tree.path / "events"
    group = 4711 if os.geteuid() == 0 else os.getegid()
    os.chown(events, -1, group)
    events.chmod(mode)
    if by == "run":
        agent.run_once(umask=umask)
        path, = tree.audits()
    else:
        path = pathlib.Path(agent.cmd("emit", "--type", "service_unhealthy", "--service", "web", umask=umask).out.strip())
    for made in (path.parent, path.parent.parent):
        found = made.stat()
        assert (oct(stat.S_IMODE(found.st_mode)), found.st_gid) == (oct(mode & ~0o002), group)
    assert path.parents[2] == events
    assert path.stat().st_gid == group and stat.S_IMODE(path.stat().st_mode) == 0o644


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


# ---- What a killed planner owes ------------------------------------------------------------------
#
# Its event was a message, or was read to its end: nobody brings it again.


ID = "container-restart-solaria-web"
DAY = 86400


def owed(agent, tree, **members):
    """An action whose audit event is missing, and the place of that."""
    tree.event(correlation_id="corr-1", **members)
    agent.run_once()
    audit, = tree.audits()
    content = audit.read_bytes()
    audit.unlink()
    return audit, content


@pytest.mark.parametrize("place", ["pending", "approved", "running", "completed", "failed"])
def test_what_is_missing_is_written_at_the_next_start(agent, tree, place):
    audit, content = owed(agent, tree)
    if place != "pending":
        agent.cmd("approve", ID)
    if place not in ("pending", "approved"):
        tree.move_action(ID, place, "approved")
    action = tree.action_path(ID, place).read_bytes()
    done = agent.run_once()
    assert done.named("resumed", "already_open", "proposed") == [], "its event was read again"
    assert audit.read_bytes() == content and tree.action_path(ID, place).read_bytes() == action


def test_a_daemon_writes_it_before_its_first_heartbeat(agent, tree):
    audit, content = owed(agent, tree)
    before = tree.heartbeat.stat().st_mtime_ns
    agent.start()
    wait_for("a heartbeat", lambda: tree.heartbeat.stat().st_mtime_ns > before)
    assert audit.read_bytes() == content


def test_an_idle_start_writes_no_event(agent, tree):
    trace = tree.path.parent / "trace"
    tree.event()
    agent.run_once()
    agent.run_once()  # its progress is saved
    before = [(path, path.stat().st_ctime_ns) for path in tree.path.rglob("*") if "state" not in path.parts]
    agent.run_once(prefix=["strace", "-f", "-y", "-o", str(trace), "-e", "trace=fsync,fdatasync,mkdir,mkdirat,link,linkat"])
    assert before == [(path, path.stat().st_ctime_ns) for path in tree.path.rglob("*") if "state" not in path.parts]
    assert [line for line in trace.read_text().splitlines() if "/events" in line or "/actions" in line] == []


def aged(tree, place, seconds):
    """Makes the action older, and the file; the name its audit event has then."""
    path = tree.action_path(ID, place)
    action = json.loads(path.read_text())
    created = action["created_at"] - seconds
    path.write_text(json.dumps({**action, "created_at": created}))
    os.utime(path, (created, created))
    eight = sha256(f"{ID}\0{action['correlation_id']}".encode())[:8]
    day = time.strftime("%Y-%m-%d", time.gmtime(created))
    return tree.path / "events" / day / "planner" / f"evt-planner-{created * 1000}-{eight}.json"


def test_what_was_tidied_up_does_not_come_back(agent, tree):
    owed(agent, tree)
    audit = aged(tree, "pending", 2 * DAY)
    agent.run_once()
    assert tree.audits() == {} and not audit.parent.parent.exists()


def test_however_long_no_planner_ran_the_last_ones_are_looked_at(agent, tree):
    owed(agent, tree)
    audit = aged(tree, "pending", 30 * DAY)
    then = time.time() - 30 * DAY + 100
    os.utime(tree.heartbeat, (then, then))
    agent.run_once()
    assert list(tree.audits()) == [audit]


def test_under_another_node_name_it_is_not_missing(agent, tree):
    tree.event()
    agent.run_once()
    audit, = tree.audits()
    agent.run_once(env={"NODE_NAME": "renamed"})
    assert list(tree.audits()) == [audit] and tree.audits("renamed") == {}


def test_of_the_actions_of_others_nothing_is_told(agent, tree):
    """Nor of what is no action, or says of itself what is not so."""
    agent.run_once()
    now = int(time.time())
    ours = {"action_id": "x", "node": "solaria", "service": "web", "type": "container_restart", "created_at": now,
            "correlation_id": "c", "proposed_by": "planner-agent"}
    pending = tree.path / "actions" / "pending"
    tree.put_action("pending", {**ours, "action_id": "supervisors", "proposed_by": "supervisor"})
    tree.put_action("pending", {**ours, "action_id": "nobodys", "proposed_by": None})
    tree.put_action("pending", {**ours, "action_id": "from-the-future", "created_at": 253402300799})
    tree.put_action("pending", {**ours, "action_id": "from-nowhere", "created_at": "today"})
    (pending / "mismatch.json").write_text(json.dumps(ours))
    (pending / "large.json").write_text(json.dumps({**ours, "action_id": "large"}) + " " * 70000)
    (pending / "garbage.json").write_bytes(b"{\xff\0")
    (pending / "directory.json").mkdir()
    (tree.path / "x.json").write_text(json.dumps(ours))
    (pending / "x.json").symlink_to("../../x.json")
    os.mkfifo(pending / "fifo.json")
    agent.run_once()
    assert tree.audits() == {}


def test_names_in_an_action_file_do_not_lead_astray(agent, tree):
    """Who writes our name on an action has it told of, as a file of ours and nothing else."""
    agent.run_once()
    names = {"correlation_id": "../" * 80, "node": "\u202e../../x", "service": "\u0000" * 300, "type": "\n"}
    tree.put_action("pending", {**names, "action_id": "x", "created_at": int(time.time()),
                                "proposed_by": "planner-agent", "details": {"confidence": "1", "model": 7}})
    before = {path for path in tree.path.rglob("*")}
    agent.run_once()
    (path, event), = tree.audits().items()
    new = {one for one in tree.path.rglob("*")} - before
    assert new <= {path, path.parent, path.parent.parent, tree.state / "cooldowns"}
    assert event["payload"]["action_id"] == "x" and event["payload"]["confidence"] is None
    agent.run_once()
    assert list(tree.audits()) == [path]


def failures(agent):
    return sum(one["failures"] for one in agent.status()["planner"]["faults"]
               if one["what"] == "write missing audit events")


def test_what_cannot_be_written_is_tried_again(user_agent, tree):
    audit, content = owed(user_agent, tree)
    if os.geteuid() == 0:
        os.chown(audit.parent, 0, 0)
    audit.parent.chmod(0o555)
    done = user_agent.run_once(rc=75)
    assert [log["what"] for log in done.named("disk_fault")] == ["write missing audit events"]
    daemon = user_agent.start()
    daemon.wait_log("disk_fault")
    wait_for("one more try, after ten seconds", lambda: failures(user_agent) >= 2, 60)
    assert len(daemon.named("disk_fault")) == 1
    audit.parent.chmod(0o777)
    wait_for("the audit event", lambda: audit.exists() and audit.read_bytes() == content, 60)
    over, = daemon.wait_log("disk_fault_over")
    assert over["failures"] >= 2
