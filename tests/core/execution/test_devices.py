"""Merges that are computed on devices: the copies there and back, the same bytes, the sharing, the room."""

from __future__ import annotations

import hashlib
import threading

import pytest
import torch
from tests.core.execution.late_device import LateDevice, LateLane

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import CapacityError, InputError, NumericError
from solera.execution.devices import CudaDevice, HostDevice, HostMark, open_devices
from solera.execution.memory import materialise
from solera.execution.plan import plan
from solera.execution.staged_reader import Request, StagedReader
from solera.execution.staging import Staging
from solera.execution.stream import execute
from solera.recipes.nodes import MethodNode, Node, Recipe, SumNode, Term

PAIR = ("math", "code")
RECIPES: dict[str, tuple[Node, ...]] = {
    "one": (SumNode("o", (Term("math"),)),),
    "sum": (SumNode("d", (Term("math"), Term("base", -1.0))), SumNode("o", (Term("base"), Term("d", 0.7)))),
    "linear": (MethodNode("o", "linear", ("base", "math", "code")),),
    "arithmetic": (MethodNode("o", "task_arithmetic", PAIR, "base", {"scale": 0.4}),),
    "dare": (MethodNode("o", "dare", PAIR, "base", {"density": 0.4}),),
    "della": (MethodNode("o", "della", PAIR, "base"),),
    "ties": (MethodNode("o", "ties", PAIR, "base", {"density": 0.3}),),
    "ties-model": (MethodNode("o", "ties", PAIR, "base", {"density": 0.3, "scope": "model"}),),
    "sce": (MethodNode("o", "sce", PAIR, "base", {"density": 0.5}),),
    "model_stock": (MethodNode("o", "model_stock", PAIR, "base"),),
    "karcher": (MethodNode("o", "karcher", PAIR),),
    "slerp": (MethodNode("o", "slerp", PAIR),),
    "nested": (
        MethodNode("t", "ties", PAIR, "base", {"density": 0.3, "scope": "model"}),
        MethodNode("u", "ties", ("t", "code"), "base", {"scope": "model"}),
        MethodNode("o", "slerp", ("u", "code")),
    ),
}


NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def digests(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


@pytest.fixture
def small(monkeypatch):
    """Pieces and windows so small that every tensor takes several."""
    monkeypatch.setattr("solera.execution.plan.DEVICE_CHUNK", 500)
    monkeypatch.setattr("solera.execution.plan._LEAST_CHUNK", 500)
    monkeypatch.setattr("solera.execution.plan.WINDOW", 512)
    monkeypatch.setattr("solera.execution.plan.LEAST_WINDOW", 512)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("count", [1, 3])
def test_a_device_gives_the_bytes_of_the_cpu(name, count, opened, leaves, methods, tmp_path, small):
    recipe = Recipe((*leaves, *RECIPES[name]), "o", dtype="bfloat16" if name == "sum" else "")
    direct = execute(plan(recipe, opened, methods), tmp_path / "direct" / "out", QuietContext())
    devices = [LateDevice() for _ in range(count)]
    staged = plan(recipe, opened, methods, devices=devices, threads=4)
    assert staged.chunk == 500
    assert digests(execute(staged, tmp_path / "staged" / "out", QuietContext())) == digests(direct)
    used = [device for device in devices if device.copied]
    assert used
    assert max(device.most for device in used) > 2, "nothing was under way beside other work"


def test_every_tensor_goes_to_one_device_and_all_devices_work(opened, leaves, methods, tmp_path, small, monkeypatch):
    """Each device is held up until every other one has begun, so all of them must get a share."""
    seen: dict[str, set[str]] = {}
    began = threading.Barrier(3, timeout=20)
    upload = StagedReader._fill

    def watched(reader, request):
        first = reader.device.name not in seen
        seen.setdefault(reader.device.name, set()).add(request.name)
        if first:
            began.wait()
        return upload(reader, request)

    monkeypatch.setattr(StagedReader, "_fill", watched)
    recipe = Recipe((*leaves, *RECIPES["linear"]), "o")
    devices = [LateDevice(name) for name in ("x", "y", "z")]
    execute(plan(recipe, opened, methods, devices=devices, threads=3), tmp_path / "out", QuietContext())
    computed = {name for name, ref in opened["base"].items() if ref.kind != "counter" and ref.numel}
    assert set(seen) == {"x", "y", "z"}
    assert sorted(name for names in seen.values() for name in names) == sorted(computed - {"head.weight"})


def checkpoint(**tensors):
    return MemoryCheckpoint.from_state_dict(tensors)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["linear", "ties-model", "sce", "slerp"])
