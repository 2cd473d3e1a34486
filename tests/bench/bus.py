"""Redis: what a benign message costs beside a subscriber that only counts, publish to proposal, three
planners beside one."""

import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import chain
from nginx import Nginx

HERE = os.path.dirname(os.path.abspath(__file__))
HIREDIS = os.path.join(HERE, "../../build/vendor/hiredis")
CHANNELS = ("health_events", "world_updates")
STREAM = "homelab:events"
MESSAGES = int(os.environ.get("BENCH_MESSAGES", "200000"))
ROUNDS = 3  # the median counts: others use this machine, too
PUBLISHED = 200
STREAMED = 600
RESIDENT = 1269  # KiB: 1.3 MB


def command(*args):
    parts = [str(one).encode() for one in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(one), one) for one in parts)


class Redis:
    """A server of its own on a socket, that keeps nothing and never cuts a slow subscriber off."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="planner-bench-redis-")
        self.socket = f"{self.directory}/socket"
        self.url = f"unix://{self.socket}"
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self.directory,
             "--client-output-buffer-limit", "pubsub 0 0 0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.connection = self.connect()
        self.replies = self.connection.makefile("rb")

    def connect(self):
        for _ in range(500):
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.socket)
                return connection
            except OSError:
                connection.close()
                time.sleep(0.01)
        return sys.exit("redis-server does not start")

    def __call__(self, *args):
        """A command whose reply is one line."""
        self.connection.sendall(command(*args))
        reply = self.replies.readline()
        if reply.startswith(b"-"):
            sys.exit(f"{args}: {reply.decode()}")
        return reply

    def pipeline(self, commands):
        """Many at once; their replies, a line each, are read meanwhile and thrown away."""
        sender = threading.Thread(target=self.connection.sendall, args=(b"".join(commands),))
        sender.start()
        for _ in commands:
            self.replies.readline()
        sender.join()

    def until_subscribed(self, count):
        """So many are on each channel."""
        for channel in CHANNELS:
            for _ in range(1000):
                self.connection.sendall(command("PUBSUB", "NUMSUB", channel))
                lines = [self.replies.readline() for _ in range(4)]
                if int(lines[3][1:]) >= count:
                    break
                time.sleep(0.01)
            else:
                sys.exit(f"{channel}: nobody subscribes")

    def stop(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.directory)


class Subscriber:
    """subscriber.c, with the machine's own compiler and C library."""

    def __init__(self, redis):
        program = f"{redis.directory}/subscriber"
        subprocess.run(["gcc", "-O2", "-I", HIREDIS, "-o", program, f"{HERE}/subscriber.c",
                        *(f"{HIREDIS}/{name}.c" for name in
                          ("alloc", "async", "hiredis", "net", "read", "sds", "sockcompat"))], check=True)
        self.process = subprocess.Popen([program, redis.socket, *CHANNELS], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def count(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def benign(i):
    kinds = ({"type": "service_healthy", "service": f"service-{i % 500}", "message": "container is healthy again",
              "payload": {"exit_code": 0, "restarts": i % 5}},
             {"type": "node_health", "payload": {"cpu_percent": 12.5, "memory_percent": 43.1, "disk_percent": 71,
                                                 "containers": 14}},
             {"type": "deployment_completed", "service": f"web-{i % 4}", "message": "deployed",
              "details": {"image": "web:1.2.3", "seconds": 12}})
    return {"node": f"node{i % 8}", "severity": "info", "source": "node-agent", "timestamp": time.time(),
            **kinds[i % len(kinds)]}


def quiet(daemon):
    """Waits until it has nothing more to do."""
    before = -1
    while (now := chain.cpu_ms(daemon)) != before:
        before = now
        time.sleep(0.5)


def counted(bench, tree):
    """What its counters say, once it has ended."""
    done = subprocess.run([bench.AGENT, "status", "--json"], env=tree.env(), stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)["planner"]["counters"]


def messages(bench, redis, peaks):
    """CPU a benign message, beside a subscriber that only counts, in the same runs."""
    tree = bench.Tree(None, {"REDIS_URL": redis.url})
    daemon = bench.Daemon([bench.AGENT, "run"], tree)
    subscriber = Subscriber(redis)
    redis.until_subscribed(2)
    lines = [command("PUBLISH", CHANNELS[i % 2], json.dumps(benign(i))) for i in range(MESSAGES)]
    costs = []
    for _ in range(ROUNDS):
        for one in (daemon, subscriber):
            quiet(one)
        before = [chain.cpu_ms(one) for one in (daemon, subscriber)]
        redis.pipeline(lines)
        for one in (daemon, subscriber):
            quiet(one)
        after = [chain.cpu_ms(one) for one in (daemon, subscriber)]
        costs.append([1000 * (b - a) / MESSAGES for a, b in zip(before, after)])
    heard = subscriber.count()
    peaks.append(daemon.read("status", "VmHWM"))
    subscriber.stop()
    daemon.stop()
    taken = counted(bench, tree)["benign"]
    tree.remove()
    if heard != ROUNDS * MESSAGES or taken != heard:
        sys.exit(f"of {ROUNDS * MESSAGES} messages {heard} were heard and {taken} taken as benign")
    ours, bare = sorted(costs, key=lambda cost: cost[0] - cost[1])[ROUNDS // 2]
    bench.row(f"CPU a benign message, {MESSAGES} in a pipeline", ours, "us")
    bench.row("the same of a bare hiredis subscriber", bare, "us")
    bench.row("what the planner adds to it", ours - bare, "us", 1)


def environment(redis, nginx, **more):
    return {"REDIS_URL": redis.url, "LLM_CHAIN": "ollama/m@5", "COOLDOWN_SECONDS": "0",
            "OLLAMA_API_BASE": f"http://127.0.0.1:{nginx.plain}", **more}


def fault(service):
    return json.dumps({"type": "service_unhealthy", "node": "node1", "service": service, "severity": "error",
                       "source": "node-agent", "timestamp": time.time(),
                       "message": "container exited with code 137"})


def published(bench, redis, nginx, peaks, place):
    """From PUBLISH to the durable proposal; the model answers at once."""
    tree = bench.Tree(place, environment(redis, nginx))
    daemon = bench.Daemon([bench.AGENT, "run"], tree)
    redis.until_subscribed(1)
    times = []
    for i in range(PUBLISHED + 1):
        begun = time.monotonic()
        redis("PUBLISH", CHANNELS[0], fault(f"p{i}"))
        chain.until(f"{tree.root}/actions/pending/container-restart-node1-p{i}.json", 15)
        times.append(1000 * (time.monotonic() - begun))
    times = sorted(times[1:])
    peaks.append(daemon.read("status", "VmHWM"))
    daemon.stop()
    tree.remove()
    bench.row("publish to durable proposal, model at once, p50", times[PUBLISHED // 2], "ms")
    bench.row("the same, p99", times[PUBLISHED * 99 // 100], "ms")


def proposals(trees):
    return sum(len(glob.glob(f"{tree.root}/actions/pending/*.json")) for tree in trees)


def streamed(bench, redis, nginx, peaks, place, planners):
    """Faults of a stream that so many planners, each with its own tree, propose for in a second."""
    redis("FLUSHALL")
    trees = [bench.Tree(place, environment(redis, nginx, NODE_NAME=f"planner{i}", REDIS_STREAM=STREAM))
             for i in range(planners)]
    daemons = [bench.Daemon([bench.AGENT, "run"], tree) for tree in trees]
    redis.until_subscribed(planners)
    lines = [command("XADD", STREAM, "*", "event", fault(f"{planners}-{i}")) for i in range(STREAMED)]
    begun = time.monotonic()
    for line in lines:
        redis.connection.sendall(line)
        redis.replies.readline(), redis.replies.readline()
    while (found := proposals(trees)) < STREAMED:
        if time.monotonic() - begun > 120:
            sys.exit(f"{planners} planners: {found} proposals for {STREAMED} faults in 120 s")
        time.sleep(0.005)
    seconds = time.monotonic() - begun
    shares = [proposals([tree]) for tree in trees]
    for daemon in daemons:
        peaks.append(daemon.read("status", "VmHWM"))
        daemon.stop()
    if proposals(trees) != STREAMED or min(shares) == 0:
        sys.exit(f"{STREAMED} faults, proposals by planner: {shares}")
    for tree in trees:
        tree.remove()
    return STREAMED / seconds


def run(bench):
    redis, nginx, peaks = Redis(), Nginx(), []
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    try:
        messages(bench, redis, peaks)
        published(bench, redis, nginx, peaks, place)
        one, three = (streamed(bench, redis, nginx, peaks, place, count) for count in (1, 3))
        bench.row("faults of a stream a second, one planner", one, "")
        bench.row("the same, three planners on it", three, "")
        bench.row("peak resident of any of them", max(peaks), "KiB", RESIDENT)
    finally:
        nginx.stop()
        redis.stop()
