"""Approve and reject, the only way on from pending/."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import pwd
import stat
import subprocess
import time

import pytest

from agent import clean_json, sha256, wait_for

ID = "container-restart-solaria-web"
TARGET = {"approve": "approved", "reject": "rejected"}
BOTH = pytest.mark.parametrize("command", ["approve", "reject"])


@pytest.fixture
def pending(agent, tree):
    """One pending action of ours; its path."""
    tree.event()
    agent.run_once()
    return tree.action_path(ID)


def nowhere_else(tree, place):
    for other in ("pending", "approved", "rejected", "running", "completed", "failed", "cancelled"):
        if other != place:
            assert tree.actions(other) == {}, other
    assert tree.dot_files() == []


# ---- Done ---------------------------------------------------------------------------------------


@BOTH
def test_it_is_moved_on_with_its_history(agent, tree, pending, command):
    before = clean_json(pending.read_text())
    began = int(time.time())
    agent.cmd(command, ID)
    after = tree.action(ID, TARGET[command])
    nowhere_else(tree, TARGET[command])
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert began <= after["updated_at"] <= time.time() and isinstance(after["updated_at"], int)
    assert after["transition_history"] == before["transition_history"] + [
        {"from": "pending", "to": TARGET[command], "timestamp": after["updated_at"], "by": f"operator-cli:{user}"}]
    assert after["status"] == TARGET[command]
    kept = set(before) - {"status", "updated_at", "transition_history"}
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert set(after) == set(before)


@BOTH
def test_a_note_is_kept(agent, tree, pending, command):
    note = "looked at it: \"fine\" \\ żółw\n\x1b[31m"
    agent.cmd(command, ID, "--note", note)
    assert tree.action(ID, TARGET[command])["transition_history"][-1]["note"] == note


@BOTH
def test_members_unknown_to_us_are_kept(agent, tree, command):
    """To the letter: another program's numbers are not ours to round."""
    raw = ('{"x_first":{"deep":[1,{"a":null}]},"action_id":"%s","big":12345678901234567890123,"exact":1.10,'
           '"small":1e-300,"text":"\\u0000\\ud83d\\ude00 \\/ \\u001b","node":"solaria","service":"web",'
           '"type":"container_restart","risk":"guarded","status":"pending","created_at":1780000000,'
           '"updated_at":1780000000,"transition_history":[{"from":null,"to":"pending","odd":[true]}],'
           '"last":"x"}' % ID)
    tree.put_action("pending", {"action_id": ID}, raw=raw)
    agent.cmd(command, ID)
    path = tree.action_path(ID, TARGET[command])
    after = clean_json(path.read_text())
    before = clean_json(raw)
    for key in set(before) - {"status", "updated_at", "transition_history"}:
        assert after[key] == before[key], key
    text = path.read_text().replace(" ", "")
    assert "12345678901234567890123" in text and '"exact":1.10' in text
    assert after["transition_history"][0] == {"from": None, "to": "pending", "odd": [True]}
    assert len(after["transition_history"]) == 2


@BOTH
@pytest.mark.parametrize("without", ["transition_history", "status", "updated_at", "correlation_id"])
def test_an_action_of_another_writer_may_lack_members(agent, tree, command, without):
    action = {"action_id": ID, "service": "web", "node": "solaria", "type": "container_restart",
              "risk": "guarded", "status": "pending", "created_at": 1780000000, "updated_at": 1780000000,
              "correlation_id": "c", "transition_history": []}
    del action[without]
    tree.put_action("pending", action)
    agent.cmd(command, ID)
    after = tree.action(ID, TARGET[command])
    assert after["status"] == TARGET[command] and len(after["transition_history"]) == 1
    assert abs(after["updated_at"] - time.time()) < 60


@BOTH
def test_it_is_a_new_file_so_that_an_open_descriptor_changes_nothing(agent, tree, pending, command):
    with open(pending, "r+b") as kept:
        inode = os.fstat(kept.fileno()).st_ino
        agent.cmd(command, ID)
        path = tree.action_path(ID, TARGET[command])
        approved = path.read_bytes()
        assert path.stat().st_ino != inode and path.stat().st_nlink == 1
        kept.write(b'{"type":"rm -rf"}')
        kept.flush()
        assert path.read_bytes() == approved


