"""A chain whose hops the scripted server plays: what the tests of the LLM chain stand on.

The chains here have short limits: what is not meant to hang answers within milliseconds."""

import concurrent.futures
import contextlib
import json
import re
import shutil
import subprocess
import time

import pytest

from agent import RAW, Agent, Tree, check_logs, clean_json
from apis import ANTHROPIC, OLLAMA, OPENAI

KEY = "sk-ant-test-0123456789abcdef-KEY"
OPENAI_KEY = "sk-openai-test-0123456789abcdef-KEY"
LABEL = {"ollama": "ollama/qwen2.5:7b", "openai": "openai/local", "anthropic": "anthropic/claude-haiku-4-5",
         "sonnet": "anthropic/claude-sonnet-4-6"}
ITEM = {**LABEL, "ollama": "ollama"}  # as it stands in LLM_CHAIN
PATH = {"ollama": OLLAMA, "openai": OPENAI, "anthropic": ANTHROPIC, "sonnet": ANTHROPIC}
PROVIDERS = ("ollama", "openai", "anthropic")
BASE = {"ollama": "OLLAMA_API_BASE", "openai": "OPENAI_API_BASE", "anthropic": "ANTHROPIC_API_BASE"}
SPARE = {"ollama": "openai", "openai": "ollama", "anthropic": "openai", "sonnet": "openai"}
ID = "container-restart-solaria-web"
AT_ONCE = 1  # second; a bound for what waits for nothing


def chain(*hops):
    """LLM_CHAIN of hops such as "ollama", "anthropic@2": 5 seconds where nothing is said."""
    items = []
    for hop in hops:
        name, _, seconds = hop.partition("@")
        items.append(f"{ITEM.get(name, name)}@{seconds or 5}" if name != "rules" else name)
    return ",".join(items)


def servers(mock, *hops, **more):
    """The environment of a chain that this mock plays all hops of."""
    return {"LLM_CHAIN": chain(*hops), "OLLAMA_API_BASE": mock.url, "OPENAI_API_BASE": mock.url,
            "ANTHROPIC_API_BASE": mock.url, "ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": OPENAI_KEY,
            "LLM_CONCURRENCY": 1, **more}


def tried(attempts):
    """[("ollama/qwen2.5:7b", "timeout"), ...]"""
    return [(one["model"], one["outcome"]) for one in attempts]


class Routed:
    """A route command that ended. told: what stood on stderr beside the log."""

    def __init__(self, run, seconds):
        self.rc, self.seconds = run.returncode, seconds
        self.out, self.err = run.stdout.decode(), run.stderr.decode()
        lines = self.err.splitlines(keepends=True)
        self.logs = check_logs("".join(one for one in lines if one.startswith("{")).encode(), "route")
        self.told = "".join(one for one in lines if not one.startswith("{"))

    @property
    def json(self):
        assert self.out.endswith("\n") and self.out.count("\n") == 1, f"not one line: {self.out!r}"
        return clean_json(self.out)

    @property
    def answer(self):
        return self.json["answer"]

    @property
    def attempts(self):
        return self.json["attempts"]

    @property
    def tried(self):
        return tried(self.attempts)

    def named(self, name):
        return [log for log in self.logs if log["event"] == name]

    def __repr__(self):
        return f"route -> {self.rc} after {self.seconds:.2f} s\n{self.out}\n{self.err}"


def route(agent, env, *args, rc=0, prompt="what now?", stdin=None, prefix=(), timeout=60):
    """The chain alone. stdin: bytes, or what is to be JSON; else the prompt."""
    args = ["route", *args]
    if stdin is None:
        args += ["--prompt", prompt]
    elif not isinstance(stdin, bytes):
        stdin = json.dumps(stdin).encode()
    began = time.monotonic()
    run = subprocess.run(agent.argv(args, prefix, None), env=agent.environment(env), input=stdin or b"",
                         capture_output=True, cwd="/", timeout=timeout, check=False)
    done = Routed(run, time.monotonic() - began)
    assert done.rc in (rc if isinstance(rc, tuple) else (rc,)), f"exit {done.rc}, not {rc}: {done}"
    assert not RAW.search(done.out) and not RAW.search(done.err), f"raw control character: {done}"
    assert KEY not in done.out + done.err and OPENAI_KEY not in done.out + done.err, "a key is told"
    if done.rc in (0, 69):
        assert done.json["success"] is (done.rc == 0), done
    if done.rc == 0:
        assert done.told == "", f"unexpected on stderr: {done}"
    return done


def made(agent):
    """A tree that a run has been in: where paid calls can be counted."""
    agent.run_once(env={"LLM_CHAIN": "rules"})
    return agent


def at_once(cases, workers=8):
    """Runs the functions of a dict at the same time, for they mostly wait; their values, or what
    they raised, by name."""
    def run(case):
        try:
            return case()
        except Exception as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return dict(zip(cases, pool.map(run, cases.values())))


def value_of(found):
    if isinstance(found, Exception):
        raise found
    return found


def lone_agent(program, directory):
    """An agent in a tree of its own, for what runs beside others."""
    directory.mkdir(parents=True)
    return made(Agent(Tree(directory / "homelab"), program))


def data_of(request):
    """The JSON document in the user's message, and the words around it."""
    message = request.json["messages"][-1]
    assert message["role"] == "user"
    before, line, after = message["content"].split("\n", 2)
    assert "\n" not in after
    return clean_json(line), (before, after)


def system_of(request):
    if "system" in request.json:
        return request.json["system"]
    first = request.json["messages"][0]
    assert first["role"] == "system"
    return first["content"]


@contextlib.contextmanager
def ended(agent):
    """Whatever it started is looked at and ended."""
    try:
        yield agent
    finally:
        agent.end()


def attempts_of(logs, context="solaria/web"):
    return [(one["model"], one["outcome"]) for one in logs
            if one["event"] == "llm_attempt" and one["context"] == context]


def paid_calls(tree):
    """What the counter's file says; 0 where there is none."""
    path = tree.state / "paid_calls"
    found = re.search(r'"calls":(\d+)', path.read_text()) if path.exists() else None
    return int(found[1]) if found else 0


def hop_of(status, label):
    return next(one for one in status["planner"]["hops"] if one["model"] == label)


@contextlib.contextmanager
def hosts(tmp_path, **names):
    """A prefix for commands that see a hosts file of their own: {name: address}."""
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in names.items()))
    script = f"mount --bind '{path}' /etc/hosts && exec \"$@\""
    prefix = ["unshare", "-m", "sh", "-c", script, "sh"]
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield prefix
