"""A process that has imported what most commands need, and forks for each: a command costs its work alone.

A forked process is like any other: folder, environment, streams, arguments and exit code are its own. Only its modules
are there already, so what is asked about imports, the time to start, or signals is asked of a process that a test
starts itself. Where there is no ``pidfd_open`` (outside Linux) every command is started as usual.

``python tests/warm.py call SOCKET WORDS`` stands for ``python WORDS`` in the shells of tests.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve()
#: Most bytes of arguments and environment together.
_MOST = 180_000


class Warm:
    """The process, started by the first command; :meth:`end` ends it and what it still runs."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="warm-")
        self.socket = Path(self._folder.name) / "socket"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Import everything, unless that is done."""
        if self._server is not None or not hasattr(os, "pidfd_open"):
            return
        command = [sys.executable, str(HERE), "serve", str(self.socket)]
        environment = {"OMP_NUM_THREADS": "1"} | dict(os.environ)
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        self._server = server

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 280,
    ) -> subprocess.CompletedProcess[str]:
        """What ``subprocess.run([sys.executable, *words], capture_output=True, text=True)`` gives."""
        self.start()
        if self._server is None:
            command = [sys.executable, *words]
            return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull, "rb") as nothing:
            streams = [nothing.fileno(), out.fileno(), err.fileno()]
            code = call(self.socket, words, streams, cwd or Path.cwd(), os.environ if env is None else env, timeout)
            said = []
            for stream in (out, err):
                stream.seek(0)
                said.append(stream.read().decode("utf-8"))
        return subprocess.CompletedProcess([sys.executable, *words], code, *said)

    def shim(self, folder: Path) -> Path:
        """A folder for ``PATH`` with ``solera`` in it, in place of the one that is installed."""
        self.start()
        folder.mkdir(parents=True, exist_ok=True)
        if self._server is not None:
            script = folder / "solera"
            script.write_text(
                f"#!/bin/sh\nexec '{sys.executable}' -I -S '{HERE}' call '{self.socket}' -m solera.cli \"$@\"\n"
            )
            script.chmod(0o755)
        return folder

    def end(self) -> None:
        """End it."""
        if self._server is not None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            self._server.wait(30)
        self._folder.cleanup()


def call(
    path: Path, words: Sequence[str], streams: list[int], cwd: Path, env: Mapping[str, str], timeout: float | None
) -> int:
    """Have a command run; its exit code, negative for a signal as in :mod:`subprocess`.

    Raises:
        subprocess.TimeoutExpired: It took longer; it is killed.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _MOST)
        line.connect(str(path))
        line.settimeout(timeout)
        message = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(line, [message], streams)
        try:
            pid = int(line.recv(64))
            if streams == [0, 1, 2]:  # in this process's place: what it is told, that is told
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, lambda told, _: os.kill(pid, told))
            return int(line.recv(64))
        except TimeoutError:
            raise subprocess.TimeoutExpired(list(words), timeout or 0) from None


def serve(path: Path) -> dict[str, Any]:
    """Fork for each command that comes, until stdin ends; returns in the forked processes, with the command."""
    import selectors

    children: dict[socket.socket, tuple[int, int]] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door, selectors.DefaultSelector() as waiting:
        door.bind(str(path))
        door.listen(16)
        waiting.register(door, selectors.EVENT_READ, None)
        waiting.register(0, selectors.EVENT_READ, None)
        os.write(1, b"ready\n")
        while True:
            for key, _ in waiting.select():
                if key.fileobj == 0:
                    for pid, _ in children.values():
                        os.kill(pid, signal.SIGKILL)
                    os._exit(0)
                if key.fileobj is door:
                    line, _ = door.accept()
                    message, streams, _, _ = socket.recv_fds(line, 2 * _MOST, 3)
                    pid = os.fork()
                    if pid == 0:
                        for number, stream in enumerate(streams):
                            os.dup2(stream, number)
                            os.close(stream)
                        asked: dict[str, Any] = json.loads(message)
                        return asked
                    for stream in streams:
                        os.close(stream)
                    line.send(str(pid).encode())
                    ended = os.pidfd_open(pid)
                    children[line] = (pid, ended)
                    waiting.register(ended, selectors.EVENT_READ, line)
                    waiting.register(line, selectors.EVENT_READ, line)  # hung up: nobody waits for it any more
                    continue
                line = key.data
                pid, ended = children.pop(line, (0, -1))
                if not pid:
                    continue
                if key.fileobj is line:
                    os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                for each in (ended, line):
                    waiting.unregister(each)
                if key.fileobj is not line:
                    line.send(str(os.waitstatus_to_exitcode(status)).encode())
                os.close(ended)
                line.close()


def become(asked: dict[str, Any]) -> NoReturn:
    """Be the process that was asked for, to its end."""
    import atexit
    import runpy
    import threading
    import types

    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.path[0] = ""
    for entry in reversed(asked["env"].get("PYTHONPATH", "").split(os.pathsep)):
        if entry and entry not in sys.path:
            sys.path.insert(1, entry)
    option, what, *rest = asked["words"]
    sys.argv = [option if option == "-c" else what, *rest]
    try:
        if option == "-c":
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), vars(main))
        else:
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        told = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        told = 1
    else:
        told = 0
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join()
    atexit._run_exitfuncs()
    if isinstance(told, str):
        sys.stderr.write(f"{told}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(told if isinstance(told, int) else int(told is not None))  # to take a million modules apart takes as long


def warm_up() -> None:
    """Import all that is headless, and what it imports late."""
    import gc
    import pkgutil
    from importlib import import_module

    import solera
    import solera_plugins

    for name in ("torch", "h5py", "optuna", "ruamel.yaml", "rich.table", "sklearn.datasets", "scipy.stats"):
        import_module(name)
    for package in (solera, solera_plugins):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not {"testing", "views", "__main__"} & set(found.name.split(".")):
                try:
                    import_module(found.name)
                except ImportError:  # of an extra that is not installed
                    continue
    gc.freeze()


if __name__ == "__main__":
    if sys.argv[1] == "call":
        code = call(Path(sys.argv[2]), sys.argv[3:], [0, 1, 2], Path.cwd(), os.environ, None)
        sys.exit(code if code >= 0 else 128 - code)
    warm_up()
    become(serve(Path(sys.argv[2])))
