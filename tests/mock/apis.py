"""The three APIs as their servers speak them: what they complain about, and how they answer.

Each API is a class of functions: complaints(request) lists what its server would refuse, said()
puts a model's text into its envelope, failed() an error, and get() answers what is asked by GET.
Answers hold no clock and no chance, so that the same answer has the same length each time."""

import dataclasses

OLLAMA, ANTHROPIC, OPENAI = "/api/chat", "/v1/messages", "/v1/chat/completions"
WARM_UP = "/api/chat, no messages"
PS, VERSION, TAGS, MODELS = "/api/ps", "/api/version", "/api/tags", "/v1/models"

DEFAULT_MODELS = ("qwen2.5:7b", "claude-haiku-4-5", "claude-sonnet-4-6", "local")
JSON = "application/json"
STAMP = "2026-10-01T08:00:00Z"
PROPOSAL_MEMBERS = {"action", "reason", "confidence", "requires_human"}


@dataclasses.dataclass(frozen=True)
class Said:
    """What a model says. finish: stop, length, refusal, or what else stands there word for word."""

    text: str
    finish: str = "stop"
    usage: tuple = (812, 47)
    blocks: tuple = ("thinking", "text")  # Anthropic's, in order
    members: tuple = ()  # of the envelope, put over what is there


@dataclasses.dataclass(frozen=True)
class Failed:
    """An error; kind and message where they are not the usual ones of this status."""

    status: int
    message: str = None
    kind: str = None


def subschemas(schema):
    """This schema and all in it; without recursion, as it came from outside."""
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            yield one
            for name, member in one.items():
                left += list(member.values()) if name == "properties" and isinstance(member, dict) else [member]


def check_schema(schema, where):
    """What makes any server's life hard: not a schema of a proposal."""
    if not isinstance(schema, dict):
        return [f"{where} is not an object"]
    found = []
    if schema.get("type") != "object":
        found.append(f"{where}.type is not object")
    if not PROPOSAL_MEMBERS <= set(schema.get("properties") or ()):
        found.append(f"{where}.properties lacks {sorted(PROPOSAL_MEMBERS - set(schema.get('properties') or ()))}")
    if not PROPOSAL_MEMBERS <= set(schema.get("required") or ()):
        found.append(f"{where}.required is not all four members")
    return found


def is_text(value, in_blocks):
    if in_blocks and isinstance(value, list) and value:
        return all(isinstance(one, dict) and one.get("type") == "text" and is_text(one.get("text"), False) for one in value)
    return isinstance(value, str) and bool(value.strip())


def check_messages(body, roles, empty=False, in_blocks=False):
    messages = body.get("messages")
    if not isinstance(messages, list) or not (messages or empty):
        return ["messages: at least one message is required"]
    found = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in roles:
            found.append(f"messages.{number}.role: not one of {', '.join(roles)}")
        elif not is_text(message.get("content"), in_blocks):
            found.append(f"messages.{number}.content: text is required")
    return found


def check_model(body):
    return [] if isinstance(body.get("model"), str) and body["model"] else ["model: field required"]


