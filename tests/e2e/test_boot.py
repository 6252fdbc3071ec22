"""The launcher on a machine that lacks something, as an ordinary user of that machine.

The user is played from root (tests/harness/as_user.py). Every test that makes a private root ends
it early, so none takes long; test_from_nothing.py makes one.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import MACHINE, USAGE
from lab.waiting import wait_until
from tests.harness import as_user
from tests.rigs.patience import PATIENCE

CHECKOUT = Path(__file__).parents[2]
LASTING = Path(os.environ.get("P2SLAB_CACHE", "/nonexistent")) / "as-user-home"

pytestmark = pytest.mark.skipif(
    not as_user.possible(), reason="only root can play an ordinary user; run it with sudo"
)


def run(
    *command: str, options: tuple[str, ...] = (), limit: float = 10 * PATIENCE
) -> subprocess.CompletedProcess[str]:
    """What became of a command of the user's, started in the user's checkout."""
    return as_user.run(*command, options=options, limit=limit)


@pytest.fixture
def cache() -> Iterator[str]:
    """The name, under the user's home, of a cache that is not there yet."""
    name = f"cache-{uuid.uuid4().hex[:8]}"
    yield name
    run("rm", "-rf", f"{as_user.HOME}/{name}")


def in_cache(cache: str, *command: str) -> tuple[str, ...]:
    return ("env", f"P2SLAB_CACHE={as_user.HOME}/{cache}", *command)


def roots(cache: str) -> list[Path]:
    return sorted((LASTING / cache).glob("root-*"))


