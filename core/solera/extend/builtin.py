"""The internal manifest: formats that run no code of a file live in the core and enter by the same door."""

from __future__ import annotations

from solera.extend.manifest import API_VERSION, Contribution, Manifest

BUILTIN = Manifest(
    name="solera",
    version="1",
    api=API_VERSION,
    summary="What the core itself brings.",
    contributions=(
        Contribution(
            kind="format",
            name="safetensors",
            title="safetensors",
            object="solera.checkpoints.formats.safetensors:SafetensorsFormat",
            summary="A .safetensors file, or a folder of shards with its index.",
        ),
        Contribution(
            kind="format",
            name="torch",
            title="PyTorch zip file",
            object="solera.checkpoints.formats.torch_zip:TorchZipFormat",
            summary="A .pt, .bin or .ckpt file of tensors, read without running its pickle.",
        ),
    ),
)
