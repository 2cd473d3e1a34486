"""A name server on order: DNS over UDP and TCP, on 127.0.0.1 port 53 unless told otherwise.

    with NameServer() as names:
        names.on("web.test", addresses("127.0.0.1", "::1"))
        names.on("gone.test", code(NXDOMAIN))
        ...
        assert names.asked("web.test") == 2       an A and an AAAA

What is said of a name is a function of the Query that returns the answer's bytes, or None for
none. A name of which nothing was said does not exist."""

import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
TRUNCATED = 0x0200


class Query:
    def __init__(self, raw, over_tcp):
        self.raw, self.over_tcp = raw, over_tcp
        labels, at = [], 12
        while raw[at]:
            labels.append(raw[at + 1:at + 1 + raw[at]].decode())
            at += 1 + raw[at]
        self.name = ".".join(labels)
        self.type = struct.unpack_from(">H", raw, at + 1)[0]
        self.question = raw[12:at + 5]

    def reply(self, records=(), rcode=0, flags=0):
        """records: (name, type, data)."""
        head = struct.pack(">HHHHHH", struct.unpack_from(">H", self.raw)[0], 0x8180 | flags | rcode, 1, len(records), 0, 0)
        return head + self.question + b"".join(
            name_bytes(name) + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for name, kind, data in records)


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def address_records(name, kind, texts):
    """Those of the family that is asked for."""
    family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
    return [(name, kind, socket.inet_pton(family, text)) for text in texts if (":" in text) == (kind == AAAA)]


# -- what can be said --

def addresses(*texts):
    """None of the family that is asked for is an answer too."""
    return lambda query: query.reply(address_records(query.name, query.type, texts))


def code(number):
    return lambda query: query.reply(rcode=number)


def silence(_query):
    return None


def garbage(query):
    return bytes(number * 167 % 256 for number in range(200))


def garbage_behind_the_head(query):
    """An answer to this question, as far as its first bytes go."""
    return query.reply()[:6] + b"\xff\xff\xff\xff\xff\xff" + query.question + bytes(range(256))


def alias_of_itself(query):
    """A compressed name that leads to itself."""
    at = 12 + len(query.question) + len(name_bytes(query.name)) + 10
    return query.reply([(query.name, CNAME, struct.pack(">H", 0xC000 | at))])


def nothing_but_a_head(query):
    return query.reply()[:12]


def empty(_query):
    return b""


def another_number(query):
    """As from one who guesses."""
    reply = addresses("127.0.0.1", "::1")(query)
    return bytes([reply[0] ^ 0x55, reply[1] ^ 0xAA]) + reply[2:]


def by_family(a, aaaa):
    return lambda query: (aaaa if query.type == AAAA else a)(query)


def longer_on_tcp(then):
    """Over UDP only that there is more to say."""
    return lambda query: then(query) if query.over_tcp else query.reply(flags=TRUNCATED)


def alias(target, *texts):
    """A CNAME, and the addresses of its target."""
    return lambda query: query.reply(
        [(query.name, CNAME, name_bytes(target)), *address_records(target, query.type, texts)])


def alias_loop(query):
    other = "other." + query.name
    return query.reply([(query.name, CNAME, name_bytes(other)), (other, CNAME, name_bytes(query.name))])


class NameServer:
    def __init__(self, address=("127.0.0.1", 53)):
        self.address = address
        self.names, self.queries = {}, []

    def on(self, name, say):
        self.names[name] = say
        return self

    def asked(self, name):
        return sum(query.name == name for query in list(self.queries))

    def __enter__(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(self.address)
        self.tcp = socket.create_server(self.address)
        self.threads = [threading.Thread(target=run, daemon=True) for run in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        # An unconnected datagram socket is shut down too, though that is called an error.
        for one in (self.udp, self.tcp):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a name server that does not end"
        self.udp.close()
        self.tcp.close()

    def answer(self, raw, over_tcp=False):
        query = Query(raw, over_tcp)
        self.queries.append(query)
        return self.names.get(query.name, code(NXDOMAIN))(query)

    def serve_udp(self):
        while True:
            raw, client = self.udp.recvfrom(4096)
            if len(raw) < 12:
                return
            reply = self.answer(raw)
            if reply is not None:
                self.udp.sendto(reply, client)

    def serve_tcp(self):
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            with client:
                client.settimeout(15)
                try:
                    raw = client.recv(4096)
                    while len(raw) > 2 and raw:
                        size = struct.unpack_from(">H", raw)[0]
                        while len(raw) < 2 + size:
                            raw += client.recv(4096)
                        reply = self.answer(raw[2:2 + size], over_tcp=True)
                        raw = raw[2 + size:]
                        if reply is not None:
                            client.sendall(struct.pack(">H", len(reply)) + reply)
                        raw = raw or client.recv(4096)
                except OSError:
                    pass
