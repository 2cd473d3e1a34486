"""What a server or the wire may do to a connection: bytes that are no RESP or too many, one at a time, cut
off or swallowed, names that are not there yet; and how long it waits."""

import contextlib
import os
import threading
import time

import pytest

from agent import stays, wait_for
from name_server import NXDOMAIN, NameServer, addresses, code
from redis_daemon import (CONNECTIONS, KEY, RESIDENT, changes, connections, cpu, files_work, in_parallel,
                          rss, wait_ready, works)
from redis_peers import Redis, bus, bus_of, said_at, wait_subscribed
from redis_proxies import Proxy, Scripted


# ---- What is no RESP, or too much of it ----------------------------------------------------------

ENDLESS = 1 << 20
HOSTILE = {
    "garbage": bytes(range(256)) * 16,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>no</html>\r\n",
    "nothing but line ends": b"\r\n" * 1000,
    "a huge string": b"$99999999999999\r\n",
    "a string of 513 MiB": b"$537919488\r\n" + ENDLESS * b"x",
    "a length that is none": b"$-2\r\nx\r\n",
    "a length with blanks": b"$ 5\r\nhello\r\n",
    "a length beyond 64 bits": b"$18446744073709551617\r\nx\r\n",
    "a string without its end": b"$5\r\nhelloXX+OK\r\n",
    "an array of a billion": b"*1000000000\r\n" + ENDLESS // 4 * b":1\r\n",
    "an array below nothing": b"*-7\r\n",
    "arrays in arrays": 10000 * b"*1\r\n" + b":1\r\n",
    "wide arrays in arrays": 6 * b"*8000\r\n" + ENDLESS // 4 * b":1\r\n",
    "an endless line": b"+" + ENDLESS * b"a",
    "an endless error": b"-ERR " + ENDLESS * b"a",
    "a number that is none": b":12x\r\n",
    "a number beyond 64 bits": b":99999999999999999999\r\n",
    "RESP3": b"%1\r\n+server\r\n+redis\r\n",
    "a push of RESP3": b">3\r\n$7\r\nmessage\r\n$13\r\nhealth_events\r\n$2\r\n{}\r\n",
    "a NUL": b"+OK\0\r\n\0\0\0",
    "a line feed alone": b"+OK\n",
    "unasked replies": 1000 * b"+OK\r\n",
    "unasked errors": 1000 * b"-ERR you are not wanted here\r\n",
    "unasked nulls": 1000 * b"$-1\r\n*-1\r\n",
    "an empty array": b"*0\r\n" * 100,
    "a message in pieces": b"*3\r\n$7\r\nmessage\r\n*1\r\n:1\r\n$-1\r\n",
    "a message of another channel": b"*3\r\n$7\r\nmessage\r\n$5\r\nother\r\n$2\r\n{}\r\n",
    "a subscription to nothing": b"*3\r\n$9\r\nsubscribe\r\n$-1\r\n:1\r\n",
    "a subscription that was not asked for": b"*3\r\n$9\r\nsubscribe\r\n$5\r\nother\r\n:1\r\n",
    "an end of a subscription": b"*3\r\n$11\r\nunsubscribe\r\n$13\r\nhealth_events\r\n:0\r\n",
    "an end of all subscriptions": b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
    "a pattern's message": b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$13\r\nhealth_events\r\n$2\r\n{}\r\n",
    "an invalidation": b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n",
}
# Where it comes: in place of an answer, or when all is quiet.
PLACES = {"connecting": ("greeting", None), "PING": ("answer", "PING"), "SUBSCRIBE": ("answer", "SUBSCRIBE"),
          "EVAL": ("answer", "EVAL"), "quiet": ("later", None)}


