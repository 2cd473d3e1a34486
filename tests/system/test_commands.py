"""The commands an operator types: usage, tables, JSON, exit codes."""

import json
import os
import pathlib
import time

import pytest

from agent import Tree, check_logs, clean_json, fault, sha256, utc_day
from test_verdict import BAD_FILES, put_odd

ID = "container-restart-solaria-web"
COMMANDS = ["run", "check", "emit", "pending", "show", "approve", "reject", "replay", "status", "healthcheck",
            "version"]


# ---- Usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(agent, tree, command):
    done = agent.cmd(command, "--help")
    assert command in done.out and len(done.out.splitlines()) >= 2
    assert list(tree.path.iterdir()) == []


def test_the_usage_of_run_leaves_no_option_out(agent):
    usage, *rest = agent.cmd("run", "--help").out.splitlines()
    assert "[OPTIONS]" in usage and any(line.startswith("  --unconfined ") for line in rest)


def test_help_names_every_command(agent):
    out = agent.cmd("--help").out
    assert [command for command in COMMANDS if command not in out] == []


WRONG = [[], ["no-such-command"], ["--no-such-flag"], ["run", "--no-such-flag"], ["run", "extra"],
         ["run", "--env-file"], ["run", "--once=yes"], ["pending", "extra"], ["pending", "--jsonn"], ["show"],
         ["show", "a", "b"], ["approve"], ["approve", "a", "b"], ["approve", "--if", "12345678"], ["approve", "a", "--note"],
         ["reject"], ["reject", "a", "--if"], ["replay"], ["status", "extra"], ["healthcheck", "--max-age"],
         ["healthcheck", "--max-age", "soon"], ["healthcheck", "--max-age", "-5"],
         ["healthcheck", "--max-age", "99999999999999999999"], ["version", "extra"], ["check", "extra"],
         ["run", "--once", "--once=1"], ["RUN"], [""], ["approve", "a", "--note", "x" * 501],
         ["approve", "a", "--note", os.fsdecode(b"\xff")]]


@pytest.mark.parametrize("args", WRONG, ids=lambda args: " ".join(args)[:30].encode("ascii", "replace").decode() or "nothing")
def test_wrong_usage_is_64(agent, tree, args):
    done = agent.cmd(*args, rc=64, err=".")
    assert done.out == ""
    assert list(tree.path.iterdir()) == []


def test_version_names_ours_and_each_dependencys(agent):
    out = agent.cmd("version").out
    manifest = pathlib.Path(__file__).parents[2] / "vendor" / "manifest"
    wanted = [line.split()[1:3] for line in manifest.read_text().splitlines() if line.startswith("source ")]
    assert len(wanted) >= 4
    for name, version in wanted:
        assert name.lower() in out.lower() and version in out
    assert "planner-agent" in out


def test_commands_need_no_daemon_and_no_tree(agent, tree):
    """A first look on a fresh machine: no tree yet is no fault."""
    assert agent.pending() == []
    agent.cmd("pending")
    agent.cmd("status", rc=(0, 1, 69), err="")
    agent.cmd("show", ID, rc=1, err=".")
    agent.cmd("approve", ID, rc=1, err=".")


# ---- pending, show ------------------------------------------------------------------------------


def test_pending_is_one_array_of_the_actions(agent, tree):
    for service in ("a", "b"):
        tree.event(service=service)
    tree.event("disk_pressure", service=None)
    agent.run_once()
    listed = agent.pending()
    assert {one["action_id"] for one in listed} == set(tree.actions())
    for one in listed:
        action = tree.action(one["action_id"])
        assert (one["node"], one["service"], one["risk"]) == (action["node"], action["service"], action["risk"])


def test_pending_is_a_table_with_the_reason(agent, tree):
    tree.event()
    agent.run_once()
    action = tree.action()
    out = agent.cmd("pending").out
    row, = [line for line in out.splitlines() if ID in line]
    for text in ("solaria", "web", "restart", "guarded", str(action["details"]["confidence"])):
        assert text in row, row
    assert action["details"]["reason"][:10] in out


def test_pending_of_a_tree_that_is_not_there(agent, tree, tmp_path):
    """A mistyped path is not a quiet planner."""
    agent.cmd("pending", "--runtime", tmp_path / "elsewhere", rc=75, err="elsewhere: No such file or directory")
    (tmp_path / "link").symlink_to(tree.path)
    assert agent.cmd("pending", "--runtime", tmp_path / "link").out == "Nothing is pending.\n"


