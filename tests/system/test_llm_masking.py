"""What looks like a secret goes to the home lab's own model as it is, and to the cloud masked; keys of
the providers go nowhere but into their header."""

import json
import pathlib
import re

import pytest

from agent import fault
from apis import ANTHROPIC, OLLAMA, OPENAI
from chain import (BASE, KEY, LABEL, OPENAI_KEY, data_of, hosts, made, route, servers, system_of)
from steps import body, error, proposal, refusal

MASK = "[masked]"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpQIBAAKCAQEAuGq0Zs3cret\nq9s3cret==\n-----END RSA PRIVATE KEY-----"
# A text, and what of it must not leave the home lab.
TEXTS = {
    "a bearer token": ("curl -H 'Authorization: Bearer abc.def-S3CRET' failed", ["abc.def-S3CRET"]),
    "bearer, small": ("sent bearer S3CRETtoken123 to it", ["S3CRETtoken123"]),
    "key=": ("GET /x?key=S3CRETkey&y=1", ["S3CRETkey"]),
    "api_key=": ("api_key=S3CRETapi retry", ["S3CRETapi"]),
    "API-Key:": ("X-Api-Key: S3CRETheader", ["S3CRETheader"]),
    "password=": ("login password=S3CRETpw failed", ["S3CRETpw"]),
    "PASSWORD in an environment": ("MYSQL_ROOT_PASSWORD=S3CRETroot\nMYSQL_DATABASE=x", ["S3CRETroot"]),
    "password: in YAML": ("user: web\npassword: S3CRETyaml\n", ["S3CRETyaml"]),
    "password in quotes": ("password=\"S3CRETtwo S3CRETwords\" next", ["S3CRETtwo", "S3CRETwords"]),
    "an option": ("mysqldump --password S3CRETopt --all", ["S3CRETopt"]),
    "token=": ("ws://ha/api?token=S3CRETtoken", ["S3CRETtoken"]),
    "client_secret": ("client_secret=S3CRETclient", ["S3CRETclient"]),
    "JSON in a text": ('{"user":"x","password":"S3CRETjson"}', ["S3CRETjson"]),
    "JSON in JSON in a text": (json.dumps(json.dumps({"token": "S3CRETnested"})), ["S3CRETnested"]),
    "basic-auth in a URL": ("redis://admin:S3CRETurl@10.0.0.5:6379/0 refused", ["S3CRETurl"]),
    "a token in a URL": ("https://S3CRETgit@github.com/x.git", ["S3CRETgit"]),
    "a basic header": ("Authorization: Basic dXNlcjpTM0NSRVQ=", ["dXNlcjpTM0NSRVQ="]),
    "a private key": (f"cannot parse {PEM} of nginx", ["MIIEpQIBAAKCAQEAuGq0Zs3cret", "q9s3cret"]),
    "a private key that is cut": (PEM[:60], ["MIIEpQIBAAKCAQEAuGq0"]),
    "a private key in JSON in a text": (json.dumps({"pem": PEM}), ["MIIEpQIBAAKCAQEAuGq0Zs3cret", "q9s3cret"]),
    "basic-auth with an @": ("amqp://u:S3CRET@at@broker.lan/", ["S3CRET@at", "@at"]),
    "an EC key": (PEM.replace("RSA", "EC"), ["MIIEpQIBAAKCAQEAuGq0Zs3cret"]),
    "an OpenSSH key": (PEM.replace("RSA", "OPENSSH"), ["MIIEpQIBAAKCAQEAuGq0Zs3cret"]),
    "a cookie": ("Cookie: session=S3CRETa; other=S3CRETb", ["S3CRETa", "S3CRETb"]),
    "an API key by its form": ("used sk-S3CRET0123456789abcdef here", ["sk-S3CRET0123456789abcdef"]),
    "a GitHub token": ("ghp_S3CRET0123456789abcdef", ["ghp_S3CRET0123456789abcdef"]),
    "a JWT": ("eyJhbGciOiJIUzI1NiJ9.eyJzM2NyZXQiOiIxIn0.S3CRETsig", ["eyJzM2NyZXQiOiIxIn0", "S3CRETsig"]),
    "a passphrase": ("passphrase: S3CRETphrase", ["S3CRETphrase"]),
}
MEMBERS = ["password", "Password", "db_password", "secret", "client_secret", "token", "access_token", "api_key",
           "apiKey", "authorization", "Authorization", "private_key"]
