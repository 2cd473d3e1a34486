"""The files that `service NAME` prints: what is filled in, and whether those they are for take them."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from agent import ROOT

INITS = ["systemd", "procd", "openrc", "runit", "s6", "sysv"]
SHELL = ["sysv", "runit", "runit/finish", "runit/log/run", "s6", "s6/finish", "s6/log/run", "healthcheck.sh"]
FOREIGN_SHELL = ["procd", "openrc"]  # with functions and variables of their own
OTHERS = ["s6/type", "s6/notification-fd", "compose", "dockerfile", "service.yaml", "env"]
ALL = ["systemd", *SHELL, *FOREIGN_SHELL, *OTHERS]
BINARY, TREE = "/usr/local/bin/planner-agent", "/srv/lab"


def tool(*command, **how):
    """Runs a checker, which must have nothing to say."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300, **how)
    assert run.returncode == 0, run.stdout.decode()
    return run.stdout.decode()


def need(*names):
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"no {name} here")


@pytest.fixture
def text(agent):
    def of(name, *args, runtime=TREE, **how):
        return agent.cmd("service", name, "--binary", BINARY, "--user", "1000", "--runtime", runtime, *args, **how).out

    return of


def test_the_list_names_every_file_and_every_file_is_printed(agent, text):
    listed = agent.cmd("service", "list").out
    assert agent.cmd("service").out == listed
    names = [line.split()[0] for line in listed.splitlines()[3:]]
    assert sorted(names) == sorted(ALL)
    for name in names:
        assert text(name) != ""


@pytest.mark.parametrize("name", ["", "bogus", "s6/", "../env", "x" * 300, "install/x"])
def test_no_such_file(agent, name):
    done = agent.cmd("service", name, rc=64, err="no such file")
    assert done.out == ""


def test_nothing_is_left_to_fill_in(text):
    for name in ALL:
        assert not re.search(r"@[A-Z]+@", text(name)), name


def test_what_is_filled_in(agent, text, tree, program):
    unit = text("systemd")
    assert f"ExecStart={BINARY} run --runtime {TREE}\n" in unit
    assert f"ReadWritePaths=-{TREE}/actions/pending -{TREE}/events -{TREE}/state\n" in unit
    assert "\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n" in unit
    assert "\nUser=1000\n" in unit or re.search(r"\nUser=[a-z][a-z0-9_-]*\n", unit)
    assert f"{BINARY} run --runtime {TREE} --env-file /etc/planner.env\n" in text("systemd", "--env-file", "/etc/planner.env")
    assert "env_file: /etc/planner.env\n" in text("compose", "--env-file", "/etc/planner.env")
    assert "owner_node: planner\n" in text("service.yaml")
    # Of itself: this binary, this tree, which is the test's own.
    unit = agent.cmd("service", "systemd").out
    assert f"ExecStart={program} run --runtime {tree.path}\n" in unit


def test_the_user_is_the_owner_of_pending(agent, tree):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    pending = tree.path / "actions" / "pending"
    os.chown(tree.path, 65534, 65534)
    assert "\nUser=nobody\n" in agent.cmd("service", "systemd").out
    pending.mkdir(parents=True)
    os.chown(pending, 12345, 54321)
    assert "\nUser=12345\nGroup=54321\nSupplementaryGroups=54321\n" in agent.cmd("service", "systemd").out
    assert 'user: "12345:54321"' in agent.cmd("service", "compose").out
    assert "command_user=12345:54321\n" in agent.cmd("service", "openrc").out
    assert "\nUser=nobody\nGroup=65534\n" in agent.cmd("service", "systemd", "--user", "nobody").out
    agent.cmd("service", "systemd", "--user", "no-such-user", rc=64, err="no such user")


@pytest.mark.parametrize("bad", ["/srv/a b", "/srv/$(reboot)", "/srv/a'b", "/srv/a;b", "/srv/%h", "/srv/a\nb", "/srv/a:b",
                                 "/srv/ż", "/srv/@TREE@"])
def test_what_means_something_to_others_is_refused(agent, bad):
    """Not quoted: nobody needs such a path for a service, and six languages quote in six ways."""
    for name, option in [("systemd", "--runtime"), ("systemd", "--binary"), ("systemd", "--env-file"), ("sysv", "--runtime"), ("sysv", "--binary"),
                         ("compose", "--runtime"), ("compose", "--env-file"), ("healthcheck.sh", "--runtime")]:
        done = agent.cmd("service", name, option, bad, rc=64, err="cannot be put into")
        assert done.out == ""


@pytest.mark.parametrize("option", ["--binary", "--env-file"])
def test_relative_paths_are_refused(agent, option):
    agent.cmd("service", "systemd", option, "relative/path", rc=64, err="not an absolute path")


# ---- env ----------------------------------------------------------------------------------------


