"""Work on a private root's files: as root in a user namespace, in a separate process tree.

    launcher
      └ middle: in the user namespace; undoes after a failure, when all its children are dead
          └ PID 1 of a PID namespace, with its own mounts: does the work

If the launcher dies, the kernel kills both, and every program that PID 1 has started.
"""

from __future__ import annotations

import json
import os
import signal
import traceback
from typing import Callable, NoReturn

from lab.boot.ending import machines_fault
from lab.boot.syscalls import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    die_with_parent,
    mount,
    unshare,
)
from lab.boot.users import become_root, no_namespace
from lab.errors import OURS, LabError, MachineError


def as_pid_one(work: Callable[[], None], undo: Callable[[], None]) -> None:
    """Call `work` as PID 1; a LabError in it is raised here, after `undo`."""
    result, report = os.pipe()
    launcher = os.getpid()
    middle = os.fork()
    if middle == 0:
        os.close(result)
        _end_with(report, lambda: _middle(launcher, report, work, undo))
    os.close(report)
    said, interrupted = _listen(result)
    _, status = os.waitpid(middle, 0)
    if interrupted:
        raise KeyboardInterrupt
    if said:
        failure = json.loads(said)
        error = LabError(failure["message"], failure["remedy"])
        error.code = failure["code"]
        raise error
    if status:
        raise MachineError("the work on the private root was killed", "run it once more")


def _listen(result: int) -> tuple[bytes, bool]:
    """Read the pipe until all child processes have ended; also whether Ctrl-C was pressed."""
    said, interrupted = b"", False
    while True:
        try:
            chunk = os.read(result, 65536)
        except KeyboardInterrupt:  # the children get it from the terminal too, and clean up
            interrupted = True
            continue
        said += chunk
        if not chunk:
            os.close(result)
            return said, interrupted


def _middle(launcher: int, report: int, work: Callable[[], None], undo: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    become_root()
    die_with_parent(signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(1)
    try:
        unshare(CLONE_NEWPID | CLONE_NEWNS)
    except OSError as error:
        raise no_namespace(error) from error
    leash, held = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(held)
        _end_with(report, lambda: _first(leash, work))
    os.close(leash)
    _, status = os.waitpid(first, 0)
    if status:
        undo()
        os._exit(1)


def _first(leash: int, work: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    die_with_parent(signal.SIGKILL)
    os.set_blocking(leash, False)
    try:
        os.read(leash, 1)
        os._exit(1)  # end of file: the middle died before die_with_parent
    except BlockingIOError:
        pass
    unshare(CLONE_NEWNS)  # so that mmdebstrap's mounts are gone before the middle removes the tree
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    work()


def _end_with(report: int, work: Callable[[], None]) -> NoReturn:
    """Run `work` and end this process; a failure is sent through the pipe as JSON."""
    status = 1
    try:
        work()
        status = 0
    except KeyboardInterrupt:
        pass
    except LabError as error:
        failure = {"message": error.message, "remedy": error.remedy, "code": error.code}
        os.write(report, json.dumps(failure).encode())
    except OSError as error:
        os.write(report, json.dumps(_of_the_machine(error)).encode())
    except BaseException as error:  # noqa: BLE001 (the end of a forked process)
        traceback.print_exc()
        failure = {"message": f"a bug in p2slab: {error!r}", "remedy": "please report it"}
        os.write(report, json.dumps({**failure, "code": OURS}).encode())
    finally:
        os._exit(status)


def _of_the_machine(error: OSError) -> dict[str, object]:
    where = f": {error.filename}" if error.filename else ""
    said = machines_fault(error) or MachineError(f"{error.strerror}{where}")
    message = f"work on the private root failed: {said.message}"
    return {"message": message, "remedy": said.remedy, "code": said.code}
