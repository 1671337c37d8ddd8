"""Every action of the window as a row of data: menu, toolbar, shortcut, palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One thing a person can do.

    Attributes:
        id: Stable: ``"file.save"``; the window has a handler of this name.
        title: Verb first, sentence case; ``"…"`` at the end only if a dialog follows.
        menu: Which menu it stands in; empty for palette only.
        icon: Icon name, or empty.
        shortcut: As QKeySequence reads it.
        tip: One sentence for the tooltip and the palette.
        toolbar: Position group in the toolbar (1, 2, 3 ...); 0 is not there.
        checkable: Whether it is on or off.
        separator: Whether a line stands above it in the menu.
        when: What must hold for it to be enabled: empty for always; ``"project"`` and ``"busy"`` come from the desk,
            ``"tab"``, ``"document"``, ``"canvas"``, ``"exportable"``, ``"undo"``, ``"redo"``, ``"selection"``,
            ``"runnable"`` and ``"interpolation"`` from the tab in front.
    """

    id: str
    title: str
    menu: str = ""
    icon: str = ""
    shortcut: str = ""
    tip: str = ""
    toolbar: int = 0
    checkable: bool = False
    separator: bool = False
    when: str = ""


MENUS = ("File", "Edit", "View", "Canvas", "Run", "Tools", "Help")

