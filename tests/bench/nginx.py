"""nginx on loopback as a model that answers at once, plain and over TLS."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../mock"))

from certificates import Certificates  # noqa: E402

ANSWER = ('{"model":"m","message":{"role":"assistant","content":"{\\\\"action\\\\":\\\\"restart\\\\",'
          '\\\\"reason\\\\":\\\\"exit code 137\\\\",\\\\"confidence\\\\":0.9,\\\\"requires_human\\\\":false}"},'
          '"done":true,"done_reason":"stop","prompt_eval_count":600,"eval_count":40}')

CONFIGURATION = """
daemon off;
worker_processes 1;
error_log {directory}/error.log;
pid {directory}/pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    default_type application/json;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2;
    ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
    ssl_session_tickets off;
    server {{ listen 127.0.0.1:{plain}; location / {{ return 200 '{answer}'; }} }}
    server {{ listen 127.0.0.1:{full} ssl; keepalive_timeout 0; ssl_session_cache off;
              location / {{ return 200 '{answer}'; }} }}
    server {{ listen 127.0.0.1:{resumed} ssl; keepalive_timeout 0; ssl_session_cache shared:s:1m;
              location / {{ return 200 '{answer}'; }} }}
}}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Nginx:
    """plain, full (every connection a full handshake), resumed: ports on 127.0.0.1; roots: a PEM
    file to trust. The certificate is for localhost, RSA 2048."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="planner-bench-nginx-")
        os.chmod(self.directory, 0o755)
        certificates = self.certificates = Certificates(pathlib.Path(self.directory))
        self.roots = str(certificates.roots)
        self.plain, self.full, self.resumed = free_ports(3)
        path = f"{self.directory}/nginx.conf"
        with open(path, "w") as file:
            file.write(CONFIGURATION.format(
                directory=self.directory, cert=certificates.rsa.cert, key=certificates.rsa.key,
                plain=self.plain, full=self.full, resumed=self.resumed, answer=ANSWER))
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        self.process = subprocess.Popen([program, "-p", self.directory, "-c", path],
                                        stderr=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.resumed), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        sys.exit("nginx does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.directory)


def s_time(port, roots, how):
    """CPU ms a connection of openssl s_time, how: -new or -reuse."""
    done = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-CAfile", roots,
                           "-tls1_2", how, "-time", "3", "-www", "/"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    found = re.findall(rb"(\d+) connections in ([\d.]+)s;", done.stdout)
    if not found:
        sys.exit(f"openssl s_time: {done.stdout.decode()[-500:]}")
    count, seconds = found[-1]
    return 1000 * float(seconds) / int(count)