@BOTH
def test_the_target_directory_is_made_where_it_is_missing(agent, tree, pending, command):
    assert not (tree.path / "actions" / TARGET[command]).exists()
    agent.cmd(command, ID)
    assert ID in tree.actions(TARGET[command])


def test_what_was_approved_says_so(agent, tree, pending):
    assert ID in agent.cmd("approve", ID).out


def test_an_older_rejected_file_is_replaced(agent, tree, pending):
    old = tree.put_action("rejected", {"action_id": ID, "node": "solaria", "service": "web", "old": True})
    agent.cmd("reject", ID)
    after = clean_json(old.read_text())
    assert "old" not in after and after["status"] == "rejected"
    nowhere_else(tree, "rejected")


# ---- --if ---------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("digits", [8, 9, 40, 64])
def test_if_with_the_hash_that_show_prints(agent, tree, pending, command, digits):
    digest = sha256(pending.read_bytes())
    assert digest in agent.cmd("show", ID).out
    agent.cmd(command, ID, "--if", digest[:digits])
    assert ID in tree.actions(TARGET[command])


@BOTH
def test_if_with_a_wrong_hash_changes_nothing(agent, tree, pending, command):
    digest = sha256(pending.read_bytes())
    wrong = digest[:7] + ("0" if digest[7] != "0" else "1")
    before = tree.snapshot()
    agent.cmd(command, ID, "--if", wrong, rc=1, err=".")
    assert only_files(tree.snapshot()) == only_files(before)
    assert tree.dot_files() == []


def only_files(snapshot):
    """Content by path: claiming and putting back may touch times of directories."""
    return {path: entry[-1] for path, entry in snapshot.items() if stat.S_ISREG(entry[0])}


@BOTH
def test_if_refuses_a_file_that_has_changed_since_it_was_shown(agent, tree, pending, command):
    digest = sha256(pending.read_bytes())
    action = clean_json(pending.read_text())
    action["type"] = "redeploy"
    pending.write_text(json.dumps(action))
    agent.cmd(command, ID, "--if", digest, rc=1, err=".")
    assert clean_json(pending.read_text()) == action
    nowhere_else(tree, "pending")


@BOTH
@pytest.mark.parametrize("digits", ["", "1234567", "g" * 8, "0" * 65, "0x123456"])
def test_if_must_be_8_to_64_hexadecimal_digits(agent, tree, pending, command, digits):
    agent.cmd(command, ID, "--if", digits, rc=64, err=".")
    nowhere_else(tree, "pending")


# ---- No ------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("name", ["no-such-id", ID[:-1], ID + ".json", ID.upper()])
def test_an_id_must_be_whole_and_there(agent, tree, pending, command, name):
    agent.cmd(command, name, rc=1, err=".")
    nowhere_else(tree, "pending")


@BOTH
@pytest.mark.parametrize("name", ["", ".", "..", "../pending/" + ID, "a/b", ".hidden", "x" * 201, "a\nb", "\x1b[31m"],
                         ids=ascii)
def test_what_is_no_id_is_refused(agent, tree, pending, command, name):
    agent.cmd(command, name, rc=(1, 64), err=".")
    nowhere_else(tree, "pending")


def test_approved_is_never_overwritten(agent, tree, pending):
    content = pending.read_bytes()
    there = tree.put_action("approved", {"action_id": ID, "node": "solaria", "service": "web", "old": True})
    before = there.read_bytes(), there.stat().st_ino
    agent.cmd("approve", ID, rc=1, err=".")
    assert (there.read_bytes(), there.stat().st_ino) == before
    assert pending.read_bytes() == content, "the claim was not put back"
    assert tree.dot_files() == []


def test_approved_is_not_overwritten_by_a_dangling_symlink_either(agent, tree, pending):
    link = tree.path / "actions" / "approved" / f"{ID}.json"
    link.parent.mkdir()
    link.symlink_to(tree.path / "elsewhere")
    agent.cmd("approve", ID, rc=1, err=".")
    assert link.is_symlink() and not (tree.path / "elsewhere").exists()
    assert pending.exists()