ACTIONS: tuple[ActionRow, ...] = (
    ActionRow("file.new-project", "New project…", "File", "add", "Ctrl+Shift+N", "Make an empty project folder."),
    ActionRow("file.open-project", "Open project…", "File", "folder", "Ctrl+O", "Open a folder with solera.toml.", 1),
    ActionRow("file.open-checkpoints", "Open checkpoints…", "File", "checkpoint", "Ctrl+Shift+O",
              "Add files to the library; without a project one is made for them."),
    ActionRow("file.new-recipe", "New recipe", "File", "recipe", "Ctrl+N", "Open an empty recipe canvas.",
              separator=True, when="project"),
    ActionRow("file.open-recipe", "Open recipe…", "File", "recipe", "", "Open a recipe of Solera's or mergekit's."),
    ActionRow("file.save", "Save recipe", "File", "save", "Ctrl+S", "Write the recipe and its layout.", 1,
              when="document"),
    ActionRow("file.save-as", "Save recipe as…", "File", "save", "Ctrl+Shift+S", "Write it under another name.",
              when="document"),
    ActionRow("file.export", "Export picture…", "File", "export", "Ctrl+E",
              "Write what is shown as PNG, SVG, PDF or CSV.", 4, separator=True, when="exportable"),
    ActionRow("file.close", "Close tab", "File", "close", "Ctrl+W", "Close the tab in front.", when="tab"),
    ActionRow("file.quit", "Quit", "File", "", "Ctrl+Q", "End Solera; running jobs are interrupted resumably.",
              separator=True),
    ActionRow("edit.undo", "Undo", "Edit", "undo", "Ctrl+Z", "Take the last edit back.", 2, when="undo"),
    ActionRow("edit.redo", "Redo", "Edit", "redo", "Ctrl+Shift+Z", "Do it again.", 2, when="redo"),
    ActionRow("edit.copy", "Copy nodes", "Edit", "", "Ctrl+C", "Copy the selected nodes as JSON.", separator=True,
              when="selection"),
    ActionRow("edit.paste", "Paste nodes", "Edit", "", "Ctrl+V", "Insert copied nodes.", when="document"),
    ActionRow("edit.delete", "Delete nodes", "Edit", "trash", "Del", "Remove the selected nodes.", when="document"),
    ActionRow("edit.select-all", "Select all", "Edit", "", "Ctrl+A", "Select every node.", when="document"),
    ActionRow("view.library", "Library", "View", "", "Ctrl+1", "Show or hide the library.", checkable=True),
    ActionRow("view.inspector", "Inspector", "View", "", "Ctrl+2", "Show or hide the inspector.", checkable=True),
    ActionRow("view.bottom", "Jobs, runs and log", "View", "", "Ctrl+3", "Show or hide the dock at the bottom.",
              checkable=True),
    ActionRow("view.theme", "Switch light and dark", "View", "theme", "Ctrl+Shift+T", "Change the theme.",
              separator=True),
    ActionRow("view.palette", "Search commands…", "View", "search", "Ctrl+Shift+P", "Find any command by name."),
    ActionRow("canvas.add", "Add node…", "Canvas", "add", "Tab", "Search checkpoints and methods.", 3,
              when="document"),
    ActionRow("canvas.fit", "Zoom to fit", "Canvas", "fit", "F", "Show the whole canvas.", 3, when="canvas"),
    ActionRow("canvas.interpolate", "Interpolate…", "Canvas", "interpolate", "Ctrl+I",
              "Open the line or triangle between checkpoints of this recipe.", 3, when="document"),
    ActionRow("canvas.soup", "Make a soup", "Canvas", "soup", "Ctrl+U",
              "Open the soup canvas: a pool of checkpoints, a pot, and what their average scores.", 3, when="document"),
    ActionRow(
        "canvas.ground", "Score the surface beneath", "Canvas", "contours", "Ctrl+G",
        "Score the plane or line between the corners as a job.", 3, when="interpolation",
    ),
    ActionRow("canvas.frame", "Frame nodes", "Canvas", "frame", "Ctrl+Alt+G",
              "Put the selected nodes into a frame, which can be collapsed into one node.", 3, when="selection"),
    ActionRow("canvas.comment", "Add comment", "Canvas", "comment", "", "Write a note on the canvas.", 3,
              when="document"),
    ActionRow("canvas.layout", "Lay out", "Canvas", "layers", "",
              "Put the selected nodes, or all, into columns from left to right.", 3, when="document"),
    ActionRow("canvas.output", "Use as result", "Canvas", "check", "", "Make the selected node the recipe's result.",
              when="selection"),
    ActionRow("canvas.copy-yaml", "Copy as YAML", "Canvas", "", "", "Put the recipe on the clipboard.",
              separator=True, when="document"),
    ActionRow("canvas.copy-python", "Copy as Python", "Canvas", "", "", "Put a script on the clipboard.",
              when="document"),
    ActionRow("canvas.copy-cli", "Copy as command line", "Canvas", "", "", "Put a command on the clipboard.",
              when="document"),
    ActionRow("run.check", "Check recipe", "Run", "check", "Ctrl+K", "List every fault, and what it would cost.",
              when="document"),
    ActionRow("run.run", "Run recipe", "Run", "run", "Ctrl+R", "Merge and write the result as a job.",
              when="runnable"),
    ActionRow("run.explore", "Explore…", "Run", "surface", "Ctrl+L",
              "Score any family of the models on the canvas, live.", 3, when="document"),
    ActionRow("run.stop", "Stop job", "Run", "stop", "Ctrl+.", "Cancel the job that runs.", separator=True,
              when="busy"),
    ActionRow("tools.compare-runs", "Compare runs", "Tools", "compare", "",
              "Those selected in the list of runs, beside each other.", when="project"),
    ActionRow("tools.compare", "Compare two checkpoints", "Tools", "compare", "",
              "Tensor by tensor, the two selected in the library.", when="project"),
    ActionRow("tools.equals", "Find equal checkpoints", "Tools", "checkpoint", "",
              "Which ones of the library hold the same weights.", when="project"),
    ActionRow("tools.plugins", "Plugins…", "Tools", "plugin", "", "What is installed: switch off, reload, see errors.",
              separator=True),
    ActionRow("tools.settings", "Settings…", "Tools", "settings", "Ctrl+,", "Devices, memory, threads, theme."),
    ActionRow("help.welcome", "Welcome page", "Help", "help", "", "Demo projects and recent projects."),
    ActionRow("help.documentation", "Documentation", "Help", "notes", "", "Every page, searchable, without a network.",
              separator=True),
    ActionRow("help.selected", "Help on what is selected", "Help", "help", "Shift+F1",
              "The page of the method, or of the canvas or run in front."),
    ActionRow("help.examples", "Examples…", "Help", "dataset", "", "Everything that can be made on this machine."),
    ActionRow("help.tour", "Tour", "Help", "pin", "", "Three steps over the window."),
    ActionRow("help.shortcuts", "Keyboard shortcuts…", "Help", "", "F1", "See every shortcut, and choose others."),
    ActionRow("help.about", "About Solera", "Help", "", "", "Version and licence."),
)  # fmt: skip
