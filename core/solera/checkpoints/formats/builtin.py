"""The formats that come with Solera. They run no code from a file, so they live in the core."""

from __future__ import annotations

from solera.checkpoints.formats.format import Format
from solera.checkpoints.formats.safetensors import SafetensorsFormat
from solera.checkpoints.formats.torch_zip import TorchZipFormat

#: In the order in which they are tried.
BUILTIN_FORMATS: dict[str, Format] = {format.name: format for format in (SafetensorsFormat(), TorchZipFormat())}