def one_message(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The last thing said is one message with these words, and no traceback before it."""
    assert "Traceback" not in done.stderr
    message = done.stderr[done.stderr.rindex("p2slab: ") :]
    assert len(message.splitlines()) <= 2, message
    for word in words:
        assert word in message


def test_without_network_the_making_ends_in_one_message_and_leaves_nothing(cache: str) -> None:
    done = run(*in_cache(cache, "./p2slab", "root", "make"), options=("--without-network",))
    assert done.returncode == MACHINE
    one_message(done, "archives cannot be reached", "root import")
    assert roots(cache) == []


@pytest.mark.parametrize(
    ("small", "left"),
    [("size=20m", []), ("size=2g,nr_inodes=3000", ["fetched", "root.lock"])],
    ids=["early", "late"],
)
def test_a_full_disk_ends_in_one_message_and_leaves_no_tree(small: str, left: list[str]) -> None:
    script = "P2SLAB_CACHE=$HOME/small ./p2slab root make; echo $?; ls ~/small"
    done = run("sh", "-c", script, options=(f"--small={small}",))
    one_message(done, "disk is full", "P2SLAB_CACHE")
    assert done.stdout.split() == [str(MACHINE), *left]


NO_MIRROR = "P2SLAB_MIRROR=file:///nonexistent"
"""With it a making ends as soon as it has begun."""


def start_making(cache: str) -> subprocess.Popen[str]:
    """A launcher in a process group of its own that makes a private root."""
    return subprocess.Popen(
        as_user.argv(*in_cache(cache, "./p2slab", "root", "make")),
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


async def test_a_root_whose_making_was_killed_is_removed_and_begun_again(cache: str) -> None:
    first = start_making(cache)

    def growing() -> bool:
        return any(any(root.iterdir()) for root in roots(cache))

    try:
        await wait_until("a half-made root", PATIENCE, growing)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=PATIENCE)  # the pipe closes when the last program below has ended
    (half_made,) = roots(cache)
    again = run(*in_cache(cache, NO_MIRROR, "./p2slab", "root", "make"))
    assert f"removing {half_made.name}, which was not finished" in again.stderr
    one_message(again, "while making the private root")
    assert again.returncode == MACHINE
    assert roots(cache) == []


@pytest.mark.usefixtures("made")
def test_layers_that_are_there_outlive_a_making_that_fails(cache: str) -> None:
    """A root with all of them is given out for one with two."""
    there = json.loads(run("./p2slab", "root", "--json").stdout)["root"]
    name = f"{Path(there).name.split('+')[0]}+runner"
    place = f"{as_user.HOME}/{cache}"
    done = run("sh", "-c", f"mkdir -m 700 {place} && sudo cp -al {there} {place}/{name}")
    assert done.returncode == 0, done.stderr
    failed = run(*in_cache(cache, NO_MIRROR, "./p2slab", "root", "make", "core"))
    one_message(failed, "making the private root")
    assert failed.returncode == MACHINE
    assert [root.name for root in roots(cache)] == [name]
    assert (
        run(*in_cache(cache, "./p2slab", "validate", "topologies/quickstart.yaml")).returncode == 0
    )


async def test_ctrl_c_while_making_leaves_nothing(cache: str) -> None:
    making = start_making(cache)
    try:
        await wait_until("a half-made root", PATIENCE, lambda: bool(roots(cache)))
    finally:
        os.killpg(making.pid, signal.SIGINT)
        _, said = making.communicate(timeout=PATIENCE)
    assert making.returncode == 130
    assert said.splitlines()[-1] == "p2slab: interrupted"
    assert roots(cache) == []


def test_a_second_process_waits_for_the_first_and_says_so(cache: str) -> None:
    run("sh", "-c", f"mkdir ~/{cache} && touch ~/{cache}/root.lock")
    with (LASTING / cache / "root.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = as_user.argv(*in_cache(cache, NO_MIRROR, "./p2slab", "root", "make"))
        with subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True) as second:
            assert second.stderr
            assert "another p2slab is making the private root" in second.stderr.readline()
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert "making the private root in" in second.stderr.readline()
            second.communicate(timeout=PATIENCE)
    assert second.returncode == MACHINE


def test_a_cache_that_others_may_write_is_refused_with_the_directory_that_it_is(cache: str) -> None:
    for place, mode in ((cache, "777"), (f"{cache}/below", "700")):
        script = f"mkdir -p -m {mode} ~/{place}; P2SLAB_CACHE=$HOME/{place} ./p2slab root make"
        done = run("sh", "-c", script)
        assert done.returncode == MACHINE
        one_message(done, f"others may write in {as_user.HOME}/{cache}" if mode == "700"
                    else "others may write in it (mode 777)", "P2SLAB_CACHE")  # fmt: skip


def without(program: str, cache: str) -> str:
    """The beginning of a command line whose PATH has every program but one."""
    links = f"~/{cache}/bin"
    return (
        f"mkdir -p {links}; ln -s /usr/bin/* {links}; rm {links}/{program}; PATH=$HOME/{links[2:]}"
    )


@pytest.mark.parametrize("missing", ["mmdebstrap", "newuidmap"])
def test_a_missing_tool_is_named_with_the_command_to_type(cache: str, missing: str) -> None:
    script = f"{without(missing, cache)} P2SLAB_CACHE=$HOME/{cache} ./p2slab root make --no-install"
    done = run("sh", "-c", script)
    package = {"newuidmap": "uidmap"}.get(missing, missing)
    assert done.returncode == MACHINE
    one_message(done, f"lacks {package}", "sudo apt-get install", package)


def test_without_user_namespaces_the_setting_is_named_and_sudo_offered(cache: str) -> None:
    # In a user namespace of its own the limit can be set without touching the machine.
    inner = (
        "echo 0 > /proc/sys/user/max_user_namespaces; "
        f"P2SLAB_CACHE=/tmp/{cache} exec setpriv --reuid 1000 --clear-groups ./p2slab "
    )
    for verb in ("doctor", "root make"):
        done = run("unshare", "--user", "--map-root-user", "--map-auto", "sh", "-c", inner + verb)
        assert done.returncode == MACHINE, done
        said = done.stdout + done.stderr
        assert "user.max_user_namespaces is 0" in said
        assert "sudo ./p2slab" in said
        assert not Path(f"/tmp/{cache}").exists()


def test_a_root_without_capabilities_is_told_what_its_container_lacks() -> None:
    drop = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    done = run("sudo", *drop, "env", "./p2slab", "doctor")
    assert done.returncode == MACHINE
    assert "this root lacks the capability SYS_ADMIN" in done.stdout
    assert "--privileged" in done.stdout


@pytest.mark.usefixtures("made")
def test_a_directory_of_the_private_roots_etc_may_be_replaced() -> None:
    """An overlay in a user namespace needs the option userxattr."""
    script = (
        "from lab.boot.users import become_root; from lab.boot.enter import replace_root\n"
        "from lab.boot.cache import Cache; from lab.boot.layers import root_key\n"
        "import os, shutil\n"
        "tree = Cache.of_this_user().best(root_key()); become_root()\n"
        "replace_root(tree, visible=[]); shutil.rmtree('/etc/ssl'); os.mkdir('/etc/ssl')\n"
        "print(os.listdir('/etc/ssl'))\n"
    )
    for who in ([], ["sudo"]):
        done = run(*who, "env", "PYTHONPATH=.", "python3", "-c", script)
        assert done.stdout == "[]\n", done.stderr


def test_the_private_root_can_be_read_whatever_the_umask_was() -> None:
    """By accounts without rights, under which daemons run."""
    script = (
        "from lab.boot.users import become_root; from lab.boot.enter import replace_root\n"
        "from lab.boot.cache import Cache; from lab.boot.layers import root_key; import os\n"
        "tree = Cache.of_this_user().best(root_key()); become_root(); os.umask(0o077)\n"
        "replace_root(tree, visible=[])\n"
        "print([oct(os.stat(name).st_mode & 0o777) for name in ('/etc', '/var')])\n"
        "print(oct(os.umask(0)))\n"
    )
    done = run("env", "PYTHONPATH=.", "python3", "-c", script)
    assert done.stdout == "['0o755', '0o755']\n0o77\n", done.stderr


def test_without_a_tun_device_doctor_says_what_to_type() -> None:
    done = run("./p2slab", "doctor", options=("--without-tun",))
    if Path("/dev/net/tun").stat().st_mode & 0o002:
        assert done.returncode == 0
    else:
        assert done.returncode == MACHINE
        assert "sudo chmod 0666 /dev/net/tun" in done.stdout


@pytest.fixture(scope="module")
def made() -> None:
    """The user's own private root."""
    done = run("./p2slab", "root", "make")
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("made")
def test_doctor_finds_that_labs_can_run_as_a_user_and_with_sudo() -> None:
    for command in (["./p2slab", "doctor"], ["sudo", "./p2slab", "doctor"]):
        done = run(*command)
        assert done.returncode == 0, done.stdout
        assert "labs can run here" in done.stdout


@pytest.mark.usefixtures("made")
def test_a_file_that_the_private_root_hides_is_shown_by_whatever_name() -> None:
    script = (
        "cp topologies/quickstart.yaml /var/tmp/$$.yaml; trap 'rm /var/tmp/$$.yaml' EXIT; set -e\n"
        "for here in / /etc /var /var/tmp ~; do cd $here; for name in /var/tmp/$$.yaml "
        "$(realpath --relative-to=. /var/tmp/$$.yaml); do ~/p2slab/p2slab validate $name; "
        "done; done"
    )
    done = run("sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".yaml: ok") == 10


@pytest.mark.usefixtures("made")
def test_a_checkout_under_var_works_with_relative_names_through_a_link(cache: str) -> None:
    script = (f"cp -r . /var/tmp/{cache} && cd /var/tmp/{cache} && ln -s $PWD/p2slab ~/{cache} && "
              f"~/{cache} validate topologies/quickstart.yaml; code=$?; rm -rf /var/tmp/{cache}; "
              "exit $code")  # fmt: skip
    done = run("sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert "topologies/quickstart.yaml: ok" in done.stdout


@pytest.mark.usefixtures("made")
def test_a_directory_that_is_gone_is_refused() -> None:
    done = run("sh", "-c", "mkdir /tmp/gone.$$ && cd /tmp/gone.$$ && rmdir /tmp/gone.$$ && "
               "~/p2slab/p2slab status")  # fmt: skip
    assert done.returncode == USAGE
    one_message(done, "directory")


@pytest.mark.usefixtures("made")
def test_reading_verbs_work_without_uidmap(cache: str) -> None:
    verbs = "./p2slab validate topologies/quickstart.yaml && ./p2slab status"
    done = run("sh", "-c", f"{without('newuidmap', cache)}; {verbs}")
    assert "ok" in done.stdout
    assert done.returncode == MACHINE
    one_message(done, "lacks newuidmap", "uidmap")


@pytest.mark.usefixtures("made")
def test_an_exported_root_serves_another_cache_without_network(cache: str) -> None:
    """All that `validate` wants of it; kernels and compilers would only take time."""
    there = json.loads(run("./p2slab", "root", "--json").stdout)["root"]
    script = (
        f"mkdir -m 700 ~/{cache} && cd ~/{cache} && mkdir -m 700 from to && "
        f"sudo cp -al {there} from && cd from/root-*/usr && sudo rm -rf include share "
        "lib/uml lib/gcc lib/git-core lib/udev lib/python3 lib/*/perl lib/*/samba lib/*/lib?san* "
        "lib/*/libicu* bin/linux.uml bin/*lto-dump* lib/p2slab/venv/bin/ruff && "
        "cd lib/p2slab/venv/lib/*/site-packages && rm -r azure *mypy* scapy Crypto pygments "
        "hypothesis && cd ~/p2slab && "
        f"FILE=~/{cache}/root.tar.gz && P2SLAB_CACHE=~/{cache}/from ./p2slab root export $FILE && "
        f"export P2SLAB_CACHE=~/{cache}/to && ./p2slab root import $FILE && "
        "./p2slab validate topologies/quickstart.yaml && ./p2slab root prune --all"
    )
    done = run("sh", "-c", script, options=("--without-network",))
    assert done.returncode == 0, done.stderr
    assert "topologies/quickstart.yaml: ok" in done.stdout
    assert roots(f"{cache}/to") == []


SESSIONS = {
    "session": ("", ""),
    "cron": ("", "env -u XDG_RUNTIME_DIR"),
    "another session": ("mkdir -m 700 $0; export XDG_RUNTIME_DIR=$0", "env -u XDG_RUNTIME_DIR"),
}
"""Where a lab is started, and where it is looked for."""


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("session", SESSIONS)
def test_a_root_in_which_a_lab_runs_is_not_pruned(session: str, cache: str) -> None:
    """Nor by one who has no session, and none in a session's lab is hidden from the other."""
    before, other = SESSIONS[session]
    script = (
        f"{before}\n./p2slab up topologies/quickstart.yaml --name pruned && "
        f"{other} ./p2slab root prune --all; {other} ./p2slab status; "
        f"{other} ./p2slab exec --name pruned alice hostname; "
        f"{other} ./p2slab down pruned || ./p2slab down pruned"
    )
    done = run("sh", "-c", script, f"{as_user.HOME}/{cache}")
    assert done.returncode == 0, done.stderr
    assert "running labs use private roots: pruned" in done.stderr
    assert "pruned  ready" in done.stdout
    assert "alice" in done.stdout.splitlines()


@pytest.mark.usefixtures("made")
def test_of_labs_in_two_sessions_each_is_found_by_its_name(cache: str) -> None:
    script = (
        'mkdir -m 700 $0; there="env XDG_RUNTIME_DIR=$0"; '
        "$there ./p2slab up topologies/quickstart.yaml --name there && "
        "./p2slab up topologies/quickstart.yaml --name here && ./p2slab status; "
        "./p2slab exec --name there alice hostname; ./p2slab down here; "
        "./p2slab down there || $there ./p2slab down there"
    )
    done = run("sh", "-c", script, f"{as_user.HOME}/{cache}")
    assert done.returncode == 0, done.stderr
    assert f"also running, in {as_user.HOME}/{cache}/p2slab: there" in done.stderr
    assert "alice" in done.stdout.splitlines()


@pytest.mark.usefixtures("made")
def test_where_no_lab_is_found_sudo_is_spoken_of_if_one_may_run_with_or_without_it() -> None:
    done = run("sh", "-c", "./p2slab status; sudo ./p2slab status; ./p2slab status")
    before, with_sudo, after = done.stderr.split("no lab is running")[:3]
    assert before == ""
    assert f"labs of user {as_user.UID} are found without sudo" in with_sudo
    assert "found with it: sudo ./p2slab status" in after


@pytest.mark.usefixtures("made")
def test_a_root_in_which_a_verb_is_at_work_is_not_pruned(cache: str) -> None:
    # The verb opens its file, a fifo, and waits there until something is written to it.
    script = (
        f"mkfifo ~/{cache}; ./p2slab validate ~/{cache} & exec 9> ~/{cache}; "
        "./p2slab root prune --all; exec 9>&-; wait $!; ./p2slab root"
    )
    done = run("sh", "-c", script)
    assert "stays, it is in use" in done.stderr
    assert "openvpn" in done.stdout, "the versions in it can be told"


@pytest.mark.usefixtures("made")
def test_a_runtime_directory_that_others_may_write_is_passed_over_with_a_line(cache: str) -> None:
    """And with it the log, which another user has planted as a link (audit, finding 12)."""
    script = (
        f"mkdir -p ~/{cache}/p2slab/quickstart/log; chmod -R 777 ~/{cache}; touch ~/{cache}/mine; "
        f"ln -s ~/{cache}/mine ~/{cache}/p2slab/quickstart/log/supervisor.log; "
        f"export XDG_RUNTIME_DIR=$HOME/{cache}; ./p2slab up topologies/quickstart.yaml && "
        f"./p2slab exec alice hostname && ./p2slab down; wc -c < ~/{cache}/mine"
    )
    done = run("sh", "-c", script)
    assert done.stdout.split()[-2:] == ["alice", "0"], done.stderr
    lines = [line for line in done.stderr.splitlines() if "XDG_RUNTIME_DIR" in line]
    assert len(lines) == 3
    assert all("is not used: others may write in it (mode 777)" in line for line in lines)


@pytest.mark.usefixtures("made")
def test_the_callers_python_settings_do_not_reach_a_verb() -> None:
    spoiled = ["PYTHONPATH=/nonexistent", "PYTHONHOME=/nonexistent", "PYTHONSTARTUP=/nonexistent"]
    done = run("env", *spoiled, "./p2slab", "status")
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("made")
def test_modules_in_the_current_directory_are_not_run(cache: str) -> None:
    script = f"mkdir ~/{cache} && cd ~/{cache} && echo 'raise SystemExit(9)' > click.py && "
    done = run("sh", "-c", f"{script} ~/p2slab/p2slab status")
    assert done.returncode == 0, done.stderr
