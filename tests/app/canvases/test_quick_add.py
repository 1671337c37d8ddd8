"""The menu of what can be added: every kind of line has a heading and an icon."""

from typing import get_args

from solera_app.canvases.additions import SECTIONS, AdditionKind
from solera_app.canvases.quick_add import ICONS
from solera_app.theme import icon


def test_every_kind_has_a_heading_and_an_icon(qapp):
    assert set(get_args(AdditionKind)) == set(SECTIONS) == set(ICONS)
    assert not any(icon(name).isNull() for name in ICONS.values())