def test_nan_in_an_input_is_named_and_nothing_appears(bad, name, opened, leaves, methods, tmp_path, small):
    spoiled = {key: ref.read() for key, ref in opened["math"].items()}
    spoiled["model.layers.1.w"].view(-1)[1234] = bad
    found = {**opened, "math": checkpoint(**spoiled)}
    recipe = Recipe((*leaves, *RECIPES[name]), "o")
    with pytest.raises(NumericError, match=r"'model\.layers\.1\.w' of checkpoint .*1 of 500|1 of 2145"):
        execute(plan(recipe, found, methods, devices=[LateDevice()]), tmp_path / "out", QuietContext())
    assert not (tmp_path / "out").exists()


def test_nan_that_may_pass_passes_as_on_the_cpu(opened, leaves, methods, tmp_path, small):
    spoiled = {key: ref.read() for key, ref in opened["math"].items()}
    spoiled["model.layers.1.w"].view(-1)[1234] = float("inf")
    found = {**opened, "math": checkpoint(**spoiled)}
    recipe = Recipe((*leaves, *RECIPES["linear"]), "o")
    made = []
    for i, devices in enumerate([(), (LateDevice(),)]):
        context = QuietContext()
        cost = plan(recipe, found, methods, devices=devices)
        out = execute(cost, tmp_path / str(i) / "out", context, allow_nonfinite=True)
        made.append((digests(out)["model.safetensors"], len(context.events)))
    assert made[0] == made[1]
    assert made[0][1] == 2


def test_an_overflow_of_the_dtype_is_named(opened, leaves, methods, tmp_path, small):
    change = SumNode("d", (Term("math"), Term("base", -1.0)))
    large = SumNode("o", (Term("base"), Term("d", 1e6)))
    recipe = Recipe((*leaves, change, large), "o", dtype="float16")
    with pytest.raises(NumericError, match="which do not fit float16"):
        execute(plan(recipe, opened, methods, devices=[LateDevice()]), tmp_path / "out", QuietContext())


@pytest.mark.parametrize("dtype", ["float64", "float16", "float8_e4m3fn"])
def test_every_dtype_goes_there_and_back(dtype, methods, tmp_path, small, leaves):
    torch.manual_seed(0)
    stored = getattr(torch, dtype)
    found = {n: checkpoint(w=torch.randn(40, 50).to(stored), s=torch.randn(()).to(stored)) for n in ("base", "math")}
    recipe = Recipe((*leaves[:2], SumNode("o", (Term("base", 0.5), Term("math", 0.5)))), "o")
    direct = execute(plan(recipe, found, methods), tmp_path / "a" / "out", QuietContext())
    staged = execute(plan(recipe, found, methods, devices=[LateDevice()]), tmp_path / "b" / "out", QuietContext())
    assert digests(staged) == digests(direct)


def test_float64_that_does_not_fit_is_named(methods, tmp_path, leaves):
    found = {n: checkpoint(w=torch.full((10,), 1e300, dtype=torch.float64)) for n in ("base", "math")}
    recipe = Recipe((*leaves[:2], SumNode("o", (Term("base", 0.5), Term("math", 0.5)))), "o")
    with pytest.raises(NumericError, match="do not fit float32"):
        execute(plan(recipe, found, methods, devices=[LateDevice()]), tmp_path / "out", QuietContext())


def test_what_does_not_fit_a_device_is_refused_with_numbers(opened, leaves, methods):
    recipe = Recipe((*leaves, MethodNode("o", "karcher", PAIR)), "o", name="centre")
    with pytest.raises(CapacityError, match=r"centre needs [\d.]+ MiB of memory of cuda:1 .*; [\d.]+ MiB may be taken") as caught:  # fmt: skip  # noqa: E501
        plan(recipe, opened, methods, devices=[LateDevice("cuda:0"), LateDevice("cuda:1", 20_000)])
    assert caught.value.fields["budget"] == 20_000
    with pytest.raises(CapacityError, match="windows for the copies of"):
        plan(recipe, opened, methods, devices=[HostDevice()], memory_budget=2**20)


def test_a_smaller_device_works_in_smaller_pieces(methods, leaves):
    found = {n: checkpoint(w=torch.zeros(2000, 3000)) for n in ("base", "math", "code")}
    recipe = Recipe((*leaves, *RECIPES["linear"]), "o")
    costs = [plan(recipe, found, methods, devices=[LateDevice(room=room)], threads=4) for room in (2**33, 2**27, 2**22)]
    assert [cost.chunk for cost in costs] == sorted((cost.chunk for cost in costs), reverse=True)
    assert all(cost.device_holds <= cost.device_budget for cost in costs)
    assert costs[0].chunk > costs[2].chunk
    assert all(cost.holds <= cost.memory_budget for cost in costs)


