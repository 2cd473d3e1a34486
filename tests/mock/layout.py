"""What a step comes to on the wire: status line, headers, body, chunks, and where each begins."""

import email.utils
import http
import time

REASONS = {529: "Overloaded"}


class Layout:
    """The bytes of an answer, and where its parts begin."""

    def __init__(self, step, headers, data):
        self.chunks = []
        interim = b"".join(self.interim(step, status) for status in step.before)
        head = self.head(step, headers, data)
        body = self.chunked(step, data, len(interim + head)) if step.framing == "chunked" else data
        self.start, self.body = len(interim), len(interim + head)
        self.end = self.body + len(body)
        self.wire = interim + head + body
        self.wire += self.wire if step.behind_it is None else step.behind_it

    @staticmethod
    def interim(step, status):
        link = b"link: </style.css>; rel=preload" + step.newline if status == 103 else b""
        return f"HTTP/1.1 {status} {reason(status)}".encode() + step.newline + link + step.newline

    @staticmethod
    def head(step, headers, data):
        lines = [("date", http_date()), *headers]
        if step.type:
            lines.append(("content-type", step.type))
        if step.framing == "chunked":
            lines.append(("transfer-encoding", "chunked"))
        offsets = (0,) if step.offsets is None and step.framing == "length" else step.offsets or ()
        lines += [("content-length", one if isinstance(one, str) else str(len(data) + one)) for one in offsets]
        if step.trailers:
            lines.append(("trailer", ", ".join(name for name, _ in step.trailers)))
        lines = [(name, value) for name, value in lines if name not in step.left_out]
        line = step.line
        if line is None:
            line = f"{step.version} {step.status} {reason(step.status)}".encode()
        fields = [as_bytes(name) + b": " + as_bytes(value) for name, value in [*lines, *step.headers]]
        return step.newline.join([line, *fields, b"", b""])

    def chunked(self, step, data, begin):
        wire, last, end = [], 0, begin
        for cut in [*(cut for cut in step.chunk_at(len(data)) if cut < len(data)), len(data)]:
            if cut > last:
                wire.append(f"{cut - last:x}".encode() + step.extension + step.newline + data[last:cut] + step.newline)
                end += len(wire[-1])
                self.chunks.append(end)
                last = cut
        trailers = b"".join(as_bytes(name) + b": " + as_bytes(value) + step.newline for name, value in step.trailers)
        return b"".join(wire) + b"0" + step.extension + step.newline + trailers + step.newline

    def place(self, at):
        if isinstance(at, int):
            return at if at >= 0 else len(self.wire) + at
        return {"start": 0, "interim": self.start, "head": (self.start + self.body) // 2, "headers": self.body,
                "body": (self.body + self.end) // 2, "chunk": (self.chunks or [self.body])[0],
                "last chunk": (self.chunks or [self.end])[-1], "end": len(self.wire)}[at]


def http_date(seconds=0.0):
    """Now and so many seconds, as HTTP writes a date."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def reason(status):
    try:
        return REASONS.get(status) or http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
