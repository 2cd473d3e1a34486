"""Redis from the command line: emit --redis, check, check --probe, status; and the ACL user of the
README, with whom everything works."""

import re
import shlex
import signal
import time

import pytest

from agent import ROOT, clean_json, fault, wait_for
from apis import OPENAI
from chain import servers
from redis_daemon import NOBODY_THERE, changes, wait_ready
from redis_peers import CHANNELS, METRICS, Listener, Redis, bus, bus_of, wait_subscribed
from redis_proxies import Proxy, Scripted
from redis_streams import Stream
from steps import proposal

EMIT = ("emit", "--redis", "--type", "service_unhealthy", "--node", "solaria", "--service", "web")
ID = "container-restart-solaria-web"
STREAM, ACTIONS = "homelab:events", "homelab:actions"


# ---- emit --redis --------------------------------------------------------------------------------


def test_emit_publishes_an_event(agent, tree, redis):
    with Listener(redis, *CHANNELS) as listener:
        done = agent.cmd(*EMIT, "--severity", "error", "--message", "exit \"137\" żółw", "--id", "evt-1",
                         "--payload", '{"n": [1, 2]}', env=bus(redis))
        [(channel, payload)] = listener.wait(1)
    event = clean_json(payload)
    assert channel == "health_events" and done.out == "published to health_events, heard by 1\n"
    assert (event["type"], event["node"], event["service"], event["severity"]) == \
        ("service_unhealthy", "solaria", "web", "error")
    assert (event["message"], event["id"], event["payload"]) == ("exit \"137\" żółw", "evt-1", {"n": [1, 2]})
    assert not (tree.path / "events").exists(), "no file"
    assert redis("DBSIZE") == 0


