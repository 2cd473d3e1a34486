"""Environment, env file, what is accepted."""

import os

import pytest

BAD = {
    "COOLDOWN_SECONDS": ["often", "-1", "", "5 minutes", "1e3", "99999999999999999999", "0x10", " 5", "5.5"],
    "REPROPOSE_AFTER_SECONDS": ["x", "-1"],
    "CONFIDENCE_FLOOR": ["high", "1.1", "-0.1", "nan", "inf", "0,7"],
    "EVENT_LOOKBACK_SECONDS": ["x", "-1"],
    "EVENT_DEADLINE_SECONDS": ["x", "-1"],
    "HEARTBEAT_SECONDS": ["x", "-1", "0"],
    "NODE_ALIAS_MAP": ["x", "[]", "{", '{"a":1}', '{"a":"b",}', '{"a":"b","a":"c"}', '{"a":"%s"}' % ("n" * 129)],
    "LLM_CHAIN": ["nobody", "rules@soon", "rules,,rules", "rules@0", "rules@-1"],
    "LLM_CONCURRENCY": ["0", "x", "-1", "1000"],
    "LOG_LEVEL": ["loud"],
    "LOG_FORMAT": ["xml"],
    "RUNTIME_PATH": ["relative/path", "/" + "x" * 600],
}
CASES = [(key, value) for key, values in BAD.items() for value in values if value != ""]


@pytest.mark.parametrize("key,value", CASES, ids=[f"{key}={value[:20]}" for key, value in CASES])
@pytest.mark.parametrize("command", [["run", "--once"], ["check"]], ids=" ".join)
def test_a_bad_value_is_78_and_one_line_with_key_value_and_what_is_accepted(agent, tree, command, key, value):
    tree.event()
    before = tree.snapshot()
    done = agent.cmd(*command, rc=78, env={key: value}, err="")
    lines = (done.err + done.out).splitlines()
    line = next((line for line in lines if key in line), None)
    assert line, done
    if command[0] == "run":
        assert len(lines) == 1, done
    assert value[:20].replace('"', "") in line.replace("\\", "").replace('"', ""), done
    assert len(line) > len(key) + len(value[:20]) + 10, "what is accepted is not said"
    assert tree.snapshot() == before


def test_a_value_with_terminal_escapes_is_printed_escaped(agent):
    agent.cmd("run", "--once", env={"LOG_LEVEL": "\x1b[31m\u202e"}, rc=78, err="LOG_LEVEL|^$")


@pytest.mark.parametrize("key,value", [("COOLDOWN_SECONDS", "0"), ("REPROPOSE_AFTER_SECONDS", "0"),
                                       ("CONFIDENCE_FLOOR", "0"), ("CONFIDENCE_FLOOR", "1"), ("CONFIDENCE_FLOOR", "0.75"),
                                       ("LOG_LEVEL", "debug"), ("LOG_FORMAT", "auto"), ("NODE_ALIAS_MAP", "{}"),
                                       ("LLM_CHAIN", "rules@5"), ("EVENT_LOOKBACK_SECONDS", "86400"),
                                       ("HUMAN_ONLY_NODES", ""), ("NOTIFY_ONLY_EVENTS", ""), ("WATCH_NODES", "a,b*")])
def test_good_values(agent, key, value):
    agent.cmd("check", env={key: value})


def test_an_empty_variable_counts_as_unset(agent, tree):
    """Compose files write KEY= for what is not set. Lists may be empty, which is their meaning."""
    tree.event()
    agent.run_once(env={"COOLDOWN_SECONDS": "", "LOG_LEVEL": "", "NODE_ALIAS_MAP": "", "REDIS_URL": ""})
    assert len(tree.actions()) == 1


def test_offline_needs_no_other_setting(agent, tree):
    tree.event()
    agent.run_once(args=["--offline"], env={"LLM_CHAIN": None})
    assert tree.action()["details"]["model"] == "rules"


def test_without_a_redis_url_the_rules_are_the_last_hop(agent, tree):
    """The default chain; no model is reachable."""
    tree.event()
    agent.run_once(env={"LLM_CHAIN": None, "OLLAMA_API_BASE": "http://127.0.0.1:9"})
    assert tree.action()["details"]["model"] == "rules"


# ---- The env file -------------------------------------------------------------------------------


def node_name(agent, tree, text, env=None, args=()):
    """What NODE_NAME came to be, by the audit event's place."""
    path = tree.path.parent / "settings"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    tree.event()
    done = agent.run_once(args=["--env-file", str(path), *args], env={"NODE_NAME": None, **(env or {})})
    audit, = tree.path.glob("events/*/*/evt-*-*-*.json")
    return audit.parent.name, done


SYNTAX = {
    "plain": "NODE_NAME=alpha\n", "no_newline": "NODE_NAME=alpha", "crlf": "A_COMMENT=1\r\nNODE_NAME=alpha\r\n",
    "export": "export NODE_NAME=alpha\n", "double_quotes": 'NODE_NAME="alpha"\n', "single_quotes": "NODE_NAME='alpha'\n",
    "comment": "# NODE_NAME=beta\n\n  # x\nNODE_NAME=alpha\n", "comment_behind": "NODE_NAME=alpha # the box\n",
    "indented": "  NODE_NAME=alpha  \n", "last_wins": "NODE_NAME=beta\nNODE_NAME=alpha\n",
    "export_quotes_crlf": 'export NODE_NAME="alpha"\r\n', "quotes_comment": 'NODE_NAME="alpha" # "x"\n',
    "bom": b"\xef\xbb\xbfNODE_NAME=alpha\n",
}


@pytest.mark.parametrize("case", SYNTAX)
def test_env_file_syntax(agent, tree, case):
    name, _ = node_name(agent, tree, SYNTAX[case])
    assert name == "alpha"


