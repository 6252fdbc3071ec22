"""`p2slab root`: show, make, prune, export and import the private root."""

from __future__ import annotations

import json
import sys

from lab.boot.archive import export_root, import_root
from lab.boot.cache import Cache
from lab.boot.inventory import Inventory, take
from lab.boot.layers import ORDER, closed, root_key
from lab.boot.make import make_root, prune
from lab.boot.options import Options, file_name, new_file
from lab.boot.progress import megabytes, say
from lab.boot.source import PROGRAM
from lab.errors import UsageError


def run(source: str, arguments: list[str], *, install: bool) -> int:
    """Run `p2slab root ARGUMENTS`; the exit code."""
    options = _parser().parse_args(arguments)
    cache, key = Cache.of_this_user(), root_key()
    if options.action == "make":
        make_root(cache, key, _layers(options.layers), source, install=install)
    elif options.action == "prune":
        for tree in prune(cache, keep="" if options.all else cache.best(key)):
            say(f"removed {tree}")
    elif options.action == "export":
        export_root(cache, key, options.file)
    elif options.action == "import":
        import_root(cache, key, source, options.file)
    else:
        _show(take(cache, key), as_json=options.json)
    return 0


def _parser() -> Options:
    parser = Options(
        prog="p2slab root",
        description="The private root: the Debian tree that a lab's programs come from. "
        "Without an action: where it is, how large, and the versions in it.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON on stdout")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    make = actions.add_parser("make", help="make missing layers now")
    make.add_argument("layers", metavar="LAYER", nargs="*",
                      help=f"{', '.join(ORDER)}, or all; default: core")  # fmt: skip
    make.add_argument("--no-install", action="store_true",
                      help="print the command that installs what is missing, and stop")  # fmt: skip
    prune_ = actions.add_parser("prune", help="remove old and half-made ones")
    prune_.add_argument("--all", action="store_true", help="also the one of this checkout")
    export = actions.add_parser(
        "export", help="write it to a tarball, without compression if its name ends in .tar"
    )
    export.add_argument("file", metavar="FILE.tar[.gz]", type=new_file)
    import_ = actions.add_parser(
        "import",
        help="unpack an exported one instead of making it; its programs run as you, and are not "
        "verified: import only files from a source that you trust",
    )
    import_.add_argument("file", metavar="FILE.tar[.gz]", type=file_name)
    return parser


def _layers(names: list[str]) -> frozenset[str]:
    """The layers on the command line, and the ones in every root."""
    unknown = [name for name in names if name not in (*ORDER, "all")]
    if unknown:
        raise UsageError(f"there is no layer {unknown[0]}", f"one of: {', '.join(ORDER)}, or all")
    return closed(ORDER if "all" in names else names or ["core"])


def _show(found: Inventory, *, as_json: bool) -> None:
    if as_json:
        others = [other._asdict() for other in found.others]
        json.dump({**found._asdict(), "others": others}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    lines = [f"root  {found.root}"]
    if found.made:
        lines += [f"made  {found.made}", f"size  {megabytes(found.size)}"]
        lacking = [name for name in ORDER if name not in found.layers]
        lines.append(f"layers  {', '.join(found.layers)}")
        lines += [f"not yet  {', '.join(lacking)}"] if lacking else []
    else:
        lines.append(
            f"made  not yet; the first verb that needs it makes it, or: {PROGRAM} root make"
        )
    lines += [f"  {name:<16} {version}" for name, version in found.versions.items()]
    for other in found.others:
        state = "not this checkout's" if other.finished else "half made"
        lines.append(f"also  {other.root} ({megabytes(other.size)}, {state}; "
                     f"{PROGRAM} root prune removes it)")  # fmt: skip
    sys.stdout.write("\n".join(lines) + "\n")
