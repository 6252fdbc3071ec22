"""What is in the image, byte by byte: digests that fit, and nothing of the machine's."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.boot import image
from lab.boot.cache import Cache
from lab.boot.source import COMMIT, commit_of
from lab.errors import UsageError

KEY = "0123456789ab"
MACHINES = (
    "etc/apt/auth.conf.d/mirror.conf",
    "etc/apt/apt.conf.d/99proxy",
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/hosts",
    "etc/machine-id",
    "etc/pip.conf",
    "etc/resolv.conf",
    "etc/ssl/private/ssl-cert-snakeoil.key",
    "etc/ssh/ssh_host_ed25519_key",
    "var/log/dpkg.log",
    "var/lib/apt/lists/deb.debian.org_dists",
)
DEBIANS = ("usr/bin/python3", "etc/passwd", "etc/group", "etc/ld.so.cache", "etc/os-release",
           "etc/nginx/nginx.conf", "var/lib/dpkg/status", "p2slab-root.json")  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """One with a root, with everything that a machine leaves in one."""
    cache = Cache(str(tmp_path / "cache"))
    tree = Path(cache.tree(KEY, []))
    for name in (*MACHINES, *DEBIANS):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"secret of {name}" if name in MACHINES else name)
    (tree / "bin").symlink_to("usr/bin")
    (tree / "usr/bin/ping").write_text("ping")
    (tree / "usr/bin/ping").chmod(0o4755)
    (tmp_path / "cache/keys").mkdir()
    (tmp_path / "cache/keys/rsa4096-000.pem").write_text("secret key")
    return cache


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    place = tmp_path / "checkout"
    for name in ("lab/boot/main.py", "topologies/quickstart.yaml", "README.md"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    (place / "p2slab").write_text("#!/bin/sh")
    (place / "p2slab").chmod(0o700)
    return place


def add_secrets(checkout: Path) -> None:
    for name in (".env", "topologies/alice.key", "lab/.cache/x", "notes.txt", "lab/x.pyc"):
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text("secret")


class Image:
    """A written one, taken apart."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as archive:
            self.files = {
                member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in archive
            }
        for name, content in self.files.items():
            if name.startswith("blobs/sha256/"):
                assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]
        self.index = json.loads(self.files["index.json"])
        self.manifest = self.document(self.index["manifests"][0])
        self.config = self.document(self.manifest["config"])
        self.layers = [gzip.decompress(self.blob(one)) for one in self.manifest["layers"]]

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        content = self.files["blobs/" + descriptor["digest"].replace(":", "/")]
        assert len(content) == descriptor["size"]
        return content

    def document(self, descriptor: dict[str, Any]) -> Any:
        return json.loads(self.blob(descriptor))

    def members(self, layer: int) -> dict[str, tarfile.TarInfo]:
        with tarfile.open(fileobj=io.BytesIO(self.layers[layer])) as archive:
            return {member.name: member for member in archive}


def written(cache: Cache, checkout: Path, tmp_path: Path) -> Image:
    target = tmp_path / "p2slab.tar"
    made = lambda: cache.tree(KEY, [])  # noqa: E731 (as the launcher gives it)
    arguments = [str(target), "--tag", "p2slab:test"]
    assert image.run(KEY, str(checkout), arguments, made) == 0
    assert [path.name for path in tmp_path.glob("p2slab.tar*")] == ["p2slab.tar"]
    return Image(target)


def test_the_image_is_an_oci_layout_that_docker_reads_too(
    cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    made = written(cache, checkout, tmp_path)
    assert json.loads(made.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in made.layers]
    assert made.config["rootfs"] == {"type": "layers", "diff_ids": diff_ids}
    assert made.config["config"]["Entrypoint"] == ["./p2slab"]
    assert made.config["config"]["Labels"]["p2slab.root"] == KEY
    assert made.config["config"]["WorkingDir"] == "/opt/p2slab"
    [dockers] = json.loads(made.files["manifest.json"])
    assert dockers["RepoTags"] == ["p2slab:test"]
    assert [made.files[name] for name in dockers["Layers"]] == [
        made.blob(one) for one in made.manifest["layers"]
    ]
    assert made.files[dockers["Config"]] == made.blob(made.manifest["config"])


def test_the_root_is_in_its_cache_and_usr_leads_there(
    cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    members = written(cache, checkout, tmp_path).members(0)
    place = f"opt/p2slab-cache/root-{KEY}"
    assert all(f"{place}/{name}" in members for name in DEBIANS)
    assert members["usr"].linkname == f"{place}/usr"
    assert members["bin"].linkname == members[f"{place}/bin"].linkname == "usr/bin"
    assert members[f"{place}/usr/bin/ping"].mode == 0o4755
    assert members["opt/p2slab-cache"].mode == 0o700
    assert members["tmp"].mode == 0o1777
    assert {"etc/passwd", "etc/ld.so.cache", "proc", "dev", "run"} <= members.keys()


def test_nothing_of_the_machine_s_is_in_the_image(
    cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    add_secrets(checkout)
    made = written(cache, checkout, tmp_path)
    assert not [layer for layer in made.layers if b"secret" in layer]
    assert f"opt/p2slab-cache/root-{KEY}/var/log" in made.members(0)  # programs write there


@pytest.mark.parametrize("git", [True, False])
def test_of_the_checkout_its_own_files_are_in_the_image(
    git: bool, cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    if git:
        for command in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", "-C", str(checkout), *command], check=True)
    add_secrets(checkout)
    members = written(cache, checkout, tmp_path).members(1)
    files = sorted(name for name, member in members.items() if member.isfile())
    wanted = ("README.md", "lab/boot/main.py", "p2slab", "topologies/quickstart.yaml")
    assert files == [f"opt/p2slab/{name}" for name in wanted]
    assert members["opt/p2slab/p2slab"].mode == 0o755
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "")}


def test_the_image_knows_of_which_commit_it_is(
    cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    own = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (["init", "-q"], ["add", "."], [*own, "commit", "-qm", "One"]):
        subprocess.run(["git", "-C", str(checkout), *command], check=True)
    layer = io.BytesIO(written(cache, checkout, tmp_path).layers[1])
    with tarfile.open(fileobj=layer) as archive:
        member = archive.extractfile(f"opt/p2slab/{COMMIT}")
        assert member
        assert member.read().decode().strip() == commit_of(str(checkout)) != ""


@pytest.mark.parametrize("tag", ["P2slab:1", "p2slab", "p2slab:", "-x:1", "a b:1", "x:y:z"])
def test_a_name_that_no_image_can_have_is_refused_before_anything_is_made(
    tag: str, cache: Cache, tmp_path: Path
) -> None:
    def never() -> str:
        raise AssertionError("made")

    with pytest.raises(UsageError, match="cannot be an image's name"):
        image.run(KEY, "/", [str(tmp_path / "x.tar"), f"--tag={tag}"], never)
    with pytest.raises(UsageError, match="no such directory"):
        image.run(KEY, "/", [str(tmp_path / "none/x.tar")], never)


def test_of_an_image_that_cannot_be_written_nothing_is_left(
    cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    (Path(cache.tree(KEY, [])) / "etc/passwd").unlink()
    with pytest.raises(Exception, match="passwd"):
        written(cache, checkout, tmp_path)
    assert list(tmp_path.glob("p2slab.tar*")) == []
