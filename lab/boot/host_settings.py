"""The host's settings for reaching package archives: CA bundles, proxies, pip's and apt's files.

They are copied into the private root only while its Python packages are installed: a lab sees none
of them.
"""

from __future__ import annotations

import configparser
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lab.boot import own
from lab.boot.enter import is_replaced

if TYPE_CHECKING:
    from collections.abc import Iterator

# The CA bundles of the distributions.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_NAMING_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
_NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts")
_PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
_APT_FILES = "apt-"
_LOGIN = re.compile(r"://[^/\s\"@]*@")
_APT_KEYS = ("Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries")


class Settings:
    """Environment variables, and the contents of files that the private root hides."""

    def __init__(self, env: dict[str, str], files: dict[str, bytes]) -> None:
        self.env = env
        self.files = files

    def save(self, directory: str) -> None:
        """Save them below `directory`: the files at their paths, the variables in env.json."""
        mask = os.umask(0o022)  # readable for other users, but the directory is not
        try:
            self.write(directory)
        finally:
            os.umask(mask)
        os.chmod(directory, 0o700)
        with open(os.path.join(directory, "env.json"), "w", encoding="utf-8") as file:
            json.dump(self.env, file)

    def write(self, below: str = "") -> None:
        """Write the files to their own paths, or to the same paths below a directory."""
        for path, content in self.files.items():
            target = below + path
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(content)


def collect() -> Settings:
    """Read the settings of this machine and this user."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name.lower() in _PROXIES or name.startswith("PIP_") or name in _NAMING_BUNDLES
    }
    bundle = next((env[name] for name in _NAMING_BUNDLES if name in env), None)
    bundle = bundle or next((path for path in BUNDLES if os.path.exists(path)), None)
    if bundle:
        env.setdefault("PIP_CERT", bundle)
    pip_files = [os.path.expanduser(path) for path in _PIP_FILES]
    pip_files.append(os.environ.get("PIP_CONFIG_FILE", ""))
    named = [*env.values(), *_values_in(pip_files)]
    paths = [*_NETWORK_FILES, *pip_files, *_paths_in(named)]
    return Settings(env, {path: _read(path) for path in paths if _hidden_file(path)})


@contextlib.contextmanager
def apt_settings(directory: str) -> Iterator[tuple[list[str], str]]:
    """mmdebstrap's settings for reaching archives: apt options, and the mirror if one is set.

    Every user can read an argument list, and URLs of proxies and mirrors may have passwords. So
    they are in private files below `directory`, which are removed afterwards.
    """
    for remains in glob.glob(os.path.join(glob.escape(directory), f"{_APT_FILES}*")):
        shutil.rmtree(remains)  # left by a killed run
    mirror, login = _without_login(os.environ.get("P2SLAB_MIRROR", ""))
    options = apt_options()
    with tempfile.TemporaryDirectory(prefix=_APT_FILES, dir=directory) as place:
        if login:
            netrc = _private(place, "auth.conf", [f"machine {mirror} {login}"])
            options.append(f'Dir::Etc::netrc "{netrc}"')
        settings = _private(place, "apt.conf", [f"{option};" for option in options])
        yield [f'#include "{settings}"'], mirror


def without_logins(text: str) -> str:
    """The text without the user names and passwords of its URLs."""
    return _LOGIN.sub("://", text)


def _without_login(url: str) -> tuple[str, str]:
    """A URL without user and password, and these in the form of apt_auth.conf(5), or empty."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, ""
    user, password = unquote(parts.username), unquote(parts.password or "")
    return without_logins(url), f"login {user} password {password}"


def _private(place: str, name: str, lines: list[str]) -> str:
    path = os.path.join(place, name)
    with os.fdopen(own.open_file(path, os.O_WRONLY | os.O_CREAT), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def apt_options() -> list[str]:
    """The host's apt settings for reaching archives, as `Key "value"` lines."""
    try:
        run = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    lines = (line.rstrip(";") for line in run.stdout.splitlines() if line.startswith(_APT_KEYS))
    return [line for line in lines if not line.endswith('""')]


def _hidden_file(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.R_OK) and is_replaced(path)


def _values_in(files: list[str]) -> list[str]:
    """Every value of the pip configuration files."""
    found = []
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        found += [value for section in parser.sections() for _, value in parser.items(section)]
    return found


def _paths_in(values: list[str]) -> list[str]:
    words = (word for value in values for word in value.split())
    bare = (word.removeprefix("file://") for word in words)
    return [word for word in bare if os.path.isabs(word)]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