BAD_FILES = {
    "empty": "", "cut": "{", "array": "[]", "no_id": "{}", "other_id": '{"action_id":"container-restart-x-y"}',
    "id_number": '{"action_id":5}', "nul": '{"action_id":"%s"}\0' % ID,
    "large": '{"action_id":"%s","x":"%s"}' % (ID, "x" * 70000), "two_roots": '{"action_id":"%s"}' % ID * 2,
    "deep": '{"action_id":"%s","x":%s%s}' % (ID, "[" * 5000, "]" * 5000),
    "duplicate": '{"action_id":"%s","type":"redeploy","type":"container_restart"}' % ID,
    "history_is_text": '{"action_id":"%s","node":"n","service":"s","type":"redeploy","transition_history":"x"}' % ID,
}


@BOTH
@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_is_no_action_is_not_passed_on(agent, tree, command, case):
    path = tree.put_action("pending", {"action_id": ID}, raw=BAD_FILES[case])
    agent.cmd(command, ID, rc=1, err=".")
    assert path.read_text() == BAD_FILES[case]
    assert list((tree.path / "actions").glob("approved/*")) == []
    assert tree.dot_files() == []


@BOTH
@pytest.mark.parametrize("kind", ["symlink", "dangling", "fifo", "directory", "device", "socket"])
def test_what_is_no_regular_file_is_not_passed_on(agent, tree, command, kind):
    directory = tree.path / "actions" / "pending"
    directory.mkdir(parents=True)
    path = directory / f"{ID}.json"
    outside = tree.path / "outside.json"
    outside.write_text('{"action_id":"%s","node":"solaria","service":"web","type":"redeploy"}' % ID)
    put_odd(path, kind, outside)
    agent.cmd(command, ID, rc=1, err=".", timeout=60)
    assert [p.name for p in directory.iterdir()] == [path.name]
    assert not any((tree.path / "actions" / place).exists() and list((tree.path / "actions" / place).iterdir())
                   for place in ("approved", "rejected"))
    assert outside.read_text().startswith('{"action_id"')


def put_odd(path, kind, outside):
    if kind == "symlink":
        path.symlink_to(outside)
    elif kind == "dangling":
        path.symlink_to("/nonexistent/x")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        import socket
        previous = os.getcwd()
        os.chdir(path.parent)  # the name of a socket is short
        try:
            socket.socket(socket.AF_UNIX).bind(path.name)
        finally:
            os.chdir(previous)
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
        except PermissionError:
            path.symlink_to("/dev/zero")


@BOTH
def test_no_permission_is_77(user_agent, tree, command, program):
    tree.event()
    directory = tree.path / "actions"
    user_agent.run_once()
    if os.geteuid() == 0:
        os.chown(directory / "pending", 0, 0)
    (directory / "pending").chmod(0o555)
    try:
        user_agent.cmd(command, ID, rc=77, err=".")
        assert [path.name for path in (directory / "pending").iterdir()] == [f"{ID}.json"]
    finally:
        (directory / "pending").chmod(0o755)


def test_no_permission_in_the_target_puts_the_claim_back(user_agent, tree):
    tree.event()
    user_agent.run_once()
    approved = tree.path / "actions" / "approved"
    approved.mkdir()
    approved.chmod(0o555)
    user_agent.cmd("approve", ID, rc=77, err=".")
    approved.chmod(0o755)
    nowhere_else(tree, "pending")
    assert list(tree.actions()) == [ID]


@BOTH
def test_a_full_disk_while_moving_on_loses_nothing(agent, tree, pending, command):
    content = pending.read_bytes()
    agent.cmd(command, ID, rc=(1, 75), err=".", prefix=[
        "strace", "-f", "-o", "/dev/null", "-e", "trace=write,pwrite64,writev,pwritev",
        "-e", "inject=write,pwrite64,writev,pwritev:error=ENOSPC:when=1"], raw=True)
    assert pending.read_bytes() == content
    nowhere_else(tree, "pending")