def test_env_has_every_variable_with_its_default_and_changes_nothing(agent, tree, tmp_path):
    env = agent.cmd("service", "env", "--runtime", "/opt/homelab").out
    named = re.findall(r"^#?([A-Z_]+)=(.*)$", env, re.M)
    helped = re.findall(r"^  ([A-Z][A-Z_]+) ", agent.cmd("run", "--help").out, re.M)
    assert [name for name, _ in named] == helped
    assert dict(named)["COOLDOWN_SECONDS"] == "300" and dict(named)["NODE_NAME"] == ""
    assert not re.search(r"^[^#\n]", env, re.M), "something is set"
    # Each of the defaults is a value that the program takes.
    path = tmp_path / "all.env"
    path.write_text(re.sub(r"^#([A-Z_]+=)", r"\1", env, flags=re.M).replace("/opt/homelab", str(tree.path)))
    path.chmod(0o600)
    none = {name: None for name in ("LLM_CHAIN", "LOG_LEVEL", "NODE_NAME", "RUNTIME_PATH")}
    out = agent.cmd("check", "--env-file", path, env=none, rc=(0, 1, 78), err="").out
    assert str(tree.path) in out


def test_env_names_a_tree_that_is_elsewhere(text):
    assert re.findall(r"^[^#\n].*$", text("env"), re.M) == [f"RUNTIME_PATH={TREE}"]


# ---- What the tools say -------------------------------------------------------------------------


@pytest.fixture(params=[TREE, "/home/ann/lab"])
def unit(request, text, tmp_path):
    if not os.path.exists("/usr/local/bin"):
        pytest.skip("no /usr/local/bin")
    path = tmp_path / "planner-agent.service"
    # verify wants the program to be there.
    path.write_text(text("systemd", runtime=request.param).replace(BINARY, "/bin/true"))
    return path


def test_systemd_analyze_verify(unit):
    need("systemd-analyze")
    assert tool("systemd-analyze", "verify", "--man=no", unit) == ""


