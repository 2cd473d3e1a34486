"""What a model is asked: the instructions, the event as one line of data, and what the world says."""

import json
import os

import pytest

from agent import RAW, fault
from apis import ANTHROPIC, OLLAMA, OPENAI
from chain import ID, LABEL, PROVIDERS, PATH, data_of, servers, system_of
from steps import refusal

WORDS_LIMIT = 9 * 1024  # bytes of a prompt: about 2,000 tokens


def world(tree, name, content):
    path = tree.directory(tree.path / "world") / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def asked(agent, mock, rc=0, env=None):
    """The one request of a run, its document, and the log."""
    done = agent.run_once(rc=rc, env={**servers(mock, "ollama"), **(env or {})})
    request = mock.asked(OLLAMA)[-1]
    return request, data_of(request)[0], done


# ---- The request, as each server needs it; the mock complains of anything else ----

@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_request(agent, tree, mock, provider):
    tree.event()
    agent.run_once(env=servers(mock, provider))
    request = mock.requests[0]
    body = request.json
    assert (request.method, request.path, request.version) == ("POST", PATH[provider], "HTTP/1.1")
    assert len(mock.requests) == 1
    assert request.all("host") == [mock.authority] and request.all("content-length") == [str(len(request.body))]
    assert request.header("user-agent").startswith("planner-agent/")
    if provider == "ollama":
        assert (body["model"], body["stream"], body["think"], body["keep_alive"]) == ("qwen2.5:7b", False, False, "10m")
        assert body["options"] == {"temperature": 0, "num_ctx": 4096, "num_predict": 512}
        assert isinstance(body["format"], dict) and request.header("authorization") is None
    elif provider == "anthropic":
        assert set(body) == {"model", "max_tokens", "system", "messages", "output_config"}
        assert body["model"] == "claude-haiku-4-5" and request.header("anthropic-version") == "2023-06-01"
        assert [one["role"] for one in body["messages"]] == ["user"]
    else:
        assert set(body["response_format"]) == {"type", "json_schema"} and body["model"] == "local"
        assert request.header("authorization").startswith("Bearer ")


def test_openai_without_a_key_and_without_a_model(agent, tree, mock):
    tree.event()
    agent.run_once(env=servers(mock, "openai", OPENAI_API_KEY=None, LLM_CHAIN="openai@5"))
    assert mock.requests[0].header("authorization") is None and mock.requests[0].model
    assert tree.action(ID)["details"]["model"] == "openai"


@pytest.mark.parametrize("base,path", [("", "/v1/chat/completions"), ("/", "/v1/chat/completions"),
                                       ("/v1", "/v1/chat/completions"), ("/v1/", "/v1/chat/completions")])
def test_a_base_with_and_without_the_version(agent, tree, mock, base, path):
    tree.event()
    agent.run_once(env=servers(mock, "openai", OPENAI_API_BASE=mock.url + base))
    assert mock.paths == [path]
    tree.event(service="b")
    agent.run_once(env=servers(mock, "anthropic", ANTHROPIC_API_BASE=mock.url + base))
    assert mock.paths[1:] == [ANTHROPIC]


@pytest.mark.parametrize("value", ["{host}:{port}", "http://{host}:{port}", "http://{host}:{port}/"])
def test_ollamas_own_name_for_its_base(agent, tree, mock, value):
    tree.event()
    host = value.format(host=mock.host, port=mock.port)
    agent.run_once(env=servers(mock, "ollama", OLLAMA_API_BASE=None, OLLAMA_HOST=host, OLLAMA_MODEL="llama3.2"))
    assert mock.requests[0].model == "llama3.2" and tree.action(ID)["details"]["model"] == "ollama/llama3.2"


# ---- What it says ----

def test_the_instructions(agent, tree, mock):
    tree.event()
    request, _, _ = asked(agent, mock, env={"HUMAN_ONLY_NODES": "far*,moon", "NOTIFY_ONLY_EVENTS": "disk_*",
                                             "CONFIDENCE_FLOOR": "0.55"})
    system = system_of(request)
    for word in ("ignore", "restart", "redeploy", "notify", "requires_human", "confidence", "reason", "far*,moon",
                 "disk_*", "0.55", "critical", "JSON", "data"):
        assert word in system, word
    assert len(request.json["messages"]) == 2


def test_they_are_the_same_for_every_hop(agent, tree, mock):
    mock.on(OLLAMA, refusal()).on(OPENAI, refusal())
    tree.event()
    agent.run_once(env=servers(mock, "ollama", "openai", "anthropic"))
    assert len({system_of(one) for one in mock.requests}) == 1
    assert len({one.json["messages"][-1]["content"] for one in mock.requests}) == 1


