"""What a huge body adds to the gateway's resident memory when one end is slow."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from bench.processes import Program
from bench.world import MIB, World

GIB = 1024 * MIB
_PAUSE_EVERY = 16 * MIB
_PAUSE = 0.02


def _request(method: str, path: str, cookie: str, extra: str = "") -> bytes:
    lines = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n{extra}Connection: close\r\n\r\n"
    return lines.encode()


class _Peak(threading.Thread):
    """Looks at a program's memory until told to stop."""

    def __init__(self, program: Program) -> None:
        super().__init__(daemon=True)
        self._program = program
        self._over = threading.Event()
        self.rest = self.most = program.resident()

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, self._program.resident())

    def growth(self) -> int:
        self._over.set()
        self.join()
        return self.most - self.rest


def _peak(program: Program) -> _Peak:
    watch = _Peak(program)
    watch.start()
    return watch


def down(gateway: Program, cookie: str) -> int:
    """Bytes of growth while a client reads 1 GiB with pauses. Raises RuntimeError when it was not all."""
    watch = _peak(gateway)
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(_request("GET", "/1g", cookie))
        seen = next_pause = 0
        while data := client.recv(MIB):
            seen += len(data)
            if seen > next_pause:
                next_pause += _PAUSE_EVERY
                time.sleep(_PAUSE)
    if seen < GIB:
        raise RuntimeError(f"only {seen} bytes came")
    return watch.growth()


def up(gateway: Program, cookie: str) -> int:
    """Bytes of growth while a client sends 1 GiB to an upstream that reads with pauses."""
    watch = _peak(gateway)
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(_request("POST", "/upload", cookie, f"Content-Length: {GIB}\r\n"))
        piece = b"x" * MIB
        for _ in range(1024):
            client.sendall(piece)
        answer = client.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the upload was answered {answer[:80]!r}")
    return watch.growth()


def _swallow(listener: socket.socket) -> None:
    """Answer each request once its body was read, with pauses."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(peer,), daemon=True).start()


def _serve(peer: socket.socket) -> None:
    with peer, contextlib.suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head:
            data = peer.recv(65_536)
            if not data:
                return
            head += data
        lines, _, body = head.partition(b"\r\n\r\n")
        told = [line for line in lines.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        left = (int(told[0].split(b":")[1]) if told else 0) - len(body)
        next_pause = left
        while left > 0:
            left -= len(peer.recv(MIB))
            if left < next_pause:
                next_pause -= _PAUSE_EVERY
                time.sleep(_PAUSE)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@contextlib.contextmanager
def slow_upstream(world: World) -> Iterator[Program]:
    """The gateway in front of an upstream that reads slowly."""
    file = world.folder / "gateway.yaml"
    usual = file.read_text()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_swallow, args=(listener,), daemon=True).start()
        try:
            file.write_text(usual.replace(f"127.0.0.1:{world.upstream.port}", f"127.0.0.1:{listener.getsockname()[1]}"))
            with world.gateway() as gateway:
                yield gateway
        finally:
            file.write_text(usual)
