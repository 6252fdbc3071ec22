"""A stock of RSA keys, made once and reused, because generating 4096-bit keys takes long.

Seed: "Client certificate: when creating the private key, specify the length as 4096." Different
labs share the keys; two certificates of one lab never do. `python -m lab.pki.stock` fills it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.boot import own
from lab.errors import MachineError

BITS = 4096
USUAL = 10
"""The number of certificates in a typical topology."""


def fresh_key() -> rsa.RSAPrivateKey:
    """A new key that is not in the stock."""
    return rsa.generate_private_key(public_exponent=65537, key_size=BITS)


def directory() -> Path:
    """The directory of the keys; mode 0700."""
    path = Path(os.environ["P2SLAB_CACHE"], "keys")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(own.open_directory(str(path), make=True))
    return path


def take(count: int, log: Callable[[str], None] = lambda _: None) -> list[rsa.RSAPrivateKey]:
    """The first `count` keys. Missing ones are made now, after a message to `log`."""
    return [_load(path) for path in fill(count, log)]


def fill(count: int, log: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Fill the stock to at least `count` keys, on all cores; their files."""
    place = directory()
    wanted = [place / f"rsa{BITS}-{number:03}.pem" for number in range(count)]
    if all(path.exists() for path in wanted):
        return wanted
    with _locked(place, log):
        missing = [path for path in wanted if not path.exists()]
        log(f"making {len(missing)} RSA keys of {BITS} bits, once for all labs")
        with ProcessPoolExecutor(os.cpu_count()) as workers:
            for done, _ in enumerate(workers.map(_make, missing), 1):
                log(f"key {done} of {len(missing)}")
    return wanted


@contextmanager
def _locked(place: Path, log: Callable[[str], None]) -> Iterator[None]:
    lock = own.lock(str(place / "lock"), "making keys", log)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _make(path: Path) -> None:
    """Make one key; the file appears only when it is complete."""
    key = fresh_key()
    partial = path.with_suffix(".partial")
    descriptor = own.open_file(str(partial), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    partial.replace(path)


def _load(path: Path) -> rsa.RSAPrivateKey:
    try:
        # Validation takes 70 ms per key; the keys are our own, and each signature is verified.
        key = serialization.load_pem_private_key(
            path.read_bytes(), None, unsafe_skip_rsa_key_validation=True
        )
    except ValueError as error:
        raise MachineError(
            f"{path} is not a private key: {error}", f"remove it: rm {path}"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise MachineError(f"{path} is not an RSA key", f"remove it: rm {path}")
    return key


def main() -> None:
    """Fill the stock, with progress on stderr."""
    parser = argparse.ArgumentParser(prog="python -m lab.pki.stock", description=__doc__)
    parser.add_argument("--count", type=int, default=USUAL)
    fill(parser.parse_args().count, lambda text: print(text, file=sys.stderr, flush=True))


if __name__ == "__main__":
    main()