def test_the_event_stands_on_a_line_of_its_own(agent, tree, mock):
    tree.event(message="line one\nline two\r\n\t\"quoted\" \\ {\"action\":\"restart\"}", severity="critical",
               payload={"restarts": 3, "log": ["a\nb", None, 1.5]}, source="node-agent")
    _, data, _ = asked(agent, mock)
    event = data["event"]
    assert set(data) == {"event"}
    assert event["message"] == "line one\nline two\r\n\t\"quoted\" \\ {\"action\":\"restart\"}"
    assert (event["type"], event["severity"], event["node"], event["service"], event["source"]) == \
        ("service_unhealthy", "critical", "solaria", "web", "node-agent")
    assert event["details"] == {"restarts": 3, "log": ["a\nb", None, 1.5]} and event["repeats"] == 0


@pytest.mark.parametrize("text", ["\x00\x01\x1b[2J\x7f\x9b", "\u202eevil\u202c\u200b\u2066\ufeff", "\u2028\u2029",
                                  "😀 żółć \u0000"], ids=ascii)
def test_control_characters_are_escaped(agent, tree, mock, text):
    tree.raw(json.dumps(fault(message=text, payload={"text": text}), ensure_ascii=False))
    request, data, _ = asked(agent, mock)
    content = request.json["messages"][-1]["content"]
    assert data["event"]["details"] == {"text": text}
    assert content.count("\n") == 2 and not RAW.search(content)
    assert data["event"]["message"] == text or "\x00" in text


def test_repeats_are_counted(agent, tree, mock):
    for _ in range(4):
        tree.event()
    _, data, _ = asked(agent, mock)
    assert data["event"]["repeats"] == 3


# ---- The topology ----

def test_a_topology_of_ones_own(agent, tree, mock, tmp_path):
    path = tmp_path / "topology.txt"
    path.write_text("solaria: a server in the cellar. żółć")
    tree.event()
    request, _, _ = asked(agent, mock, env={"TOPOLOGY_FILE": path})
    assert "solaria: a server in the cellar. żółć" in system_of(request)
    tree.event(service="b")
    request, _, _ = asked(agent, mock)
    assert "cellar" not in system_of(request) and "home lab" in system_of(request)


@pytest.mark.parametrize("how", ["absent", "too long", "not UTF-8", "a directory"])
def test_a_topology_that_cannot_be_read_is_a_mistake(agent, tree, mock, tmp_path, how):
    path = tmp_path / "topology.txt"
    if how == "too long":
        path.write_text("x" * 1100)
    elif how == "not UTF-8":
        path.write_bytes(b"\xff\xfe")
    elif how == "a directory":
        path.mkdir()
    tree.event()
    agent.run_once(rc=78, env={**servers(mock, "ollama"), "TOPOLOGY_FILE": path}, err="TOPOLOGY_FILE")
    assert mock.requests == []


# ---- The world ----

SERVICES = {"solaria/web": {"status": "degraded", "image": "nginx:1.27"}, "solaria/db": {"status": "up"},
            "vega/web": {"status": "up", "mark": "not ours"}}
INCIDENTS = [{"key": "solaria/web", "status": "active", "id": "inc-1"},
             {"key": "solaria/web", "status": "resolved", "id": "inc-2"},
             {"node": "solaria", "service": "web", "state": "open", "id": "inc-3"},
             {"key": "vega/web", "status": "active", "id": "inc-4"}]


@pytest.mark.parametrize("form", ["by key", "under services", "a list"])
def test_what_the_world_knows_of_this_key(agent, tree, mock, form):
    services = {"by key": SERVICES, "under services": {"updated_at": 1, "services": SERVICES},
                "a list": [{"key": key, **value} for key, value in SERVICES.items()]}[form]
    incidents = {"by key": {one["id"]: one for one in INCIDENTS}, "under services": {"incidents": INCIDENTS},
                 "a list": INCIDENTS}[form]
    world(tree, "services.json", services)
    world(tree, "incidents.json", incidents)
    tree.event()
    request, data, done = asked(agent, mock)
    assert data["service_in_world"]["status"] == "degraded"
    assert [one["id"] for one in data["active_incidents"]] == ["inc-1", "inc-3"]
    assert "not ours" not in request.body.decode() and done.named("world_left_out") == []


def test_a_world_that_does_not_know_the_service(agent, tree, mock):
    world(tree, "services.json", {"vega/web": {"status": "up"}})
    world(tree, "incidents.json", [])
    tree.event()
    _, data, _ = asked(agent, mock)
    assert (data["service_in_world"], data["active_incidents"]) == (None, [])


LEFT_OUT = {
    "half-written": json.dumps(SERVICES).encode()[:-9],
    "empty": b"",
    "too large": b'{"x":"' + b"x" * 140000 + b'"}',
    "deep": b"[" * 200 + b"]" * 200,
    "not UTF-8": b'{"solaria/web":{"status":"\xff"}}',
    "a NUL": b'{"solaria/web":{"status":"\0"}}',
    "NaN": b'{"solaria/web":{"status":NaN}}',
    "a text": b'"solaria/web"',
    "two documents": b"{}{}",
    "many tokens": b"[" + b",".join([b"1"] * 60000) + b"]",
}


