"""After start-up nobody allocates: the whole program, linked with an allocator that ends it."""

import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

from agent import Agent, fault, wait_for
from chain import LABEL, chain, hosts, servers, tried
from redis_peers import bus, wait_subscribed
from steps import error, refusal


@pytest.fixture
def guarded(tree):
    program = pathlib.Path(os.environ["PLANNER_AGENT"]).with_name("planner-agent-heap-guard")
    assert program.is_file(), f"no {program}: make test"
    agent = Agent(tree, program)
    yield agent
    agent.end()


def test_guard_ends_a_program_that_allocates(guarded):
    """The user's name is looked up by the C library, which allocates: so the guard is there."""
    done = subprocess.run(guarded.argv(["run", "--once", "--user", "nobody"], (), None),
                          env=guarded.environment(None), capture_output=True, check=False)
    assert done.returncode == -signal.SIGABRT
    assert b"something allocates" in done.stderr


def test_single_run_allocates_nothing(guarded, tree):
    tree.event("service_unhealthy", service="web")
    tree.event("disk_pressure", service="all", node="chelsty-1")
    tree.event("service_healthy", service="db")
    tree.raw("{broken")
    tree.jsonl(fault(service="mqtt"), fault(service="zigbee"))
    guarded.run_once()
    assert len(tree.actions()) == 4
    guarded.run_once()


def test_daemon_allocates_nothing(guarded, tree):
    daemon = guarded.start()
    for i in range(50):
        tree.event(service=f"service-{i}", severity="error")
        tree.jsonl(fault(service=f"line-{i}"))
    wait_for("all proposals", lambda: len(tree.actions()) == 100, 60)
    daemon.send(signal.SIGUSR1)
    daemon.send(signal.SIGHUP)
    tree.raw("x" * 70000)
    tree.event("service_recovered", service="service-1")
    daemon.wait_log("refused")


def test_operators_commands_allocate_nothing(guarded, tree):
    tree.event("service_unhealthy", service="web")
    guarded.run_once()
    for command in (["pending"], ["pending", "--json"], ["show", "container-restart-solaria-web"],
                    ["status"], ["check"], ["version"], ["healthcheck"]):
        guarded.cmd(*command)


@pytest.mark.parametrize("base", ["addresses", "names"])
def test_calls_allocate_nothing(guarded, tree, mocks, certificates, tmp_path, base):
    """Plain, over TLS, tried again, rejected. Names are looked up by a child, which may allocate."""
    name = "models.test" if base == "names" else None
    mock = mocks(name=name).on("/api/chat", refusal())
    secure = mocks(tls=certificates.p256, name=name)
    secure.on("/v1/messages", error(529), error(400), model="claude-haiku-4-5")
    env = {**servers(mock, "ollama@30", "anthropic@30", "sonnet@30"), "ANTHROPIC_API_BASE": secure.url,
           "SSL_CERT_FILE": certificates.roots}
    with hosts(tmp_path, **{"models.test": "127.0.0.1"}) if name else contextlib.nullcontext(()) as prefix:
        tree.event()
        tree.event(service="db")
        guarded.run_once(env=env, prefix=prefix)
        for action in tree.actions().values():
            assert tried(action["details"]["attempts"])[-1] == (LABEL["sonnet"], "success")
        daemon = guarded.start(env={**env, "LLM_CHAIN": chain("openai@30", "sonnet@30")},
                               prefix=prefix)
        for number in range(20):
            tree.event(service=f"s{number}")
        daemon.wait_log("proposed", count=20, seconds=60)
        guarded.cmd("check", "--probe", env=env, prefix=prefix)
    assert len(mock.asked("/v1/chat/completions")) == 20 and secure.connections[0].tls_version == "TLSv1.2"


def test_redis_allocates_nothing(guarded, tree, redis):
    """hiredis has static memory: through events by both ways, claims, actions told, a lost server."""
    env = bus(redis, REDIS_STREAM="homelab:events", ACTIONS_STREAM="homelab:actions")
    guarded.run_once(env=env)
    daemon = guarded.start(env=env)
    wait_subscribed(redis)
    for number in range(20):
        assert redis.publish(fault(service=f"live-{number}")) == 1
        redis.add(fault(service=f"entry-{number}"))
        redis.add(None, type="disk_pressure", node=f"flat-{number}")
    redis.publish("x" * 70000)
    redis("XADD", "homelab:events", "*", "event", "{broken")
    wait_for("all proposals", lambda: len(tree.actions()) >= 60, 60)
    redis.restart()
    wait_subscribed(redis)
    guarded.cmd("emit", "--redis", "--type", "service_unhealthy", "--node", "solaria",
                "--service", "late", env=env)
    wait_for("the last one", lambda: "container-restart-solaria-late" in tree.actions())
    for command in (["check", "--probe"], ["status"]):
        guarded.cmd(*command, env=env)
    daemon.send(signal.SIGHUP)
    daemon.wait_log("config_loaded")
