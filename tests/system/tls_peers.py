"""TLS servers that are not ours: OpenSSL's s_server and nginx, each the child of a test and ended
with it, and one that floods. They listen on 127.0.0.1 only.

    setup = Setup("p256", version="1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    with OpenSsl(certificates, setup) as server: ...     answers GET, one request a connection
    with Nginx(certificates, {"good": setup}) as server: ...    answers all, server.url("good")

Both answer as an OpenAI-compatible server, OpenSsl as an Ollama too."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading

from agent import wait_for
from apis import OPENAI
from chain import LABEL
from server import MockServer
from steps import proposal

GETS = {"v1/models": {"object": "list", "data": [{"id": "local", "object": "model"}]},
        "api/version": {"version": "0.5.7"},
        "api/tags": {"models": [{"name": "qwen2.5:7b", "model": "qwen2.5:7b"}]}}
CHAT = proposal().payload(MockServer().example(OPENAI, LABEL["openai"].split("/")[1]))[1].decode()
NO_ROOT = ("no root known for the certificate: SSL_CERT_FILE adds one, or the server sends too little of its "
           "chain")
DISTRIBUTION = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)


@dataclasses.dataclass(frozen=True)
class Setup:
    """How a server is set up. chain: the name of one of Certificates' chains."""

    chain: str = "p256"
    version: str = None  # the only one
    ciphers: str = None  # OpenSSL's list, without those of TLS 1.3
    curve: str = None  # the only one for ECDHE

    @property
    def cipher_list(self):
        old = self.version in ("1.0", "1.1")
        return self.ciphers or ("DEFAULT:@SECLEVEL=0" if old else None)

    def openssl(self):
        args = []
        if self.version:
            args.append("-tls" + self.version.replace("1.0", "1").replace(".", "_"))
        if self.cipher_list:
            args += ["-cipher", self.cipher_list]
        if self.curve:
            args += ["-groups", self.curve]
        return args

    def nginx(self):
        versions = {None: "TLSv1.2 TLSv1.3", "1.0": "TLSv1"}.get(self.version, f"TLSv{self.version}")
        lines = [f"ssl_protocols {versions};"]
        if self.cipher_list:
            lines.append(f"ssl_ciphers {self.cipher_list};")
        if self.curve:
            lines.append(f"ssl_ecdh_curve {self.curve};")
        return " ".join(lines)


class OpenSsl:
    """openssl s_server. more: further arguments. states: what its handshakes came through."""

    def __init__(self, certificates, setup, *more, name="localhost"):
        self.chain, self.name = getattr(certificates, setup.chain), name
        self.args = [*setup.openssl(), *more]
        self.directory = tempfile.mkdtemp(prefix="planner-agent-s_server-")
        self.process, self.port = None, None

    def __enter__(self):
        for path, answer in GETS.items():
            file = pathlib.Path(self.directory, path)
            file.parent.mkdir(exist_ok=True)
            file.write_text("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + json.dumps(answer))
        rest = pathlib.Path(self.directory, "rest.pem")
        rest.write_text("".join(BLOCK.findall(self.chain.cert.read_text())[1:]))
        above = ["-cert_chain", rest] if rest.stat().st_size else []
        self.out = open(f"{self.directory}/out", "w+")
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-HTTP", "-state", "-cert", self.chain.cert,
             "-key", self.chain.key, *above, *self.args],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT)
        found = wait_for("s_server", lambda: self.alive() and re.search(r"^ACCEPT .*:(\d+)\n", self.said, re.M), 60)
        self.port = int(found[1])
        return self

    def alive(self):
        assert self.process.poll() is None, f"s_server ended: {self.said}"
        return True

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.out.close()
        shutil.rmtree(self.directory)

    @property
    def said(self):
        return pathlib.Path(self.directory, "out").read_text()

    @property
    def handshakes(self):
        """For each that ended well: full or resumed."""
        found = re.findall(r"read client hello$(.*?)(?:read finished|write finished)$", self.said, re.M | re.S)
        return ["full" if "write certificate" in one else "resumed" for one in found]

    @property
    def url(self):
        return f"https://{self.name}:{self.port}"


