"""What a face that plugins stand on promises, as text: its names, signatures and public members."""

import inspect
from types import ModuleType
from typing import Any


def snapshot(face: ModuleType) -> str:
    """Every name of a face's ``__all__``, described."""
    return "\n".join(line for name in face.__all__ for line in describe(name, getattr(face, name))) + "\n"


def describe(name: str, thing: Any) -> list[str]:
    if inspect.ismodule(thing):
        public = {
            key: value
            for key, value in vars(thing).items()
            if not key.startswith("_") and getattr(value, "__module__", "") == thing.__name__
        }
        lines = [line for key in sorted(public) for line in describe(key, public[key])]
        return [f"module {name}", *(f"  {line}" for line in lines)]
    if inspect.isclass(thing):
        lines = [f"class {name}{_signature(thing)}"]
        members = {**thing.__annotations__, **vars(thing)} if "__annotations__" in vars(thing) else dict(vars(thing))
        for member in sorted(members):
            if (member.startswith("_") and member != "__call__") or member == "staticMetaObject":
                continue
            value = inspect.getattr_static(thing, member, None)
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            if inspect.isfunction(value):
                lines.append(f"  {member}{_signature(value)}")
            else:
                lines.append(f"  {member}")
        return lines
    if callable(thing):
        return [f"def {name}{_signature(thing)}"]
    return [f"{name}: {type(thing).__name__}" + (f" = {thing!r}" if isinstance(thing, (str, int)) else "")]


def _signature(thing: Any) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    if inspect.isclass(thing):
        signature = signature.replace(return_annotation=inspect.Signature.empty)
        if issubclass(thing, BaseException):
            return "(message, **fields)"
    arguments = [
        p.replace(default=inspect.Parameter.empty if p.default is p.empty else _Default(p.default))
        for p in signature.parameters.values()
    ]
    return str(signature.replace(parameters=arguments))


class _Default:
    """A default printed alike on every machine."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        if isinstance(self.value, (str, int, float, bool, tuple, type(None))):
            return repr(self.value)
        return f"<{type(self.value).__name__}>"
