"""How an event is read, and what is refused."""

import itertools
import json
import time

import pytest

from agent import DATA, clean_json, fault, hashed_id, iso

TYPES = ("type", "event_type", "event")
NODES = ("node", "node_name", "host", "hostname")
SERVICES = ("service", "service_name", "container", "container_name")
TIMES = ("timestamp", "ts", "time")


def spelled(type_as="type", node_as="node", service_as="service", time_as="timestamp",
            severity_as="severity", **members):
    event = {time_as: iso(), node_as: "solaria", type_as: "service_unhealthy", severity_as: "error",
             "source": "node-agent", service_as: "web"}
    event.update(members)
    return event


def read(agent, tree, event, **how):
    """The details.event of the action that this event leads to, and the action."""
    tree.raw(event if isinstance(event, (bytes, str)) else json.dumps(event))
    agent.run_once(**how)
    action = tree.action()
    return action["details"]["event"], action


# ---- Spellings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("type_as,node_as", itertools.product(TYPES, NODES))
def test_type_and_node_are_found_under_every_spelling(agent, tree, type_as, node_as):
    event, action = read(agent, tree, spelled(type_as=type_as, node_as=node_as))
    assert (event["type"], action["node"], action["service"]) == ("service_unhealthy", "solaria", "web")


@pytest.mark.parametrize("service_as", SERVICES)
def test_service_is_found_under_every_spelling(agent, tree, service_as):
    _, action = read(agent, tree, spelled(service_as=service_as))
    assert action["service"] == "web"


@pytest.mark.parametrize("spellings,found", [(TYPES, "type"), (NODES, "node"), (SERVICES, "service")])
def test_first_spelling_found_wins(agent, tree, spellings, found):
    value = {"type": "service_unhealthy", "node": "solaria", "service": "web"}[found]
    event = {key: member for key, member in spelled().items() if key != found}
    # Written in the reverse order: it is the table's order that counts, not the file's.
    event.update({name: value if name == spellings[0] else f"other_{name}"
                  for name in reversed(spellings)})
    got, action = read(agent, tree, event)
    assert {"type": got["type"], "node": action["node"], "service": action["service"]}[found] == value


@pytest.mark.parametrize("service", [None, ""], ids=["absent", "empty"])
def test_no_service_is_an_event_of_the_whole_node(agent, tree, service):
    event = fault("high_memory", service=service)
    _, action = read(agent, tree, event)
    assert action["service"] == "all"


AGES = {
    "iso_z": lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
    "iso_fraction": lambda at: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".123456Z",
    "iso_nanoseconds": lambda at: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".123456789Z",
    "iso_offset_east": lambda at: time.strftime("%Y-%m-%dT%H:%M:%S+05:30", time.gmtime(at + 19800)),
    "iso_offset_west": lambda at: time.strftime("%Y-%m-%dT%H:%M:%S-08:00", time.gmtime(at - 28800)),
    "iso_fraction_offset": lambda at: time.strftime("%Y-%m-%dT%H:%M:%S.5+02:00", time.gmtime(at + 7200)),
    "iso_no_zone_is_utc": lambda at: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)),
    "epoch_seconds": lambda at: int(at),
    "epoch_seconds_fraction": lambda at: round(at, 3),
    "epoch_milliseconds": lambda at: int(at * 1000),
    "epoch_seconds_string": lambda at: str(int(at)),
    "epoch_seconds_fraction_string": lambda at: f"{at:.3f}",
    "epoch_milliseconds_string": lambda at: str(int(at * 1000)),
}


