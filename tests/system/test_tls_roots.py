"""SSL_CERT_FILE: what may stand in it, and what is said of one that is of no use. Where it is not set: the machine's
own bundle."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from chain import route
from one_hop import HOP, NETWORK, Asking, check_tls_error, failed, hop_at, probed
from tls_peers import BLOCK, DISTRIBUTION, NO_ROOT, OpenSsl, Setup


def broken(block):
    """It is still PEM, but no certificate."""
    head, first, *rest = block.splitlines(keepends=True)
    return "".join([head, "MIIB" + first[4:], rest[-1]])


GOOD = {
    "own roots": lambda text: text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "text between": lambda text: "".join("# A root\nsubject=CN = x\n\n" + one + "\n" for one in BLOCK.findall(text)).encode(),
    "no newline at the end": lambda text: text.rstrip("\n").encode(),
    "each twice": lambda text: (text + text).encode(),
    "NULs and bytes beyond ASCII between": lambda text: b"\0\xff\xfe\n".join(one.encode() for one in BLOCK.findall(text)),
    "with the distribution's": lambda text: DISTRIBUTION.read_bytes() + text.encode(),
    "behind the distribution's, twice": lambda text: 2 * DISTRIBUTION.read_bytes() + text.encode(),
}
# What is left out as a whole, and why.
BAD = {
    "empty": (lambda text: b"", "no PEM certificate is in it"),
    "garbage": (lambda text: bytes(number * 167 % 256 for number in range(20000)), "no PEM certificate is in it"),
    "DER": (lambda text: bytes.fromhex("30820122") + bytes(290), "no PEM certificate is in it"),
    "a key alone": (lambda text: b"-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n", "no PEM certificate is in it"),
    "one, and that is broken": (lambda text: broken(BLOCK.findall(text)[0]).encode(),
                                "1 of 1 certificates are of no use: .+"),
    "one, cut short": (lambda text: BLOCK.findall(text)[0][:300].encode(), "1 of 1 certificates are of no use: .+"),
    "more than 1 MiB": (lambda text: text.encode() + b"\n" * (1 << 20), "larger than 1 MiB"),
}


@pytest.fixture(scope="module")
def server(certificates):
    with OpenSsl(certificates, Setup("p256")) as one:
        yield one


def grade(agent, path, prefix=()):
    """What check says of the file: ("PROBLEM", its words), or None; and whether check is content."""
    done = agent.cmd("check", env={"LLM_CHAIN": "rules", "SSL_CERT_FILE": path}, rc=(0, 1), prefix=prefix)
    found = re.findall(r"^(ok|warning|PROBLEM) +SSL_CERT_FILE: (.*)$", done.out, re.M)
    assert len(found) <= 1, done
    return found[0] if found else None, done.rc


def told(logs):
    return [(one["level"], one["file"], one["reason"]) for one in logs if one["event"] == "roots_left_out"]


def check_left_out(agent, server, path, words):
    """It is told everywhere, and the program goes on with the roots that are built in."""
    (kind, text), code = grade(agent, path)
    assert kind == "PROBLEM" and re.fullmatch(words, text) and code == 1, text
    assert told(agent.run_once(env=hop_at(server.url, path)).logs) == [("warning", str(path), text)]
    done = route(agent, hop_at(server.url, path), rc=69)
    assert told(done.logs) == [("warning", str(path), text)]
    assert done.tried == [(HOP, NETWORK)]
    check_tls_error(done.attempts[0]["error"], NO_ROOT)


@pytest.mark.parametrize("name", GOOD)
def test_good(agent, server, certificates, tmp_path, name):
    path = tmp_path / "bundle.pem"
    path.write_bytes(GOOD[name](certificates.roots.read_text()))
    assert grade(agent, path) == (None, 0)
    assert probed(agent, server.url, path)[0]
    assert told(agent.run_once(env=hop_at(server.url, path)).logs) == []


@pytest.mark.parametrize("name", BAD)
def test_left_out_as_a_whole(agent, server, certificates, tmp_path, name):
    make, words = BAD[name]
    path = tmp_path / "bundle.pem"
    path.write_bytes(make(certificates.roots.read_text()))
    check_left_out(agent, server, path, words)


def test_a_file_that_is_not_there(agent, server, tmp_path):
    check_left_out(agent, server, tmp_path / "none.pem", "no such file")
    (tmp_path / "file").touch()
    check_left_out(agent, server, tmp_path / "file" / "none.pem", "no such file")
    (tmp_path / "loop.pem").symlink_to("loop.pem")
    check_left_out(agent, server, tmp_path / "loop.pem", "it cannot be read")


def test_what_is_no_file(agent, server, tmp_path):
    check_left_out(agent, server, tmp_path, "not a regular file")
    os.mkfifo(tmp_path / "fifo.pem")
    check_left_out(agent, server, tmp_path / "fifo.pem", "not a regular file")
    check_left_out(agent, server, "/dev/zero", "not a regular file")


def test_a_file_that_may_not_be_read(user_agent, server, certificates, tmp_path):
    path = tmp_path / "bundle.pem"
    path.write_bytes(certificates.roots.read_bytes())
    path.chmod(0)
    check_left_out(user_agent, server, path, "permission denied")


def test_a_link_to_the_bundle(agent, server, certificates, tmp_path):
    (tmp_path / "link.pem").symlink_to(certificates.roots)
    assert probed(agent, server.url, tmp_path / "link.pem")[0]


def test_one_bad_certificate_among_good_ones(agent, server, certificates, tmp_path):
    """The good ones serve, and what was left out is told."""
    first, second, third = BLOCK.findall(certificates.roots.read_text())
    path = tmp_path / "bundle.pem"
    path.write_text(first + broken(second) + third)
    with OpenSsl(certificates, Setup("rsa")) as other:
        assert probed(agent, other.url, path)[0], "the first root"
    done = route(agent, hop_at(server.url, path), rc=69)
    check_tls_error(done.attempts[0]["error"], NO_ROOT)
    with OpenSsl(certificates, Setup("p384")) as other:
        assert probed(agent, other.url, path)[0], "the third root"
    words = "1 of 3 certificates are of no use: .+"
    (kind, text), code = grade(agent, path)
    assert kind == "warning" and re.fullmatch(words, text) and code == 0
    assert told(done.logs) == told(agent.run_once(env=hop_at(server.url, path)).logs) == [("warning", str(path), text)]


def test_a_root_that_bearssl_does_not_know_is_told(agent, certificates, tmp_path):
    root, _ = certificates.authority("ed25519", "ed25519")
    path = tmp_path / "bundle.pem"
    path.write_bytes(certificates.roots.read_bytes() + root.cert.read_bytes())
    (kind, text), _ = grade(agent, path)
    assert kind == "warning" and text.startswith("1 of 4 certificates are of no use: ")


def test_the_distributions_bundle(agent, server):
    """There is room for all of it, and nothing is wrong with it."""
    assert grade(agent, DISTRIBUTION) == (None, 0)
    check_tls_error(failed(agent, server.url, DISTRIBUTION), NO_ROOT)
    check_tls_error(failed(agent, server.url), NO_ROOT)


@pytest.mark.parametrize("chain,anchor", [("self_signed", "leaf"), ("missing_intermediate", "intermediate"),
                                          ("missing_intermediate", "leaf"), ("p256", "intermediate")])
def test_anchors_that_are_no_roots(agent, certificates, tmp_path, chain, anchor):
    """A self-signed certificate, an intermediate one, or the server's own: whoever names it trusts it."""
    blocks = BLOCK.findall(getattr(certificates, chain).cert.read_text())
    path = tmp_path / "bundle.pem"
    path.write_text(blocks[0] if anchor == "leaf" else BLOCK.findall(certificates.p256.cert.read_text())[1])
    with OpenSsl(certificates, Setup(chain)) as server:
        well, words, _ = probed(agent, server.url, path)
    assert well, words