def attacked(place, payload):
    how, name = PLACES[place]

    def run(agent):
        answers = {name: payload} if how == "answer" else {}
        with Scripted(answers, greeting=payload if how == "greeting" else b"") as server:
            daemon = agent.start(env=bus(server.url))
            if how == "later":
                wait_ready(daemon)
                server.push(payload)
            files_work(agent, daemon, "one", 30)
            files_work(agent, daemon, "two", 30)
            # Alive, small, and not at work for nothing.
            assert rss(daemon) < RESIDENT, rss(daemon)
            before = cpu(daemon)
            time.sleep(0.4)
            assert cpu(daemon) - before < 0.25, "busy"
            assert len(server.accepts) < 60, len(server.accepts)
            assert daemon.stop() < 2
    return run


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_sends_what_it_likes(program, tmp_path, place):
    in_parallel(program, tmp_path, {name: attacked(place, payload) for name, payload in HOSTILE.items()}, 6)


def test_a_broken_stream_ends_the_connection_and_the_next_one_is_good(agent):
    """Each of these is an end: with a reason, and without what followed."""
    with Scripted() as server:
        daemon = agent.start(env=bus(server.url))
        wait_ready(daemon)
        for number, name in enumerate(["garbage", "HTTP", "a huge string", "arrays in arrays", "unasked replies"], 1):
            server.push(HOSTILE[name])
            daemon.wait_log("redis_lost", count=2 * number)
            wait_ready(daemon, number + 1)
        server.push(b"*3\r\n$7\r\nmessage\r\n$13\r\nhealth_events\r\n$536870913\r\n", "SUBSCRIBE")
        daemon.wait_log("redis_lost", count=11)
        assert all(log["error"] for log in daemon.named("redis_lost"))
        wait_for("the status", lambda: [connections(agent)[one]["losses"] for one in CONNECTIONS] == [6, 5])


def test_a_message_without_end_is_passed_over(agent, redis):
    """A string that is too large for an event, not for Redis: it costs no memory and no connection."""
    redis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0")
    daemon = agent.start(env=bus(redis))
    wait_subscribed(redis)
    redis.publish(b"x" * (100 << 20))
    daemon.wait_log("event_refused")
    assert rss(daemon) < RESIDENT, rss(daemon)
    works(agent, redis, daemon)
    assert changes(daemon, "redis_lost") == []


# ---- The wire ------------------------------------------------------------------------------------


def test_byte_by_byte(agent, redis):
    with Proxy(redis, split=True) as proxy:
        daemon = agent.start(env=bus(proxy))
        works(agent, redis, daemon, "one")
        works(agent, redis, daemon, "two")
        assert len(proxy.links) == 2 and changes(daemon, "redis_lost") == []
        wait_for("the done", lambda: redis("GET", "planner:cooldown:solaria/two") == "done:planner:error")


def test_a_slow_wire(agent, redis):
    with Proxy(redis, delay=0.3) as proxy:
        daemon = agent.start(env=bus(proxy))
        works(agent, redis, daemon)
        assert len(proxy.links) == 2
        wait_for("the done", lambda: redis("GET", KEY) == "done:planner:error")


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_wire_that_is_cut(agent, redis, reset):
    with Proxy(redis) as proxy:
        daemon = agent.start(env=bus(proxy))
        wait_ready(daemon)
        proxy.cut(reset)
        wait_ready(daemon, 2)
        works(agent, redis, daemon)
        assert [changes(daemon).count((one, "redis_lost")) for one in CONNECTIONS] == [1, 1]


def test_the_first_claims_wait_for_the_connection(agent, redis):
    """What lies there at the start is not decided alone while the log-in is on its way."""
    redis("SET", KEY, "done:other:error", "PX", 60000)
    agent.tree.event()
    with Proxy(redis, delay=0.2) as proxy:
        daemon = agent.start(env=bus(proxy))
        daemon.wait_log("shared")
        assert agent.tree.actions() == {}