def test_the_late_device_sees_a_window_overwritten_too_early(monkeypatch):
    """The check on the checks: without its waits the staging fails here."""
    device = LateDevice()
    staging = Staging(device.lane(), 64)
    source = torch.arange(200, dtype=torch.uint8)
    target = torch.zeros(200, dtype=torch.uint8)

    def read(host, start, stop):
        host.copy_(source[start:stop])

    staging.upload(read, target, 1, HostMark()).wait()
    assert torch.equal(target, source)
    back = torch.cat([host.clone() for _, host in staging.download(target, HostMark())])
    assert torch.equal(back, source)
    monkeypatch.setattr(type(staging._up._windows[0]), "free", lambda window, nbytes: window.memory[:nbytes])
    with pytest.raises(AssertionError, match="changed while its copy was under way"):
        staging.upload(read, target.clone(), 1, HostMark()).wait()


def test_a_piece_that_was_staged_is_read_once_and_one_that_was_not_on_demand(monkeypatch):
    reads = []
    one = checkpoint(w=torch.arange(100.0))
    reader = StagedReader({"a": one}, LateDevice(), window=64)
    fill = reader._fill
    monkeypatch.setattr(reader, "_fill", lambda request: reads.append(request) or fill(request))
    reader.stage(Request("a", "w", 0, 40))
    reader.stage(Request("a", "w", 40, 90))
    assert reader("a", "w", 0, 40).tolist() == list(range(40))
    assert reader("a", "w", 10, 20).tolist() == list(range(10, 20))
    assert reader("a", "w", 40, 90).tolist() == list(range(40, 90))
    assert [(request.start, request.stop) for request in reads] == [(0, 40), (40, 90), (10, 20)]
    reader.settle()


def test_a_state_dict_is_made_on_a_device(opened, leaves, methods, monkeypatch):
    recipe = Recipe((*leaves, *RECIPES["ties-model"]), "o")
    direct = materialise(recipe, opened, methods)
    monkeypatch.setattr("solera.execution.staged_reader.open_devices", lambda names: (LateDevice(),))
    staged = materialise(recipe, opened, methods)
    assert all(torch.equal(staged[name], direct[name]) for name in direct)


def test_devices_that_are_not_there_are_refused():
    assert open_devices(("cpu",)) == ()
    with pytest.raises(InputError, match="on the CPU or on GPUs"):
        open_devices(("cpu", "cuda:0"))
    with pytest.raises(InputError, match="no device 'cuda:99'"):
        open_devices(("cuda:99",))


def test_a_lane_belongs_to_its_thread():
    lane = LateLane(LateDevice())
    failed = []

    def other():
        try:
            lane.up(torch.zeros(1), torch.zeros(1), None)
        except AssertionError as error:
            failed.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert failed


@pytest.mark.gpu
@NO_GPU
@pytest.mark.parametrize("name", RECIPES)
def test_gpus_agree_with_the_cpu(name, opened, leaves, methods, tmp_path):
    """By bytes where all is done element by element, else to the last digits."""
    recipe = Recipe((*leaves, *RECIPES[name]), "o")
    direct = materialise(recipe, opened, methods)
    devices = [CudaDevice(f"cuda:{i}") for i in range(torch.cuda.device_count())]
    folder = execute(plan(recipe, opened, methods, devices=devices), tmp_path / "out", QuietContext(devices[0].name))
    from safetensors.torch import load_file

    made = load_file(folder / "model.safetensors")
    for key, tensor in made.items():
        if name in {"one", "sum", "linear", "arithmetic", "ties", "ties-model"}:
            assert torch.equal(tensor, direct[key])
        else:
            torch.testing.assert_close(tensor, direct[key], rtol=2e-5, atol=2e-5)


@pytest.mark.gpu
@NO_GPU
def test_a_gpu_copies_large_tensors_through_its_windows(methods, leaves, tmp_path):
    torch.manual_seed(0)
    found = {n: checkpoint(w=torch.randn(3000, 9000).bfloat16()) for n in ("base", "math", "code")}
    recipe = Recipe((*leaves, *RECIPES["arithmetic"]), "o")
    staged = plan(recipe, found, methods, devices=[CudaDevice("cuda:0")])
    a = execute(staged, tmp_path / "a" / "out", QuietContext("cuda:0"))
    b = execute(plan(recipe, found, methods), tmp_path / "b" / "out", QuietContext())
    assert digests(a) == digests(b)
