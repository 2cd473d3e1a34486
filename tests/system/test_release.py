"""What a release says of what is inside the binary: licences and the bill of materials."""

import json
import pathlib
import re
import subprocess
import uuid

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LICENCES = {"musl": "COPYRIGHT", "bearssl": "LICENSE.txt", "hiredis": "COPYING", "jsmn": "LICENSE"}


def manifest(kind):
    lines = (ROOT / "vendor" / "manifest").read_text(encoding="utf-8").splitlines()
    return [line.split()[1:] for line in lines if line.split()[:1] == [kind]]


def vendored(name, *path):
    file = ROOT.joinpath("build", "vendor", name, *path)
    if not file.is_file():
        pytest.fail(f"no {file}: make")
    return file.read_text(encoding="utf-8")


def words(text):
    return " ".join(text.replace("©", "(c)").split())


# ---- version --licenses -------------------------------------------------------------------------


def test_every_part_is_named_with_its_version(agent):
    out = agent.cmd("version", "--licenses").out
    for name, version, *_ in manifest("source"):
        assert re.search(rf"^{name} {re.escape(version)}$", out, re.MULTILINE | re.IGNORECASE), name
    assert "libgcc" in out and "MPL-2.0" in out


@pytest.mark.parametrize("name", LICENCES)
def test_the_licence_and_whose_it_is_are_printed_whole(agent, name):
    out = words(agent.cmd("version", "--licenses").out)
    text = words(vendored(name, LICENCES[name]))
    licence = re.search(r"(Permission is hereby granted|Redistribution and use).*?"
                        r"(DEALINGS IN THE SOFTWARE\.|SUCH DAMAGE\.)", text).group()
    assert licence in out
    assert re.search(r"Copyright \(c\) [^,.<]*", text).group().strip() in out


def test_whose_the_linked_sources_are_is_printed(agent):
    """Every notice of hiredis' files that are linked, and of musl's that have one of their own."""
    out = words(agent.cmd("version", "--licenses").out)
    files = [("hiredis", one) for one in ("alloc.c", "async.c", "dict.c", "hiredis.c", "read.c", "sds.c")]
    files += [("musl", one) for one in ("src/string/arm/memcpy.S", "src/string/aarch64/memcpy.S")]
    for name, path in files:
        head = vendored(name, path).partition("#include")[0]
        notices = re.findall(r"Copyright \(c\) (.*)", head, re.IGNORECASE)
        assert notices, path
        for notice in notices:
            assert words(notice) in out, (path, notice)


def test_licences_fit_a_terminal(agent):
    out = agent.cmd("version", "--licenses").out
    assert out.isascii() and max(len(line) for line in out.splitlines() if "Copyright" not in line) < 80


# ---- The bill of materials ----------------------------------------------------------------------


def sbom(*binaries):
    done = subprocess.run([str(ROOT / "toolchain" / "sbom"), "1.2.3", "1790000000", *map(str, binaries)], cwd=ROOT,
                          capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_the_bill_has_what_the_schema_requires(tmp_path):
    binary = tmp_path / "planner-agent-1.2.3-x86_64"
    binary.write_bytes(b"abc")
    bom = json.loads(sbom(binary))
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.5", 1)
    assert uuid.UUID(bom["serialNumber"].removeprefix("urn:uuid:")).version == 5
    ours = bom["metadata"]["component"]
    assert (ours["name"], ours["version"], bom["metadata"]["timestamp"]) == ("planner-agent", "1.2.3", "2026-09-21T14:13:20Z")
    # SHA-256 of "abc", from FIPS 180-4.
    assert ours["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "ba7816bf8f01cfea414140de5dae2223"
                                                                             "b00361a396177a9cb410ff61f20015ad"}]
    refs = [ours["bom-ref"], *(one["bom-ref"] for one in ours["components"] + bom["components"])]
    assert len(set(refs)) == len(refs)
    assert {one["ref"] for one in bom["dependencies"]} | {binary.name} == set(refs)
    for component in bom["components"]:
        assert component["type"] and component["version"] and component["licenses"] and component["purl"].startswith("pkg:")


def test_the_bill_has_every_archive_of_the_manifest():
    components = {one["name"]: one for one in json.loads(sbom())["components"]}
    sources = manifest("source")
    assert set(components) == {row[0] for row in sources} | {"libgcc", "ca-certificates"}
    for name, version, _, digest, licence, *_ in sources:
        one = components[name]
        assert (one["version"], one["hashes"][0]["content"]) == (version, digest)
        assert one["licenses"] == [{"license": {"id": licence}}]
    hashes = [reference["hashes"][0]["content"] for one in components.values()
              for reference in one.get("externalReferences", [])]
    assert sorted(hashes) == sorted(row[3] for kind in ("source", "patches") for row in manifest(kind))
    notes = components["musl"]["pedigree"]["notes"]
    assert [patch for name, patch in manifest("apply") if name == "musl" and patch not in notes] == []


def test_the_bill_is_the_same_twice():
    assert sbom() == sbom()