def test_pending_lists_the_supervisors_actions_too(agent, tree):
    tree.put_action("pending", {"action_id": ID, "node": "solaria", "service": "web", "type": "container_restart",
                                "risk": "guarded", "status": "pending", "created_at": int(time.time()) - 3600})
    assert [one["action_id"] for one in agent.pending()] == [ID]
    assert ID in agent.cmd("pending").out


def test_pending_does_not_take_what_it_may_not_read_for_nothing(user_agent, tree):
    tree.event()
    user_agent.run_once()
    tree.action_path(ID).chmod(0)
    user_agent.cmd("pending", rc=77, err="Permission denied")
    tree.put_action("pending", {"action_id": "redeploy-a-b", "node": "a", "service": "b", "type": "redeploy",
                                "created_at": 1780000000})
    out = user_agent.cmd("pending").out
    assert "redeploy-a-b" in out and "1 more in actions/pending cannot be read: Permission denied" in out


@pytest.mark.parametrize("case", BAD_FILES)
def test_pending_and_show_survive_any_file(agent, tree, case):
    tree.put_action("pending", {"action_id": ID}, raw=BAD_FILES[case])
    tree.put_action("pending", {"action_id": "redeploy-a-b", "node": "a", "service": "b", "type": "redeploy",
                                "created_at": 1780000000})
    done = agent.cmd("pending", err="")
    assert "redeploy-a-b" in done.out
    listed = agent.cmd("pending", "--json", err="").json
    assert "redeploy-a-b" in [one.get("action_id") for one in listed]
    agent.cmd("show", ID, rc=(0, 1), err="")


@pytest.mark.parametrize("kind", ["symlink", "dangling", "fifo", "directory", "device", "socket"])
def test_pending_and_show_never_block_or_follow(agent, tree, kind):
    outside = tree.path / "outside.json"
    outside.write_text('{"action_id":"%s","node":"trap","service":"trap","type":"redeploy"}' % ID)
    (tree.path / "actions" / "pending").mkdir(parents=True)
    put_odd(tree.path / "actions" / "pending" / f"{ID}.json", kind, outside)
    assert "trap" not in agent.cmd("pending", err="", timeout=60).out
    done = agent.cmd("show", ID, rc=(0, 1), err="", timeout=60)
    assert "trap" not in done.out


def test_text_from_a_file_reaches_the_terminal_escaped(agent, tree):
    """cmd() fails on a raw control, bidi or zero-width character."""
    evil = "\x1b]0;pwned\x07\x1b[2J\r\nfake-row\u202egnp\u200b\x9b31m\x7f"
    tree.put_action("pending", {"action_id": ID, "node": evil, "service": evil, "type": evil, "risk": evil,
                                "status": evil, "created_at": 1780000000, "correlation_id": evil, evil: evil,
                                "proposed_by": evil, "details": {"reason": evil, "model": evil, "action": evil,
                                                                 "confidence": 0.5, "policy": [evil],
                                                                 "event": {"type": evil, "message": evil}},
                                "transition_history": [{"by": evil, "note": evil}]})
    table = agent.cmd("pending").out
    assert len([line for line in table.splitlines() if "fake-row" in line and ID not in line]) == 0
    agent.cmd("pending", "--json")
    agent.cmd("show", ID)
    agent.cmd("approve", ID)


def test_show_prints_the_action_and_its_hash(agent, tree):
    tree.event(message="exit code 137")
    agent.run_once()
    out = agent.cmd("show", ID).out
    for text in (ID, "solaria", "web", "guarded", "137", sha256(tree.action_path(ID).read_bytes())):
        assert text in out


def test_show_takes_a_unique_prefix(agent, tree):
    for service in ("web", "db"):
        tree.event(service=service)
    agent.run_once()
    assert ID in agent.cmd("show", "container-restart-solaria-w").out
    done = agent.cmd("show", "container-restart-solaria-", rc=1, err=".")
    assert ID in done.out + done.err or "2" in done.err or "unique" in done.err or "several" in done.err


