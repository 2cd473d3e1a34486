"""The peer that the figures are compared with: the same steps in Python, with its standard library.

A stand-in for a planner as a Python service, and a kind one: such a service loads a Redis client, a
model client, a schema validator and a structured logger on top of this.
"""

import hashlib
import json
import os
import sys
import time

BENIGN = {"service_healthy", "service_recovered", "node_online", "node_health",
          "deployment_completed", "deployment_started"}


def write_durable(path, text):
    directory, name = os.path.split(path)
    os.makedirs(directory, exist_ok=True)
    temp = os.path.join(directory, ".tmp-" + name)
    with open(temp, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.link(temp, path)
    os.unlink(temp)
    fd = os.open(directory, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def is_open(root, action_id):
    return any(os.path.exists(f"{root}/actions/{place}/{action_id}.json")
               for place in ("pending", "approved", "running", "rejected"))


def propose(root, event):
    node, service = event["node"], event.get("service", "all")
    action_id = f"container-restart-{node}-{service}"
    if is_open(root, action_id):
        return
    now = int(time.time())
    write_durable(f"{root}/actions/pending/{action_id}.json", json.dumps({
        "action_id": action_id, "service": service, "node": node, "type": "container_restart",
        "risk": "guarded", "status": "pending", "created_at": now, "updated_at": now,
        "details": {"reason": event.get("message", ""), "confidence": 0.5, "event": event}}))
    name = hashlib.sha256(action_id.encode()).hexdigest()[:8]
    today = time.strftime("%Y-%m-%d", time.gmtime(now))
    write_durable(f"{root}/events/{today}/bench/evt-{now}-{name}.json",
                  json.dumps({"type": "remediation_started", "node": "bench",
                              "payload": {"action_id": action_id}}))


def one_pass(root, cooldown):
    for day in sorted(os.listdir(f"{root}/events")):
        for node in sorted(os.listdir(f"{root}/events/{day}")):
            with os.scandir(f"{root}/events/{day}/{node}") as entries:
                for entry in entries:
                    if not entry.name.endswith(".json") or entry.name.startswith("evt-bench"):
                        continue
                    with open(entry.path) as file:
                        event = json.load(file)
                    if event["type"] in BENIGN or event["type"].startswith("remediation"):
                        continue
                    key = f"{event['node']}/{event.get('service', 'all')}"
                    if time.monotonic() - cooldown.get(key, -1e9) >= 300:
                        propose(root, event)
                        cooldown[key] = time.monotonic()


def main():
    root = os.environ["RUNTIME_PATH"]
    cooldown = {}
    one_pass(root, cooldown)
    print(json.dumps({"event": "started"}), flush=True)
    while "--once" not in sys.argv:
        time.sleep(20)
        one_pass(root, cooldown)


main()
