"""`p2slab image`: the private root and the checkout as an OCI image, for podman and docker.

The private root is in a cache, as on a host, and /usr of the container is a link into it; /etc and
/var are the container's own, because the launcher mounts others over them. The image has nothing of
the host: no settings for reaching archives, no keys, no logs.

    oci-layout, index.json     OCI Image Layout 1.0.0
    manifest.json              the same for docker versions without OCI support
    blobs/sha256/DIGEST        manifest, configuration, layers (gzip)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import re
import tarfile
import time
from typing import IO, Any, Callable, NamedTuple

from lab.boot.make import LABEL
from lab.boot.options import Options, new_file
from lab.boot.progress import megabytes, step
from lab.boot.source import COMMIT, commit_of, files_of, matches
from lab.boot.work import as_pid_one
from lab.errors import UsageError

PLACE = "opt/p2slab"
_CACHE = "opt/p2slab-cache"
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_TREE = (LABEL, "usr", "etc", "var", *_LINKS)
_ETC = ("passwd", "group", "ld.so.cache", "os-release")
_EMPTY = ("dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "var")
_MODES = {"tmp": 0o1777, "root": 0o700}
# Files of the machine on which the root was made, or useless ones.
_LEFT_OUT = (
    "etc/apt/apt.conf*", "etc/apt/auth.conf*", "etc/apt/sources.list*", "etc/fstab",
    "etc/hostname", "etc/hosts", "etc/machine-id", "etc/pip.conf", "etc/resolv.conf",
    "etc/ssh/ssh_host_*", "etc/ssl/private/*", "var/cache/apt/*", "var/cache/debconf/*-old",
    "var/cache/ldconfig/*", "var/lib/apt/lists/*", "var/lib/dbus/machine-id", "var/log/*",
    "var/tmp/*",
)  # fmt: skip
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LEVEL = 3  # half the time of gzip's default, for a few per cent more bytes
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_OCI = "application/vnd.oci.image"


class Blob(NamedTuple):
    """A finished part of the image: its digest, size in bytes and media type."""

    digest: str
    size: int
    kind: str
    content_digest: str = ""
    """For a layer: the digest of the tar inside the gzip."""
    path: str = ""
    """For a layer: its file."""

    def descriptor(self) -> dict[str, Any]:
        """Its descriptor in manifests."""
        return {"mediaType": self.kind, "digest": f"sha256:{self.digest}", "size": self.size}


def run(key: str, source: str, arguments: list[str], made_tree: Callable[[], str]) -> int:
    """Run `p2slab image ARGUMENTS`; the exit code. `made_tree` makes the private root."""
    options = _parser().parse_args(arguments)
    target = os.path.abspath(options.file)
    tag = options.tag or f"p2slab:{key}"
    if not re.fullmatch(r"[a-z0-9][a-z0-9._/-]*(:[0-9]+/[a-z0-9._/-]+)?:[A-Za-z0-9_][\w.-]*", tag):
        raise UsageError(f"{tag!r} cannot be an image's name", "write it like p2slab:1.0")
    write(made_tree(), key, source, target, tag)
    name = os.path.basename(target)
    print(f"podman load -i {name}   # or docker load -i {name}")
    print(f"podman run --rm --privileged {tag} verify topologies/quickstart.yaml")
    return 0


def _parser() -> Options:
    parser = Options(
        prog="p2slab image",
        description="Write an OCI image of the private root and this checkout, as a tar that "
        "podman load and docker load read. Its entry point is ./p2slab.",
    )
    parser.add_argument("file", metavar="FILE.tar", type=new_file, help="where to write it")
    parser.add_argument("--tag", metavar="NAME:TAG", help="default: p2slab:KEY of the private root")
    return parser


def write(tree: str, key: str, source: str, target: str, tag: str) -> None:
    """Write the image; on failure no partial file is left."""
    unfinished = f"{target}.part"
    root, own = f"{unfinished}-root", f"{unfinished}-checkout"
    files, commit = files_of(source), commit_of(source)

    def work() -> None:
        with step("layer of the private root") as progress:
            first = _layer(root, lambda archive: _add_root(archive, tree))
            progress.result = megabytes(first.size)
        with step("layer of the checkout") as progress:
            second = _layer(own, lambda archive: _add_checkout(archive, source, files, commit))
            progress.result = megabytes(second.size)
        with step(f"writing {os.path.basename(target)}") as progress:
            _write_archive(unfinished, [first, second], key, tag)
            progress.result = megabytes(os.stat(unfinished).st_size)
        remove(root, own)
        os.rename(unfinished, target)

    def remove(*paths: str) -> None:
        for path in paths:
            if os.path.lexists(path):
                os.unlink(path)

    as_pid_one(work, lambda: remove(unfinished, root, own))


# ---------------------------------------------------------------------------------- layers


class _Counted(io.RawIOBase):
    """Passes on written data and counts its digest and length."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._sum = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sum.update(data)
        self._target.write(data)
        self.size += len(data)
        return len(data)

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()