VALUES = {"a text": "S3CRETmember", "a number": 83738451, "an object": {"a": "S3CRETinner", "b": [1]},
          "a list": ["S3CRETfirst", {"x": "S3CRETsecond"}]}


def secrets_of(value):
    return re.findall(r"S3CRET\w+|83738451", json.dumps(value))


class Both:
    """A run whose local model refuses, so that the cloud's is asked too: what each was sent."""

    def __init__(self, agent, mock, env=None):
        mock.on(OLLAMA, refusal())
        agent.run_once(env={**servers(mock, "ollama", "anthropic", CLOUD_CALLS_PER_DAY=9999), **(env or {})})
        self.local = {data_of(one)[0]["event"]["service"]: one for one in mock.asked(OLLAMA)}
        self.cloud = {data_of(one)[0]["event"]["service"]: one for one in mock.asked(ANTHROPIC)}
        assert set(self.local) == set(self.cloud)

    def check(self, service, secrets):
        local, cloud = data_of(self.local[service])[0], data_of(self.cloud[service])[0]
        plain, masked = json.dumps(local, ensure_ascii=False), json.dumps(cloud, ensure_ascii=False)
        for secret in secrets:
            assert secret in plain, f"{service}: {secret} is not in {plain}"
            assert secret not in masked, f"{service}: {secret} is in {masked}"
            assert secret not in self.cloud[service].raw.decode("utf-8", "replace")
        assert MASK in masked and MASK not in plain
        return local, cloud


@pytest.mark.parametrize("where", ["message", "payload", "payload, deeper", "source"])
def test_secrets_in_texts(agent, tree, mock, where):
    for number, (text, _) in enumerate(TEXTS.values()):
        members = {"message": {"message": text}, "payload": {"payload": text}, "source": {"source": text[:120]},
                   "payload, deeper": {"payload": {"log": ["x", {"line": text}], "n": 1}}}[where]
        tree.event(service=f"s{number}", **members)
    both = Both(agent, mock)
    for number, (text, secrets) in enumerate(TEXTS.values()):
        if where != "source" or all(secret in text[:120] for secret in secrets):
            both.check(f"s{number}", secrets)


@pytest.mark.parametrize("kind", VALUES)
def test_members_whose_name_says_it(agent, tree, mock, kind):
    for number, member in enumerate(MEMBERS):
        tree.event(service=f"s{number}", payload={"before": 1, "x": {member: VALUES[kind]}, "after": [2, "kept"]})
    both = Both(agent, mock)
    for number, member in enumerate(MEMBERS):
        local, cloud = both.check(f"s{number}", secrets_of(VALUES[kind]))
        assert cloud["event"]["details"] == {"before": 1, "x": {member: MASK}, "after": [2, "kept"]}
        assert local["event"]["details"]["x"] == {member: VALUES[kind]}


def test_names_of_members_too(agent, tree, mock):
    event = json.dumps(fault(payload={"x": 1}))
    payload = '{"pass\\u0077ord": "S3CRETescaped", "token=S3CRETname": 2, "a": {"secret": "S3CRETd"}}'
    tree.raw(event.replace('{"x": 1}', payload))
    _, cloud = Both(agent, mock).check("web", ["S3CRETescaped", "S3CRETname", "S3CRETd"])
    assert cloud["event"]["details"]["password"] == MASK


def test_a_payload_that_is_too_long_is_masked_as_the_text_that_is_left(agent, tree, mock):
    tree.event(payload={"a": "x" * 200, "password": "S3CRETearly", "filler": "y" * 3000, "token": "S3CRETlate"})
    _, cloud = Both(agent, mock).check("web", ["S3CRETearly"])
    assert "S3CRETlate" not in json.dumps(cloud)


def test_a_secret_is_not_cut_in_two_by_a_bound(agent, tree, mock):
    """Wherever the message is cut, what is left of the secret is masked."""
    for number, size in enumerate(range(1000, 1030, 3)):
        tree.event(service=f"s{number}", message="x" * (size - 12) + " password=S3CRETSECRETSECRET0123456789 y")
    both = Both(agent, mock)
    for request in both.cloud.values():
        assert "S3CRET" not in request.body.decode()