def test_a_flood_holds_up_nobody(agent, redis):
    """While a publisher sends as fast as it can, files are read and claims are made."""
    # On a busy machine the one that sends may be ahead by more than the usual 32 MB.
    redis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256mb 0 0")
    daemon = agent.start(env=bus(redis, LOG_LEVEL="info"))
    wait_subscribed(redis)
    over = threading.Event()

    def flood():
        with redis.client() as client:
            while not over.is_set():
                client.all([("PUBLISH", "world_updates", '{"type":"service_healthy","node":"n","service":"s"}')] * 500)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait_for("the flood", lambda: daemon.alive_or_fail()
                 and sum(one["messages"] for one in bus_of(agent)["channels"]) > 1000)
        for number in range(3):
            files_work(agent, daemon, f"s{number}")
        wait_for("the claims", lambda: redis("GET", "planner:cooldown:solaria/s2") == "done:planner:error")
        assert agent.cmd("healthcheck").rc == 0
    finally:
        over.set()
        thread.join()
    assert changes(daemon, "redis_lost") == []
    assert rss(daemon) < RESIDENT, rss(daemon)


def test_cut_at_every_byte_of_the_log_in(program, tmp_path, redis):
    """Each answer cut in two: nothing hangs, and the next connection is a good one."""
    def case(size):
        def run(agent):
            with Proxy(redis) as proxy:
                proxy.cut_after["down"] = size
                daemon = agent.start(env=bus(proxy, NODE_NAME=f"planner{size}"))
                daemon.wait_log("redis_unreachable", "redis_lost")
                proxy.cut_after.clear()
                wait_ready(daemon)
                files_work(agent, daemon, f"web{size}")
        return run

    in_parallel(program, tmp_path, {size: case(size) for size in range(0, 92, 7)})


def test_an_answer_that_is_cut_off_lets_the_local_table_decide(agent, redis):
    """Nobody knows whether the claim was carried out."""
    with Proxy(redis) as proxy:
        daemon = agent.start(env=bus(proxy))
        wait_ready(daemon)

        def cut(link, way, data):
            if way == "down" and b"EVAL" in link.asked:
                link.cut()
                raise OSError
            return data

        proxy.bend = cut
        agent.tree.event()
        daemon.wait_log("proposed")
        proxy.bend = None
        wait_ready(daemon, 2, of=["commands"])
        works(agent, redis, daemon, "after")


def test_a_name_that_is_not_there_yet(agent, network):
    with contextlib.ExitStack() as stack:
        with network.inside():
            names = stack.enter_context(NameServer())
        names.on("redis.lan", code(NXDOMAIN))
        redis = stack.enter_context(Redis(tcp=True, prefix=network.prefix))
        daemon = agent.start(env=bus(redis.url_of("tcp", host="redis.lan")), prefix=network.prefix)
        log = daemon.wait_log("redis_unreachable", count=2)[0]
        assert "redis.lan" in log["error"] or "redis.lan" in log["server"]
        files_work(agent, daemon)
        names.on("redis.lan", addresses("127.0.0.1"))
        works(agent, redis, daemon)
        wait_for("both", lambda: len(changes(daemon)) >= 4)
        assert len(changes(daemon)) == 4, changes(daemon)


# ---- Waiting -------------------------------------------------------------------------------------


