"""Menus, toolbar, shortcuts and palette as tables of data."""