NGINX = """
daemon off;
worker_processes 1;
error_log {directory}/error.log;
pid {directory}/pid;
events {{ worker_connections 256; }}
http {{
    log_format seen '$server_port $ssl_protocol $ssl_cipher $ssl_session_reused $status $ssl_server_name';
    access_log {directory}/access.log seen;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    default_type application/json;
    keepalive_timeout 0;
    {servers}
}}
"""


def program():
    return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Nginx:
    """nginx with a server for each setup; also one in plain HTTP, named plain. more: further lines
    for them all, or for those of a name. It closes after each answer. sockets, kept open, let a
    second one take over the addresses of the first."""

    def __init__(self, certificates, setups, more="", sockets=None):
        assert program(), "no nginx: toolchain/packages test"
        self.certificates, self.setups = certificates, {**setups, "plain": None}
        self.more = more if isinstance(more, dict) else dict.fromkeys(setups, more)
        self.own = sockets is None
        self.sockets = sockets or {name: socket.create_server(("127.0.0.1", 0)) for name in self.setups}
        self.ports = {name: one.getsockname()[1] for name, one in self.sockets.items()}
        self.directory, self.process = tempfile.mkdtemp(prefix="planner-agent-nginx-"), None

    def server(self, name, setup):
        lines = [f"listen 127.0.0.1:{self.ports[name]}{' ssl' if setup else ''};", self.more.get(name, "")]
        if setup:
            chain = getattr(self.certificates, setup.chain)
            lines += [f"ssl_certificate {chain.cert}; ssl_certificate_key {chain.key};", setup.nginx()]
        lines.append(f"location = /v1/models {{ return 200 {quoted(json.dumps(GETS['v1/models']))}; }}")
        lines.append(f"location = {OPENAI} {{ return 200 {quoted(CHAT)}; }}")
        return "server { " + "\n".join(lines) + " }"

    def __enter__(self):
        path = pathlib.Path(self.directory, "conf")
        servers = "\n".join(self.server(*one) for one in self.setups.items())
        path.write_text(NGINX.format(directory=self.directory, servers=servers))
        # Sockets that it inherits: nobody else can get the ports meanwhile, and they listen by now.
        numbers = [one.fileno() for one in self.sockets.values()]
        self.process = subprocess.Popen([program(), "-p", self.directory, "-c", path], pass_fds=numbers,
                                        env={"NGINX": "".join(f"{number};" for number in numbers)},
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.stop()
        if self.own:
            for one in self.sockets.values():
                one.close()
        shutil.rmtree(self.directory)

    def stop(self):
        """Its worker with it."""
        if self.process is None:
            return
        ended, process, self.process = self.process.poll(), self.process, None
        process.terminate()
        process.wait(60)
        assert ended is None, pathlib.Path(self.directory, "error.log").read_text()

    def url(self, setup, name="localhost"):
        return f"http{'s' if self.setups[setup] else ''}://{name}:{self.ports[setup]}"

    def seen(self, setup, count=0):
        """(version, suite, reused, status, name) of each request, in the log's words; waits for so
        many, as nginx answers first and writes later."""
        path = pathlib.Path(self.directory, "access.log")

        def look():
            lines = [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []
            return [tuple(line[1:]) for line in lines if line[0] == str(self.ports[setup])]

        wait_for(f"{count} requests in nginx's log", lambda: len(look()) >= count, 60)
        return look()


class Flood:
    """Reads what a client says first, and then sends these bytes without end; none where there are
    none. first: what the first client said."""

    def __init__(self, data):
        self.data = data * (65536 // max(1, len(data)))
        self.sent, self.first = 0, None

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}"
        self.open = []
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()
        return self

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(client)
            self.threads.append(threading.Thread(target=self.run, args=(client,), daemon=True))
            self.threads[-1].start()

    def run(self, client):
        try:
            said = client.recv(65536)
            self.first = self.first or said
            while self.data or client.recv(65536):
                self.sent += client.send(self.data)
        except OSError:
            pass

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.threads[0].join(60)
        for client in self.open:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a flood that does not end"
        for one in (self.listener, *self.open):
            one.close()