def test_secrets_in_the_world(agent, tree, mock):
    directory = tree.directory(tree.path / "world")
    (directory / "services.json").write_text(json.dumps(
        {"solaria/web": {"env": {"DB_PASSWORD": "S3CRETenv", "X": "token=S3CRETx"}, "url": "http://u:S3CRETu@h/"}}))
    (directory / "incidents.json").write_text(json.dumps(
        [{"key": "solaria/web", "status": "active", "note": "Authorization: Bearer S3CRETnote"}]))
    tree.event()
    Both(agent, mock).check("web", ["S3CRETenv", "S3CRETx", "S3CRETu", "S3CRETnote"])


def test_secrets_in_the_topology(agent, tree, mock, tmp_path):
    path = tmp_path / "topology"
    path.write_text("The switch: password=S3CRETswitch, https://admin:S3CRETadmin@10.0.0.1/. Token: S3CRETtopology")
    tree.event()
    both = Both(agent, mock, {"TOPOLOGY_FILE": path})
    for secret in ("S3CRETswitch", "S3CRETadmin", "S3CRETtopology"):
        assert secret in system_of(both.local["web"]) and secret not in system_of(both.cloud["web"])
    assert "The switch" in system_of(both.cloud["web"])


def test_what_is_no_secret_is_not_masked(agent, tree, mock):
    text = "web on solaria exited with code 137; the password was wrong; task-eyJ, key: web, http://host/a@b"
    tree.event(message=text, payload={"keyboard": "us", "count": 3})
    mock.on(OLLAMA, refusal())
    agent.run_once(env=servers(mock, "ollama", "anthropic"))
    local, cloud = mock.asked(OLLAMA)[0], mock.asked(ANTHROPIC)[0]
    assert data_of(local) == data_of(cloud) and system_of(local) == system_of(cloud)


def test_an_openai_server_in_the_home_lab_gets_it_plain_and_one_elsewhere_masked(agent, mocks, tmp_path):
    near, far = mocks().on(OPENAI, refusal()), mocks(name="models.test")
    with hosts(tmp_path, **{"models.test": "127.0.0.1"}) as prefix:
        text = "login failed: password=S3CRETroute"
        env = servers(near, "openai")
        route(made(agent), env, rc=69, prompt=text)
        route(agent, {**env, BASE["openai"]: far.url}, prompt=text, prefix=prefix)
        route(agent, {**env, BASE["ollama"]: far.url, "LLM_CHAIN": "ollama@5"}, prompt=text, prefix=prefix)
    assert near.requests[0].json["messages"][-1]["content"] == text
    assert [one.json["messages"][-1]["content"] for one in far.requests] == 2 * [f"login failed: password={MASK}"]


def test_route_masks_every_message_for_the_cloud(agent, mock):
    mock.on(OLLAMA, refusal())
    messages = [("system", "token=S3CRETsystem"), ("user", "password: S3CRETuser"),
                ("assistant", "Bearer S3CRETassistant"), ("user", "go on")]
    messages = [{"role": role, "content": content} for role, content in messages]
    route(made(agent), servers(mock, "ollama", "anthropic"), "--schema", "none", stdin=messages)
    local, cloud = (mock.asked(path)[0].body.decode() for path in (OLLAMA, ANTHROPIC))
    assert all(f"S3CRET{one}" in local and f"S3CRET{one}" not in cloud for one in ("system", "user", "assistant"))


# ---- The keys ----

def everything(tree, *outputs):
    """All that was written, and all names."""
    found = list(outputs)
    for path in tree.path.rglob("*"):
        found.append(str(path))
        if path.is_file() and not path.is_symlink():
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(found)


