"""Chat templates: how a conversation becomes text, as a tokenizer's config says it in Jinja."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import CheckpointError

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint

#: The template that most models have.
AUTO = "auto"

#: The file that has it, and those that go before it there.
CONFIG, APART = "tokenizer_config.json", ("chat_template.jinja", "chat_template.json")

#: A file that is larger is none of a tokenizer's config.
_MAX_BYTES = 64 << 20

_CHATML = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}"""

_LLAMA3 = """\
{{- bos_token -}}
{%- for message in messages -%}
<|start_header_id|>{{ message.role }}<|end_header_id|>

{{ message.content | trim }}<|eot_id|>
{%- endfor -%}
{%- if add_generation_prompt -%}
<|start_header_id|>assistant<|end_header_id|>

{% endif -%}"""

_MISTRAL = """\
{{- bos_token -}}
{%- set told = namespace(system='') -%}
{%- for message in messages -%}
  {%- if message.role == 'system' -%}
    {%- set told.system = message.content + '\\n\\n' -%}
  {%- elif message.role == 'user' -%}
    {{- '[INST] ' + told.system + message.content + ' [/INST]' -}}
    {%- set told.system = '' -%}
  {%- else -%}
    {{- ' ' + message.content + eos_token -}}
  {%- endif -%}
{%- endfor -%}"""

_ALPACA = """\
{%- if not messages or messages[0].role != 'system' -%}
  {{- 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' -}}
  {{- '\\n\\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'system' -%}
    {{- message.content + '\\n\\n' -}}
  {%- elif message.role == 'user' -%}
    {{- '### Instruction:\\n' + message.content + '\\n\\n' -}}
  {%- else -%}
    {{- '### Response:\\n' + message.content + eos_token + '\\n\\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '### Response:\\n' -}}
{%- endif -%}"""

_EXAONE = """\
{%- if not messages or messages[0].role != 'system' -%}
  {{- '[|system|][|endofturn|]\\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {{- '[|' + message.role + '|]' + message.content -}}
  {{- '\\n' if message.role == 'user' else '[|endofturn|]\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '[|assistant|]' -}}
{%- endif -%}"""

#: The templates that have a name.
NAMED = {"alpaca": _ALPACA, "chatml": _CHATML, "exaone": _EXAONE, "llama3": _LLAMA3, "mistral": _MISTRAL}


def is_template(text: str) -> bool:
    """Whether a text says a template: by name, ``auto``, or in Jinja, which has braces."""
    return text == AUTO or text in NAMED or "{" in text


def choose_template(wanted: str, checkpoints: Iterable[Checkpoint]) -> str:
    """The template that is meant, in Jinja.

    Args:
        wanted: ``"auto"``, a name of :data:`NAMED`, or the template itself.
        checkpoints: Among which ``"auto"`` takes what most have; of equally many the first.

    Returns:
        The template; empty where none of them has one.

    Raises:
        CheckpointError: A tokenizer's config cannot be read.
    """
    if wanted != AUTO:
        return NAMED.get(wanted, wanted)
    found = [template.strip() for template in map(template_of, checkpoints) if template.strip()]
    return Counter(found).most_common(1)[0][0] if found else ""


def template_of(checkpoint: Checkpoint) -> str:
    """The chat template beside a checkpoint; its default one if it has several, empty if it has none.

    Raises:
        CheckpointError: A file of it cannot be read.
    """
    files = {file.name: file for file in checkpoint.extra_files()}
    if APART[0] in files:
        return _read(files[APART[0]])
    for name in (APART[1], CONFIG):
        if name in files:
            said = _json(files[name], checkpoint.name).get("chat_template")
            if isinstance(said, list):  # [{"name": "default", "template": "..."}]
                said = {str(item.get("name")): item.get("template") for item in said if isinstance(item, dict)}
            if isinstance(said, dict):
                said = said.get("default")
            if isinstance(said, str) and said:
                return said
    return ""


def with_template(folder: Path, template: str) -> dict[str, Any] | None:
    """The tokenizer's config in a folder with another template; None if there is no tokenizer.

    Raises:
        CheckpointError: It cannot be read.
    """
    if not any((folder / name).exists() for name in (CONFIG, "tokenizer.json", "tokenizer.model", "vocab.json")):
        return None
    plain = _json(folder / CONFIG, folder.name) if (folder / CONFIG).exists() else {}
    return {**plain, "chat_template": template}


def _json(file: Path, owner: str) -> dict[str, Any]:
    plain: Any = None
    with suppress(ValueError, RecursionError):
        plain = json.loads(_read(file))
    if not isinstance(plain, dict):
        raise CheckpointError(f"{file.name} of {owner} is no JSON object.", path=str(file))
    return plain


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise CheckpointError(f"{file.name} is larger than any tokenizer's config is.", path=str(file))
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{file.name} cannot be read: {error}.", path=str(file)) from error