def test_env_file_hash_within_a_value_is_no_comment(agent, tree):
    path = tree.path.parent / "settings"
    path.write_text('WATCH_NODES="a#b"\nHUMAN_ONLY_NODES=c#d\n')
    out = agent.cmd("check", "--env-file", str(path)).out
    assert "a#b" in out and "c#d" in out


def test_order_environment_before_file(agent, tree):
    name, _ = node_name(agent, tree, "NODE_NAME=file\n", env={"NODE_NAME": "environment"})
    assert name == "environment"


def test_order_flag_before_environment_and_file(agent, tree, tmp_path):
    path = tmp_path / "settings"
    path.write_text(f"RUNTIME_PATH={tmp_path}/file\n")
    tree.event()
    agent.run_once(args=["--env-file", str(path), "--runtime", str(tree.path)],
                   env={"RUNTIME_PATH": f"{tmp_path}/environment"})
    assert len(tree.actions()) == 1
    assert not (tmp_path / "file").exists() and not (tmp_path / "environment").exists()


def test_offline_before_a_redis_url(agent, tree):
    tree.event()
    agent.run_once(args=["--offline"], env={"REDIS_URL": "redis://127.0.0.1:1", "LLM_CHAIN": None})
    assert tree.action()["details"]["model"] == "rules"


def test_an_unknown_name_in_the_file_is_a_warning(agent, tree):
    _, done = node_name(agent, tree, "NODE_NAME=alpha\nCOOLDOWN_SECOND=5\n")
    warned = [log for log in done.logs if log["level"] == "warning" and "COOLDOWN_SECOND" in str(log)]
    assert len(warned) == 1


def test_a_secret_in_a_file_that_others_can_read_is_a_warning(agent, tree):
    path = tree.path.parent / "settings"
    path.write_text("ANTHROPIC_API_KEY=sk-ant-very-secret\n")
    path.chmod(0o644)
    done = agent.run_once(args=["--env-file", str(path)])
    warned = [log for log in done.logs if log["level"] == "warning" and str(path) in str(log)]
    assert len(warned) == 1 and "sk-ant-very-secret" not in done.out + done.err
    path.chmod(0o600)
    done = agent.run_once(args=["--env-file", str(path)])
    assert [log for log in done.logs if log["level"] == "warning" and str(path) in str(log)] == []


@pytest.mark.parametrize("text", ["NODE_NAME\n", "=x\n", "NODE_NAME='x\n", "COOLDOWN_SECONDS=often\n", "a b=c\n"])
def test_a_broken_file_is_78_and_names_the_place(agent, tree, text):
    path = tree.path.parent / "settings"
    path.write_text("NODE_NAME=a\n" + text)
    tree.event()
    done = agent.cmd("run", "--once", "--env-file", str(path), rc=78, err="")
    assert (done.err + done.out).count("\n") == 1
    assert "2" in done.err + done.out or text.split("=")[0].strip() in done.err + done.out
    assert tree.actions() == {}


def test_an_env_file_that_was_named_must_be_there(agent, tree):
    agent.cmd("run", "--once", "--env-file", "/nonexistent/env", rc=78, err="")


def test_an_env_file_that_is_a_directory_or_a_fifo_does_not_hang(agent, tree):
    agent.cmd("run", "--once", "--env-file", str(tree.path), rc=78, err="", timeout=60)
    fifo = tree.path.parent / "fifo"
    os.mkfifo(fifo)
    agent.cmd("run", "--once", "--env-file", str(fifo), rc=78, err="", timeout=60)


def test_the_runtime_path_may_come_from_the_file(agent, tree):
    path = tree.path.parent / "settings"
    path.write_text(f"RUNTIME_PATH={tree.path}\n")
    tree.event()
    agent.run_once(args=["--env-file", str(path)], env={"RUNTIME_PATH": None})
    assert len(tree.actions()) == 1


# ---- Secrets ------------------------------------------------------------------------------------

SECRETS = {"ANTHROPIC_API_KEY": "sk-ant-s3cr3t-value", "OPENAI_API_KEY": "sk-oai-s3cr3t-value",
           "REDIS_URL": "redis://user:s3cr3t-value@127.0.0.1:1/0"}


def test_check_redacts_secrets_and_says_that_they_are_set(agent, tree):
    done = agent.cmd("check", env={**SECRETS, "LLM_CHAIN": "rules"}, rc=(0, 1), err="")
    assert "s3cr3t-value" not in done.out + done.err
    assert "ANTHROPIC_API_KEY" in done.out


def test_secrets_are_nowhere_on_disk_or_in_logs(agent, tree):
    tree.event()
    done = agent.run_once(env={**SECRETS, "LLM_CHAIN": "rules", "REDIS_URL": None, "LOG_LEVEL": "debug"})
    assert "s3cr3t-value" not in done.out + done.err
    for path in tree.path.rglob("*"):
        if path.is_file():
            assert b"s3cr3t-value" not in path.read_bytes(), path


def test_a_bad_value_of_a_secret_is_not_repeated(agent, tree):
    for key, value in (("ANTHROPIC_API_KEY", "s3cr3t-value\x01 with space"), ("REDIS_URL", "http://u:s3cr3t-value@h")):
        done = agent.cmd("run", "--once", env={key: value}, rc=(0, 78), err="")
        assert "s3cr3t-value" not in done.out + done.err


def test_an_api_key_file(agent, tree):
    path = tree.path.parent / "key"
    path.write_text("sk-ant-s3cr3t-value\n")
    path.chmod(0o600)
    done = agent.cmd("check", env={"ANTHROPIC_API_KEY_FILE": str(path)})
    assert "s3cr3t-value" not in done.out + done.err