@pytest.mark.parametrize("form", AGES)
def test_time_is_read_in_every_form(agent, tree, form):
    """An event of two hours ago is stale, one of now is not: so the time was understood."""
    write = AGES[form]
    tree.raw(json.dumps(fault(service="fresh", timestamp=write(time.time() - 1))))
    tree.raw(json.dumps(fault(service="old", timestamp=write(time.time() - 7200))))
    # A zone of the machine's own must not matter.
    agent.run_once(env={"TZ": "XXX-9"})
    policy = {action["service"]: action["details"]["policy"] for action in tree.actions().values()}
    assert sorted(policy) == ["fresh", "old"]
    assert "stale" in policy["old"] and "stale" not in policy["fresh"]


@pytest.mark.parametrize("time_as", TIMES)
def test_time_is_found_under_every_spelling(agent, tree, time_as):
    old = time.time() - 7200
    _, action = read(agent, tree, {**spelled(time_as=time_as), time_as: int(old)})
    assert "stale" in action["details"]["policy"]


def test_first_spelling_of_time_wins(agent, tree):
    _, action = read(agent, tree, {**fault(), "time": 1600000000, "ts": 1600000000, "timestamp": iso()})
    assert "stale" not in action["details"]["policy"]


@pytest.mark.parametrize("stamp", [None, "", "yesterday", "2026-13-45T99:99:99Z", {"a": 1}, [], True],
                         ids=lambda stamp: json.dumps(stamp))
def test_absent_or_senseless_time_is_the_arrival(agent, tree, stamp):
    event = fault()
    del event["timestamp"]
    if stamp is not None:
        event["timestamp"] = stamp
    _, action = read(agent, tree, event)
    assert "stale" not in action["details"]["policy"]
    assert abs(action["created_at"] - time.time()) < 60


@pytest.mark.parametrize("severity_as", ["severity", "level"])
@pytest.mark.parametrize("written,meant", [("info", "info"), ("warning", "warning"), ("warn", "warning"),
                                           ("error", "error"), ("critical", "critical"),
                                           ("fatal", "critical"), ("banana", "warning"), (7, "warning")])
def test_severity_in_every_spelling(agent, tree, severity_as, written, meant):
    event = fault(severity=None)
    event[severity_as] = written
    got, _ = read(agent, tree, event)
    assert got["severity"] == meant


def test_absent_severity_is_warning(agent, tree):
    got, _ = read(agent, tree, fault(severity=None))
    assert got["severity"] == "warning"


def test_source_message_and_timestamp_go_into_the_action_as_they_came(agent, tree):
    event = fault(source="stability-agent", message="exit 137 - \"killed\" \\ żółw 🐢")
    got, _ = read(agent, tree, event)
    assert got == {"type": "service_unhealthy", "severity": "error", "timestamp": event["timestamp"],
                   "source": "stability-agent", "message": event["message"]}


def test_correlation_id_is_kept(agent, tree):
    _, action = read(agent, tree, fault(correlation_id="corr-42"))
    assert action["correlation_id"] == "corr-42"


def test_absent_correlation_id_is_made_and_differs_between_events(agent, tree):
    for service in ("a", "b"):
        tree.event(service=service)
    tree.jsonl(fault(service="c"), fault(service="d"))
    agent.run_once()
    made = [action["correlation_id"] for action in tree.actions().values()]
    assert len(made) == len(set(made)) == 4 and all(made)


@pytest.mark.parametrize("correlation", [5, True, {}, [], "", "x" * 10000, "\x1b[31m\n", "../../x", "\0"], ids=ascii)
def test_an_odd_correlation_id_does_not_cost_the_event(agent, tree, correlation):
    tree.event(correlation_id=correlation)
    agent.run_once()
    made = tree.action()["correlation_id"]
    assert isinstance(made, str) and 0 < len(made.encode()) <= 256
    assert len(tree.audits()) == 1


def test_long_correlation_ids_of_two_events_stay_two(agent, tree):
    for service in ("a", "b"):
        tree.event(service=service, correlation_id="x" * 300 + service)
    agent.run_once()
    assert len({action["correlation_id"] for action in tree.actions().values()}) == 2


