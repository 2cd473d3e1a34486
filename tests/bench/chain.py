"""What a model's answer costs on the way: latency, CPU, TLS handshakes, a dead first hop, memory."""

import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../mock"))

import steps  # noqa: E402
from nginx import Nginx, s_time  # noqa: E402
from server import MockServer  # noqa: E402
from wire import Tls  # noqa: E402

CALLS = 200
CALLER = os.path.join(HERE, "caller.py")


def environment(url, roots, hop="ollama/m@5"):
    return {"LLM_CHAIN": hop, "OLLAMA_API_BASE": url, "SSL_CERT_FILE": roots,
            "LLM_CONCURRENCY": "1", "COOLDOWN_SECONDS": "0"}


def put(tree, service):
    """One event file, whole at once."""
    node = f"{tree.day}/node1"
    os.makedirs(node, exist_ok=True)
    part = f"{node}/.part"
    with open(part, "w") as file:
        json.dump({"type": "service_unhealthy", "node": "node1", "service": service,
                   "severity": "error", "source": "node-agent", "timestamp": time.time(),
                   "message": "container exited with code 137"}, file)
    os.rename(part, f"{node}/{service}.json")


def until(path, seconds):
    """Spins until the file is there; how long it took, in ms."""
    begun = time.monotonic()
    while not os.path.exists(path):
        if time.monotonic() - begun > seconds:
            sys.exit(f"{path} did not appear within {seconds} s")
    return 1000 * (time.monotonic() - begun)


def propose(tree, service, seconds=15):
    put(tree, service)
    return until(f"{tree.root}/actions/pending/container-restart-node1-{service}.json", seconds)


def cpu_ms(daemon):
    """CPU time of the process so far."""
    with open(f"/proc/{daemon.process.pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e6


def calls(bench, url, roots, place=None, hop="ollama/m@5"):
    """Latencies, ms, and CPU a proposal, ms, with this server as the only hop."""
    tree = bench.Tree(place, environment(url, roots, hop))
    daemon = bench.Daemon([bench.AGENT, "run"], tree)
    propose(tree, "first")
    before = cpu_ms(daemon)
    times = sorted(propose(tree, f"s{i}") for i in range(CALLS))
    cpu = (cpu_ms(daemon) - before) / CALLS
    daemon.stop()
    tree.remove()
    return times, cpu


def calls_of_rules(bench, place):
    """CPU a proposal, ms, where no model is asked: what is left of the rest is the call."""
    return calls(bench, "http://127.0.0.1:9", "", place, "rules")[1]


def python_calls(url, roots):
    """CPU of a call by Python's http.client, ms."""
    done = subprocess.run([sys.executable, CALLER, url, roots, str(CALLS)], stdout=subprocess.PIPE,
                          timeout=120, check=True)
    return float(done.stdout)


def latency_and_cpu(bench, nginx):
    plain = f"http://127.0.0.1:{nginx.plain}"
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    times, cpu = calls(bench, plain, "", shm)
    bench.row("event to durable proposal, model at once, p50", times[CALLS // 2], "ms", 1)
    bench.row("the same, p99", times[CALLS * 99 // 100], "ms")
    disk_times, _ = calls(bench, plain, "")
    bench.row("the same on this disk, p50", disk_times[CALLS // 2], "ms")
    rules = calls_of_rules(bench, shm)
    bench.row("CPU a call, plain, kept alive", cpu - rules, "ms", None, python_calls(plain, ""))
    return cpu


def handshakes(bench, nginx, plain_cpu):
    for what, port, how in (("full", nginx.full, "-new"), ("resumed", nginx.resumed, "-reuse")):
        _, cpu = calls(bench, f"https://localhost:{port}", nginx.roots,
                       "/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        bench.row(f"CPU a TLS handshake, {what} (peer: openssl s_time)", cpu - plain_cpu, "ms", None,
                  s_time(port, nginx.roots, how))


def dead_first_hop(bench):
    with MockServer(full=True) as dead, MockServer() as alive:
        tree = bench.Tree(None, {"LLM_CHAIN": "ollama/m@2,openai/m@5", "OLLAMA_API_BASE": dead.url,
                                 "OPENAI_API_BASE": alive.url, "LLM_CONCURRENCY": "1"})
        daemon = bench.Daemon([bench.AGENT, "run"], tree)
        times = [propose(tree, f"s{i}") for i in range(5)]
        daemon.stop()
        tree.remove()
    bench.row("to a proposal, first hop black-holed at 2 s, 1st", times[0], "ms", 2200)
    bench.row("the same, 4th event on", max(times[3:]), "ms", 50)


def memory(bench, nginx):
    certificates = Tls(nginx.certificates.rsa)
    with MockServer(tls=certificates) as server:
        server.on("/api/chat", steps.hang())
        tree = bench.Tree(None, dict(environment(server.url, nginx.roots), LLM_CONCURRENCY="2"))
        daemon = bench.Daemon([bench.AGENT, "run"], tree)
        put(tree, "one")
        put(tree, "two")
        server.wait_requests(2)
        bench.row("resident, two TLS calls in flight", daemon.read("status", "VmRSS"), "KiB", 1228)
        daemon.stop()
        tree.remove()


def run(bench):
    nginx = Nginx()
    try:
        plain_cpu = latency_and_cpu(bench, nginx)
        handshakes(bench, nginx, plain_cpu)
        memory(bench, nginx)
    finally:
        nginx.stop()
    dead_first_hop(bench)