def test_a_leaf_that_is_trusted_vouches_for_no_other(agent, certificates, tmp_path):
    """A certificate that is no CA's, put into the file, is trusted itself, and nothing below it."""
    root, intermediate = certificates.authority("p256", "p256")
    below = certificates.issue("below-a-leaf", "p256", "leaf", certificates.issue("some-leaf", "p256", "leaf", intermediate))
    chain = tmp_path / "chain.pem"
    leaf = (certificates.directory / "some-leaf.pem").read_text()
    chain.write_text(below.cert.read_text() + leaf)
    certificates.below_a_leaf = type(certificates.p256)(chain, below.key, root.cert)
    path = tmp_path / "bundle.pem"
    path.write_text(leaf)
    with OpenSsl(certificates, Setup("below_a_leaf")) as server:
        well, words, _ = probed(agent, server.url, path)
        assert not well and "TLS with localhost: " in words
        well, words, _ = probed(agent, server.url, certificates.roots)
        assert not well
        check_tls_error(words, "a certificate of the server's chain may issue none: it is not a CA's|"
                               "a certificate of the server's chain is not for this use")


def test_a_reload_reads_it_anew(agent, server, mocks, certificates, tmp_path):
    """In a directory of its own: beside the tree, what comes after the start is out of reach."""
    (tmp_path / "roots").mkdir()
    path = tmp_path / "roots" / "bundle.pem"
    asking = Asking(agent, hop_at(mocks(tls=certificates.p256).url, path))
    asking.event("a", NETWORK)
    path.write_bytes(certificates.roots.read_bytes())
    asking.event("b", NETWORK)
    asking.reload()
    asking.event("c")
    path.unlink()
    asking.reload()
    asking.event("d", NETWORK)
    assert told(asking.daemon.logs) == 2 * [("warning", str(path), "no such file")]


