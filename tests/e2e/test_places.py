"""Where somebody may stand with a checkout: a table of places and of states of the caller.

Every row is a shell script in mounts of its own, so that nothing of the machine changes: the
checkout is shown at /mnt/source and the cache, with the private root in it, at /mnt/cache.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab.errors import HELD, MACHINE, USAGE
from tests.harness import as_user

CHECKOUT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not as_user.possible(), reason="only root can change its mounts; run it with sudo"
)

GROUND = """
set -e
mounts() { python3 -B "$P2SLAB_SOURCE/tests/harness/mounts.py" "$@"; }
mounts tmpfs /mnt mode=755
mkdir /mnt/source /mnt/cache
mkdir -m 700 /mnt/empty
mkdir -p /run/p2slab
mounts tmpfs /run/p2slab mode=700
mounts bind "$P2SLAB_SOURCE" /mnt/source
mounts bind "$P2SLAB_CACHE" /mnt/cache
export P2SLAB_CACHE=/mnt/cache
cat > /mnt/place.yaml <<'END'
name: place
story: Alice connects and restarts, wherever this stands.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    hosts:
      app1: {subnet: app, serves: [http]}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw1}
      vpnType: RouteBased
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [OpenVPN]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - name: contoso-root
            properties: {publicCertData: "${contoso-root.publicCertData}"}
pki:
  contoso-root: {}
access:
  home: {nat: true}
clients:
  alice: {os: android, behind: home, certificate: {issuer: contoso-root}}
expect:
  - {connects: alice, over: OpenVPN, within: 10}
  - {reaches: alice, host: app1, port: 80}
  - {restart: alice}