def test_systemd_analyze_security(unit):
    need("systemd-analyze")
    out = tool("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit)
    score = float(re.search(r"exposure level for [^:]*: ([\d.]+)", out).group(1))
    assert score <= 1.5, out


def test_systemd_unit_says_what_was_agreed(text):
    unit = text("systemd")
    for line in ("Type=notify", "NotifyAccess=main", "WatchdogSec=5min", "Restart=on-failure",
                 "RestartPreventExitStatus=64 78", "LoadCredential=ANTHROPIC_API_KEY", "MemoryMax=64M", "TasksMax=8",
                 "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert f"\n{line}\n" in unit, line
    # Of the homes it sees what it needs, where that is there.
    assert f"\nProtectHome=tmpfs\nBindReadOnlyPaths=-{TREE} -/opt/homelab/config/planner-agent/.env {BINARY}\n" in unit
    # The planner reads the env-file itself: a reload would not see what the environment says.
    assert "EnvironmentFile" not in unit


@pytest.mark.parametrize("shell", [["dash", "-n"], ["bash", "--posix", "-n"], ["busybox", "sh", "-n"]], ids=" ".join)
@pytest.mark.parametrize("name", SHELL + FOREIGN_SHELL)
def test_shells_can_read_them(text, tmp_path, name, shell):
    need(shell[0])
    path = tmp_path / "script"
    path.write_text(text(name))
    assert tool(*shell, path) == ""


@pytest.mark.parametrize("name", SHELL + FOREIGN_SHELL)
def test_shellcheck(text, tmp_path, name):
    need("shellcheck")
    path = tmp_path / "script"
    path.write_text(text(name))
    foreign = ["--shell=sh", "--exclude=SC2034"] if name in FOREIGN_SHELL else []
    assert tool("shellcheck", *foreign, path) == ""


def test_scripts_name_their_interpreter(text):
    assert all(text(name).startswith("#!/bin/sh\n") for name in SHELL)
    assert text("procd").startswith("#!/bin/sh /etc/rc.common\n")
    assert text("openrc").startswith("#!/sbin/openrc-run\n")


def test_sysv_has_a_header_for_insserv(text):
    head = re.search(r"^### BEGIN INIT INFO\n(.*?)^### END INIT INFO$", text("sysv"), re.M | re.S).group(1)
    keys = dict(line[2:].split(":", 1) for line in head.splitlines())
    assert keys["Provides"].strip() == "planner-agent"
    assert {"Required-Start", "Required-Stop", "Default-Start", "Default-Stop", "Short-Description"} <= set(keys)


def compose_of(text, tmp_path):
    env = tmp_path / "planner.env"
    env.write_text("LLM_CHAIN=rules\n")
    (tmp_path / "docker-compose.yml").write_text(text("compose", "--env-file", env))
    return yaml.safe_load((tmp_path / "docker-compose.yml").read_text())


def test_compose_file(text, tmp_path):
    service = compose_of(text, tmp_path)["services"]["planner-agent"]
    assert service["environment"] == ["ANTHROPIC_API_KEY"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["user"] == "1000:1000"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["healthcheck"]["test"] == ["CMD", "/planner-agent", "healthcheck", "--runtime", TREE]
    written = [one for one in service["volumes"] if not one.endswith(":ro")]
    assert written == [f"{TREE}/{one}:{TREE}/{one}" for one in ("actions/pending", "events", "state")]
    assert "env_file: /opt/homelab/config/planner-agent/.env\n" in text("compose")


def test_compose_file_by_compose_itself(text, tmp_path):
    """docker-compose 1.29, which needs no daemon for this."""
    need("docker-compose")
    compose_of(text, tmp_path)
    for key in (None, "a-key-of-the-shell"):
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **({"ANTHROPIC_API_KEY": key} if key else {})}
        out = yaml.safe_load(tool("docker-compose", "config", cwd=tmp_path, env=env))
        assert out["services"]["planner-agent"]["environment"] == {"ANTHROPIC_API_KEY": key, "LLM_CHAIN": "rules"}


def test_compose_file_by_the_specification(text, tmp_path):
    """The schema of the compose specification, which version 2 goes by, too."""
    jsonschema = pytest.importorskip("jsonschema")
    path = "/usr/lib/python3/dist-packages/compose/config/compose_spec.json"
    if not os.path.exists(path):
        pytest.skip("no schema here")
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    file = compose_of(text, tmp_path)
    jsonschema.validate(file, schema)
    file["services"]["planner-agent"]["no_such_key"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(file, schema)


def test_dockerfile_is_the_one_of_the_repository(text):
    with open(ROOT / "toolchain" / "Dockerfile", encoding="utf-8") as file:
        assert text("dockerfile") == file.read()
    words = [line.split()[0] for line in text("dockerfile").splitlines() if line and line[0] != "#"]
    assert words == ["FROM", "COPY", "USER", "ENTRYPOINT", "CMD"]


def test_service_yaml(text):
    service = yaml.safe_load(text("service.yaml"))
    assert service["owner_node"] == "planner" and service["dependencies"] == ["redis", "ollama"]
    assert service["healthcheck"]["command"] == [BINARY, "healthcheck", "--runtime", TREE]
    assert service["restart"]["policy"] == "on-failure"
    assert service["persistence"] == [f"{TREE}/{one}" for one in ("actions/pending", "events", "state")]
    assert "RUNTIME_PATH" in service["runtime"]["variables"] and service["runtime"]["secrets"] == ["ANTHROPIC_API_KEY"]


def test_service_yaml_names_variables_that_there_are(agent, text):
    helped = set(re.findall(r"^  ([A-Z][A-Z_]+) ", agent.cmd("run", "--help").out, re.M))
    runtime = yaml.safe_load(text("service.yaml"))["runtime"]
    assert set(runtime["variables"]) | set(runtime["secrets"]) <= helped


def test_healthcheck_script_runs(agent, tree, tmp_path, program):
    path = tmp_path / "healthcheck.sh"
    path.write_text(agent.cmd("service", "healthcheck.sh").out)
    env = {"PATH": "/usr/bin:/bin"}
    dead = subprocess.run(["sh", path], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert dead.returncode == 1, dead
    agent.start()
    alive = subprocess.run(["sh", path], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert alive.returncode == 0 and b"healthy" in alive.stdout
    strict = subprocess.run(["sh", path, "--max-age", "0"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            check=False)
    assert strict.returncode == 1


# ---- toolchain/texts ----------------------------------------------------------------------------


def pack(directory, files, lines=None):
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    (directory / "list").write_text(lines or "".join(f"{name}-text {name}\n" for name in files))
    return subprocess.run([sys.executable, "-B", ROOT / "toolchain" / "texts", "list", "texts.h"], cwd=directory,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def test_texts_are_packed_the_same_each_time(tmp_path):
    files = {"a": b"some text\n" * 50, "b": "ąę\n".encode()}
    for name in ("one", "two"):
        assert pack(tmp_path / name, files).returncode == 0
    assert (tmp_path / "one" / "texts.h").read_bytes() == (tmp_path / "two" / "texts.h").read_bytes()


@pytest.mark.parametrize("case", [({"a": b"a\0b"}, None), ({"a": b""}, None), ({"a": b"\xff"}, None),
                                  ({"a": b"x"}, "a a\na a\n"), ({"a": b"x"}, "a\n"), ({"a": b"x"}, "a missing\n")],
                         ids=["nul", "empty", "no UTF-8", "name twice", "half a line", "no such file"])
def test_texts_that_cannot_be_packed(tmp_path, case):
    done = pack(tmp_path / "bad", *case)
    assert done.returncode != 0 and not (tmp_path / "bad" / "texts.h").exists()