@pytest.mark.parametrize("details_as", ["payload", "details", "data"])
@pytest.mark.parametrize("details", [{"exit_code": 137}, [1, 2], "text", 5, None, True])
def test_details_may_be_any_json_value(agent, tree, details_as, details):
    event = fault()
    event[details_as] = details
    _, action = read(agent, tree, event)
    assert action["action_id"] == "container-restart-solaria-web"


@pytest.mark.parametrize("path", sorted((DATA / "events").glob("good-*.json")), ids=lambda path: path.stem)
def test_a_real_event_of_each_generation(agent, tree, path):
    """The events of tests/data/events/good-* have no time, so that they never grow stale."""
    want = clean_json((DATA / "events" / "expected.json").read_text())[path.stem]
    tree.raw(path.read_bytes())
    agent.run_once()
    found = [[action["node"], action["service"], action["details"]["event"]["type"],
              action["details"]["event"]["severity"]] for action in tree.actions().values()]
    assert found == [want]


def test_all_of_them_in_one_tree(agent, tree):
    """Beside a benign one and a broken one, as a home lab's morning looks."""
    want = clean_json((DATA / "events" / "expected.json").read_text())
    for path in (DATA / "events").glob("*-*.json"):
        tree.raw(path.read_bytes(), name=path.name)
    done = agent.run_once()
    assert sorted([action["node"], action["service"]] for action in tree.actions().values()) == \
        sorted(entry[:2] for entry in want.values())
    refused, = done.named("refused")
    assert "broken-cut.json" in json.dumps(refused)
    assert [action["node"] for action in tree.actions().values() if action["risk"] == "critical"] == ["chelsty-1"]
    assert len(tree.audits()) == len(want)


# ---- Shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["event", "update", "data", "payload"])
def test_shape_b_holds_the_event_under_any_of_its_names(agent, tree, inside):
    event = fault()
    _, action = read(agent, tree, {"channel": "world_updates", inside: event})
    assert (action["node"], action["service"]) == ("solaria", "web")


@pytest.mark.parametrize("inside", ["update", "data", "payload"])
def test_shape_b_with_a_type_of_its_own_is_unwrapped(agent, tree, inside):
    got, action = read(agent, tree, {"type": "world_update", "timestamp": iso(), inside: fault()})
    assert (got["type"], action["node"]) == ("service_unhealthy", "solaria")


def test_shape_b_takes_the_first_object_that_is_shape_a(agent, tree):
    _, action = read(agent, tree, {"payload": fault(service="third"), "data": fault(service="second"),
                                   "update": {"node": "solaria"}, "event": {"type": "x"}})
    assert action["service"] == "second"


@pytest.mark.parametrize("type_as", ["type", "change"])
def test_shape_b_with_a_key(agent, tree, type_as):
    got, action = read(agent, tree, {type_as: "service_unhealthy", "key": "solaria/web", "severity": "error"})
    assert (got["type"], action["node"], action["service"]) == ("service_unhealthy", "solaria", "web")


def test_shape_b_prefers_the_event_inside_to_the_key(agent, tree):
    _, action = read(agent, tree, {"type": "world_update", "key": "other/thing", "event": fault()})
    assert (action["node"], action["service"]) == ("solaria", "web")


@pytest.mark.parametrize("inside", ["update", "data", "payload", "details"])
def test_shape_a_is_never_unwrapped(agent, tree, inside):
    event = fault()
    event[inside] = fault("node_offline", node="victim", service="db")
    _, action = read(agent, tree, event)
    assert (action["node"], action["service"]) == ("solaria", "web")


def test_shape_a_with_a_key_keeps_its_own_node(agent, tree):
    _, action = read(agent, tree, fault(key="victim/db"))
    assert (action["node"], action["service"]) == ("solaria", "web")


def test_shape_b_is_unwrapped_once(agent, tree):
    tree.raw(json.dumps({"event": {"event": fault()}}))
    done = agent.run_once()
    assert tree.actions() == {} and len(done.named("refused")) == 1