def test_how_long_it_waits(program, tmp_path, redis):
    """After a failure longer and longer, with jitter from nothing to a cap that doubles from 100 ms; also
    where each connection lives for a moment, which is no success. PING after 15 s without a word, the
    end 5 s later where nothing comes."""
    def refused_at_once(agent):
        with Proxy(redis) as proxy:
            proxy.ends_at_once = True
            daemon = agent.start(env=bus(proxy, NODE_NAME="a"))
            time.sleep(8)
            # Two connections, each about 1 + log2(8 s / 50 ms) times.
            assert 6 <= len(proxy.accepts) <= 40, len(proxy.accepts)
            # Of 0.1 s at most, and of 0.2 s: the rest is for a machine that has other work.
            early = [at for at in proxy.accepts if at - proxy.accepts[0] < 1.5]
            assert len(early) >= 6, "the first wait is 100 ms at most"
            assert len(changes(daemon)) <= 4
            # A wait of 30 s at most: here most often of 12.8 s.
            proxy.ends_at_once = False
            wait_ready(daemon)

    def ready_for_a_moment(agent):
        with Proxy(redis) as proxy:
            daemon = agent.start(env=bus(proxy, NODE_NAME="b"))
            end = time.monotonic() + 6
            while time.monotonic() < end:
                for link in proxy.living():
                    if b"PONG" in link.answered:
                        link.cut()
                time.sleep(0.02)
            assert 4 <= len(proxy.accepts) <= 40, len(proxy.accepts)
            assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < 20

    def ready_for_long(agent):
        with Proxy(redis) as proxy:
            daemon = agent.start(env=bus(proxy, NODE_NAME="c"))
            wait_ready(daemon)

            def waits():
                """How long it took until both were there again, and ready."""
                before, cut = len(proxy.accepts), time.monotonic()
                ready = min(changes(daemon).count((one, "redis_ready")) for one in CONNECTIONS)
                proxy.cut()
                wait_ready(daemon, ready + 1)
                return [at - cut for at in proxy.accepts[before:]]

            for _ in range(6):
                waits()
            # Behind five seconds each of them begins anew, with 100 ms at most: otherwise with some seconds.
            first = []
            for _ in range(2):
                time.sleep(5.3)
                first += waits()
            assert max(first) < 2 and sorted(first)[1] < 0.6, first

    def alive(agent):
        with Proxy(redis) as proxy:
            daemon = agent.start(env=bus(proxy, NODE_NAME="alive"))
            wait_ready(daemon)
            links = proxy.living()
            wait_for("PING", lambda: all(bytes(link.asked).count(b"PING") == 2 for link in links))
            for link in links:
                assert 14 < max(later - at for at, later in zip(link.times, link.times[1:])) < 18
            stays("connected", lambda: len(proxy.living()) == 2, 6)
            assert changes(daemon, "redis_lost") == []

    def dead(agent):
        with Proxy(redis) as proxy:
            daemon = agent.start(env=bus(proxy, NODE_NAME="dead"))
            wait_ready(daemon)
            time.sleep(2)
            proxy.hold("down")
            daemon.wait_log("redis_lost", count=2)
            ready = {log["connection"]: said_at(log) for log in daemon.named("redis_ready")}
            for log in daemon.named("redis_lost"):
                assert 19.5 < said_at(log) - ready[log["connection"]] < 22.5, log
            proxy.release()
            proxy.cut()
            wait_ready(daemon, 2)

    def swallowed_at_log_in(agent):
        with Proxy(redis) as proxy:
            proxy.hold("down")
            daemon = agent.start(env=bus(proxy, NODE_NAME="hung"))
            logs = daemon.wait_log("redis_unreachable", count=2)
            began = said_at(daemon.named("started")[0])
            assert all(2.5 < said_at(log) - began < 4.5 for log in logs[:2]), logs
            files_work(agent, daemon)
            proxy.release()
            wait_ready(daemon)

    def half_a_subscription(agent):
        answer = b"*3\r\n$9\r\nsubscribe\r\n$13\r\nhealth_events\r\n:1\r\n"
        with Scripted({"SUBSCRIBE": answer}) as server:
            daemon = agent.start(env=bus(server.url))
            log = daemon.wait_log("redis_unreachable")[0]
            assert log["connection"] == "events" and "no answer" in log["error"]

    in_parallel(program, tmp_path, {
        "half a subscription": half_a_subscription, "at once": refused_at_once, "for a moment": ready_for_a_moment,
        "for long": ready_for_long, "alive": alive, "dead": dead, "at the log-in": swallowed_at_log_in}, 7)


@pytest.mark.parametrize("stream", [None, "homelab:events"])
def test_it_stops_soon_whatever_the_server_does(agent, redis, stream):
    daemon = agent.start(env=bus(redis, REDIS_STREAM=stream))
    wait_ready(daemon)
    with redis.stopped():
        assert daemon.stop() < 2


def test_a_clean_stop_says_goodbye(agent, redis):
    daemon = agent.start(env=bus(redis))
    wait_ready(daemon)
    assert daemon.stop() < 1
    wait_for("that it is gone", lambda: redis.clients() == [])
    assert redis.hash("planner:status:planner")["state"] == "stopped"
    assert changes(daemon, "redis_lost") == []