def _layer(path: str, fill: Callable[[tarfile.TarFile], None]) -> Blob:
    """A gzipped tar of what `fill` adds."""
    with open(path, "wb") as file:
        outer = _Counted(file)
        # Without a time stamp, so that equal content has an equal digest.
        with gzip.GzipFile("", "wb", _LEVEL, outer, mtime=0) as packed:
            inner = _Counted(packed)  # type: ignore[arg-type]
            with tarfile.open(fileobj=inner, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                fill(archive)
    kind = f"{_OCI}.layer.v1.tar+gzip"
    return Blob(outer.digest, outer.size, kind, inner.digest, path)


def _add_root(archive: tarfile.TarFile, tree: str) -> None:
    """Add the tree in its cache, and the files that a container needs to start its programs."""
    place = f"{_CACHE}/{os.path.basename(tree)}"

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        inside = member.name[len(place) + 1 :]
        return member if member.isdir() or not matches(inside, _LEFT_OUT) else None

    for name in _EMPTY:
        _add_directory(archive, name, _MODES.get(name, 0o755))
    for name in _ETC:
        archive.add(os.path.join(tree, "etc", name), f"etc/{name}")
    _add_directory(archive, _CACHE, 0o700)
    _add_directory(archive, place, 0o755)
    for name in _TREE:
        if os.path.lexists(os.path.join(tree, name)):
            archive.add(os.path.join(tree, name), f"{place}/{name}", filter=kept)
            if name in _LINKS:
                archive.add(os.path.join(tree, name), name)
    link = tarfile.TarInfo("usr")
    link.type, link.linkname = tarfile.SYMTYPE, f"{place}/usr"
    archive.addfile(link)


def _add_checkout(archive: tarfile.TarFile, source: str, files: list[str], commit: str) -> None:
    """Add the checkout's files, owned by root whoever owns them here, and the commit."""

    def roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.mode & 0o100 else 0o644
        return member

    known: set[str] = set()
    _add_directory(archive, PLACE, 0o755)
    for path in files:
        for directory in _above(path):
            if directory not in known:
                known.add(directory)
                _add_directory(archive, f"{PLACE}/{directory}", 0o755)
        archive.add(os.path.join(source, path), f"{PLACE}/{path}", recursive=False, filter=roots)
    if commit:
        _add_bytes(archive, f"{PLACE}/{COMMIT}", f"{commit}\n".encode())


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _add_directory(archive: tarfile.TarFile, name: str, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, mode
    archive.addfile(member)


# ------------------------------------------------------------------------------- documents


def _write_archive(path: str, layers: list[Blob], key: str, tag: str) -> None:
    with tarfile.open(path, "w") as archive:
        for layer in layers:
            archive.add(layer.path, _blob(layer.digest), filter=_nobodys)

        def add(document: dict[str, Any], kind: str) -> Blob:
            content = json.dumps(document).encode()
            digest = hashlib.sha256(content).hexdigest()
            _add_bytes(archive, _blob(digest), content)
            return Blob(digest, len(content), kind)

        config = add(_configuration(layers, key), f"{_OCI}.config.v1+json")
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": config.descriptor(),
            "layers": [layer.descriptor() for layer in layers],
        }
        named = add(manifest, f"{_OCI}.manifest.v1+json").descriptor()
        named["annotations"] = {
            "io.containerd.image.name": tag,
            "org.opencontainers.image.ref.name": tag,
        }
        index = {"schemaVersion": 2, "manifests": [named]}
        _add_bytes(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _add_bytes(archive, "index.json", json.dumps(index).encode())
        dockers = [{
            "Config": _blob(config.digest),
            "RepoTags": [tag],
            "Layers": [_blob(layer.digest) for layer in layers],
        }]  # fmt: skip
        _add_bytes(archive, "manifest.json", json.dumps(dockers).encode())


def _configuration(layers: list[Blob], key: str) -> dict[str, Any]:
    machine = platform.machine()
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "created": made,
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {
            "Entrypoint": ["./p2slab"],
            "Cmd": ["--help"],
            "WorkingDir": f"/{PLACE}",
            "Env": [f"PATH={PATH}", f"P2SLAB_CACHE=/{_CACHE}"],
            "Labels": {
                "org.opencontainers.image.title": "p2slab",
                "org.opencontainers.image.description": "Azure point-to-site VPN, rebuilt on one "
                "Linux machine in network namespaces",
                "org.opencontainers.image.created": made,
                "org.opencontainers.image.licenses": "see LICENSE in the image",
                "p2slab.root": key,
            },
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{layer.content_digest}" for layer in layers],
        },
        "history": [
            {"created": made, "created_by": "p2slab image: the private root"},
            {"created": made, "created_by": "p2slab image: the checkout"},
        ],
    }


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
