"""What a real bash completes with toolchain/completion/planner-agent.bash."""

import json
import os
import pathlib
import pty
import re
import select
import subprocess
import time

import pytest

from agent import Tree, wait_for

SCRIPT = pathlib.Path(__file__).parents[2] / "toolchain" / "completion" / "planner-agent.bash"
ID = "container-restart-solaria-web"

# Sets what bash sets, calls what bash calls.
ASK = """
source "$1"; shift
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_planner_agent "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
((${#COMPREPLY[@]} == 0)) || printf '%s\\0' "${COMPREPLY[@]}"
"""


def complete(agent, *words):
    """What is offered for the last of these words, behind the program's name."""
    done = subprocess.run(["bash", "--norc", "--noprofile", "-c", ASK, "bash", str(SCRIPT), agent.program, *words],
                          env=agent.environment({"HOME": str(agent.tree.path)}), capture_output=True, text=True,
                          cwd=agent.tree.path, timeout=30, check=False)
    assert (done.returncode, done.stderr) in ((0, ""), (1, "")), done
    return done.stdout.split("\0")[:-1]


def put(tree, action_id, service="web"):
    tree.put_action("pending", {"action_id": action_id, "node": "solaria", "service": service, "type": "redeploy",
                                "created_at": 1780000000})


def test_commands(agent):
    listed = re.findall(r"^  ([a-z]+) ", agent.cmd("--help").out, re.MULTILINE)
    assert complete(agent, "") == listed and len(listed) >= 12
    assert complete(agent, "re") == [one for one in listed if one.startswith("re")] != []
    assert complete(agent, "no-such") == []


def test_options(agent):
    assert complete(agent, "approve", "-") == ["--if", "--note", "--runtime", "--env-file"]
    assert complete(agent, "run", "--o") == ["--once", "--offline"]
    assert complete(agent, "run", "--once", "--of") == ["--offline"]
    assert complete(agent, "no-such", "-") == []


def test_values(agent, tree):
    (tree.path / "one dir").mkdir()
    (tree.path / "one.env").touch()
    assert complete(agent, "emit", "--severity", "") == ["info", "warning", "error", "critical"]
    assert complete(agent, "emit", "--severity", "=", "w") == ["warning"]
    assert complete(agent, "emit", "--severity", "=") == ["info", "warning", "error", "critical"]
    assert complete(agent, "healthcheck", "--max-age", "-") == []  # a value that only the operator knows
    assert complete(agent, "route", "--schema", "p") == ["proposal"]
    assert complete(agent, "check", "--runtime", "o") == ["one dir"]
    assert sorted(complete(agent, "check", "--env-file", "o")) == ["one dir", "one.env"]
    assert sorted(complete(agent, "replay", "o")) == ["one dir", "one.env"]
    assert "root" in complete(agent, "run", "--user", "roo")


def test_names_of_services(agent):
    assert complete(agent, "service", "s6/f") == ["s6/finish"]
    assert {"install", "uninstall", "systemd", "service.yaml", "healthcheck.sh", "env"} <= set(complete(agent, "service", ""))
    for name in complete(agent, "service", ""):
        if name not in ("install", "uninstall"):
            agent.cmd("service", name)
    systems = complete(agent, "service", "install", "--init", "")
    assert set(systems) == {"systemd", "openrc", "procd", "sysv", "runit", "s6"}


@pytest.mark.parametrize("command", ["approve", "reject", "show"])
def test_ids(agent, tree, command):
    for action_id in (ID, "redeploy-a.b_c-d", "alert-hub-all-x"):
        put(tree, action_id)
    assert sorted(complete(agent, command, "")) == ["alert-hub-all-x", ID, "redeploy-a.b_c-d"]
    assert complete(agent, command, "con") == [ID]
    # Behind an option that takes a value the value comes first.
    assert complete(agent, command, "--json" if command == "show" else "--note", "con") == \
        ([ID] if command == "show" else [])
    assert complete(agent, "status", "con") == []