# ---- Several operators --------------------------------------------------------------------------


@pytest.mark.parametrize("commands", [("approve", "approve"), ("approve", "reject"), ("reject", "reject")],
                         ids="-".join)
def test_of_two_racing_verdicts_exactly_one_wins(agent, tree, commands):
    outcomes = set()
    for n in range(25):
        tree.put_action("pending", {"action_id": f"redeploy-n-s{n}", "node": "n", "service": f"s{n}",
                                    "type": "redeploy", "status": "pending", "created_at": 1780000000,
                                    "transition_history": []})
    argv = [[agent.argv([command, f"redeploy-n-s{n}"], (), None) for command in commands] for n in range(25)]
    for n, pair in enumerate(argv):
        running = [subprocess.Popen(one, env=agent.environment({}), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True) for one in pair]
        ended = [(process.communicate(timeout=60), process.returncode) for process in running]
        codes = [code for _, code in ended]
        assert sorted(codes) == [0, 1], (n, ended)
        (_, error), _ = ended[codes.index(1)]
        assert error.strip() and error.count("\n") == 1, "the loser is told so"
        winner = commands[codes.index(0)]
        outcomes.add(winner)
        places = [place for place in ("pending", "approved", "rejected") if f"redeploy-n-s{n}" in tree.actions(place)]
        assert places == [TARGET[winner]]
        assert len(tree.action(f"redeploy-n-s{n}", TARGET[winner])["transition_history"]) == 1
    assert tree.dot_files() == []


def test_eight_operators_on_eight_actions(agent, tree):
    for n in range(8):
        tree.event(service=f"s{n}")
    agent.run_once()
    ids = sorted(tree.actions())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: agent.cmd(("approve", "reject")[n % 2], ids[n // 4], rc=(0, 1), err=""),
                             range(32)))
    assert sum(one.rc == 0 for one in done) == 8
    assert len(tree.actions("approved")) + len(tree.actions("rejected")) == 8
    assert tree.actions() == {} and tree.dot_files() == []


