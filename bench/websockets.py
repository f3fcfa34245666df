"""WebSockets through the tunnel: echoes a CPU-second, and the memory of idle ones. Frames are made by hand: cheap."""

import asyncio
import base64
import hashlib
import subprocess
import sys
from dataclasses import dataclass

import uvloop

from bench.processes import LOAD_CORE, Program

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MASKED = b"\x82\xfe\x00\x80\x00\x00\x00\x00" + b"x" * 128  # 128 bytes, binary, masked with zeros
_PLAIN = b"\x82\x7e\x00\x80" + b"x" * 128


@dataclass(frozen=True)
class Echoes:
    """What one run did."""

    messages: int
    cpu: float

    @property
    def per_cpu_second(self) -> float:
        return self.messages / self.cpu


class EchoServer(asyncio.Protocol):
    """Accepts every handshake, and gives each whole 128-byte message back."""

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._data = b""
        self._open = False

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            keys = [line[18:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]
            if not keys:  # a page, for signing in
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                self._data = rest
                return
            key = keys[0]
            accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
            lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
            self._transport.write(b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\n\r\n")
            self._data, self._open = rest, True
        whole = len(self._data) // len(_MASKED)
        if whole:
            self._data = self._data[whole * len(_MASKED) :]
            self._transport.write(_PLAIN * whole)


class _Client(asyncio.Protocol):
    def __init__(self, handshake: bytes) -> None:
        self._handshake = handshake
        self.opened = asyncio.get_running_loop().create_future()
        self.messages = 0
        self._head = b""
        self._bytes = 0

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(self._handshake)

    def connection_lost(self, _) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self._head += data
            if b"\r\n\r\n" in self._head:
                if self._head.startswith(b"HTTP/1.1 101"):
                    self.opened.set_result(None)
                else:
                    self.opened.set_exception(ConnectionError(repr(self._head[:200])))
            return
        self._bytes += len(data)
        if self._bytes >= len(_PLAIN):
            self._bytes -= len(_PLAIN)
            self.messages += 1
            self.transport.write(_MASKED)


async def _clients(port: int, count: int, cookie: str) -> list[_Client]:
    loop = asyncio.get_running_loop()
    lines = f"Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    handshake = f"GET /ws HTTP/1.1\r\n{lines}{upgrade}\r\n".encode()
    clients = []
    for _ in range(count):
        clients.append((await loop.create_connection(lambda: _Client(handshake), "127.0.0.1", port))[1])
        await asyncio.wait_for(clients[-1].opened, 10)
    return clients


async def _echo(port: int, count: int, seconds: float, cookie: str) -> None:
    clients = await _clients(port, count, cookie)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for client in clients:
        client.transport.write(_MASKED)
    await asyncio.sleep(seconds)
    print(sum(client.messages for client in clients), flush=True)


async def _hold(port: int, count: int, cookie: str) -> None:
    clients = await _clients(port, count, cookie)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    del clients


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(EchoServer, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def _started(mode: str, program: Program, *arguments: str, cookie: str) -> subprocess.Popen[str]:
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "bench.websockets", mode, str(program.port)]
    client = subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(cookie + "\n")
    client.stdin.flush()
    if client.stdout.readline() != "open\n":
        raise RuntimeError(f"WebSockets at {program.name} did not open")
    return client


def echoes(program: Program, cookie: str, *, seconds: float, connections: int = 64) -> Echoes:
    """128-byte messages, one under way on each connection."""
    client = _started("echo", program, str(connections), f"{seconds:g}", cookie=cookie)
    before = program.cpu()
    messages = int(client.communicate("go\n")[0])
    return Echoes(messages, program.cpu() - before)


def idle(program: Program, cookie: str, count: int) -> float:
    """Bytes of memory for each idle WebSocket."""
    before = program.resident()
    client = _started("hold", program, str(count), cookie=cookie)
    grown = program.resident() - before
    client.communicate("done\n")
    return grown / count


def main() -> None:
    """`serve PORT`, `echo PORT COUNT SECONDS`, `hold PORT COUNT`; the cookie is the first line of the input."""
    mode, port, *rest = sys.argv[1:]
    if mode == "serve":
        uvloop.run(_serve(int(port)))
        return
    cookie = sys.stdin.readline().strip()
    if mode == "echo":
        uvloop.run(_echo(int(port), int(rest[0]), float(rest[1]), cookie))
    else:
        uvloop.run(_hold(int(port), int(rest[0]), cookie))


if __name__ == "__main__":
    main()