def test_ids_of_another_tree(agent, tree, tmp_path):
    other = Tree(tmp_path / "other")
    put(other, "redeploy-other-web")
    put(tree, ID)
    assert complete(agent, "approve", "--runtime", str(other.path), "") == ["redeploy-other-web"]
    assert complete(agent, "approve", "--runtime", "=", str(other.path), "") == ["redeploy-other-web"]
    assert complete(agent, "approve", "--runtime", "$(touch pwned)", "") == [ID]
    env_file = tmp_path / "env"
    env_file.write_text(f"RUNTIME_PATH={other.path}\n")
    agent.env["RUNTIME_PATH"] = None
    assert complete(agent, "approve", "--env-file", str(env_file), "") == ["redeploy-other-web"]


HOSTILE = ["$(touch pwned)", "`touch pwned`", "a;touch pwned", "a b", "a'b", 'a"b', "a\\b", "-rf", "--help", "~root", "a$HOME",
           "a*", "a?", "a\nb", "a\x1bb", "a&b", "a|b", "a>b", "żółw", "{a,b}", "!!", "#a", ".a", 'a","action_id":"b']


@pytest.mark.parametrize("typed", ["", "a", "$", "-r", "~"])
def test_hostile_files_are_not_offered(agent, tree, typed):
    put(tree, ID)
    for action_id in HOSTILE:
        put(tree, action_id)
    assert complete(agent, "approve", typed) == ([ID] if typed == "" else [])
    assert not list(tree.path.rglob("pwned"))


def test_hostile_output_is_not_offered(agent, tree):
    """Not even from a program that prints anything."""
    lines = [f'  {{"action_id":{json.dumps(one, ensure_ascii=False)},"node":"n"}},' for one in HOSTILE]
    lines += [f'  {{"action_id":"{one}","node":"n"}},' for one in HOSTILE]
    lines += [f"  {one}  what it does" for one in HOSTILE] + [f"  --{one} X  what it does" for one in HOSTILE]
    lines += ['  {"action_id":"good","node":"n"}', "  good  what it does", "  --good X  what it does"]
    (tree.path / "lines").write_text("\n".join(lines) + "\n")
    program = tree.path / "program"
    program.write_text(f"#!/bin/sh\ncat '{tree.path}/lines'\n")
    program.chmod(0o755)
    agent.program = str(program)
    assert set(complete(agent, "approve", "")) == {"good", "a"}  # the last of HOSTILE ends its string itself
    assert set(complete(agent, "")) == {"good", "a"}
    options = complete(agent, "approve", "-")
    assert "--good" in options and [one for one in options if not re.fullmatch(r"[a-z-]+", one)] == []
    assert not list(tree.path.rglob("pwned"))


def test_no_program_is_no_fault(agent, tree):
    agent.program = str(tree.path / "absent")
    for words in ([""], ["approve", ""], ["approve", "-"]):
        assert complete(agent, *words) == []


def test_in_a_terminal(agent, tree):
    """Typed keys, a tabulator, and what then stands in the line."""
    put(tree, ID)
    program = pathlib.Path(agent.program)
    env = agent.environment({"PATH": f"{program.parent}:/usr/bin:/bin", "TERM": "dumb", "PS1": "> ", "HOME": "/"})
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
    seen = b""
    try:
        os.write(fd, f"source '{SCRIPT}'\n".encode())
        os.write(fd, b"planner-agent approv\tcontainer-re\t--not\tno\n")
        until = time.monotonic() + 20
        while time.monotonic() < until and f"approve {ID} --note no".encode() not in seen:
            if select.select([fd], [], [], 0.1)[0]:
                seen += os.read(fd, 4096)
        wait_for("what was typed is done", lambda: list(tree.actions("approved")) == [ID])
    finally:
        os.close(fd)
        os.waitpid(pid, 0)
    assert tree.action(ID, "approved")["transition_history"][-1]["note"] == "no"
