"""A chain of one hop, an OpenAI-compatible server: what it comes to, by check --probe, by route and
in a daemon. What the tests of TLS and of the network stand on."""

import re
import signal

from agent import wait_for
from chain import LABEL, attempts_of, route

HOP = LABEL["openai"]
NETWORK = "network_error"
BASE = {"openai": "OPENAI_API_BASE", "ollama": "OLLAMA_API_BASE"}


def hop_at(url, roots=None, provider="openai", limit=20, **more):
    return {"LLM_CHAIN": f"{LABEL[provider]}@{limit}", BASE[provider]: url, "SSL_CERT_FILE": roots, **more}


def probed(agent, url, roots=None, provider="openai", prefix=()):
    """What check --probe says of the hop: is it well, its words, and version and suite."""
    out = agent.cmd("check", "--probe", rc=(0, 1), env=hop_at(url, roots, provider), prefix=prefix).out
    found = re.findall(rf"^(ok|PROBLEM) +{re.escape(LABEL[provider])}: (.*) \(\d+ ms, (.*)\)$", out, re.M)
    assert len(found) == 1, out
    return found[0][0] == "ok", *found[0][1:]


def failed(agent, url, roots=None, outcome=NETWORK, limit=5, **how):
    """The error of route's only attempt, which is no success."""
    done = route(agent, hop_at(url, roots, limit=limit), rc=69, **how)
    assert done.tried == [(HOP, outcome)], done
    assert outcome == "timeout" or done.attempts[0]["latency_ms"] < 0.8 * 1000 * limit, "as long as it may"
    return done.attempts[0]["error"]


def succeeds(agent, url, roots=None, limit=20, **how):
    done = route(agent, hop_at(url, roots, limit=limit), **how)
    assert done.tried == [(HOP, "success")], done
    return done.attempts[0]


def check_tls_error(text, words, name="localhost"):
    assert re.fullmatch(f"TLS with {re.escape(name)}: {words}", text), text


class Asking:
    """A daemon; events go in one after another, each waits for what became of it."""

    def __init__(self, agent, env, **how):
        self.agent, self.tree = agent, agent.tree
        self.daemon = agent.start(env=env, **how)

    def send(self, service):
        self.tree.event(service=service)

    def tried(self, service):
        """[(model, outcome), ...], once the event is through the chain."""
        wait_for(f"the end of {service}", lambda: self.daemon.alive_or_fail() and [
            log for log in self.daemon.named("proposed", "chain_failed") if log["service"] == service], 60)
        return attempts_of(self.daemon.logs, f"solaria/{service}")

    def attempts(self, service):
        return [log for log in self.daemon.named("llm_attempt") if log["context"] == f"solaria/{service}"]

    def event(self, service, outcome="success"):
        """Its only attempt, which had this outcome."""
        self.send(service)
        assert self.tried(service) == [(HOP, outcome)], self.attempts(service)
        return self.attempts(service)[0]

    def reload(self):
        before = len(self.daemon.named("config_loaded"))
        self.daemon.send(signal.SIGHUP)
        self.daemon.wait_log("config_loaded", count=before + 1)