def test_emit_to_a_running_daemon(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_subscribed(redis)
    assert agent.cmd(*EMIT, env=bus(redis)).out.endswith("heard by 1\n")
    daemon.wait_log("proposed")
    assert list(agent.tree.actions()) == [ID]


def test_emit_that_nobody_hears(agent, redis):
    """It was published, and says what became of it."""
    done = agent.cmd(*EMIT, env=bus(redis), err="nobody listens")
    assert done.out == "published to health_events, heard by 0\n"


@pytest.mark.parametrize("listeners", [2, 5])
def test_emit_says_how_many_heard_it(agent, redis, listeners):
    clients = [redis.client() for _ in range(listeners)]
    for client in clients:
        assert client("SUBSCRIBE", "health_events")[2] == 1
    assert agent.cmd(*EMIT, env=bus(redis)).out.endswith(f"heard by {listeners}\n")
    for client in clients:
        client.close()


def test_emit_without_redis_url(agent):
    done = agent.cmd(*EMIT, rc=78, err="REDIS_URL is not set")
    assert done.out == ""


def test_emit_takes_the_url_from_the_env_file(agent, redis, tmp_path):
    settings = tmp_path / "env"
    settings.write_text(f"REDIS_URL={redis.url}\n")
    settings.chmod(0o600)
    agent.cmd("emit", "--env-file", settings, *EMIT[1:], err="nobody listens")


UNREACHABLE = {
    "nobody listens": (NOBODY_THERE, 10),
    "no such name": ("redis://no-such-host.invalid", 10),
    "no such socket": ("unix:///nonexistent/socket", 10),
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_emit_where_redis_is_not(agent, name):
    url, most = UNREACHABLE[name]
    began = time.monotonic()
    done = agent.cmd(*EMIT, env=bus(url), rc=69, err=".")
    assert done.out == "" and time.monotonic() - began < most
    assert url.removeprefix("redis://").removeprefix("unix://").split(":")[0] in done.err, done.err


def test_emit_where_redis_is_silent(agent, redis):
    began = time.monotonic()
    with redis.stopped():
        agent.cmd(*EMIT, env=bus(redis), rc=69, err="no answer")
    assert 2 < time.monotonic() - began < 15


def test_emit_that_is_cut_off(agent, redis):
    """Nobody knows whether it was published: no success."""
    with Proxy(redis) as proxy:
        def cut(link, way, data):
            if way == "down" and b"PUBLISH" in link.asked:
                link.cut()
                raise OSError
            return data

        proxy.bend = cut
        assert agent.cmd(*EMIT, env=bus(proxy), rc=69, err=".").out == ""


@pytest.mark.parametrize("answer", [b"-NOPERM this user has no permissions to access one of the channels\r\n",
                                    b"-READONLY You can't write against a read only replica.\r\n",
                                    b"HTTP/1.1 200 OK\r\n"])
def test_emit_that_is_refused(agent, answer):
    with Scripted({"PUBLISH": answer}) as server:
        done = agent.cmd(*EMIT, env=bus(server.url), rc=69, err=".")
    assert done.out == "" and (answer[:1] != b"-" or answer[1:].split()[0].decode() in done.err)


def test_emit_with_a_wrong_password(agent, redises):
    redis = redises(password="right")
    done = agent.cmd(*EMIT, env=bus(redis.url_of(password="s3cr3t")), rc=69, err="WRONGPASS")
    assert "s3cr3t" not in done.err


def test_emit_over_tls(agent, certificates):
    with Redis(tls=certificates.p256) as redis:
        agent.cmd(*EMIT, env=bus(redis.url_of("tls"), SSL_CERT_FILE=certificates.roots), err="nobody listens")
        agent.cmd(*EMIT, env=bus(redis.url_of("tls")), rc=69, err="no root known")


@pytest.mark.parametrize("args", [["--type", ""], ["--type", "t", "--severity", "loud"], ["--type", "t", "--payload", "{"]])
def test_emit_publishes_nothing_that_would_be_refused(agent, redis, args):
    with Listener(redis, *CHANNELS) as listener:
        agent.cmd("emit", "--redis", *args, env=bus(redis), rc=64, err=".")
        assert listener.messages == []


# ---- check ---------------------------------------------------------------------------------------


def test_check_shows_no_secret_and_asks_nobody(agent, redises):
    redis = redises(password="s3cr3t")
    with Listener(redis) as orders:
        done = agent.cmd("check", env=bus(redis, REDIS_STREAM=STREAM, ACTIONS_STREAM=ACTIONS), rc=(0, 1), err="")
        assert orders.messages == []
    assert "s3cr3t" not in done.out and "REDIS_URL" in done.out and STREAM in done.out and ACTIONS in done.out
    assert "PROBLEM" not in "".join(line for line in done.out.splitlines() if "REDIS" in line)


def test_check_of_streams_without_a_url(agent):
    done = agent.cmd("check", env={"REDIS_STREAM": STREAM}, rc=(0, 1), err="")
    assert re.search(r"REDIS_URL.*not set", done.out)


@pytest.mark.parametrize("value", ["a b", ",".join(f"s{n}" for n in range(9)), "a,,b", "a,a", 200 * "s"])
def test_check_of_stream_names(agent, redis, value):
    agent.cmd("run", "--once", env=bus(redis, REDIS_STREAM=value), rc=78, err="REDIS_STREAM")
    done = agent.cmd("check", env=bus(redis, REDIS_STREAM=value), rc=(1, 78), err="")
    assert "REDIS_STREAM" in done.out + done.err


def line_of(done, what="redis"):
    found = [line for line in done.out.splitlines() if re.match(rf"(ok|PROBLEM)\s+({what}|unix)", line)]
    assert len(found) == 1, done.out
    return found[0]


@pytest.fixture
def chain(mock):
    return servers(mock, "openai")


@pytest.fixture
def in_order(agent, chain):
    """A tree that check has nothing to say against."""
    agent.run_once(env=chain)
    agent.cmd("check", "--probe", env=chain)
    return agent


def test_check_probe(in_order, redis, chain):
    done = in_order.cmd("check", "--probe", env=bus(redis, **chain))
    assert re.fullmatch(r"ok\s+unix:///\S+: logged in \(\d+ ms\)", line_of(done)), done.out
    wait_for("the end of its connection", lambda: redis.clients() == [])
    assert redis("DBSIZE") == 0


PROBED = {
    "nobody listens": (lambda redis: NOBODY_THERE, "refused"),
    "a wrong password": (lambda redis: redis.url_of(password="s3cr3t"), "password"),
    "an unknown database": (lambda redis: redis.url_of(db=99), "the database in REDIS_URL is not there"),
    "no name": (lambda redis: "redis://no-such-host.invalid", "no-such-host.invalid"),
}


@pytest.mark.parametrize("name", PROBED)
def test_check_probe_where_it_is_not_well(in_order, redis, chain, name):
    url, words = PROBED[name]
    done = in_order.cmd("check", "--probe", env=bus(url(redis), **chain), rc=69, err="")
    line = line_of(done)
    assert line.startswith("PROBLEM") and words in line and "s3cr3t" not in done.out, line


def test_check_probe_with_another_problem_too(in_order, chain):
    env = {**chain, **bus(NOBODY_THERE), "OPENAI_API_BASE": "http://127.0.0.1:1"}
    in_order.cmd("check", "--probe", env=env, rc=1, err="")


def test_check_probe_of_a_server_that_is_silent(in_order, redis, chain):
    began = time.monotonic()
    with redis.stopped():
        done = in_order.cmd("check", "--probe", env=bus(redis, **chain), rc=69, err="")
    assert time.monotonic() - began < 15 and "no answer" in line_of(done)


# ---- status --------------------------------------------------------------------------------------


def test_status(agent, redis):
    daemon = agent.start(env=bus(redis, REDIS_STREAM=STREAM, ACTIONS_STREAM=ACTIONS))
    wait_ready(daemon, of=("events", "commands", "stream"))
    redis.publish(fault())
    daemon.wait_log("proposed")
    wait_for("the status", lambda: bus_of(agent)["actions_stream"]["added"] == 1 and bus_of(agent)["state"] == "ready")
    found = bus_of(agent)
    assert [(one["name"], one["state"], one["losses"], one["error"]) for one in found["connections"]] == \
        [(name, "ready", 0, None) for name in ("events", "commands", "stream")]
    assert {one["name"]: one["messages"] for one in found["channels"]} == {"health_events": 1, "world_updates": 0}
    assert found["url"] == redis.url_of() and found["claims_refused"] is False
    assert found["streams"] == {"names": STREAM, "entries": 0, "acknowledged": 0, "held": 0, "doomed": 0, "dead": 0, "taken_over": 0}
    page = agent.cmd("status").out
    for words in (redis.url_of(), "events: ready for", "commands: ready for", "stream: ready for",
                  "health_events: 1 message", "world_updates: 0 messages, none for", f"stream {STREAM}: 0 read", f"stream {ACTIONS}: 1 actions added"):
        assert words in page, (words, page)


def test_status_follows_what_happens(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    wait_for("ready", lambda: bus_of(agent)["state"] == "ready")
    redis.kill()

    def is_lost():
        found = bus_of(agent)
        return found["state"] != "ready" and all(one["error"] and one["losses"] == 1 for one in found["connections"])

    wait_for("not ready", is_lost)
    page = agent.cmd("status").out
    assert "lost 1 times" in page or "lost once" in page
    redis.start()
    wait_for("ready", lambda: bus_of(agent)["state"] == "ready", 60)
    assert all(one["error"] is None for one in bus_of(agent)["connections"])
    assert daemon.alive_or_fail()


def test_status_without_redis(agent, tree):
    tree.event()
    agent.run_once()
    assert bus_of(agent) is None and not re.search("^redis ", agent.cmd("status").out, re.M)


def test_status_on_request(agent, redis):
    """SIGUSR1: into the log."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    daemon.send(signal.SIGUSR1)
    log = daemon.wait_log("status")[0]
    assert log["redis"] == "ready" and log["stream_entries"] == 0


# ---- The ACL user of the README ------------------------------------------------------------------


def readme_rule():
    """The words behind ACL SETUSER, as they stand there for a shell."""
    text = (ROOT / "README.md").read_text().replace("\\\n", " ")
    found = re.findall(r"^redis-cli ACL SETUSER (planner .*)$", text, re.M)
    assert len(found) == 1, found
    return shlex.split(found[0])


def test_with_the_rules_of_the_readme_everything_works(agent, redis, mock):
    """The server's own record of what it refused stays empty, but for what is not ours."""
    name, *rules = readme_rule()
    password = next(rule[1:] for rule in rules if rule.startswith(">"))
    redis("ACL", "SETUSER", name, *rules)
    mock.on(OPENAI, proposal())
    env = bus(redis.url_of(user=name, password=password), REDIS_STREAM=STREAM, ACTIONS_STREAM=ACTIONS,
              **servers(mock, "openai", COOLDOWN_SECONDS=1, OLLAMA_COLD_SECONDS=0))
    redis.add(None, note="no event")
    redis.add(fault(service="from-the-stream"))
    with Listener(redis, METRICS) as metrics:
        daemon = agent.start(env=env)
        wait_ready(daemon, of=("events", "commands", "stream"))
        Stream(redis).wait_read(daemon)  # the group begins at the end: what comes before it is history
        agent.cmd("emit", "--redis", *EMIT[2:], env=env)
        redis.publish(fault(service="by-the-other"), CHANNELS[1])
        redis.add(fault(service="later", id="evt-1"))
        wait_for("all four", lambda: len(agent.tree.actions()) >= 3, 60)
        metrics.wait(3)
    wait_for("acknowledged", lambda: redis("XPENDING", STREAM, "planner")[0] == 0)
    wait_for("told", lambda: redis("XLEN", ACTIONS) >= 3)
    wait_for("the hash", lambda: redis("EXISTS", "planner:status:planner") == 1)
    redis("FLUSHALL")  # the group is made again
    wait_for("the group", lambda: redis("EXISTS", STREAM) == 1, 60)
    redis("CLIENT", "KILL", "USER", name)
    wait_ready(daemon, 2, of=("events", "commands", "stream"), seconds=60)
    daemon.stop()
    agent.cmd("check", "--probe", env=env, rc=(0, 1), err="")
    refused = [dict(zip(one[::2], one[1::2])) for one in redis("ACL", "LOG")]
    assert refused == [], [(one["reason"], one["object"]) for one in refused]
    assert changes(daemon, "redis_refused") == [] and daemon.named("shared_cooldown_refused") == []


FOREIGN = [("GET", "secret"), ("SET", "planner", "x"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"),
           ("DEL", STREAM + "2"),
           ("PUBLISH", "other", "x"), ("SUBSCRIBE", "other"), ("ACL", "LIST"), ("CLIENT", "KILL", "TYPE", "normal"),
           ("EVAL", "return redis.call('GET', KEYS[1])", 1, "secret"), ("SCRIPT", "FLUSH"), ("DEBUG", "SLEEP", 0),
           ("MONITOR",)]


@pytest.mark.parametrize("order", FOREIGN, ids=lambda order: " ".join(map(str, order[:2])))
def test_with_the_rules_of_the_readme_nothing_else_does(redis, order):
    name, *rules = readme_rule()
    password = next(rule[1:] for rule in rules if rule.startswith(">"))
    redis("ACL", "SETUSER", name, *rules)
    with redis.client() as client:
        client("AUTH", name, password)
        with pytest.raises(Exception, match="NOPERM|permission"):
            client(*order)