class Ollama:
    name = "ollama"
    finishes = {"refusal": "stop"}

    @staticmethod
    def complaints(request):
        if request.path != OLLAMA:
            return []
        body = request.json
        found = check_model(body) + check_messages(body, ("system", "user", "assistant"), empty=True)
        if found or request.warm_up:
            return found
        if body.get("stream") is not False:
            found.append("stream is not false: the default is a stream")
        if body.get("think") is not False:
            found.append("think is not false: a thinking model would think")
        if "format" in body:
            found += check_schema(body["format"], "format")
        options = body.get("options", {})
        if not isinstance(options, dict):
            found.append("options is not an object")
        elif any(isinstance(value, (bool, str)) or value is None for value in options.values()):
            found.append("options: not a number")
        if not isinstance(body.get("keep_alive", 0), (int, str)):
            found.append("keep_alive: neither text nor number")
        return found

    @classmethod
    def said(cls, request, said):
        if request.warm_up:
            done = "unload" if request.json.get("keep_alive") in (0, "0", "0s") else "load"
            return [], {"model": request.model, "created_at": STAMP, "done": True, "done_reason": done,
                        "message": {"role": "assistant", "content": ""}}
        return [], {
            "model": request.model, "created_at": STAMP,
            "message": {"role": "assistant", "content": said.text},
            "done": True, "done_reason": cls.finishes.get(said.finish, said.finish),
            "total_duration": 812000000, "load_duration": 1200000,
            "prompt_eval_count": said.usage[0], "prompt_eval_duration": 300000000,
            "eval_count": said.usage[1], "eval_duration": 500000000}

    @staticmethod
    def failed(request, failed):
        usual = {404: f"model '{request.model}' not found",
                 503: "server busy, please try again.  maximum pending requests exceeded"}
        return [], {"error": failed.message or usual.get(failed.status, f"error {failed.status}")}

    @staticmethod
    def get(request, server):
        def model(name):
            return {"name": name, "model": name, "size": 4683087332, "digest": "845dbda0ea48" + "0" * 52,
                    "details": {"parent_model": "", "format": "gguf", "family": "qwen2", "families": ["qwen2"],
                                "parameter_size": "7.6B", "quantization_level": "Q4_K_M"}}

        names = [name for name in server.models or DEFAULT_MODELS if not name.startswith("claude")]
        if request.path == VERSION:
            return [], {"version": "0.12.6"}
        if request.path == TAGS:
            return [], {"models": [{**model(name), "modified_at": STAMP} for name in names]}
        if request.path == PS:
            return [], {"models": [{**model(name), "expires_at": "2318-01-01T00:00:00Z", "size_vram": 4683087332,
                                    "context_length": 4096} for name in sorted(server.resident(names))]}
        return None


