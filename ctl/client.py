"""RemotePlane: the methods of ports.Plane over the daemon's unix socket or over HTTP. Imports little, because every command pays for it."""

import http.client
import json
import os
import socket as sockets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from ctl.errors import BackendError, BadInput, TimedOut, from_problem
from ctl.model.view import (
    ArtifactView,
    CheckView,
    EventView,
    InstanceView,
    LogLine,
    PlanView,
    RolloutView,
    ServiceRow,
    ServiceView,
    StatusView,
    TokenView,
)

EVERYTHING = 10_000
BUILD_TIMEOUT_S = 300.0


class RemotePlane:
    """The plane of a daemon: at `socket` on this machine, or at `url` ("http://127.0.0.1:7070") with a token."""

    def __init__(self, socket: Path | None = None, *, url: str = "", token: str = "", timeout_s: float = 30.0) -> None:
        self._socket = socket
        self._url = urlsplit(url)
        self._token = token
        self._timeout_s = timeout_s
        if socket is None and (self._url.scheme != "http" or not self._url.hostname):
            raise BadInput(f"{url!r} is no address of a daemon", remedy="write it as http://127.0.0.1:PORT")

    def is_there(self) -> bool:
        """Say whether a daemon answers; quick either way."""
        try:
            with sockets.socket(sockets.AF_UNIX) if self._socket else sockets.socket() as probe:
                probe.settimeout(1.0)
                probe.connect(str(self._socket) if self._socket else (self._url.hostname or "", self._url.port or 80))
        except OSError:
            return False
        return True

    # --- looking ---

    def services(self, *, domain: str = "", match: str = "") -> list[ServiceRow]:
        return cast(list[ServiceRow], self._get("/v1/services", domain=domain, match=match, limit=EVERYTHING)["items"])

    def service(self, name: str) -> ServiceView:
        return cast(ServiceView, self._get(_of(name)))

    def status(self) -> StatusView:
        return cast(StatusView, self._get("/v1/status"))

    def instances(self, service: str) -> list[InstanceView]:
        return cast(list[InstanceView], self._get(_of(service, "instances"))["items"])

    def logs(self, service: str, *, instance: str = "", release: str = "", level: str = "", last: int = 100) -> list[LogLine]:
        return cast(list[LogLine], self._get(_of(service, "logs"), instance=instance, release=release, level=level, last=last)["items"])

    # --- building and releasing ---

    def build(self, service: str, version: str, *, source: str = "", reason: str = "") -> ArtifactView:
        body = {"version": version, "source": os.path.abspath(source) if source else "", "reason": reason}
        return cast(ArtifactView, self._send("POST", _of(service, "artifacts"), body, timeout_s=BUILD_TIMEOUT_S))

    def artifacts(self, service: str) -> list[ArtifactView]:
        return cast(list[ArtifactView], self._get(_of(service, "artifacts"))["items"])

    def plan(self, service: str, version: str, *, strategy: str = "") -> PlanView:
        return cast(PlanView, self._send("POST", "/v1/plans", {"service": service, "version": version, "strategy": strategy}))

    def deploy(self, service: str, version: str, *, reason: str = "", strategy: str = "", approve: str = "") -> RolloutView:
        body = {"service": service, "version": version, "reason": reason, "strategy": strategy, "approve": approve}
        return cast(RolloutView, self._send("POST", "/v1/rollouts", body))

    def rollback(self, service: str, *, to: str = "", reason: str = "") -> RolloutView:
        return cast(RolloutView, self._send("POST", _of(service, "rollback"), {"to": to, "reason": reason}))

    # --- a running rollout ---

    def pause(self, service: str, *, reason: str = "") -> RolloutView:
        return self._verb(service, "pause", {"reason": reason})

    def resume(self, service: str, *, reason: str = "") -> RolloutView:
        return self._verb(service, "resume", {"reason": reason})

    def promote(self, service: str, *, full: bool = False, reason: str = "") -> RolloutView:
        return self._verb(service, "promote", {"full": full, "reason": reason})

    def abort(self, service: str, *, reason: str = "") -> RolloutView:
        return self._verb(service, "abort", {"reason": reason})

    def rollout(self, rollout: str) -> RolloutView:
        return cast(RolloutView, self._get(f"/v1/rollouts/{quote(rollout, safe='')}"))

    def rollouts(self, *, service: str = "", limit: int = 20) -> list[RolloutView]:
        return cast(list[RolloutView], self._get("/v1/rollouts", service=service, limit=limit)["items"])

    def scale(self, service: str, count: int | None, *, reason: str = "") -> ServiceRow:
        return cast(ServiceRow, self._send("PUT", _of(service, "target"), {"count": count, "reason": reason}))

    # --- the record, the map, the rest ---

    def journal(self, *, after: int = 0, limit: int = 100, service: str = "", kind: str = "", newest: bool = False) -> list[EventView]:
        asked: dict[str, Any] = {"after": after, "limit": limit, "service": service, "kind": kind, "newest": str(newest).lower()}
        return cast(list[EventView], self._get("/v1/journal", **asked)["items"])

    def verify_journal(self) -> dict[str, Any]:
        return cast(dict[str, Any], self._get("/v1/journal/verify", timeout_s=BUILD_TIMEOUT_S))

    def events(self, *, after: int = 0, service: str = "") -> Iterator[EventView]:
        """Follow the journal from `after` on, without end; resumes by sequence number where the stream breaks. Raises BackendError when nobody answers."""
        while True:
            connection = self._connect(self._timeout_s)
            try:
                answer = self._ask(connection, "GET", f"/v1/events?{urlencode({'service': service})}", None, {"Last-Event-ID": str(after)})
                for line in answer:
                    if line.startswith(b"data: "):
                        event = cast(EventView, json.loads(line[6:]))
                        after = event["seq"]
                        yield event
            except TimeoutError:
                continue
            finally:
                connection.close()

    def catalog(self) -> dict[str, Any]:
        return cast(dict[str, Any], self._get("/v1/catalog"))

    def graph(self, service: str = "") -> dict[str, Any]:
        return cast(dict[str, Any], self._get("/v1/catalog/graph", service=service))

    def impact(self, service: str) -> dict[str, Any]:
        return cast(dict[str, Any], self._get(f"/v1/catalog/impact/{quote(service, safe='')}"))

    def tokens(self) -> list[TokenView]:
        return cast(list[TokenView], self._get("/v1/tokens")["items"])

    def create_token(self, name: str, role: str, *, ttl_s: float | None = None) -> TokenView:
        return cast(TokenView, self._send("POST", "/v1/tokens", {"name": name, "role": role, "ttl_s": ttl_s}))

    def remove_token(self, name: str) -> None:
        self._send("DELETE", f"/v1/tokens/{quote(name, safe='')}", None)

    def doctor(self) -> list[CheckView]:
        return cast(list[CheckView], self._get("/v1/doctor")["items"])

    def shutdown(self, *, instances: bool = True) -> None:
        self._send("POST", "/v1/shutdown", {"instances": instances})

    # --- the wire ---

    def _verb(self, service: str, verb: str, body: dict[str, Any]) -> RolloutView:
        return cast(RolloutView, self._send("POST", _of(service, verb), body))

    def _get(self, path: str, *, timeout_s: float = 0.0, **query: Any) -> Any:
        asked = urlencode({key: value for key, value in query.items() if value != ""})
        return self._call("GET", f"{path}?{asked}" if asked else path, None, {}, timeout_s)

    def _send(self, method: str, path: str, body: Any, *, timeout_s: float = 0.0) -> Any:
        """Send a write once; where the connection breaks, send it again under the same key, so that it has one effect."""
        headers = {"Idempotency-Key": os.urandom(16).hex()}
        try:
            return self._call(method, path, body, headers, timeout_s)
        except BackendError as broken:
            if not isinstance(broken.__cause__, ConnectionResetError | http.client.RemoteDisconnected):
                raise
            return self._call(method, path, body, headers, timeout_s)

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str], timeout_s: float) -> Any:
        connection = self._connect(timeout_s or self._timeout_s)
        try:
            text = self._ask(connection, method, path, body, headers).read()
        except TimeoutError as error:
            what = f"{method} {path.partition('?')[0]}"
            raise TimedOut(f"the daemon did not answer {what} in time", remedy="look with msxfctl status; the request may go on") from error
        finally:
            connection.close()
        return json.loads(text) if text else None

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: Any, headers: dict[str, str]) -> http.client.HTTPResponse:
        known = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        payload = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if payload else {}
        try:
            connection.request(method, path, payload, {**known, **kind, **headers})
            answer = connection.getresponse()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        if answer.status >= 400:
            raise from_problem(_problem(answer))
        return answer

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._socket is None:
            return http.client.HTTPConnection(self._url.hostname or "", self._url.port or 80, timeout=timeout_s)
        return _UnixConnection(self._socket, timeout_s)

    def _unreachable(self, error: Exception) -> BackendError:
        where = str(self._socket) if self._socket else self._url.geturl()
        return BackendError(f"no daemon answers at {where}", found=str(error), remedy="start it with msxfctl up")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _of(service: str, *rest: str) -> str:
    return "/".join(("/v1/services", quote(service, safe=""), *rest))


def _problem(answer: http.client.HTTPResponse) -> dict[str, Any]:
    text = answer.read()
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"title": f"the daemon answered {answer.status} {answer.reason}", "code": "backend_error"}
