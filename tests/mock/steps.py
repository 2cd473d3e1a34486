"""Steps: one answer each, and what is wrong with it.

A step is made by one of the functions below (proposal, say, error, body, raw, hang, ...) and then
bent by its methods. No method changes a step: each gives a new one, so steps can be shared. A step
does not know its API: the same proposal() answers on all three. Also a function of the request that
returns a step is a step.

Methods that take a place, `at`, know these: "start" (nothing sent yet), "interim" (behind the interim
answers), "head" (amid the headers), "headers" (just behind them), "body" (amid the body), "chunk"
(behind the first chunk), "last chunk" (before the chunk of length 0), "end" (all sent), or a number
of bytes (negative: from the end)."""

import copy
import dataclasses
import gzip
import json

from apis import JSON, Failed, Said, api_of
from layout import Layout, as_bytes, http_date, reason  # noqa: F401
from wire import Gone

PROPOSAL = {"action": "restart", "reason": "three health checks failed in a row", "confidence": 0.86,
            "requires_human": False}


class Step:
    def __init__(self, content, status=200):
        self.content = content  # bytes, or Said or Failed, which each API puts in its own form
        self.status = status
        self.version = "HTTP/1.1"
        self.line = None  # the whole status line, where it is none of HTTP's
        self.newline = b"\r\n"
        self.headers = []
        self.left_out = set()
        self.type = JSON
        self.framing = "length"  # chunked, close, None
        self.chunk_at = lambda size: []
        self.extension = b""
        self.trailers = []
        self.offsets = None  # one content-length each
        self.before = []  # interim answers
        self.behind_it = b""
        self.bends = []  # of the body
        self.stops = []  # (place, what happens there)
        self.cuts = []  # functions of the layout: where one write ends
        self.drip_seconds = 0.0
        self.ending = "keep"  # close, drop (at the next request), reset at drop
        self.idle_seconds = 0.0
        self.notify = True

    def but(self, **changes):
        step = copy.copy(self)
        for name, value in changes.items():
            assert hasattr(step, name), name
            setattr(step, name, value)
        return step

    def more(self, name, *values):
        return self.but(**{name: [*getattr(self, name), *values]})

    # -- what is said --

    def said(self, **changes):
        """finish=, usage=(in, out), blocks=("thinking", "text"): as in apis.Said."""
        assert isinstance(self.content, Said), "nothing is said here"
        return self.but(content=dataclasses.replace(self.content, **changes))

    def finish(self, reason):
        """done_reason, stop_reason, finish_reason: stop, length, refusal in each API's own words;
        any other one word for word."""
        return self.said(finish=reason)

    def usage(self, tokens_in, tokens_out):
        return self.said(usage=(tokens_in, tokens_out))

    def blocks(self, *kinds):
        """Anthropic's content blocks: text, thinking, tool_use, or a kind nobody knows."""
        return self.said(blocks=kinds)

    def envelope(self, **members):
        """Members of the outermost object, put over what is there."""
        return self.more("bends", lambda data: json.dumps({**json.loads(data), **members}).encode())

    def deep(self, levels=1000):
        """One more member in the envelope, nested so deep."""
        nest = b'{"deep":' + deep(levels) + b","
        return self.more("bends", lambda data: nest + data.lstrip()[1:])

    def padded(self, size):
        """White space behind the JSON until the body has this size."""
        return self.more("bends", lambda data: data.ljust(size))

    def nul_in_body(self):
        return self.more("bends", lambda data: data[:len(data) // 2] + b"\0" + data[len(data) // 2:])

    def gzip(self):
        return self.more("bends", lambda data: gzip.compress(data, mtime=0)).header("content-encoding", "gzip")

    # -- the head --

    def header(self, name, value):
        return self.more("headers", (name, value))

    def without(self, *names):
        """Leaves out headers that would stand there: content-type, content-length, date, ..."""
        return self.but(left_out=self.left_out | {name.lower() for name in names})

    def nul_in_head(self):
        return self.header("x-nul", b"a\0b")

    def folded(self):
        return self.header("x-folded", b"first\r\n  second\r\n\tthird")

    def huge_header(self, size=1 << 20):
        return self.header("x-huge", "h" * size)

    def many_headers(self, count=10000):
        return self.more("headers", *((f"x-{number}", "v") for number in range(count)))

    def bare_lf(self):
        """LF alone ends each line of the head (and of the chunks)."""
        return self.but(newline=b"\n")

    def status_line(self, line):
        return self.but(line=as_bytes(line))

    def http10(self, keep_alive=False):
        """Of HTTP/1.0, where closing is the rule."""
        step = self.but(version="HTTP/1.0", ending="keep" if keep_alive else "close")
        return step.header("connection", "keep-alive") if keep_alive else step

    def informational(self, *statuses):
        """Interim answers first: 100, 103."""
        return self.more("before", *statuses)

    # -- how long the body is said to be --

    def chunked(self, *sizes, at=(), every=None, extension="", trailers=()):
        """Chunks of these sizes, or cut at these offsets, or all of one size; the rest is one
        chunk. Each chunk is a write of its own, which the client has read before the next."""
        def cut(size):
            if every:
                return list(range(every, size, every))
            if sizes:
                return [sum(sizes[:number + 1]) for number in range(len(sizes))]
            return sorted(at)

        step = self.but(framing="chunked", chunk_at=cut, extension=as_bytes(extension), trailers=list(trailers))
        return step.more("cuts", lambda layout: layout.chunks)

    def lengths(self, *offsets):
        """A content-length header for each: a number is added to the true length, a text stands as
        it is. lengths(-3): too short; lengths(3): too long, and then closed; lengths(0, 0): twice;
        lengths(0, 1): two that differ; chunked().lengths(0): beside transfer-encoding."""
        return self.but(offsets=offsets)

    def until_close(self):
        """No length: the body ends with the connection."""
        return self.but(framing="close", ending="close")

    def unframed(self):
        """Neither header of framing: for such as header() gives, with a body that fits them."""
        return self.but(framing=None)

    # -- how it is sent --

    def drip(self, seconds=0.0, size=1, part="all"):
        """So many bytes a write, each write read by the client before the next, and that time
        between. part: head, body or all."""
        def cut(layout):
            first = layout.body if part == "body" else 0
            last = layout.body if part == "head" else len(layout.wire)
            return range(first, last, size)

        return self.more("cuts", cut).but(drip_seconds=seconds)

    def writes(self, *offsets):
        """Writes that end at these bytes of the answer, head included."""
        return self.more("cuts", lambda layout: [n for n in offsets if n < len(layout.wire)])

    def twice(self):
        """The answer once more, in the same write."""
        return self.but(behind_it=None)

    def behind(self, data):
        """These bytes behind the body, in the same write."""
        return self.but(behind_it=as_bytes(data))

    # -- what happens on the way --

    def pause(self, seconds, at="body"):
        return self.more("stops", (at, lambda channel: wait(channel, seconds)))

    def delay(self, seconds):
        """Before the first byte; over at once when the client hangs up."""
        return self.pause(seconds, "start")

    def hang(self, at="start"):
        """From there on nothing, until the client hangs up."""
        return self.more("stops", (at, lambda channel: wait(channel, None)))

    def reset(self, at="start"):
        return self.more("stops", (at, stop_with_reset))

    def close(self, at="body"):
        return self.more("stops", (at, stop_with_close))

    def no_notify(self):
        """Wherever it is closed, then without TLS's close-notify."""
        return self.but(notify=False)

    # -- what becomes of the connection --

    def then_close(self, after=0.0, say_so=False):
        """Closes the idle connection after that time. say_so: with connection: close."""
        step = self.but(ending="close", idle_seconds=after)
        return step.header("connection", "close") if say_so else step

    def then_drop(self, reset=False):
        """Closes when the next request has been read, and does not answer it."""
        return self.but(ending="reset" if reset else "drop")

    # -- on the wire --

    def payload(self, request):
        """The headers and the body, before chunks are made of it."""
        headers, data = [], self.content
        if isinstance(data, (Said, Failed)):
            api = api_of(request)
            headers, data = (api.said if isinstance(data, Said) else api.failed)(request, data)
            data = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        for bend in self.bends:
            data = bend(data)
        return headers, data

    def layout(self, request):
        return Layout(self, *self.payload(request))

    def play(self, channel, request):
        """Sends it. Raises Gone when the connection does not outlive it."""
        layout = self.layout(request)
        stops = sorted(((layout.place(at), number, act) for number, (at, act) in enumerate(self.stops)))
        cuts = {n for cut in self.cuts for n in cut(layout)}
        ends = sorted({*cuts, *(at for at, _, _ in stops), len(layout.wire)})
        sent = 0
        for end in ends:
            if end > sent:
                if sent in cuts:
                    channel.drained()
                    if self.drip_seconds:
                        wait(channel, self.drip_seconds)
                channel.send(layout.wire[sent:end])
                sent = end
            for at, _, act in stops:
                if at == end:
                    act(channel)


class Raw(Step):
    """Bytes that are no answer of ours."""

    def layout(self, request):
        layout = Layout(self, [], b"")
        layout.wire, layout.start, layout.body, layout.end = self.content, 0, 0, len(self.content)
        return layout


# -- how a step begins --

def proposal(without=(), **members):
    """A valid proposal, but for the members given (of any value) and left out."""
    return say(proposal_text(without, **members))


def say(text):
    """This text from the model. Anything but text is written as JSON."""
    if isinstance(text, bytes):
        text = text.decode()
    return Step(Said(text if text is None or isinstance(text, str) else json.dumps(text)))


def fenced(tag="json", **members):
    return say(f"```{tag}\n{proposal_text(**members)}\n```")


def prose(before="Here is my proposal:\n\n", after="\n\nLet me know what you think.", **members):
    return say(f"{before}{proposal_text(**members)}{after}")


def truncated(text='{"action": "restart", "rea'):
    """The token limit was reached: done_reason length, stop_reason max_tokens, ..."""
    return say(text).finish("length")


def refusal(text="I cannot help with that."):
    """In words. In the API's own way: say("").finish("refusal")."""
    return say(text)


def null_content():
    return say(None)


def error(status, retry_after=None, message=None, kind=None):
    """In the API's own form. retry_after: seconds, whole or decimal, or a text such as http_date(3)."""
    step = Step(Failed(status, message, kind), status)
    return step if retry_after is None else step.header("retry-after", str(retry_after))


def html(status=502):
    """What an edge in front of the server says."""
    title = f"{status} {reason(status)}"
    page = (f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n"
            f"<body><center><h1>{title}</h1></center></body></html>\n")
    return body(page, status, "text/html; charset=UTF-8")


def redirect(status=302, location="http://127.0.0.1:9/api/chat"):
    return body("", status, None).header("location", location)


def body(data, status=200, type=JSON):
    """This body, whatever the API; what is no text or bytes is written as JSON."""
    return Step(as_bytes(data if isinstance(data, (str, bytes)) else json.dumps(data)), status).but(type=type)


def raw(data):
    """These bytes and nothing else; then_close() where the connection is to end."""
    return Raw(as_bytes(data))


def garbage(size=4096):
    return raw(bytes(number * 167 % 256 for number in range(size))).then_close()


def hang():
    return Step(b"").hang()


def reset():
    return Step(b"").reset()


def close():
    """Closed without an answer."""
    return Step(b"").close("start")


def every_split(step, request):
    """The step once for each place where its body can be cut into two chunks."""
    return [step.chunked(at=[cut]) for cut in range(1, len(step.payload(request)[1]))]


# -- values --

def proposal_text(without=(), **members):
    values = {**PROPOSAL, **members}
    left_out = {without} if isinstance(without, str) else set(without)
    return json.dumps({name: value for name, value in values.items() if name not in left_out})


def deep(levels=1000):
    return b"[" * levels + b"]" * levels


def wait(channel, seconds):
    if channel.wait(seconds):
        raise Gone


def stop_with_reset(channel):
    channel.reset()
    raise Gone


def stop_with_close(channel):
    channel.close()
    raise Gone
