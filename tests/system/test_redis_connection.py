"""The connections to Redis: every form of REDIS_URL, a server that says no, one that comes and goes; and
that the planner goes on from its files all the while."""

import contextlib
import json
import re
import signal
import time

import pytest

from agent import fault, named, stays, wait_for
from redis_daemon import (CHANGES, CONNECTIONS, ID, KEY, NOBODY_THERE, changes, connections, files_work,
                          in_parallel, wait_ready, works)
from redis_peers import Listener, Redis, bus, bus_of, command, wait_subscribed
from redis_proxies import Scripted


# ---- REDIS_URL -----------------------------------------------------------------------------------

# Everything that must be encoded in a URL, and what need not be.
USER, PASSWORD = "b@b:/?#[]%é", "p@ss:/?#[]%&=+'\"é!$"

FORMS = {
    "host and port": ("tcp", {}),
    "a database": ("tcp", {"db": 3}),
    "database 0": ("tcp", {"db": 0}),
    "a password": ("tcp", {"password": "default-pass"}),
    "a user": ("tcp", {"user": USER, "password": PASSWORD}),
    "a user and a database": ("tcp", {"user": USER, "password": PASSWORD, "db": 15}),
    "a name": ("tcp", {"host": "localhost"}),
    "a socket": ("unix", {}),
    "a socket's database": ("unix", {"db": 2}),
    "a socket and a password": ("unix", {"password": "default-pass"}),
    "a socket, a user and a database": ("unix", {"user": USER, "password": PASSWORD, "db": 9}),
    "TLS": ("tls", {}),
    "TLS and a password": ("tls", {"password": "default-pass"}),
    "TLS, a user and a database": ("tls", {"user": USER, "password": PASSWORD, "db": 1}),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_url(agent, tree, redises, certificates, name):
    form, parts = FORMS[name]
    redis = redises(tcp=form == "tcp", tls=certificates.p256 if form == "tls" else None,
                    password=parts.get("password") if "user" not in parts else None)
    if "user" in parts:
        redis("ACL", "SETUSER", parts["user"], "on", f">{parts['password']}", "~*", "&*", "+@all")
    url = redis.url_of(form, **parts)
    daemon = agent.start(env=bus(url, SSL_CERT_FILE=certificates.roots if form == "tls" else None))
    works(agent, redis, daemon)
    wait_ready(daemon)
    clients = redis.clients()
    assert len(clients) == 2 and {one["name"] for one in clients} == {"planner-agent:planner"}
    assert {one["user"] for one in clients} == {parts.get("user", "default")}
    assert {int(one["db"]) for one in clients} == {parts.get("db", 0)}
    with redis.client(db=parts.get("db", 0)) as there:
        wait_for("the done", lambda: there("GET", KEY) == "done:planner:error")
    shown = bus_of(agent)["url"]
    assert shown.startswith({"tcp": "redis://", "unix": "unix:///", "tls": "rediss://"}[form]) and "@" not in shown
    assert sorted(changes(daemon)) == [("commands", "redis_ready"), ("events", "redis_ready")]


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_ipv6(agent, redises, host):
    redis = redises(tcp=True, host="::1")
    daemon = agent.start(env=bus(redis.url_of("tcp", host="[::1]" if host == "::1" else host)))
    works(agent, redis, daemon)


def test_the_port_is_6379_where_none_is_named(agent, network):
    with Redis(prefix=network.prefix) as redis:
        redis("CONFIG", "SET", "port", 6379)
        daemon = agent.start(env=bus("redis://127.0.0.1"), prefix=network.prefix)
        works(agent, redis, daemon)
        assert bus_of(agent)["url"] == "redis://127.0.0.1:6379"


BAD_URLS = {
    "another scheme": "http://127.0.0.1",
    "no scheme": "127.0.0.1:6379",
    "no host": "redis://",
    "a port too high": "redis://:s3cr3t@127.0.0.1:65536",
    "a port that is none": "redis://bob:s3cr3t@127.0.0.1:x",
    "a database too high": "redis://:s3cr3t@127.0.0.1/70000",
    "a database that is none": "redis://:s3cr3t@127.0.0.1/one",
    "half an escape": "redis://bob:s3cr3t%4@127.0.0.1",
    "a slash in the password": "redis://bob:s3cr3t/x@127.0.0.1",
    "an at sign in the password": "redis://bob:s3cr3t@s3cr3t@127.0.0.1",
    "a user alone": "redis://s3cr3t@127.0.0.1",
    "a relative path": "unix://redis.sock",
    "a path too long": "unix:///" + 108 * "s",
    "another parameter": "unix:///run/redis.sock?password=s3cr3t",
}


@pytest.mark.parametrize("name", BAD_URLS)
def test_a_url_that_is_none(agent, name):
    for args in (["run", "--once"], ["run"], ["emit", "--redis", "--type", "x"]):
        done = agent.cmd(*args, rc=78, env=bus(BAD_URLS[name]), err="REDIS_URL")
        assert "s3cr3t" not in done.out + done.err
    checked = agent.cmd("check", rc=(1, 78), env=bus(BAD_URLS[name]), err="")
    assert "s3cr3t" not in checked.out + checked.err and "REDIS_URL" in checked.out + checked.err


def test_an_empty_url_is_none(agent, tree):
    tree.event()
    assert named(agent.run_once(env=bus("")).logs, *CHANGES) == []
    assert bus_of(agent) is None and list(tree.actions()) == [ID]


def test_offline_ignores_it(agent, redis, tree):
    tree.event()
    done = agent.run_once(env=bus(redis), args=["--offline"])
    assert named(done.logs, *CHANGES) == [] and redis("DBSIZE") == 0 and list(tree.actions()) == [ID]


# ---- TLS -----------------------------------------------------------------------------------------


BAD_TLS = {
    "an unknown root": ("unknown_root", "localhost", "no root known"),
    "another name": ("wrong_name", "localhost", "not for localhost"),
    "expired": ("expired", "localhost", "expired"),
    "self-signed": ("self_signed", "localhost", "self-signed"),
    "an address": ("ip_only", "127.0.0.1", "BearSSL knows names only"),
}


def test_a_server_that_cannot_be_trusted(program, tmp_path, certificates):
    """It is not talked to, files go on, and the log says why, once."""
    roots = certificates.roots

    def case(name, host, words):
        chain = getattr(certificates, name)

        def run(agent):
            with Redis(tls=chain) as redis:
                daemon = agent.start(env=bus(redis.url_of("tls", password="s3cr3t", host=host),
                                             SSL_CERT_FILE=roots))
                daemon.wait_log("redis_unreachable", count=2)
                files_work(agent, daemon)
                stays("unreachable", lambda: len(changes(daemon)) == 2, 0.5)
                log = daemon.named("redis_unreachable")[0]
                assert words in log["error"] and "http" not in log["error"], log
                wait_for("the status", lambda: connections(agent)["commands"]["error"] == log["error"])
                assert redis.clients() == [] and redis("DBSIZE") == 0
        return run

    in_parallel(program, tmp_path, {name: case(*what) for name, what in BAD_TLS.items()})


def test_tls_to_a_server_without_and_the_other_way_round(program, tmp_path, certificates):
    chain, roots = certificates.p256, certificates.roots

    def case(form):
        def run(agent):
            with Redis(tcp=True, tls=chain) as redis:
                port = redis.port if form == "rediss" else redis.tls_port
                daemon = agent.start(env=bus(f"{form}://localhost:{port}", SSL_CERT_FILE=roots))
                daemon.wait_log("redis_unreachable", count=2)
                files_work(agent, daemon)
                assert ("commands", "redis_ready") not in changes(daemon)
        return run

    in_parallel(program, tmp_path, {"rediss to a plain port": case("rediss"), "redis to a TLS port": case("redis")})


def test_a_root_that_comes_with_a_reload(agent, certificates, tmp_path):
    roots = tmp_path / "roots.pem"
    roots.write_text(certificates.unknown_root.root.read_text().replace("x", "x"))
    with Redis(tls=certificates.rsa) as redis:
        daemon = agent.start(env=bus(redis.url_of("tls"), SSL_CERT_FILE=roots))
        daemon.wait_log("redis_unreachable", count=2)
        roots.write_bytes(certificates.roots.read_bytes())
        daemon.send(signal.SIGHUP)
        daemon.wait_log("config_loaded")
        works(agent, redis, daemon)


# ---- A server that says no -----------------------------------------------------------------------


def no_more_than(redis, what, most):
    """How often the server has refused something so far, in its own count."""
    found = re.search(rf"^{what}:(\d+)", redis("INFO", "everything"), re.M)
    assert found and int(found[1]) <= most, found
    return int(found[1])


def refuses(setup, words, url=None, tcp=False):
    def run(agent):
        with Redis() as redis:
            setup(redis)
            daemon = agent.start(env=bus(url(redis)))
            daemon.wait_log("redis_refused", count=2)
            files_work(agent, daemon)
            before = no_more_than(redis, "total_connections_received", 1000)
            stays("one line a connection", lambda: len(changes(daemon)) == 2, 2)
            # The two of this look are the test's own.
            assert no_more_than(redis, "total_connections_received", 1000) - before == 0, "hammered"
            log = daemon.named("redis_refused")[0]
            assert log["level"] == "error" and words in log["error"], log
            assert "s3cr3t" not in json.dumps(daemon.logs)
            wait_for("the status", lambda: [(one["state"], one["error"]) for one in connections(agent).values()]
                     == 2 * [("waiting", log["error"])])
            assert words in agent.cmd("status").out
    return run


def no_setup(_redis):
    pass


def only(*rules):
    def setup(redis):
        redis("ACL", "SETUSER", "bob", "on", ">s3cr3t", *rules)
    return setup


AS_BOB = {"user": "bob", "password": "s3cr3t"}
REFUSED = {
    "a wrong password": (lambda redis: redis("CONFIG", "SET", "requirepass", "other"),
                         "the password or user in REDIS_URL is wrong: WRONGPASS",
                         lambda redis: redis.url_of(password="s3cr3t")),
    "no password": (lambda redis: redis("CONFIG", "SET", "requirepass", "other"), "NOAUTH", lambda redis: redis.url_of()),
    "a password that nobody wants": (no_setup, "password", lambda redis: redis.url_of(password="s3cr3t")),
    "an unknown user": (no_setup, "WRONGPASS", lambda redis: redis.url_of(**AS_BOB)),
    "an unknown database": (no_setup, "the database in REDIS_URL is not there: ERR DB index is out of range",
                            lambda redis: redis.url_of(db=16)),
    "a user that may do nothing": (only("~*", "&*", "-@all"), "NOPERM", lambda redis: redis.url_of(**AS_BOB)),
    "no permission to select": (only("~*", "&*", "+@all", "-select"), "NOPERM", lambda redis: redis.url_of(db=1, **AS_BOB)),
}


def test_what_the_server_refuses_is_clear_and_tried_again_slowly(program, tmp_path):
    in_parallel(program, tmp_path, {name: refuses(setup, words, url) for name, (setup, words, url) in REFUSED.items()})


@pytest.mark.parametrize("rules", [["~*", "resetchannels", "+@all"], ["~*", "&*", "+@all", "-subscribe"]],
                         ids=["the channel", "the command"])
def test_no_permission_to_subscribe(agent, redis, rules):
    """The other connection is not the worse for it."""
    only(*rules)(redis)
    daemon = agent.start(env=bus(redis.url_of(**AS_BOB)))
    log = daemon.wait_log("redis_refused")[0]
    assert log["connection"] == "events" and "NOPERM" in log["error"] and "s3cr3t" not in json.dumps(daemon.logs)
    wait_ready(daemon, of=["commands"])
    files_work(agent, daemon, "web")
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")
    wait_for("the status", lambda: [connections(agent)[one]["state"] for one in CONNECTIONS] == ["waiting", "ready"])


def test_client_setname_may_be_forbidden(agent, redis):
    only("~*", "&*", "+@all", "-client")(redis)
    daemon = agent.start(env=bus(redis.url_of(**AS_BOB)))
    works(agent, redis, daemon)


def test_no_secret_is_ever_told(agent, tree):
    """In logs, on stderr, in the status or the state, whatever befalls the connection."""
    secret = "s3cr3t/%x"
    encoded = "s3cr3t%2F%25x"
    with Redis(password=secret, tcp=True) as redis:
        url = redis.url_of("tcp", password=secret)
        assert encoded in url
        daemon = agent.start(env=bus(url))
        wait_ready(daemon)
        redis("CONFIG", "SET", "requirepass", "another")
        redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis("CLIENT", "KILL", "TYPE", "pubsub")
        daemon.wait_log("redis_refused", count=2)
        redis.kill()
        told = [agent.cmd(*args, env=bus(url), rc=(0, 1, 69), err="").out
                for args in (["status"], ["status", "--json"], ["check"], ["check", "--probe"])]
        failed = agent.cmd("emit", "--redis", "--type", "x", env=bus(url), rc=69, err=".")
        daemon.stop()
    files = [path.read_bytes().decode(errors="replace") for path in tree.path.rglob("*") if path.is_file()]
    for text in (*told, failed.out, failed.err, json.dumps(daemon.logs), *files):
        assert "s3cr3t" not in text


REPEATING = {"no RESP": b"s3cr3t-word\r\n", "an error": b"-ERR unknown: s3cr3t-word\r\n", "NOPERM": b"-NOPERM s3cr3t-word\r\n"}


def test_a_server_that_repeats_the_password(program, tmp_path):
    """Whatever is no Redis may do so, at any step."""
    def case(name, answer):
        def run(agent):
            with Scripted({name: answer}) as server:
                daemon = agent.start(env=bus(server.url.replace("//", "//:s3cr3t-word@"), ACTIONS_STREAM="actions"))
                files_work(agent, daemon)
                wait_for("that step", lambda: name in server.names())
                stays("not told", lambda: "s3cr3t-word" not in json.dumps(daemon.logs), 0.3)
                assert "s3cr3t-word" not in json.dumps(agent.status()) + agent.cmd("status").out
        return run

    in_parallel(program, tmp_path, {(name, kind): case(name, answer) for kind, answer in REPEATING.items()
                                    for name in ("AUTH", "PING", "SUBSCRIBE", "EVAL", "XADD")})


# ---- No server, and one that comes and goes ------------------------------------------------------


NOBODY = {
    "nobody listens": NOBODY_THERE,
    "no such socket": "unix:///nonexistent/redis.sock",
    "no such name": "redis://no-such-host.invalid",
}


def test_without_a_server_files_work_and_it_says_so_once(program, tmp_path):
    def case(url):
        def run(agent):
            daemon = agent.start(env=bus(url))
            files_work(agent, daemon)
            daemon.wait_log("redis_unreachable", count=2)
            stays("one line a connection", lambda: len(changes(daemon)) == 2, 2.5)
            assert sorted(one for one, _ in changes(daemon)) == ["commands", "events"]
            logs = daemon.named("redis_unreachable")
            assert all(log["level"] == "warning" and log["error"] and log["server"] for log in logs), logs
            wait_for("the status", lambda: all(one["state"] != "ready" and one["error"]
                                               for one in connections(agent).values()))
            page = agent.cmd("status").out
            assert logs[0]["error"] in page and logs[0]["server"] in page
            assert agent.cmd("healthcheck").rc == 0
            assert daemon.stop() < 2
        return run

    in_parallel(program, tmp_path, {name: case(url) for name, url in NOBODY.items()})


def test_once_without_an_answer(program, tmp_path, redises):
    """Files are dealt with; a stream that could not be read stays unfinished."""
    def case(stream, rc, server):
        def run(agent):
            agent.tree.event()
            began = time.monotonic()
            if server is None:
                done = agent.run_once(rc=rc, env=bus(NOBODY_THERE, REDIS_STREAM=stream), err="")
                assert done.named("redis_unreachable")
            else:
                with server.stopped():
                    agent.run_once(rc=rc, env=bus(server, REDIS_STREAM=stream), err="")
            assert list(agent.tree.actions()) == [ID] and time.monotonic() - began < 6
        return run

    cases = {(server, stream): case(stream, rc, None if server == "nobody" else redises())
             for server in ("nobody", "silent") for stream, rc in ((None, 0), ("homelab:events", 75))}
    in_parallel(program, tmp_path, cases)


def test_once_with_a_server(agent, tree, redis):
    """It does not subscribe, and leaves when the files are done."""
    tree.event()
    began = time.monotonic()
    with Listener(redis) as orders:
        done = agent.run_once(env=bus(redis))
        orders.wait(1)
    assert time.monotonic() - began < 2.8  # a wait of any kind is of 3 s at least
    assert list(tree.actions()) == [ID] and redis("GET", KEY) == "done:planner:error"
    assert {log["connection"] for log in named(done.logs, "redis_ready")} == {"commands"}
    assert not any('"SUBSCRIBE"' in one for one in orders.messages)


def test_a_server_that_appears_later(agent):
    redis = Redis(tcp=True)
    try:
        redis.start()
        redis.stop()
        daemon = agent.start(env=bus(redis.url_of("tcp")))
        daemon.wait_log("redis_unreachable", count=2)
        files_work(agent, daemon)
        redis.start()
        works(agent, redis, daemon)
        wait_ready(daemon)
        assert [changes(daemon).count((one, "redis_ready")) for one in CONNECTIONS] == [1, 1]
        wait_for("the status", lambda: all((one["state"], one["error"], one["losses"]) == ("ready", None, 0)
                                           for one in connections(agent).values()))
    finally:
        redis.__exit__()


def test_a_server_that_is_killed_and_comes_back(agent, redis):
    daemon = agent.start(env=bus(redis))
    works(agent, redis, daemon, "before")
    before = "planner:cooldown:solaria/before"
    wait_for("the done", lambda: redis("GET", before) == "done:planner:error")
    for number in (1, 2):
        # In the moment of a start there is no socket, which is another error.
        said = len(changes(daemon, "redis_unreachable"))
        redis.kill()
        daemon.wait_log("redis_lost", count=2 * number)
        files_work(agent, daemon, f"meanwhile-{number}")
        stays("one line a change", lambda: len(changes(daemon, "redis_unreachable")) <= said + 2, 0.5)
        redis.start()
        works(agent, redis, daemon, f"after-{number}")
        wait_ready(daemon, number + 1)
    wait_for("the status", lambda: {one["losses"] for one in connections(agent).values()} == {2})
    assert redis("GET", before) == "done:planner:error"
    for one in CONNECTIONS:
        told = [event for name, event in changes(daemon) if name == one]
        told = [event for event in told if event != "redis_unreachable"]
        assert told == ["redis_ready"] + 2 * ["redis_lost", "redis_ready"]


@pytest.mark.parametrize("kind,lost", [("normal", "commands"), ("pubsub", "events")])
def test_client_kill(agent, redis, kind, lost):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    assert redis("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes") == 1
    wait_ready(daemon, 2, of=[lost])
    works(agent, redis, daemon)
    assert changes(daemon, "redis_lost") == [(lost, "redis_lost")]


@pytest.mark.parametrize("how", ["CLIENT PAUSE", "DEBUG SLEEP"])
def test_a_pause_shorter_than_an_answer_may_take_is_no_outage(agent, redis, how):
    """The claim is waited for."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    wait_subscribed(redis)
    with redis.client() as other:
        began = time.monotonic()
        if how == "CLIENT PAUSE":
            other("CLIENT", "PAUSE", 1500, "ALL")
        else:
            other.sock.sendall(command("DEBUG", "SLEEP", "1.5"))
            time.sleep(0.1)
        agent.tree.event()
        daemon.wait_log("proposed")
    # That it is no longer than an answer may take is said below: nothing was lost.
    assert 1.4 < time.monotonic() - began < 5
    wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")
    assert changes(daemon, "redis_lost") == []


def test_a_pause_that_is_longer_is_one(agent, redis):
    """The local table decides, and the connection comes back."""
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    wait_subscribed(redis)
    with redis.stopped():
        began = time.monotonic()
        agent.tree.event()
        daemon.wait_log("proposed")
        assert 2.5 < time.monotonic() - began < 5.5
        assert ("commands", "redis_lost") in changes(daemon)
    wait_ready(daemon, 2, of=["commands"])
    works(agent, redis, daemon, "after")


def heard(agent):
    return next(one for one in bus_of(agent)["channels"] if one["name"] == "health_events")["messages"]


def test_the_output_buffer_overflows(agent, redis):
    """A subscriber that does not read is thrown out by the server; it comes back, and what it got before
    is counted."""
    redis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 0 0")
    daemon = agent.start(env=bus(redis))
    wait_subscribed(redis)
    daemon.send(signal.SIGSTOP)
    try:
        sent = 0
        while redis("PUBSUB", "NUMSUB", "health_events")[1] == 1:
            redis.publish(fault("service_healthy", message=60000 * "x"))
            sent += 1
            assert sent < 2000
    finally:
        daemon.send(signal.SIGCONT)
    daemon.wait_log("redis_lost")
    works(agent, redis, daemon)
    # Our own audit event is a benign one, too.
    wait_for("the count", lambda: heard(agent) == agent.count("benign") > 1)
    assert heard(agent) <= sent + 1


def test_a_server_that_is_loading(agent, redises):
    redis = redises(appendonly="no", rdbcompression="no")
    redis.all(["SET", f"key:{number}", 1000 * "x"] for number in range(5000))  # a millisecond each
    redis("SAVE")
    redis.settings.update({"key-load-delay": 1000, "loading-process-events-interval-bytes": 1024})
    redis.restart(wait=False)
    wait_for("that it loads", lambda: "LOADING" in state_of(redis))
    daemon = agent.start(env=bus(redis))
    logs = daemon.wait_log("redis_unreachable", count=2)
    assert all("LOADING" in log["error"] and log["level"] == "warning" for log in logs)
    files_work(agent, daemon)
    wait_for("the end of loading", redis.answers)
    wait_ready(daemon)
    works(agent, redis, daemon)
    assert len(changes(daemon)) == 4, changes(daemon)


def state_of(redis):
    try:
        with redis.client(login=False) as client:
            return client("PING")
    except Exception as error:
        return str(error)


# ---- A server that does not take what we write ---------------------------------------------------


@contextlib.contextmanager
def read_only(redis, redises):
    first = redises(tcp=True)
    redis("REPLICAOF", "127.0.0.1", first.port)
    wait_for("the replica", lambda: "master_link_status:up" in redis("INFO", "replication"))
    yield
    redis("REPLICAOF", "NO", "ONE")


@contextlib.contextmanager
def out_of_memory(redis, _redises):
    redis("CONFIG", "SET", "maxmemory", 1)
    yield
    redis("CONFIG", "SET", "maxmemory", 0)


@contextlib.contextmanager
def no_permission(redis, _redises):
    redis("ACL", "SETUSER", "default", "-eval")
    yield
    redis("ACL", "SETUSER", "default", "+@all")


@contextlib.contextmanager
def too_few_replicas(redis, _redises):
    redis("CONFIG", "SET", "min-replicas-to-write", 1)
    yield
    redis("CONFIG", "SET", "min-replicas-to-write", 0)


NO_WRITES = {"READONLY": read_only, "OOM": out_of_memory, "NOPERM": no_permission, "NOREPLICAS": too_few_replicas}


@pytest.mark.parametrize("error", NO_WRITES)
def test_claims_that_the_server_refuses_stop_no_proposal(agent, redis, redises, error):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    with NO_WRITES[error](redis, redises):
        for service in ("a", "b", "c"):
            works(agent, redis, daemon, service)
        log = daemon.wait_log("shared_cooldown_refused")
        stays("one warning", lambda: len(daemon.named("shared_cooldown_refused")) == 1, 0.3)
        assert log[0]["level"] == "warning" and error in log[0]["error"]
        wait_for("the status", lambda: bus_of(agent)["claims_refused"] is True)
        assert "REFUSES CLAIMS" in agent.cmd("status").out
        assert redis("EXISTS", "planner:cooldown:solaria/a") == 0
    works(agent, redis, daemon, "after")
    daemon.wait_log("shared_cooldown_works")
    wait_for("the status", lambda: bus_of(agent)["claims_refused"] is False)
    wait_for("the done", lambda: redis("GET", "planner:cooldown:solaria/after") == "done:planner:error")
    assert changes(daemon, "redis_lost") == []


def test_a_password_that_is_set_while_it_runs(agent):
    """-NOAUTH in place of an answer."""
    answers = {"EVAL": b"-NOAUTH Authentication required.\r\n"}
    with Scripted(answers) as server:
        daemon = agent.start(env=bus(server.url))
        wait_ready(daemon)
        files_work(agent, daemon)
        log = daemon.wait_log("shared_cooldown_refused")[0]
        assert "NOAUTH" in log["error"]


ODD = {
    "a status": b"+OK\r\n",
    "a number": b":1\r\n",
    "a null": b"$-1\r\n",
    "a string": b"$4\r\nours\r\n",
    "an empty array": b"*0\r\n",
    "an unknown word": b"*1\r\n$4\r\nmine\r\n",
    "an array for a word": b"*1\r\n*1\r\n$4\r\nours\r\n",
    "taken, without more": b"*1\r\n$5\r\ntaken\r\n",
    "taken, without a time": b"*3\r\n$5\r\ntaken\r\n$1\r\na\r\n$1\r\n7\r\n",
}


def test_answers_to_a_claim_that_are_none(program, tmp_path):
    """They are told, and hinder nobody."""
    def case(answer):
        def run(agent):
            with Scripted({"EVAL": answer}) as server:
                daemon = agent.start(env=bus(server.url))
                wait_ready(daemon)
                files_work(agent, daemon)
                daemon.wait_log("shared_cooldown_refused")
        return run

    in_parallel(program, tmp_path, {name: case(answer) for name, answer in ODD.items()})


def test_an_owner_with_a_hostile_name(agent):
    name = b"\x1b[31m\xff\xe2\x80\xae" + 60000 * b"n"
    with Scripted({"EVAL": b"*2\r\n$4\r\ndone\r\n$%d\r\n%b\r\n" % (len(name), name)}) as server:
        daemon = agent.start(env=bus(server.url))
        wait_ready(daemon)
        agent.tree.event()
        daemon.wait_log("shared")  # what it prints is looked at when it has ended
        assert agent.tree.actions() == {}


@pytest.mark.parametrize("kind", ["RPUSH", "SADD", "XADD"])
def test_a_key_of_another_type(agent, redis, kind):
    """It is named, and hinders nobody."""
    redis(kind, KEY, *(["*", "a", "b"] if kind == "XADD" else ["x"]))
    daemon = agent.start(env=bus(redis))
    works(agent, redis, daemon)
    log = daemon.wait_log("shared_cooldown_foreign")[0]
    assert log["level"] == "warning" and "WRONGTYPE" in log["error"] and KEY in log["error"]
    works(agent, redis, daemon, "other")
    assert daemon.named("shared_cooldown_refused", "shared_cooldown_works") == []
    assert redis("TYPE", KEY) in ("list", "set", "stream")
    wait_for("the done", lambda: redis("GET", "planner:cooldown:solaria/other") == "done:planner:error")