def test_a_key_is_sent_in_its_header_and_is_nowhere_else(agent, tree, mock):
    mock.on(ANTHROPIC, error(401, message=f"invalid x-api-key {KEY}"), error(400, message=f"key {KEY} {OPENAI_KEY}"),
            proposal())
    mock.on(OPENAI, error(401, message=f"Incorrect API key provided: {OPENAI_KEY}"), proposal())
    env = servers(mock, "openai@20", "anthropic", "sonnet")
    said = []
    for number in range(3):
        tree.event(service=f"s{number}", node=("solaria", "vega", "lyra")[number])
        done = agent.run_once(rc=(0, 75), env=env)
        said += [done.out, done.err]
    assert {one.header("authorization") for one in mock.asked(OPENAI)} == {f"Bearer {OPENAI_KEY}"}
    assert {one.header("x-api-key") for one in mock.asked(ANTHROPIC)} == {KEY}
    for command in (["status"], ["status", "--json"], ["pending", "--json"], ["check"], ["version"]):
        done = agent.cmd(*command, env=env, rc=(0, 1), err="")
        said += [done.out, done.err]
    done = agent.cmd("check", "--probe", env={**env, "ANTHROPIC_API_KEY": KEY}, rc=(0, 1), err="")
    said += [done.out, done.err]
    text = everything(tree, *said)
    for key in (KEY, OPENAI_KEY):
        assert key not in text and key[8:] not in text
    assert "(hidden)" in text and len(tree.actions()) == 3
    for one in mock.requests:
        assert KEY not in one.body.decode() and OPENAI_KEY not in one.body.decode() + one.target


def escaped(text):
    """JSON in which no character of the text stands as itself."""
    return "".join(f"\\u{ord(one):04x}" for one in text)


REPEATS = {"in the message": error(401, message=f"invalid x-api-key: {KEY}"),
           "in the message, escaped": body(f'{{"error":{{"message":"bad key {escaped(KEY)}"}}}}', 401),
           "in the kind": error(401, kind=KEY), "in HTML": body(f"<h1>{KEY}</h1>", 403, "text/html"),
           "as the request id": error(400).header("request-id", KEY).without("request-id"),
           "in the request id": error(400).header("request-id", f"req-{KEY}-1").without("request-id")}


@pytest.mark.parametrize("where", REPEATS)
def test_a_key_that_the_server_repeats_is_not_told(agent, mock, where):
    mock.on(ANTHROPIC, REPEATS[where])
    done = route(made(agent), servers(mock, "anthropic"), rc=69)  # looks for the key
    assert done.tried == [(LABEL["anthropic"], "http_error")]


def test_a_keys_file_and_the_daemons_arguments(agent, tree, mock, tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    daemon = agent.start(env=servers(mock, "anthropic", ANTHROPIC_API_KEY=None, ANTHROPIC_API_KEY_FILE=path))
    tree.event()
    daemon.wait_log("proposed")
    assert {one.header("x-api-key") for one in mock.asked(ANTHROPIC)} == {KEY}
    proc = pathlib.Path(f"/proc/{daemon.pid}")
    assert KEY.encode() not in (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
    daemon.stop()
    assert KEY not in everything(tree, "".join(map(str, daemon.logs)))


@pytest.mark.parametrize("key", ["two words", "line\nbreak: x", "tab\tkey", "żółć", "x\r\nx-evil: 1"], ids=ascii)
def test_a_key_that_is_no_header_is_never_sent(agent, tree, mock, key):
    tree.event()
    done = agent.run_once(rc=(0, 75, 78), env=servers(mock, "anthropic", "openai", ANTHROPIC_API_KEY=key), err="")
    assert mock.asked(ANTHROPIC) == []
    assert all("x-evil" not in one.raw.decode() for one in mock.requests)
    assert key not in done.out + done.err


def test_the_key_of_one_server_is_not_sent_to_another(agent, tree, mocks):
    ollama, openai, anthropic = mocks().on(OLLAMA, refusal()), mocks().on(OPENAI, refusal()), mocks()
    tree.event()
    agent.run_once(env={**servers(ollama, "ollama", "openai", "anthropic"), "OPENAI_API_BASE": openai.url,
                        "ANTHROPIC_API_BASE": anthropic.url})
    assert KEY.encode() not in ollama.requests[0].raw + openai.requests[0].raw
    assert OPENAI_KEY.encode() not in ollama.requests[0].raw + anthropic.requests[0].raw
    assert LABEL["anthropic"] == tree.action()["details"]["model"]
