"""What a confined process can still do, tried from within."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.unprivileged import system_calls

PROLOGUE = """
import ctypes, errno, json, mmap, os, select, signal, socket, sys, threading, time
from gateway.unprivileged import namespaces, privileges, system_calls
libc = ctypes.CDLL(None, use_errno=True)
results = {}

def attempt(name, function):
    try:
        function()
        results[name] = "done"
    except OSError as error:
        results[name] = errno.errorcode[error.errno]

def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

# An own network with loopback up, so that a way out would lead somewhere.
call("unshare", 0x40000000)
import fcntl, struct
with socket.socket() as line:
    fcntl.ioctl(line, 0x8914, struct.pack("16sH22x", b"lo", 1))
listener = socket.create_server(("127.0.0.1", 0))
other = socket.create_server(("127.0.0.1", 0))
spare = socket.socket()
client = socket.create_connection(listener.getsockname())
parent = os.getppid()
"""
EPILOGUE = """
print(json.dumps(results), flush=True)
os._exit(0)
"""


def confined(script: str, confine: str = "kept = privileges.confine()") -> dict[str, Any]:
    """The script's results; it starts with sockets of its own network."""
    program = f"{PROLOGUE}\n{confine}\n{script}\n{EPILOGUE}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


FORBIDDEN = """
attempt("open", lambda: open("/etc/passwd"))
attempt("list", lambda: os.listdir("/"))
attempt("write a file", lambda: os.open("x", os.O_CREAT | os.O_WRONLY))
attempt("socket", lambda: socket.socket())
attempt("a pair", lambda: socket.socketpair())
attempt("connect", lambda: spare.connect(other.getsockname()))
attempt("listen", lambda: spare.listen())
attempt("fork", os.fork)
attempt("execute", lambda: os.execv("/bin/true", ["true"]))
attempt("signal another", lambda: os.kill(parent, 0))
attempt("trace another", lambda: call("ptrace", 16, parent, 0, 0))
attempt("its memory", lambda: call("process_vm_readv", parent, 0, 0, 0, 0, 0))
attempt("code", lambda: call("mprotect", ctypes.c_void_p(id(0) & ~4095), 4096, 7))
attempt("mount", lambda: call("mount", b"x", b"/", b"tmpfs", 0, None))
attempt("a namespace", lambda: call("unshare", 0x10000000))
attempt("filter", lambda: listener.setsockopt(socket.SOL_SOCKET, 26, bytes(16)))
attempt("tunnel", lambda: fcntl.ioctl(0, 0x400454CA, bytes(40)))
attempt("prctl", lambda: call("prctl", 4, 1, 0, 0, 0))
"""


def test_nothing_can_be_opened_started_or_reached() -> None:
    found = confined(FORBIDDEN)
    assert found == dict.fromkeys(found, "EPERM")
    assert len(found) == FORBIDDEN.count("attempt(")


def test_a_listener_that_is_shut_down_does_not_connect() -> None:
    """TCP Fast Open connects without connect(2), in the network the socket was made in."""
    script = """
listener.shutdown(socket.SHUT_RD)
attempt("sendto", lambda: listener.sendto(b"x", 0x20000000, other.getsockname()))
attempt("sendmsg", lambda: listener.sendmsg([b"x"], [], 0x20000000, other.getsockname()))
"""
    assert confined(script) == {"sendto": "EPERM", "sendmsg": "EPERM"}


def test_open_descriptors_still_work() -> None:
    """Accept on the listener, send, receive, poll, sleep, allocate memory, get random numbers."""
    script = """
poll = loop
def accepted():
    line, source = listener.accept()
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poll.register(line, select.EPOLLIN)
    client.sendall(b"in")
    assert poll.poll(5)
    assert line.recv(9) == b"in"
    line.sendmsg([b"out"])
    assert client.recv(9) == b"out"
    assert source == client.getsockname() and line.getsockname() == listener.getsockname()
    client.shutdown(socket.SHUT_WR)
    line.close()
attempt("accept", accepted)
attempt("memory", lambda: bytearray(64 << 20))
attempt("random", lambda: os.urandom(16))
attempt("sleep", lambda: time.sleep(0.001))
attempt("a lock", lambda: threading.Lock().acquire(timeout=0.001))
attempt("a signal", lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
attempt("stderr", lambda: sys.stderr.flush())
"""
    found = confined(script, "loop = select.epoll(); kept = privileges.confine()")
    assert found == dict.fromkeys(found, "done")


def test_the_file_system_and_the_network_are_empty_without_the_filter_too() -> None:
    script = """
results["entries"] = ",".join(os.listdir("/")) + ",".join(os.listdir("/.."))
attempt("open", lambda: open("/etc/passwd"))
attempt("create", lambda: open("/x", "w"))
attempt("connect", lambda: socket.create_connection(other.getsockname()))
attempt("the old one", lambda: spare.connect(other.getsockname()))
"""
    found = confined(script, "results['kept'] = namespaces.empty()")
    assert found.pop("the old one") == "done"  # a socket belongs to where it was made
    assert found == {
        "kept": "", "entries": "", "open": "ENOENT", "create": "EROFS", "connect": "ENETUNREACH"
    }  # fmt: skip


ON_A_VAX = """
import types
os.uname = lambda: types.SimpleNamespace(machine="vax")
results["kept"] = privileges.confine()
"""


def test_limits_are_set() -> None:
    script = """
import resource
results["limits"] = [resource.getrlimit(n) for n in (resource.RLIMIT_CORE, resource.RLIMIT_NPROC)]
try:
    bytearray(5 << 30)
except MemoryError:
    results["memory"] = "bounded"
"""
    found = confined(script, ON_A_VAX)  # the filter refuses getrlimit, too
    assert found["limits"] == [[0, 0], [0, 0]]
    assert found["memory"] == "bounded"


TOO_LATE = """
privileges.drop()
results["kept"] = namespaces.empty()
"""


@pytest.mark.parametrize(
    ("confine", "words"),
    [
        (ON_A_VAX, "all system calls: their numbers on vax are not known here"),
        (TOO_LATE, "the network: unshare: Operation not permitted; the files: unshare: Operation"),
    ],
)
def test_privileges_that_could_not_be_dropped_are_reported(confine: str, words: str) -> None:
    assert words in confined("", confine)["kept"]


def test_no_module_is_imported_any_more() -> None:
    script = """
try:
    import colorsys
except ImportError as error:
    results["error"] = str(error)
"""
    assert "colorsys is imported after" in confined(script)["error"]


def test_a_process_with_threads_is_not_confined_in_part() -> None:
    confine = """
threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
try:
    privileges.confine()
except RuntimeError as error:
    results["error"] = str(error)
"""
    assert "other threads" in confined("", confine)["error"]


HEADERS = {
    "x86_64": (f"/usr/include/{platform.machine()}-linux-gnu/asm/unistd_64.h", "__NR_"),
    "aarch64": ("/usr/include/asm-generic/unistd.h", "__NR(?:3264)?_"),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    path, prefix = HEADERS[machine]
    if not Path(path).exists():
        pytest.skip(f"no {path} on this machine")
    text = Path(path).read_text()
    known = {n: int(v) for n, v in re.findall(rf"#define {prefix}(\w+)\s+(\d+)", text)}
    column, _ = system_calls.MACHINES[machine]
    ours = {n: row[column] for n, row in system_calls.FREE.items()}
    ours |= {n: row[0][column] for n, row in system_calls.CHECKED.items()}
    assert {n: number for n, number in ours.items() if number is not None} == {
        n: known[n] for n, number in ours.items() if number is not None
    }
    assert system_calls.program(machine)