# ---- The machine's own bundle -------------------------------------------------------------------


def with_bundles(tmp_path, **bundles):
    """A prefix for commands that find these bundles, and no others, where distributions have them."""
    script = ["mount -t tmpfs none /etc/ssl", "mkdir -p /etc/ssl/certs"]
    if pathlib.Path("/etc/pki").is_dir():
        script += ["mount -t tmpfs none /etc/pki"]
    for name, content in bundles.items():
        (tmp_path / name).write_bytes(content)
        script.append(f"cp '{tmp_path / name}' /etc/ssl/{'certs/ca-certificates.crt' if name == 'debian' else 'cert.pem'}")
    prefix = ["unshare", "-m", "sh", "-c", " && ".join([*script, 'exec "$@"']), "sh"]
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    return prefix


def tls_line(agent, prefix, rc=0, **env):
    out = agent.cmd("check", env=env, rc=rc, prefix=prefix).out
    return re.findall(r"^ok +TLS: (\d+) root certificates built in, (.*)$", out, re.M)


def test_the_machines_bundle(agent, server, certificates, tmp_path):
    """It is read where a server speaks TLS, and SSL_CERT_FILE is not set."""
    own = certificates.roots.read_bytes()
    debian = with_bundles(tmp_path, debian=own)
    assert probed(agent, server.url, prefix=debian)[0]
    check_tls_error(failed(agent, server.url, prefix=with_bundles(tmp_path)), NO_ROOT)
    (_, words), = tls_line(agent, debian, **hop_at(server.url))
    assert words == "3 more of /etc/ssl/certs/ca-certificates.crt"
    (_, words), = tls_line(agent, with_bundles(tmp_path, openwrt=own), **hop_at(server.url))
    assert words == "3 more of /etc/ssl/cert.pem"
    (_, words), = tls_line(agent, with_bundles(tmp_path), **hop_at(server.url))
    assert words == "no bundle of the system found"


def test_the_machines_bundle_is_left_alone(agent, server, certificates, tmp_path):
    """Where nothing speaks TLS, and where SSL_CERT_FILE is set."""
    prefix = with_bundles(tmp_path, debian=certificates.roots.read_bytes())
    plain = hop_at(server.url.replace("https:", "http:"))
    (_, words), = tls_line(agent, prefix, **plain)
    assert words == "no server speaks TLS"
    assert [one for one in agent.run_once(env=plain, prefix=prefix).logs if one["event"] == "roots_read"] == []
    (_, words), = tls_line(agent, prefix, LLM_CHAIN="rules", REDIS_URL="rediss://localhost:1")
    assert words.startswith("3 more of /etc/ssl/certs/")
    path = tmp_path / "other.pem"
    path.write_bytes(certificates.unknown_root.root.read_bytes())
    (_, words), = tls_line(agent, prefix, **hop_at(server.url, path))
    assert words == f"1 more of {path}"
    check_tls_error(failed(agent, server.url, path, prefix=prefix), NO_ROOT)


@pytest.mark.parametrize("name", ["empty", "garbage", "one, and that is broken"])
def test_a_machines_bundle_of_no_use(agent, server, certificates, tmp_path, name):
    """Nobody is told: it is not the operator's."""
    prefix = with_bundles(tmp_path, debian=BAD[name][0](certificates.roots.read_text()))
    assert [line["level"] for line in agent.run_once(env=hop_at(server.url), prefix=prefix).named("roots_left_out")] == []
    assert tls_line(agent, prefix, **hop_at(server.url))[0][1] == "no bundle of the system found"


def test_one_bad_certificate_in_the_machines_bundle(agent, server, certificates, tmp_path):
    first, second, third = BLOCK.findall(certificates.roots.read_text())
    prefix = with_bundles(tmp_path, debian=(broken(first) + second + third).encode())
    assert probed(agent, server.url, prefix=prefix)[0]
    logs = agent.run_once(env=hop_at(server.url), prefix=prefix).logs
    (read,) = [one for one in logs if one["event"] == "roots_read"]
    assert read["level"] == "debug" and read["left_out"].startswith("1 of 3 certificates are of no use: ")
    assert told(logs) == []