def test_a_verdict_waits_for_another_one_under_the_lock(agent, tree, pending):
    """flock on pending/: whoever holds it is waited for, not run over."""
    directory = os.open(pending.parent, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    process = subprocess.Popen(agent.argv(["approve", ID], (), None), env=agent.environment({}),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(0.5)
        assert pending.exists() and tree.actions("approved") == {}
        if process.poll() is not None:
            assert process.returncode == 75, "busy is: try again"
            return
        os.close(directory)
        directory = None
        process.communicate(timeout=30)
        assert process.returncode == 0 and ID in tree.actions("approved")
    finally:
        if directory is not None:
            os.close(directory)
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_the_daemon_does_not_mind_verdicts_beside_it(agent, tree):
    daemon = agent.start()
    for n in range(60):
        tree.event(service=f"s{n}")
    approved = rejected = 0
    deadline = time.monotonic() + 120
    while approved + rejected < 60 and time.monotonic() < deadline:
        for action_id in tree.path.glob("actions/pending/*.json"):
            command = ("approve", "reject")[(approved + rejected) % 2]
            if agent.cmd(command, action_id.stem).rc == 0:
                approved += command == "approve"
                rejected += command == "reject"
    daemon.stop()
    assert (approved, rejected) == (30, 30)
    assert len(tree.actions("approved")) == 30 and len(tree.actions("rejected")) == 30
    assert tree.actions() == {} and tree.dot_files() == [] and len(tree.audits()) == 60


# ---- In between ---------------------------------------------------------------------------------

RENAMES = "rename,renameat,renameat2"


@contextlib.contextmanager
def held_at_the_claim(agent, when, command="approve"):
    """A verdict that is held for three seconds as it enters, or leaves, the rename that claims; it
    has come there, and the file was read."""
    trace = agent.tree.path.parent / "renames"
    process = subprocess.Popen(
        agent.argv([command, ID], ["strace", "-f", "-o", str(trace), "-e", f"trace={RENAMES}",
                                   "-e", f"inject={RENAMES}:{when}=3000000:when=1"], None),
        env=agent.environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for("the claim", lambda: trace.exists() and "rename" in trace.read_text())
        yield process
    finally:
        process.communicate(timeout=30)


def test_an_approved_file_that_appears_after_the_claim_is_not_overwritten(agent, tree, pending):
    content = pending.read_bytes()
    with held_at_the_claim(agent, "delay_exit") as process:
        wait_for("the claim", lambda: not pending.exists())
        there = tree.put_action("approved", {"action_id": ID, "node": "solaria", "service": "web", "old": True})
        before = there.read_bytes()
    assert process.returncode == 1
    assert there.read_bytes() == before
    assert pending.read_bytes() == content, "the claim was not put back"
    assert tree.dot_files() == []


@BOTH
@pytest.mark.parametrize("how", ["replaced", "rewritten"])
def test_a_file_that_changes_between_reading_and_claim_is_not_passed_on(agent, tree, pending, command, how):
    """What the operator saw is what was read; what is claimed must be the same."""
    other = {**clean_json(pending.read_text()), "type": "redeploy", "risk": "nominal"}
    with held_at_the_claim(agent, "delay_enter", command) as process:
        assert pending.exists() and locked(pending.parent)
        if how == "rewritten":
            pending.write_text(json.dumps(other))
        else:
            part = pending.with_name(".part")
            part.write_text(json.dumps(other))
            part.rename(pending)
    assert process.returncode == 1
    assert clean_json(pending.read_text()) == other
    nowhere_else(tree, "pending")


def locked(directory):
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


# ---- The invariant ------------------------------------------------------------------------------

WRITING = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")


def touched(trace):
    """Lines of a trace (strace -y) that change something under actions/ other than pending/."""
    for line in pathlib.Path(trace).read_text(errors="replace").splitlines():
        if "= -1" in line and "openat" not in line:
            continue
        inside = any(f"actions/{place}" in line or f"\"{place}" in line for place in
                     ("approved", "running", "completed", "failed", "rejected", "cancelled"))
        if not inside:
            continue
        if "open" in line.split("(")[0] and not any(flag in line for flag in WRITING):
            continue
        yield line


def test_the_daemon_writes_to_pending_and_nowhere_else_under_actions(agent, tree):
    """The human-in-the-loop invariant, with something in every place, and a fault for each."""
    for n, place in enumerate(("approved", "running", "completed", "failed", "rejected", "cancelled")):
        tree.put_action(place, {"action_id": f"container-restart-n-s{n}", "node": "n", "service": f"s{n}",
                                "type": "container_restart", "status": place, "created_at": int(time.time()),
                                "details": {"event": {"type": "service_unhealthy", "severity": "error"}},
                                "updated_at": int(time.time())})
        (tree.path / "actions" / place / ".left-over").write_text("x")
        tree.event(node="n", service=f"s{n}")
    tree.event(node="a", service="b-c")
    tree.event(node="a-b", service="c")
    before = {path: entry for path, entry in tree.snapshot().items()
              if "/actions/" in path and "/pending" not in path}
    trace = tree.path.parent / "trace"
    strace = ["strace", "-f", "-y", "-o", str(trace), "-e",
              "trace=open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,"
              "unlink,unlinkat,rmdir,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,utime,"
              "utimes,utimensat,futimesat,mknod,mknodat,setxattr,fsetxattr"]
    daemon = agent.start(prefix=strace)
    daemon.wait_log("proposed", count=5)
    daemon.wait_log("already_open", "rejected_lately", count=3)
    tree.event("service_healthy", node="n", service="s1")
    tree.event(node="late", service="one")
    daemon.wait_log("proposed", count=6)
    daemon.stop()
    assert list(touched(trace)) == []
    after = {path: entry for path, entry in tree.snapshot().items()
             if "/actions/" in path and "/pending" not in path}
    assert after == before
    assert len(trace.read_text().splitlines()) > 30, "the trace saw nothing"


def test_the_daemon_makes_only_pending_under_actions(agent, tree):
    tree.event()
    agent.run_once()
    assert [path.name for path in (tree.path / "actions").iterdir()] == ["pending"]