class Anthropic:
    name = "anthropic"
    finishes = {"stop": "end_turn", "length": "max_tokens"}
    kinds = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
             403: "permission_error", 404: "not_found_error", 413: "request_too_large",
             429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error"}
    members = {"model", "max_tokens", "system", "messages", "output_config", "metadata", "service_tier", "stream"}
    never = ("temperature", "top_p", "top_k", "thinking", "tool_choice")
    keywords = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
                "minLength", "maxLength", "minItems", "maxItems"}

    @classmethod
    def complaints(cls, request):
        found = []
        if not request.header("anthropic-version"):
            found.append("anthropic-version: header is required")
        if not request.header("x-api-key"):
            found.append("x-api-key header is required")
        if request.path != ANTHROPIC:
            return found
        body = request.json
        found += check_model(body)
        if type(body.get("max_tokens")) is not int or body["max_tokens"] < 1024:
            found.append("max_tokens: Field required, 1024 or more")
        found += [f"{name}: not to be sent" for name in cls.never if name in body]
        found += [f"{name}: Extra inputs are not permitted" for name in sorted(set(body) - cls.members - set(cls.never))]
        if body.get("stream", False) is not False:
            found.append("stream is not false")
        if "system" in body and not is_text(body["system"], True):
            found.append("system: text is required")
        found += cls.check_conversation(body)
        if "output_config" in body:
            found += cls.check_output(body["output_config"])
        return found

    @staticmethod
    def check_conversation(body):
        found = check_messages(body, ("user", "assistant"), in_blocks=True)
        if not found and body["messages"][-1]["role"] != "user":
            found.append("messages: the conversation must end with a user message")
        return found

    @classmethod
    def check_output(cls, config):
        form = config.get("format") if isinstance(config, dict) else None
        if not isinstance(form, dict) or form.get("type") != "json_schema" or set(form) != {"type", "schema"}:
            return ["output_config.format: not {type: json_schema, schema: {...}}"]
        where = "output_config.format.schema"
        found = check_schema(form["schema"], where)
        for schema in subschemas(form["schema"]):
            if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
                found.append(f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
            for keyword in sorted(cls.keywords & set(schema)):
                found.append(f"{where}: For '{schema.get('type')}' type, property '{keyword}' is not supported")
        return found

    @classmethod
    def headers(cls, request):
        return [("request-id", f"req_{request.index:024d}"), ("server", "cloudflare"), ("cf-cache-status", "DYNAMIC")]

    @classmethod
    def said(cls, request, said):
        block = {"text": {"type": "text", "text": said.text},
                 "thinking": {"type": "thinking", "thinking": "", "signature": "RXFvQkNrZ0lDeEFD"},
                 "tool_use": {"type": "tool_use", "id": "toolu_01", "name": "restart", "input": {}}}
        return cls.headers(request), {
            "model": request.model, "id": f"msg_{request.index:024d}", "type": "message", "role": "assistant",
            "content": None if said.text is None else [block.get(kind, {"type": kind}) for kind in said.blocks],
            "stop_reason": cls.finishes.get(said.finish, said.finish), "stop_sequence": None,
            "usage": {"input_tokens": said.usage[0], "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                      "output_tokens": said.usage[1], "service_tier": "standard"}}

    @classmethod
    def failed(cls, request, failed):
        kind = failed.kind or cls.kinds.get(failed.status, "api_error")
        return cls.headers(request), {
            "type": "error", "error": {"type": kind, "message": failed.message or kind.replace("_", " ")},
            "request_id": f"req_{request.index:024d}"}

    @classmethod
    def get(cls, request, server):
        def model(name):
            return {"type": "model", "id": name, "display_name": name, "created_at": STAMP}

        names = [name for name in server.models or DEFAULT_MODELS if name.startswith("claude")]
        if request.path == MODELS:
            return cls.headers(request), {"data": [model(name) for name in names], "has_more": False,
                                          "first_id": (names or [None])[0], "last_id": (names or [None])[-1]}
        name = request.path.removeprefix(MODELS + "/")
        return (cls.headers(request), model(name)) if not server.models or name in names else None


class OpenAi:
    name = "openai"
    finishes = {"refusal": "content_filter"}

    @staticmethod
    def complaints(request):
        if request.path != OPENAI:
            return []
        body = request.json
        found = check_model(body) + check_messages(body, ("system", "user", "assistant"))
        if body.get("stream", False) is not False:
            found.append("stream is not false")
        if "response_format" in body:
            form = body["response_format"]
            inner = form.get("json_schema") if isinstance(form, dict) else None
            if not isinstance(form, dict) or form.get("type") != "json_schema":
                found.append("response_format.type is not json_schema")
            elif not isinstance(inner, dict) or set(form) != {"type", "json_schema"}:
                found.append("response_format: flat, which constrains nothing")
            elif not inner.get("name") or inner.get("strict") is not True:
                found.append("response_format.json_schema: name and strict are required")
            else:
                found += check_schema(inner.get("schema"), "response_format.json_schema.schema")
        return found

    @classmethod
    def said(cls, request, said):
        return [], {
            "id": f"chatcmpl-{request.index:016d}", "object": "chat.completion", "created": 1790841600,
            "model": request.model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": said.text},
                         "logprobs": None, "finish_reason": cls.finishes.get(said.finish, said.finish)}],
            "usage": {"prompt_tokens": said.usage[0], "completion_tokens": said.usage[1], "total_tokens": sum(said.usage)}}

    @staticmethod
    def failed(request, failed):
        # As llama.cpp: code is a number.
        usual = {401: ("Invalid API Key", "authentication_error"), 404: ("File Not Found", "not_found_error"),
                 503: ("Loading model", "unavailable_error")}
        message, kind = usual.get(failed.status, (f"error {failed.status}", "server_error"))
        return [], {"error": {"code": failed.status, "message": failed.message or message, "type": failed.kind or kind}}

    @staticmethod
    def get(request, server):
        names = [name for name in server.models or DEFAULT_MODELS if not name.startswith("claude")]
        if request.path != MODELS:
            return None
        return [], {"object": "list", "data": [{"id": name, "object": "model", "created": 1790841600, "owned_by": "llamacpp"}
                                               for name in names]}


def api_of(request):
    """Two of them have /v1/models: Anthropic's clients are known by their headers."""
    if request.path.startswith("/api/"):
        return Ollama
    if request.path == ANTHROPIC or request.header("anthropic-version") or request.header("x-api-key"):
        return Anthropic
    return OpenAi