END
at() {  # the checkout, in a directory that is not there yet
    mkdir -p "$(dirname "$1")"
    mkdir "$1"
    mounts bind /mnt/source "$1"
    cd "$1"
}
fresh() { mounts tmpfs "$1" mode=1777; }
readable() {  # a copy of the checkout, for users who may not read it (umask 077)
    mkdir /mnt/theirs
    cp -r /mnt/source/* /mnt/theirs
    chmod -R a+rX /mnt/theirs /mnt/place.yaml
    cd /mnt/theirs
}
cd /mnt/source
"""


def stand(script: str) -> subprocess.CompletedProcess[str]:
    """What came of the script on that ground."""
    return subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", GROUND + script],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


LABS = {
    "tmp": "fresh /tmp; at /tmp/p2slab",
    "var-tmp": "fresh /var/tmp; at /var/tmp/deep/p2slab",
    "usr-local-src": "fresh /usr/local; at /usr/local/src/p2slab",
    "opt": "fresh /opt; at /opt/p2slab",
    "srv": "fresh /srv; at /srv/p2slab",
    "home": "fresh /home; at /home/eva/p2slab",
    "spaces-and-umlauts": "fresh /opt; at '/opt/Prüf stand (alt)/p2slab'",
    "read-only": "mounts remount /mnt/source ro",
    "of-another-user": "cp -r /mnt/source /mnt/theirs; chown -R 12345 /mnt/theirs; cd /mnt/theirs",
    "cache-in-tmp": "fresh /tmp; mkdir /tmp/cache; mounts bind /mnt/cache /tmp/cache; "
    "export P2SLAB_CACHE=/tmp/cache",
    "cache-by-a-link": "ln -s cache /mnt/link; export P2SLAB_CACHE=/mnt/link",
    "cache-by-a-link-that-is-hidden": "fresh /var/tmp; ln -s /mnt/cache /var/tmp/link; "
    "export P2SLAB_CACHE=/var/tmp/link",
    "umask-077": "umask 077",
    "1024-files": "ulimit -n 1024",
    "modules-of-ones-own": "mkdir -p /mnt/here/lab /mnt/here/gateway; cd /mnt/here; "
    "echo 'raise SystemExit(9)' | tee click.py lab/__init__.py > gateway/__init__.py; "
    "ln -s /mnt/source/p2slab .",
    "bytes-that-are-no-utf-8": "fresh /opt; place=$(printf '/opt/\\377\\376'); at $place/p2slab; "
    "mkdir $place/cache; mounts bind /mnt/cache $place/cache; export P2SLAB_CACHE=$place/cache",
    "signals-ignored-and-blocked": "run='env --ignore-signal=CHLD,USR1,ALRM --block-signal=TERM'",
    "current-directory-in-etc": "cd /etc; ln -s /mnt/source/p2slab .",
}
"""Where a lab comes up, a client connects and restarts: the state, made by shell."""


@pytest.mark.parametrize("place", LABS)
def test_a_lab_works_in(place: str) -> None:
    done = stand(f"{LABS[place]}\n$run ./p2slab verify /mnt/place.yaml")
    assert done.returncode == HELD, done.stdout + done.stderr


CALLS = {
    "no HOME": "unset HOME; ./p2slab status --json",
    "HOME is /": "HOME=/ ./p2slab status --json",
    "empty environment": "env -i P2SLAB_CACHE=$P2SLAB_CACHE ./p2slab status --json",
    "no TERM": "unset TERM; ./p2slab status --json",
    "sudo": "sudo --preserve-env=P2SLAB_CACHE ./p2slab status --json 2> /dev/null",
    "a login of root's": "su - root -c 'P2SLAB_CACHE=/mnt/cache /mnt/source/p2slab status --json'",
    "stdin closed": "./p2slab status --json <&-",
    "stdout closed": "./p2slab status --json >&-; echo []",
    "stderr closed": "./p2slab status --json 2>&-",
    "all closed": "./p2slab validate /mnt/place.yaml <&- >&- 2>&-; echo []",
    "stderr full": "./p2slab status --json 2>/dev/full",
    "reader gone": "{ ./p2slab schema; echo $? >&2; } | head -c 1 > /dev/null; echo []",
    "nothing made: help": "P2SLAB_CACHE=/mnt/empty ./p2slab verify --help; echo []",
    "nothing made: status": "P2SLAB_CACHE=/mnt/empty ./p2slab status --json; ls /mnt/empty",
    "nothing made: schema": "P2SLAB_CACHE=/mnt/empty ./p2slab schema; ls /mnt/empty; echo []",
}
"""A verb that reads, called in some state; the last line is a list."""


@pytest.mark.parametrize("state", CALLS)
def test_a_verb_answers_with(state: str) -> None:
    done = stand(CALLS[state])
    assert done.returncode == HELD, done.stderr
    assert done.stdout.rstrip().endswith("]")
    assert done.stderr.strip() in ("", "141")


EMPTY = "export P2SLAB_CACHE=/mnt/empty"
USER = f"readable; {EMPTY}; chown 12345 /mnt/empty; run='setpriv --reuid 12345 --clear-groups"
"""An ordinary user with no private root; the quotation mark is to be closed."""
DEVICES = (
    "fresh /dev; mknod /dev/null c 1 3; mknod /dev/urandom c 1 9; mkdir /dev/net; "
    "mknod /dev/net/tun c 10 200"
)
LINK = "export P2SLAB_CACHE=/mnt/link; ln -s -T"
TINY = "mounts tmpfs /mnt/empty mode=700"
REFUSALS: dict[str, tuple[str, str, int, str]] = {
    "noexec": (
        "mounts remount /mnt/cache noexec",
        "status", MACHINE, "noexec.*P2SLAB_CACHE"),
    "noexec, nothing made": (
        f"{EMPTY}; {TINY} noexec",
        "root make", MACHINE, "noexec.*P2SLAB_CACHE"),
    "read-only cache": (
        f"{EMPTY}; {TINY} ro",
        "root make", MACHINE, "read-only.*P2SLAB_CACHE"),
    "cache of another user": (
        f"{EMPTY}; chown 12345 /mnt/empty",
        "root make", MACHINE, "belongs to user 12345.*P2SLAB_CACHE"),
    "cache by a link, of another user": (
        f"{LINK} /mnt/empty /mnt/link; chown 12345 /mnt/empty",
        "root make", MACHINE, "belongs to user 12345.*P2SLAB_CACHE"),
    "cache by a link to nothing": (
        f"{LINK} /mnt/gone /mnt/link",
        "status", MACHINE, "is a link to /mnt/gone, where no directory is.*P2SLAB_CACHE"),
    "cache by a link to a file": (
        f"{LINK} /mnt/place.yaml /mnt/link",
        "status", MACHINE, "is a link to /mnt/place.yaml, where no directory is.*P2SLAB_CACHE"),
    "cache below a link to nothing": (
        f"{LINK} /mnt/gone /mnt/link; export P2SLAB_CACHE=/mnt/link/cache",
        "doctor", MACHINE, "is a link to /mnt/gone, where no directory is.*P2SLAB_CACHE"),
    "cache is a file": (
        "export P2SLAB_CACHE=/mnt/place.yaml",
        "root", MACHINE, "/mnt/place.yaml is a file.*P2SLAB_CACHE"),
    "small disk": (
        f"{EMPTY}; {TINY} size=20m",
        "root make", MACHINE, "disk is full.*P2SLAB_CACHE"),
    "another architecture": (
        f"{EMPTY}; run='setarch i686'",
        "root make", MACHINE, "i686.*x86_64"),
    "no network": (
        f"{EMPTY}; run='unshare -n'",
        "root make", MACHINE, "archives cannot be reached.*root import"),
    "no tun": (
        "fresh /dev/net",
        "up /mnt/place.yaml", MACHINE, "/dev/net/tun.*modprobe tun"),
    "no tun, nothing made": (
        f"{EMPTY}; fresh /dev/net",
        "up /mnt/place.yaml", MACHINE, "/dev/net/tun.*modprobe tun"),
    "no tun for the tests": (
        "fresh /dev/net",
        "test", MACHINE, "/dev/net/tun.*modprobe tun"),
    "no tun for the tests, nothing made": (
        f"{EMPTY}; fresh /dev/net",
        "test", MACHINE, "/dev/net/tun.*modprobe tun"),
    "no /dev/urandom": (
        f"{DEVICES}; rm /dev/urandom",
        "up /mnt/place.yaml", MACHINE, "/dev/urandom is not the device.*mknod.*c 1 9"),
    "a file in place of /dev/null": (
        f"{DEVICES}; rm /dev/null; touch /dev/null",
        "up /mnt/place.yaml", MACHINE, "/dev/null is not the device.*mknod.*c 1 3"),
    "/dev/null of root's, nothing made": (
        f"{DEVICES}; chmod 600 /dev/null; {USER}'",
        "root make", MACHINE, "/dev/null may not be used.*mknod.*c 1 3"),
    "no /dev/null, nothing made": (
        f"{EMPTY}; {DEVICES}; rm /dev/null",
        "root make", MACHINE, "/dev/null is not the device.*mknod.*c 1 3"),
    "root without SYS_ADMIN": (
        "run='setpriv --bounding-set=-sys_admin'",
        "up /mnt/place.yaml", MACHINE, "SYS_ADMIN.*--privileged"),
    "root without NET_ADMIN": (
        "run='setpriv --bounding-set=-net_admin'",
        "up /mnt/place.yaml", MACHINE, "NET_ADMIN.*--privileged"),
    "root without NET_ADMIN, nothing made": (
        f"{EMPTY}; run='setpriv --bounding-set=-net_admin'",
        "root make", MACHINE, "NET_ADMIN.*--privileged"),
    "root of one id": (
        "run='unshare --user --map-root-user'",
        "up /mnt/place.yaml", MACHINE, "has 1 uids.*--map-auto"),
    "root of one id, nothing made": (
        f"{EMPTY}; run='unshare --user --map-root-user'",
        "root make", MACHINE, "has 1 uids.*--map-auto"),
    "no processes left, nothing made": (
        f"{USER} prlimit --nproc=1'",
        "root make", MACHINE, "1 processes.*512 are needed.*ulimit -u unlimited"),
    "little address space": (
        "ulimit -v 500000",
        "up /mnt/place.yaml", MACHINE, "488 MB of address space.*2048.*ulimit -v unlimited"),
    "little data": (
        "ulimit -d 200000",
        "up /mnt/place.yaml", MACHINE, "195 MB of data.*1024.*ulimit -d unlimited"),
    "small files": (
        "ulimit -f 2000000",
        "up /mnt/place.yaml", MACHINE, "MB for a file.*ulimit -f unlimited"),
    "small files, nothing made": (
        f"{EMPTY}; ulimit -f 2000",
        "root make", MACHINE, "MB for a file.*ulimit -f unlimited"),
    "no new privileges, nothing made": (
        f"{USER} --no-new-privs'",
        "up /mnt/place.yaml", MACHINE, "newuidmap can map no ids: no_new_privs is set.*as root"),
    "group of newgrp, nothing made": (
        f"readable; {EMPTY}; chown 1 /mnt/empty; run='setpriv --reuid 1 --regid 4 --clear-groups'",
        "root make", MACHINE, "newuidmap maps no ids in group 4.*sg daemon"),
    "no account and no HOME, nothing made": (
        "readable; unset P2SLAB_CACHE HOME; run='setpriv --reuid 12345 --clear-groups'",
        "status", MACHINE, "12345 has no home directory.*P2SLAB_CACHE"),
    "parts of /proc hidden, nothing made": (
        f"mounts bind /dev/null /proc/version; {USER}'",
        "up /mnt/place.yaml", MACHINE, "a new /proc.*container.*--privileged"),
    "parts of /sys hidden, nothing made": (
        f"fresh /sys/kernel; {USER}'",
        "root make", MACHINE, "a new /sys.*container.*--privileged"),
    "processor time without a control group, nothing made": (
        f"{USER}'",
        "test --costs", MACHINE, "--costs.*Permission denied.*sudo.*systemd-run"),
    "no files left": (
        "ulimit -n 8",
        "up /mnt/place.yaml", MACHINE, "Too many open files.*ulimit"),
    "full stdout": (
        "exec 1>/dev/full",
        "validate /mnt/place.yaml", MACHINE, "standard output.*No space left.*try: "),
    "no such file, nothing made": (
        EMPTY,
        "verify none.yaml", USAGE, "none.yaml: No such file.*try: "),
    "no file's name, nothing made": (
        EMPTY,
        "verify ''", USAGE, "FILES.*empty word.*verify --help"),
    "no file's name to write to, nothing made": (
        EMPTY,
        "image ''", USAGE, "FILE.tar.*empty word.*image --help"),
    "a directory to write to, nothing made": (
        EMPTY,
        "image /mnt", USAGE, "/mnt exists and is no regular file.*another"),
    "wrong option, nothing made": (
        EMPTY,
        "verify --keeep /mnt/place.yaml", USAGE, "did you mean '--keep'"),
    "wrong verb, nothing made": (
        EMPTY,
        "verfy /mnt/place.yaml", USAGE, "did you mean 'verify'"),
    "nothing to enter, nothing made": (
        EMPTY,
        "exec alice ls", USAGE, "no lab is running.*p2slab up"),
}  # fmt: skip
"""State, verb, exit code, what the message says."""


@pytest.mark.parametrize("state", REFUSALS)
def test_one_message_says_what_to_do_about(state: str) -> None:
    before, verb, code, said = REFUSALS[state]
    done = stand(f"( {before}\n$run ./p2slab {verb} ) || code=$?\n"
                 "find /mnt/empty -mindepth 1 >&2; exit ${code:-0}")  # fmt: skip
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith("p2slab: "), done.stderr
    assert len(lines) <= 2, done.stderr
    assert re.search(said, " ".join(lines))