def test_show_prefers_the_whole_id_to_a_longer_one(agent, tree):
    for service in ("web", "web2"):
        tree.event(service=service)
    agent.run_once()
    out = agent.cmd("show", ID).out
    assert ID in out and ID + "2" not in out


@pytest.mark.parametrize("command", [["pending"], ["pending", "--json"], ["show", ID], ["status"], ["check"],
                                     ["version"], ["--help"]], ids=" ".join)
def test_output_that_cannot_be_written_is_a_failure(agent, tree, command):
    tree.event()
    agent.run_once()
    with open("/dev/full", "wb") as full:
        done = agent.cmd(*command, rc=(1, 69, 74, 75), stdout=full, err="")
    assert done.err.count("\n") <= 1


def test_ages_of_a_clock_that_was_wrong_do_no_harm(agent, tree):
    for n, at in enumerate((0, -5, 2**62, 99999999999, "x", None, 1.5)):
        tree.put_action("pending", {"action_id": f"redeploy-n-{n}", "node": "n", "service": str(n),
                                    "type": "redeploy", "created_at": at})
    assert len(agent.pending()) == 7
    agent.cmd("pending")


def test_a_thousand_pending_actions(agent, tree):
    for n in range(1000):
        tree.put_action("pending", {"action_id": f"redeploy-n-{n:04d}", "node": "n", "service": str(n),
                                    "type": "redeploy", "created_at": 1780000000 + n})
    assert len(agent.pending()) == 1000
    assert agent.cmd("pending").out.count("redeploy-n-") == 1000


# ---- emit ---------------------------------------------------------------------------------------


def test_emit_then_run(agent, tree):
    agent.cmd("emit", "--type", "service_unhealthy", "--node", "solaria", "--service", "web", "--severity", "error",
              "--message", "exit \"137\" \\ żółw")
    path, = (tree.path / "events").rglob("*.json")
    event = clean_json(path.read_text())
    assert (event["type"], event["node"], event["service"], event["severity"]) == \
        ("service_unhealthy", "solaria", "web", "error")
    assert event["message"] == "exit \"137\" \\ żółw"
    assert path.stat().st_mode & 0o777 == 0o644 and tree.dot_files() == []
    assert path.relative_to(tree.path).parts[1] in (tree.day, utc_day())
    agent.run_once()
    assert tree.action()["details"]["event"]["message"] == event["message"]


def test_emit_twice_is_two_events(agent, tree):
    for _ in range(20):
        agent.cmd("emit", "--type", "service_unhealthy", "--node", "solaria", "--service", "web")
    assert len(list((tree.path / "events").rglob("*.json"))) == 20


def test_emit_to_a_running_daemon(agent, tree):
    daemon = agent.start()
    agent.cmd("emit", "--type", "service_unhealthy", "--node", "solaria", "--service", "web")
    daemon.wait_log("proposed")
    assert daemon.named("refused") == []


def test_emit_speaks_for_its_own_node_by_default_and_carries_a_payload(agent, tree):
    agent.cmd("emit", "--type", "high_memory", "--payload", '{"used_percent": 97}', "--source", "my-script")
    path, = (tree.path / "events").rglob("*.json")
    event = clean_json(path.read_text())
    assert (event["node"], event["payload"], event["source"]) == ("planner", {"used_percent": 97}, "my-script")
    agent.run_once()
    assert tree.action()["node"] == "planner"


def test_emit_of_a_hostile_node_stays_in_the_tree(agent, tree):
    agent.cmd("emit", "--type", "service_unhealthy", "--node", "../../../x", "--service", "a/b", rc=(0, 64), err="")
    assert sorted(path.name for path in tree.path.parent.iterdir()) == ["homelab"]
    agent.run_once()
    assert all(action["type"] == "alert_only" for action in tree.actions().values())


@pytest.mark.parametrize("args", [[], ["--type", "t", "--severity", "loud"], ["--type", "x" * 129], ["--type", ""],
                                  ["--type", "t", "--node", "n" * 129], ["--type", "t", "extra"],
                                  ["--type", "t", "--service", os.fsdecode(b"\xff")],
                                  ["--type", "t", "--payload", "{broken"], ["--type", "t", "--payload", "[" * 99]],
                         ids=lambda args: " ".join(args)[:20].encode("ascii", "replace").decode() or "nothing")
