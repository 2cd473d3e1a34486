"""Bytes to and from one client, with or without TLS, and the ways to end a connection.

TLS runs over memory, so that its records too can go out one byte at a time, and so that it is ours
to say whether a close-notify is sent."""

import contextlib
import dataclasses
import errno
import select
import socket
import ssl
import struct
import time
import warnings

VERSIONS = {"1.0": "TLSv1", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}
NLMSG_ERROR, NLM_F_REQUEST, SOCK_DIAG_BY_FAMILY, NETLINK_SOCK_DIAG, INET_DIAG_INFO = 2, 1, 20, 4, 2


class Gone(Exception):
    """The client left, or the step ended the connection."""


@dataclasses.dataclass
class Tls:
    """How a server speaks TLS. chain: with .cert and .key, as certificates.py makes them."""

    chain: object
    minimum: str = "1.2"
    maximum: str = "1.3"
    ciphers: str = None  # OpenSSL's list; those of TLS 1.3 are not in it
    tickets: bool = True  # False: sessions are resumed by their id alone
    curve: str = None  # the only one for ECDHE: prime256v1, secp384r1, X25519

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = getattr(ssl.TLSVersion, VERSIONS[min(self.minimum, self.maximum)])
            context.maximum_version = getattr(ssl.TLSVersion, VERSIONS[self.maximum])
        if self.maximum < "1.2":
            context.set_ciphers((self.ciphers or "DEFAULT") + ":@SECLEVEL=0")
        elif self.ciphers:
            context.set_ciphers(self.ciphers)
        if not self.tickets:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        if self.curve:
            context.set_ecdh_curve(self.curve)
        context.load_cert_chain(self.chain.cert, self.chain.key)

        def note_name(connection, name, _context):
            connection.sni = name

        context.sni_callback = note_name
        return context


class Channel:
    def __init__(self, sock, context=None, drip=0):
        self.sock = sock
        self.notify = True  # a close-notify before closing
        self.drip = drip  # so many bytes a TCP write; 0: as many as there are
        self.pending = b""  # read, but not asked for yet
        self.eof = None  # how the client ended: notify, closed, reset
        self.ended = None  # how we did
        self.stopped = False
        self.sent = 0
        self.patient = True
        self.tls = None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
            self.tls.sni = None

    # -- in --

    def peek(self, seconds=None):
        """Waits for the first bytes and leaves them; False where none come."""
        self.sock.settimeout(seconds)
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def secure(self):
        """The handshake. Raises ssl.SSLError, its alert sent, or Gone."""
        while True:
            try:
                self.tls.do_handshake()
                self.flush()
                return
            except ssl.SSLWantReadError:
                self.flush()
                if not self.pull(None):
                    raise Gone from None
            except ssl.SSLError:
                self.flush()
                raise

    def pull(self, seconds):
        """Takes what comes within that time into hand; False where nothing came."""
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            self.eof = "reset"
            return False
        if not data:
            self.eof = self.eof or "closed"
            return False
        if self.tls is None:
            self.pending += data
            return True
        self.incoming.write(data)
        return True

    def decrypt(self):
        if self.tls is None:
            return
        try:
            while data := self.tls.read(65536):
                self.pending += data
            self.eof = self.eof or "notify"
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.eof = self.eof or "notify"
        except ssl.SSLError as error:
            self.eof = self.eof or f"alert: {error.reason}"

    def receive(self):
        """The next bytes; empty when the client is done."""
        self.decrypt()
        while not self.pending and self.eof is None and self.pull(None):
            self.decrypt()
        data, self.pending = self.pending, b""
        return data

    def wait(self, seconds=None):
        """Lets that time pass (None: all time); True as soon as the client hangs up."""
        end = None if seconds is None else time.monotonic() + seconds
        self.decrypt()
        while self.eof is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            if self.pull(left):
                self.decrypt()
        return True

    # -- out --

    def send(self, data):
        try:
            if self.tls is None:
                self.push(data)
            else:
                self.tls.write(data)
                self.flush()
        except (OSError, ssl.SSLError) as error:
            self.eof = self.eof or ("reset" if error.errno in (errno.ECONNRESET, errno.EPIPE) else str(error))
            raise Gone from None

    def flush(self):
        if self.outgoing.pending:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.push(self.outgoing.read())

    def push(self, data):
        """Past TLS."""
        self.sock.settimeout(None)
        step = self.drip or max(len(data), 1)
        for at in range(0, len(data), step):
            self.sock.sendall(data[at:at + step])
            self.sent += min(step, len(data) - at)
            if self.drip:
                self.drained()

    def drained(self, limit=5.0):
        """Waits until the client has read all that was sent, so that what follows comes in another
        read of its own. Once a client has not read for that long, it is no longer waited for."""
        end = time.monotonic() + limit
        while self.patient and not self.stopped:
            left = unread(self.sock, self.sent)
            if left is None:
                time.sleep(0.002)
            if not left:
                return
            if time.monotonic() > end:
                self.patient = False
            time.sleep(0.0001)

    # -- the end --

    def reset(self):
        """RST instead of FIN. What was sent is given a moment to arrive."""
        self.drained()
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.ended = self.ended or "reset"

    def close(self):
        if self.ended:
            return
        self.ended = "closed"
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.tls is not None and self.notify:
                with contextlib.suppress(ssl.SSLWantReadError):
                    self.tls.unwrap()
                self.flush()
            self.sock.shutdown(socket.SHUT_WR)
            # Bytes left unread would turn our FIN into a RST.
            self.sock.setblocking(False)
            while self.sock.recv(65536):
                pass
        self.sock.close()

    def stop(self):
        """From another thread: whatever this one waits for is over."""
        self.stopped = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


def unread(sock, sent):
    """How many of the bytes that we sent the program on the other side has yet to read, where it is
    on this machine; None where that cannot be found out. It is the client's socket that is asked:
    an acknowledgement would say less, and come 40 ms later."""
    try:
        here, there = sock.getsockname(), sock.getpeername()
        packed = [socket.inet_pton(sock.family, one[0]).ljust(16, b"\0") for one in (there, here)]
        request = struct.pack("=BBBxIHH16s16sI8s", sock.family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1),
                              0xffffffff, socket.htons(there[1]), socket.htons(here[1]), *packed, 0, b"\xff" * 8)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
            diag.settimeout(1)
            diag.send(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + request)
            answer = diag.recv(8192)
    except OSError:
        return None
    size, kind = struct.unpack_from("=IH", answer)
    if kind == NLMSG_ERROR:
        return 0 if -struct.unpack_from("=i", answer, 16)[0] == errno.ENOENT else None
    # struct inet_diag_msg: 4 bytes, the id of 48, a time, the receive queue; 72 in all.
    queued = struct.unpack_from("=I", answer, 16 + 56)[0]
    at = 16 + 72
    while at + 4 <= size:
        length, kind = struct.unpack_from("=HH", answer, at)
        if kind == INET_DIAG_INFO and length >= 4 + 136:
            return sent - struct.unpack_from("=Q", answer, at + 4 + 128)[0] + queued  # tcpi_bytes_received
        at += max((length + 3) & ~3, 4)
    return None


def full_listener(family, address):
    """A socket that listens with a queue so full that the next SYN is dropped, and the sockets that
    fill it."""
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen(0)
    fillers = []
    while True:
        filler = socket.socket(family)
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
        if not select.select([], [filler], [], 1)[1]:
            return listener, fillers
