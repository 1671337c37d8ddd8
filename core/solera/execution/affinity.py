"""Whether a recipe is affine in its free variables: weights = base + sum of variable * direction."""

from __future__ import annotations

from solera.execution.program import Program
from solera.execution.step import Step
from solera.params import variables
from solera.recipes.nodes import CheckpointNode, MethodNode, StackNode, SumNode, TokensNode, operands


def affine_in_variables(program: Program) -> bool:
    """Told from the structure, erring towards no.

    A sum is affine if no term multiplies a variable by something that varies. A method is if it declares so, its
    switches and choices stand at their defaults, and only its inputs or only one of its parameters vary.
    """
    varying = {step.id for step in program.steps if step.varies}
    return all(_affine(step, varying) for step in program.steps if step.varies)


def _affine(step: Step, varying: set[str]) -> bool:
    node = step.node
    match node:
        case CheckpointNode() | StackNode() | TokensNode():
            return True
        case SumNode(terms=terms):
            return not any(term.node in varying and any(variables(term.coefficient)) for term in terms)
        case MethodNode(params=params):
            assert step.spec is not None
            switches = {param.name: param for param in step.spec.params if param.kind not in {"float", "int"}}
            at_defaults = all(params.get(name, param.default) == param.default for name, param in switches.items())
            moving = [name for name, value in params.items() if any(variables(value))]
            inputs_move = bool(varying & set(operands(node)))
            return step.spec.affine and at_defaults and len(moving) + inputs_move <= 1
