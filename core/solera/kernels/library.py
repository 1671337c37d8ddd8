"""The compiled loops: compiled for this processor when they are first wanted, and kept beside their source.

(Where Python keeps what it compiles; in the user's cache where that folder cannot be written.)
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

from solera.errors import Cancelled
from solera.patience import PAUSE, ask
from solera.settings import cache_folder

_LOG = logging.getLogger(__name__)

_LOCK = threading.Lock()

#: Whether loops may be used at all; tests compare with the plain formulas.
ENABLED = os.environ.get("SOLERA_LOOPS", "1") != "0"


class Loop:
    """A compiled loop; lets other threads go on while it runs. Thread rule: any thread.

    Args:
        address: Of its code.
        count: How many integers it takes.
    """

    def __init__(self, address: int, count: int) -> None:
        pointer, word = ctypes.c_void_p, ctypes.c_int64
        self._function = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, *[word] * count)(address)

    def __call__(self, *arguments: int) -> bool:
        """What the loop says of itself."""
        result, failure = ctypes.c_int64(), ctypes.c_void_p()
        self._function(ctypes.byref(result), ctypes.byref(failure), *arguments)
        return bool(result.value)


@cache
def loop(name: str) -> Loop | None:
    """The loop of this name of :mod:`solera.kernels.loops`; None where it cannot be had: the log says so, once."""
    if not ENABLED:
        return None
    while not _LOCK.acquire(timeout=PAUSE):
        ask()
    try:
        try:
            machine = _machine()
            symbol, count, code = _kept(machine.key, name) or _compiled(machine.key, name)
            return Loop(machine.load(symbol, code), count)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - numba and LLVM raise of many kinds, and there is another way
            _LOG.warning("The loop '%s' cannot be compiled (%s): merges go on without it, more slowly.", name, error)
            return None
    finally:
        _LOCK.release()


class _Machine:
    """LLVM for the processor at hand.

    Attributes:
        key: Stands for the loops' source, the compiler and the processor.
    """

    def __init__(self) -> None:
        import llvmlite
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self._llvm = llvm
        target = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
        here = Path(__file__).parent
        parts = [(here / file).read_bytes() for file in ("codes.py", "loops.py", "library.py")]
        processor = f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
        parts += [llvmlite.__version__.encode(), processor.encode(), llvm.get_default_triple().encode()]
        self.key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]

    def load(self, symbol: str, code: bytes) -> int:
        """The address of a function in an object file."""
        self._engine.add_object_file(self._llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        address = int(self._engine.get_function_address(symbol))
        if not address:
            raise RuntimeError(f"no {symbol} in the object file")
        return address


@cache
def _machine() -> _Machine:
    return _Machine()


def _files(key: str, name: str) -> tuple[Path, ...]:
    """Where an object file may be kept."""
    file = f"{name}-{key}.o"
    return Path(__file__).parent / "__pycache__" / file, cache_folder() / "loops" / file


def _kept(key: str, name: str) -> tuple[str, int, bytes] | None:
    """Symbol, count of arguments and object file from where it is kept; None if it is not there, or not whole."""
    for file in _files(key, name):
        try:
            head, _, code = file.read_bytes().partition(b"\n")
            symbol, count, digest = head.decode().split()
        except (OSError, ValueError):
            continue
        if hashlib.sha256(code).hexdigest() == digest:
            return symbol, int(count), code
    return None


def _waited(made: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What a process wrote when it is done; it is ended if we are to stop."""
    while True:
        try:
            return made.communicate(timeout=PAUSE)
        except subprocess.TimeoutExpired:
            try:
                ask()
            except Cancelled:
                made.kill()
                raise


def _compiled(key: str, name: str) -> tuple[str, int, bytes]:
    """The same from the compiler, which takes some seconds; kept for the next time.

    In a process of its own, for the compiler holds more memory than a merge may.
    """
    command = [sys.executable, "-m", "solera.kernels.loops", name]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=paths) as made:
        output, said = _waited(made)
    if made.returncode:
        raise RuntimeError(said.decode(errors="replace").strip().rpartition("\n")[2])
    head, _, code = output.partition(b"\n")
    symbol, count = head.decode().split()
    whole = f"{symbol} {count} {hashlib.sha256(code).hexdigest()}\n".encode() + code
    for file in _files(key, name):
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(whole)
            os.replace(temporary, file)
            break
        except OSError as error:
            _LOG.info("%s is not kept (%s).", file, error)
    return symbol, int(count), code
