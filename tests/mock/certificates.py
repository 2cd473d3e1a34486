"""Certificates for tests, made with the openssl program when they are first asked for.

    certificates = Certificates(directory)
    certificates.rsa.cert, .key     PEM files for a server: leaf and intermediate; the leaf's key
    certificates.roots              the roots of all good chains: what SSL_CERT_FILE names

Good, for localhost and models.test, each with an intermediate: rsa (2048), p256, p384.
Bad: expired, not_yet_valid, wrong_name, self_signed, unknown_root, missing_intermediate, ip_only
(127.0.0.1 and ::1 as IP addresses, no DNS name). Good, but beyond what BearSSL knows: ed25519,
rsa_pss (keys that sign with RSA-PSS alone)."""

import dataclasses
import functools
import pathlib
import subprocess
import time

NAMES = "DNS:localhost,DNS:models.test"
DAY = 86400
KEYS = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "rsa-pss": ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
        "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "ed25519": ["ED25519"]}
HASHES = {"p384": "sha384"}
CONFIGURATION = """
[ca]
default_ca = default
[default]
database = {directory}/index
new_certs_dir = {directory}
rand_serial = yes
unique_subject = no
policy = policy
[policy]
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature{encipher}
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = {names}
"""


@dataclasses.dataclass(frozen=True)
class Chain:
    """Paths of PEM files. cert is what a server sends, root what a client would have to trust."""

    cert: pathlib.Path
    key: pathlib.Path
    root: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Issuer:
    cert: pathlib.Path
    key: pathlib.Path
    algorithm: str


class Certificates:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "index").touch()

    def openssl(self, *args):
        done = subprocess.run(["openssl", *map(str, args)], cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"openssl {args}: {done.stderr}"

    def issue(self, name, algorithm, section, issuer=None, names=NAMES, days=(-1, 90)):
        """A key and a certificate, signed by the issuer or by itself; valid from and to so many
        days from now."""
        base = self.directory / name
        cert, key, request, config = (base.with_suffix(f".{end}") for end in ("pem", "key", "csr", "cnf"))
        encipher = ", keyEncipherment" if algorithm == "rsa" else ""
        config.write_text(CONFIGURATION.format(directory=self.directory, names=names, encipher=encipher))
        self.openssl("genpkey", "-algorithm", *KEYS[algorithm], "-out", key)
        self.openssl("req", "-new", "-config", config, "-key", key, "-subj", f"/CN=planner test {name}", "-out", request)
        first, last = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + day * DAY)) for day in days)
        signer = ["-cert", issuer.cert, "-keyfile", issuer.key] if issuer else ["-selfsign", "-keyfile", key]
        # "default" is the key's own where it knows only one.
        signed_by = issuer.algorithm if issuer else algorithm
        digest = "default" if signed_by == "ed25519" else HASHES.get(signed_by, "sha256")
        self.openssl("ca", "-config", config, "-batch", "-notext", "-in", request, *signer, "-extensions", section,
                     "-startdate", first, "-enddate", last, "-md", digest, "-out", cert)
        return Issuer(cert, key, algorithm)

    @functools.lru_cache(maxsize=None)
    def authority(self, name, algorithm):
        """A root and an intermediate below it."""
        root = self.issue(f"{name}-root", algorithm, "root", days=(-2, 3650))
        return root, self.issue(f"{name}-intermediate", algorithm, "intermediate", root, days=(-2, 3650))

    def chain(self, name, algorithm="p256", authority=None, whole=True, **how):
        root, intermediate = self.authority(*(authority or (algorithm, algorithm)))
        leaf = self.issue(name, algorithm, "leaf", intermediate, **how)
        cert = self.directory / f"{name}-chain.pem"
        cert.write_text(leaf.cert.read_text() + (intermediate.cert.read_text() if whole else ""))
        return Chain(cert, leaf.key, root.cert)

    @functools.cached_property
    def roots(self):
        path = self.directory / "roots.pem"
        path.write_text("".join(self.authority(name, name)[0].cert.read_text() for name in ("rsa", "p256", "p384")))
        return path

    @functools.cached_property
    def rsa(self):
        return self.chain("rsa", "rsa")

    @functools.cached_property
    def p256(self):
        return self.chain("p256", "p256")

    @functools.cached_property
    def p384(self):
        return self.chain("p384", "p384")

    @functools.cached_property
    def expired(self):
        return self.chain("expired", days=(-2, -1))

    @functools.cached_property
    def not_yet_valid(self):
        return self.chain("not-yet-valid", days=(1, 90))

    @functools.cached_property
    def wrong_name(self):
        return self.chain("wrong-name", names="DNS:elsewhere.test")

    @functools.cached_property
    def ip_only(self):
        return self.chain("ip-only", names="IP:127.0.0.1,IP:::1")

    @functools.cached_property
    def missing_intermediate(self):
        return self.chain("missing-intermediate", whole=False)

    @functools.cached_property
    def unknown_root(self):
        return self.chain("unknown-root", authority=("stranger", "p256"))

    @functools.cached_property
    def self_signed(self):
        leaf = self.issue("self-signed", "p256", "leaf")
        return Chain(leaf.cert, leaf.key, leaf.cert)

    @functools.cached_property
    def ed25519(self):
        return self.chain("ed25519", "ed25519", authority=("p256", "p256"))

    @functools.cached_property
    def rsa_pss(self):
        return self.chain("rsa-pss", "rsa-pss", authority=("rsa", "rsa"))