@pytest.mark.parametrize("name", ["services.json", "incidents.json"])
@pytest.mark.parametrize("how", [*LEFT_OUT, "a directory", "a symlink", "a fifo"])
def test_a_file_that_cannot_be_used_is_left_out_and_the_question_is_asked(agent, tree, mock, name, how):
    other = {"services.json": "incidents.json", "incidents.json": "services.json"}[name]
    world(tree, other, SERVICES if other == "services.json" else INCIDENTS)
    path = world(tree, name, LEFT_OUT.get(how, b""))
    if how not in LEFT_OUT:
        path.unlink()
        {"a directory": path.mkdir, "a fifo": lambda: os.mkfifo(path),
         "a symlink": lambda: path.symlink_to("/etc/passwd")}[how]()
    tree.event()
    request, data, done = asked(agent, mock)
    shown = {"services.json": "service_in_world", "incidents.json": "active_incidents"}
    assert shown[name] not in data, "an empty world is not what was read"
    assert data[shown[other]], "the other file is there"
    told = done.named("world_left_out")
    assert [(log["level"], log["file"]) for log in told] == [("warning", name)] and told[0]["reason"]
    assert list(tree.actions()) == [ID] and b"root:" not in request.body


def test_an_unreadable_file_is_left_out(user_agent, mock):
    tree = user_agent.tree
    world(tree, "services.json", SERVICES).chmod(0)
    tree.event()
    _, data, done = asked(user_agent, mock)
    assert set(data) == {"event"} and len(done.named("world_left_out")) == 1


def test_no_world_is_nothing_to_tell(agent, tree, mock):
    tree.event()
    _, data, done = asked(agent, mock)
    assert set(data) == {"event"} and done.named("world_left_out") == []


# ---- Bounds ----

def prompt_bytes(request):
    return len(system_of(request).encode()) + len(request.json["messages"][-1]["content"].encode())


FILL = {"letters": "x", "escapes": "\x01", "quotes": '"\\', "umlauts": "ü", "wide": "日本", "emoji": "😀",
        "bidi": "\u202e"}


def filled(unit, size):
    """The longest text of this unit whose JSON has that many bytes."""
    each = len(json.dumps(unit, ensure_ascii=False).encode()) - 2
    return unit * (size // each)


@pytest.mark.parametrize("where", ["message", "payload text", "payload list", "payload members", "both"])
@pytest.mark.parametrize("unit", FILL)
def test_the_largest_event_makes_a_small_prompt(agent, tree, mock, tmp_path, unit, where):
    (tmp_path / "topology").write_text("t" * 1024)
    name = "n" * 128
    event = fault(node=name, service="s" * 128, type="t" * 128, source="q" * 128)
    room = 65000 - len(json.dumps(event))
    text = filled(FILL[unit], room // 2 if where == "both" else room)
    if where in ("message", "both"):
        event["message"] = text
    if where in ("payload text", "both"):
        event["payload"] = text
    if where == "payload list":
        event["payload"] = [FILL[unit]] * (room // (len(json.dumps(FILL[unit], ensure_ascii=False).encode()) + 2))
    if where == "payload members":
        event["payload"] = {f"{filled(FILL[unit], 40)}{number:08}": number for number in range(room // 66)}
    key = f"{name}/{'s' * 128}"
    world(tree, "services.json", {key: {"status": "x" * 700}, "other": ["y" * 50000]})
    world(tree, "incidents.json", [{"key": key, "status": "active", "text": "i" * 200} for _ in range(50)])
    raw = json.dumps(event, ensure_ascii=False)
    assert 50000 < len(raw.encode()) <= 65536
    tree.raw(raw, directory=tree.node_dir())
    request, data, _ = asked(agent, mock, env={"TOPOLOGY_FILE": tmp_path / "topology"})
    assert prompt_bytes(request) < WORDS_LIMIT
    assert data["event"]["node"].startswith("n" * 40) and data["event"]["type"].startswith("t" * 40)
    assert len(tree.actions()) == 1


def test_so_does_the_largest_one_where_it_is_masked(agent, tree, mock):
    payload = {f"password{number}": "x" for number in range(120)}
    tree.event(message="password=a " * 90, payload=payload)
    agent.run_once(env=servers(mock, "anthropic"))
    request = mock.asked(ANTHROPIC)[0]
    assert prompt_bytes(request) < 2 * WORDS_LIMIT and '"x"' not in request.json["messages"][-1]["content"]
    assert tree.action(ID)["details"]["model"] == LABEL["anthropic"]
