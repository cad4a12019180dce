"""Who is answered: by a token, under the names that the server has, and no pages of other sites."""

import hmac
import ipaddress
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.files import read_regular
from cnnlab.serving.refusals import RefusedError

TOKEN = "CNNLAB_TOKEN"
"""The variable that a token is read from, where no file is named."""
_LEAST, _MOST = 16, 512
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HTTP_PORT = 80
_OPEN = ("/v2/health/live", "/v2/health/ready")
"""What is told without a token, for whatever watches over servers: that this one is there."""


@dataclass(frozen=True)
class Access:
    """What a request has to bring along.

    :param token: None to ask for none.
    :param hosts: the names with their ports, in small letters, of which one has to stand in ``Host``. A page elsewhere
        whose name is made to lead here, DNS rebinding, sends its own.
    :param port: where any address in numbers will do, its port: no name leads anywhere else by it.
    """

    token: str | None
    hosts: frozenset[str]
    port: int | None = None

    def check(self, scope: Any) -> None:
        """Refuses a request by its head.

        :param scope: of ASGI.
        :raises RefusedError: 421 for another host, 403 for a page of another site, 401 without the token.
        """
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0].decode("latin-1").lower()):
            raise RefusedError(421, "this server answers under its own names and port alone; see --allow-host.")
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if any(origin.decode("latin-1").lower() not in self._origins(hosts[0]) for origin in origins):
            raise RefusedError(403, "pages of other sites are not answered.")
        if self.token is not None and scope["path"] not in _OPEN and not self._has_token(scope):
            reason = "a token is asked for; send the header Authorization: Bearer TOKEN."
            raise RefusedError(401, reason, {"WWW-Authenticate": "Bearer"})

    def _is_ours(self, host: str) -> bool:
        if host in self.hosts:
            return True
        address, _, port = host.rpartition(":")
        return self.port is not None and port == str(self.port) and _is_address(address)

    def _origins(self, host: bytes) -> tuple[str, str]:
        own = host.decode("latin-1").lower()
        return f"http://{own}", f"https://{own}"

    def _has_token(self, scope: Any) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1 or self.token is None:
            return False
        scheme, _, word = given[0].partition(b" ")
        # In a time that does not tell how much of it was right.
        return scheme.lower() == b"bearer" and hmac.compare_digest(word.strip(), self.token.encode())


def names_of(host: str, port: int, allowed: Iterable[str] = ()) -> frozenset[str]:
    """What may stand in ``Host`` of a server at that address and port.

    :param host: as it was asked for; on loopback its usual names are taken too.
    :param allowed: other names, as they come; one without a port stands for itself alone.
    :raises UsageError: for one that is an address of a page.
    """
    own = [f"[{host}]" if ":" in host else host]
    own += _LOOPBACK if is_loopback(host) else []
    names = [f"{name}:{port}" for name in own] + (own if port == _HTTP_PORT else [])
    for name in allowed:
        if not name or "/" in name or not name.isascii() or not name.isprintable() or " " in name:
            raise UsageError(f"--allow-host takes a name as clients write it, such as example.org:8000; got {name!r}.")
    return frozenset(name.lower() for name in [*names, *allowed])


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host, which is a name or an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_wildcard(host: str) -> bool:
    """Whether a host stands for every address of this machine."""
    return host in ("", "0.0.0.0", "::")


def said_token(file: Path | None) -> str | None:
    """The token that a file or the environment holds; None where neither says one.

    :raises UsageError: when it cannot be read, or is short enough to be guessed.
    """
    if file is not None:
        try:
            return checked_token(read_regular(file, _MOST + 2).decode().strip(), str(file))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} does not hold a token that can be read ({error}).") from error
    said = os.environ.get(TOKEN)
    return None if said is None else checked_token(said.strip(), TOKEN)


def checked_token(token: str, place: str = "the token") -> str:
    """A token that can stand in a header and is not guessed.

    :param place: where it was read; the token itself is told nowhere.
    :raises UsageError: for any other.
    """
    if not _LEAST <= len(token) <= _MOST or not all("!" <= sign <= "~" for sign in token):
        raise UsageError(
            f"{place} has to hold {_LEAST} to {_MOST} letters, digits and signs of ASCII without spaces, as "
            "openssl rand -hex 24 gives."
        )
    return token


def new_token() -> str:
    """One that nobody has guessed."""
    return secrets.token_urlsafe(24)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