# ---- Refusals -----------------------------------------------------------------------------------

GOOD = '{"type":"service_unhealthy","node":"solaria","service":"web","severity":"error"%s}'


def padded(size):
    """A good event of exactly this many bytes."""
    text = GOOD % ',"message":"%s"'
    return text % ("x" * (size - len(text) + 2))


def nested(depth):
    """A good event of this depth; the event's own object is the first level."""
    return GOOD % (',"payload":' + "[" * (depth - 1) + "]" * (depth - 1))


NOT_JSON = {
    "empty": "", "blank": "  \n", "cut": '{"type":"service_unh', "single_quotes": "{'type':'a','node':'b'}",
    "trailing_comma": GOOD % ",", "two_roots": (GOOD % "") * 2, "garbage_behind": GOOD % "" + "x",
    "garbage_before": "x" + GOOD % "", "bare_nul_word": GOOD % ',"message":nul',
    "bare_word": GOOD % ',"message":hello', "leading_zero": GOOD % ',"a":01', "plus": GOOD % ',"a":+1',
    "dot_five": GOOD % ',"a":.5', "five_dot": GOOD % ',"a":5.', "exponent": GOOD % ',"a":1e',
    "nan": GOOD % ',"a":NaN', "infinity": GOOD % ',"a":-Infinity', "hex": GOOD % ',"a":0x10',
    "raw_newline": GOOD % ',"message":"a\nb"', "raw_tab": GOOD % ',"message":"a\tb"',
    "raw_escape": GOOD % ',"message":"\x1b[31m"', "bad_escape": GOOD % ',"message":"\\x41"',
    "short_unicode_escape": GOOD % ',"message":"\\u12"', "comment": GOOD % "" + "// hi",
    "double_comma": GOOD % ',"a":[1,,2]', "missing_colon": GOOD % ',"a" 1', "key_without_quotes": GOOD % ",a:1",
    "value_missing": GOOD % ',"a":', "wrong_close": GOOD[:-1] % "" + "]", "open": GOOD[:-1] % "",
    "string_open": GOOD % ',"a":"', "form_feed": "\x0c" + GOOD % "",
}
REFUSED = {
    **{f"not_json-{name}": text for name, text in NOT_JSON.items()},
    "not_object-array": "[%s]" % (GOOD % ""), "not_object-string": '"service_unhealthy"',
    "not_object-number": "17", "not_object-null": "null", "not_object-true": "true",
    "no_type": '{"node":"solaria","service":"web"}', "no_type-null": '{"type":null,"node":"solaria"}',
    "no_type-empty": '{"type":"","node":"solaria"}',
    "no_node": '{"type":"service_unhealthy","service":"web"}',
    "no_node-empty": '{"type":"service_unhealthy","node":"","service":"web"}',
    "no_node-null": '{"type":"service_unhealthy","node":null,"service":"web"}',
    "no_node-key_without_slash": '{"type":"service_unhealthy","key":"solaria"}',
    "no_node-key_begins_with_slash": '{"type":"service_unhealthy","key":"/web"}',
    "too_large": padded(65537), "too_large-1MB": padded(1 << 20), "too_deep": nested(17),
    "too_deep-10000": nested(10001),
    "not_utf8-nul": (GOOD % ',"message":"a@b"').replace("@", "\0"),
    "not_utf8-nul_behind": GOOD % "" + "\0",
    "not_utf8-ff": (GOOD % ',"message":"@"').encode().replace(b"@", b"\xff"),
    "not_utf8-overlong": (GOOD % ',"message":"@"').encode().replace(b"@", b"\xc0\xaf"),
    "not_utf8-surrogate": (GOOD % ',"message":"@"').encode().replace(b"@", b"\xed\xa0\x80"),
    "not_utf8-beyond": (GOOD % ',"message":"@"').encode().replace(b"@", b"\xf4\x90\x80\x80"),
    "not_utf8-cut": (GOOD % ',"message":"@"').encode().replace(b"@", b"\xe2\x82"),
    "not_utf8-in_key": (GOOD % ',"@":1').encode().replace(b"@", b"\xff"),
    "duplicate": GOOD % ',"type":"service_healthy"', "duplicate-same": GOOD % ',"node":"solaria"',
    "duplicate-unknown_member": GOOD % ',"a":1,"a":1', "duplicate-escaped": GOOD % ',"\\u006eode":"victim"',
    "bad_name-type_number": '{"type":5,"node":"solaria"}',
    "bad_name-type_object": '{"type":{},"node":"solaria"}',
    "bad_name-node_number": '{"type":"service_unhealthy","node":5}',
    "bad_name-node_array": '{"type":"service_unhealthy","node":["solaria"]}',
    "bad_name-service_number": '{"type":"service_unhealthy","node":"solaria","service":5}',
    "bad_name-service_object": '{"type":"service_unhealthy","node":"solaria","service":{}}',
    "bad_name-type_long": '{"type":"%s","node":"solaria"}' % ("t" * 129),
    "bad_name-node_long": '{"type":"service_unhealthy","node":"%s"}' % ("n" * 129),
    "bad_name-service_long": '{"type":"service_unhealthy","node":"solaria","service":"%s"}' % ("s" * 129),
    "bad_name-node_5KB": '{"type":"service_unhealthy","node":"%s"}' % ("n" * 5120),
    "bad_name-long_in_bytes": '{"type":"service_unhealthy","node":"%s"}' % ("ż" * 65),
    "bad_name-type_nul": '{"type":"service\\u0000unhealthy","node":"solaria"}',
    "bad_name-node_nul": '{"type":"service_unhealthy","node":"solaria\\u0000x"}',
    "bad_name-service_nul": '{"type":"service_unhealthy","node":"solaria","service":"\\u0000"}',
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_log_line_and_a_counter_and_the_planner_goes_on(agent, tree, case):
    tree.raw(REFUSED[case])
    tree.event(node="good", service="still-works")
    done = agent.run_once()
    assert [action["node"] for action in tree.actions().values()] == ["good"]
    refused = done.named("refused")
    assert len(refused) == 1, done.logs
    assert refused[0]["level"] in ("warning", "error")
    assert "evt-000001.json" in json.dumps(refused[0]), "the line does not say which file"
    # An operator must see why; a NUL may be called bad UTF-8 or bad JSON, a number no type.
    alike = {"not_utf8-nul": ("not_json",), "not_utf8-nul_behind": ("not_json",),
             "bad_name-type_number": ("no_type",), "bad_name-type_object": ("no_type",),
             "bad_name-node_number": ("no_node",), "bad_name-node_array": ("no_node",),
             "no_type-null": ("bad_name",), "no_node-null": ("bad_name",),
             "no_type-empty": ("bad_name",), "no_node-empty": ("bad_name",)}
    reasons = (case.split("-")[0], *alike.get(case, ()))
    assert any(reason in json.dumps(refused[0]) for reason in reasons), refused
    assert agent.count("refused") == 1
    assert agent.run_once().named("refused") == [], "refused again"


@pytest.mark.parametrize("text", [padded(65536), nested(16), GOOD % ',"a":{"x":1,"x":2}',
                                  GOOD % ',"a":-0.5e+10', "\r\n\t " + GOOD % "" + "\n\n",
                                  GOOD % ',"message":"\\u001b[31m\\u0000\\ud83d\\ude00"',
                                  GOOD % ',"":1,"a b":null'],
                         ids=["64KiB", "depth_16", "duplicate_below_the_top", "number", "white_space",
                              "escaped_controls", "odd_member_names"])
def test_taken_at_the_very_limit(agent, tree, text):
    _, action = read(agent, tree, text)
    assert action["action_id"] == "container-restart-solaria-web"


def test_names_of_128_bytes_are_taken(agent, tree):
    _, action = read(agent, tree, fault("t" * 128, "n" * 128, "s" * 128))
    assert (action["node"], action["service"]) == ("n" * 128, "s" * 128)


def test_escaped_control_characters_in_text_are_kept_escaped(agent, tree):
    got, action = read(agent, tree, GOOD % ',"message":"a\\u001b[31mb\\u0000c\\u202ed\\n"')
    # U+0000 itself may be kept as its escape: a file of text has no other way to say it safely.
    assert got["message"].replace("\\u0000", "\0") == "a\x1b[31mb\0c\u202ed\n"
    raw = tree.action_path(action["action_id"]).read_bytes()
    assert b"\x1b" not in raw and b"\0" not in raw
    # And no terminal gets them (cmd() looks at what was printed).
    agent.cmd("pending")
    agent.cmd("show", action["action_id"])
    agent.cmd("status")


# ---- Names --------------------------------------------------------------------------------------

NAMES = {
    "traversal": ("../../etc/cron.d/x", "_._.._etc_cron.d_x"), "dot": (".", "_"), "dot_dot": ("..", "_."),
    "slash": ("a/b", "a_b"), "dash": ("-rf", "_rf"), "hidden": (".hidden", "_hidden"),
    "newline": ("a\nb", "a_b"), "quotes": ("a\"b'c", "a_b_c"), "escape": ("\x1b[31mred", "__31mred"),
    "space": (" a b ", "_a_b_"), "shell": ("$(reboot);`x`", "__reboot___x_"), "backslash": ("a\\b", "a_b"),
    "percent": ("a%s%n", "a_s_n"), "tab": ("a\tb", "a_b"), "star": ("*", "_"),
}


@pytest.mark.parametrize("case", NAMES)
@pytest.mark.parametrize("where", ["node", "service", "type"])
def test_names_become_safe_and_the_original_stays_in_the_body(agent, tree, case, where):
    name, safe = NAMES[case]
    names = {"node": "solaria", "service": "web", "type": "service_unhealthy", where: name}
    safe_names = {**names, where: safe}
    before = set(tree.path.parent.iterdir())
    tree.raw(json.dumps(fault(**names)))
    agent.run_once()
    action = tree.action()
    kind = {"container_restart": "container-restart-{node}-{service}", "redeploy": "redeploy-{node}-{service}",
            "alert_only": "alert-{node}-{service}-{type}"}[action["type"]]
    assert action["action_id"] == kind.format(**safe_names)
    assert {"node": action["node"], "service": action["service"],
            "type": action["details"]["event"]["type"]} == names
    if where != "type":
        assert action["type"] == "alert_only", "rule 4: no restart of an unsafe name"
    assert set(tree.path.parent.iterdir()) == before
    assert len(tree.audits()) == 1
    agent.cmd("show", action["action_id"])
    agent.cmd("pending")
    assert agent.pending()[0]["action_id"] == action["action_id"]


@pytest.mark.parametrize("name", ["żółw", "日本", "a\u202eb", "\U0001f422"], ids=ascii)
def test_names_beyond_ascii_become_safe(agent, tree, name):
    _, action = read(agent, tree, fault(service=name))
    assert action["action_id"].isascii() and action["service"] == name


def test_two_names_that_become_the_same_are_two_actions(agent, tree):
    for service in ("a b", "a/b"):
        tree.event(service=service)
        agent.run_once(env={"COOLDOWN_SECONDS": 0})
    plain = "alert-solaria-a_b-service_unhealthy"
    other = hashed_id(plain, "alert_only", "solaria", "a/b", "service_unhealthy")
    assert {key: action["service"] for key, action in tree.actions().items()} == {plain: "a b", other: "a/b"}


def test_alias_map_is_applied_first(agent, tree):
    tree.event(node="sol")
    agent.run_once(env={"NODE_ALIAS_MAP": '{"sol":"solaria","solaria":"elsewhere"}'})
    action = tree.action("container-restart-solaria-web")
    assert action["node"] == "solaria", "followed twice, or not at all"


def test_alias_makes_one_key_of_two_names(agent, tree):
    env = {"NODE_ALIAS_MAP": '{"sol":"solaria"}'}
    tree.event(node="sol")
    agent.run_once(env=env)
    tree.clear_pending()
    tree.event(node="solaria")
    assert len(agent.run_once(env=env).named("cooldown")) == 1
    assert tree.actions() == {}


# ---- Benign, watched ----------------------------------------------------------------------------

BENIGN = ["service_healthy", "service_recovered", "node_online", "deployment_completed",
          "deployment_started", "remediation_started", "remediation_completed", "node_health",
          "mqtt_recovered", "ha_websocket_healthy", "disk_pressure_resolved", "x_recovered"]


@pytest.mark.parametrize("type", BENIGN)
@pytest.mark.parametrize("severity", ["info", "critical"])
def test_benign_types_ask_nobody(agent, tree, type, severity):
    tree.event(type, severity=severity)
    agent.run_once()
    assert tree.actions() == {} and tree.audits() == {}


def test_an_unknown_type_of_severity_info_is_benign(agent, tree):
    tree.event("backup_finished", severity="info")
    agent.run_once()
    assert tree.actions() == {}


@pytest.mark.parametrize("severity", ["warning", "error", "critical"])
def test_an_unknown_type_of_a_higher_severity_is_a_fault(agent, tree, severity):
    tree.event("backup_exploded", severity=severity)
    agent.run_once()
    assert tree.action()["details"]["event"]["type"] == "backup_exploded"


FAULTS = ["service_unhealthy", "healthcheck_failed", "deployment_failed", "node_offline", "disk_pressure",
          "disk_pressure_critical", "disk_usage_high", "high_memory", "high_cpu", "containers_not_running",
          "mqtt_unreachable", "ha_websocket_dead", "ha_integration_failed", "ha_entity_unavailable_long",
          "ha_automation_failing", "ha_recorder_lag"]


@pytest.mark.parametrize("type", FAULTS)
def test_every_fault_in_use_is_handled(agent, tree, type):
    tree.event(type, severity="critical")
    agent.run_once()
    action = tree.action()
    assert action["details"]["event"]["type"] == type
    assert action["details"]["requires_human"] is True
    assert 0 <= action["details"]["confidence"] < 0.7
    assert 1 <= len(action["details"]["reason"].encode()) <= 1000


@pytest.mark.parametrize("globs,taken", [("*", True), ("solaria", True), ("sol*", True), ("SOLARIA", True),
                                         ("a,sol*", True), ("other", False), ("solari", False), ("olaria", False),
                                         ("s*a", True), ("solari?", True)])
def test_watch_nodes_says_whose_faults_are_taken(agent, tree, globs, taken):
    tree.event()
    done = agent.run_once(env={"WATCH_NODES": globs})
    assert (len(tree.actions()) == 1) is taken
    assert (agent.count("not_watched") == 1) is not taken, done.logs


@pytest.mark.parametrize("globs", ["sol", "solaria"])
def test_watch_nodes_matches_the_name_as_it_came_and_after_aliasing(agent, tree, globs):
    tree.event(node="sol")
    agent.run_once(env={"WATCH_NODES": globs, "NODE_ALIAS_MAP": '{"sol":"solaria"}'})
    assert list(tree.actions()) == ["container-restart-solaria-web"]


def test_an_event_of_a_node_not_watched_is_over(agent, tree):
    """It is not left for later: WATCH_NODES is for what comes."""
    tree.event()
    agent.run_once(env={"WATCH_NODES": "other"})
    agent.run_once()
    assert tree.actions() == {}