def test_emit_writes_nothing_that_would_be_refused(agent, tree, args):
    agent.cmd("emit", *args, rc=(64, 78), err=".")
    assert list(tree.path.rglob("*.json")) == []


# ---- replay -------------------------------------------------------------------------------------


def test_replay_decides_as_run_would_and_writes_nothing(agent, tree):
    tree.event(name="a.json")
    tree.event("disk_pressure", service=None, name="b.json")
    tree.event("service_healthy", service="c", name="c.json")
    tree.event(node="chelsty-1", name="d.json")
    tree.raw("{broken", name="e.json")
    tree.jsonl(fault(service="line"))
    before = tree.snapshot()
    done = agent.cmd("replay", str(tree.path / "events"))
    assert tree.snapshot() == before
    for text in ("container-restart-solaria-web", "alert-solaria-all-disk_pressure", "chelsty-1",
                 "container-restart-solaria-line", "e.json"):
        assert text in done.out, done.out
    agent.run_once()
    for action_id in tree.actions():
        assert action_id in done.out


def test_replay_of_a_single_file_and_of_several(agent, tree):
    one = tree.event(name="a.json")
    two = tree.event(service="db", name="b.json")
    out = agent.cmd("replay", str(one)).out
    assert ID in out and "container-restart-solaria-db" not in out
    out = agent.cmd("replay", str(one), str(two)).out
    assert ID in out and "container-restart-solaria-db" in out


def test_replay_of_files_outside_the_tree_needs_no_tree(agent, tree, tmp_path):
    other = Tree(tmp_path / "elsewhere")
    path = other.event()
    tree.path.rmdir()
    assert ID in agent.cmd("replay", str(path)).out
    assert not tree.path.exists()


def test_replay_beside_a_running_daemon_changes_nothing(agent, tree):
    daemon = agent.start()
    tree.event()
    daemon.wait_log("proposed")
    daemon.wait_log("state_saved")  # no temporary file comes and goes while we look
    before = tree.snapshot()
    agent.cmd("replay", str(tree.path / "events"))
    after = tree.snapshot()
    changed = {path for path in set(before) | set(after) if before.get(path) != after.get(path)}
    assert all("state" in path for path in changed), changed


def test_replay_of_what_is_not_there_is_a_failure(agent, tree):
    agent.cmd("replay", "/nonexistent/x.json", rc=(1, 69), err=".")


# ---- status, check ------------------------------------------------------------------------------


def test_status_after_a_run(agent, tree):
    tree.event()
    tree.raw("[]")
    agent.run_once()
    assert agent.count("proposed") == 1 and agent.count("refused") == 1
    out = agent.cmd("status").out
    assert "proposed" in out and "refused" in out
    assert ID in json.dumps(agent.status())


def test_status_counts_over_the_daemons_life(agent, tree):
    daemon = agent.start()
    for n in range(5):
        tree.event(service=f"s{n}")
    daemon.wait_log("proposed", count=5)
    daemon.stop()
    assert agent.count("proposed") == 5


def test_check_prints_the_configuration_and_is_content(agent, tree):
    out = agent.cmd("check", env={"WATCH_NODES": "sol*,orion", "COOLDOWN_SECONDS": "77"}).out
    for text in ("WATCH_NODES", "sol*,orion", "COOLDOWN_SECONDS", "77", "NODE_NAME", "planner", str(tree.path)):
        assert text in out


def test_check_says_when_a_directory_is_not_writable(user_agent, tree):
    pending = tree.path / "actions" / "pending"
    pending.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(tree.path / "actions", 65534, 65534)
    pending.chmod(0o555)
    done = user_agent.cmd("check", rc=(1, 77, 78), err="")
    assert "pending" in done.out + done.err
    pending.chmod(0o755)
    assert list(pending.iterdir()) == []


def test_check_leaves_nothing_behind(agent, tree):
    agent.run_once()
    before = {path: entry[-1] for path, entry in tree.snapshot().items()}
    agent.cmd("check")
    assert {path: entry[-1] for path, entry in tree.snapshot().items()} == before


def test_log_lines_of_run_and_json_of_commands_never_mix(agent, tree):
    tree.event()
    done = agent.run_once()
    check_logs(done.raw_out, "run")
    json.loads(agent.cmd("pending", "--json").out)
    json.loads(agent.cmd("status", "--json").out)
