"""Sets a page of Markdown as the window sets its own text: its sizes, air between paragraphs, code on a ground."""

from __future__ import annotations

from PySide6.QtGui import (
    QFont,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextTable,
)

from solera_app.theme import font, mono, theme

#: Level of a heading -> size of the scale, air above it, px.
_HEADINGS = {1: ("display", 0), 2: ("title", 24), 3: ("heading", 18)}
_LINE = 140.0
_AIR = 10.0


def typeset(document: QTextDocument) -> None:
    """Give every block and every piece of code of a document its look, in the theme that is in force.

    Args:
        document: As ``setMarkdown`` left it.
    """
    document.setDocumentMargin(28)
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    block = document.begin()
    while block.isValid():
        _set_block(cursor, block)
        block = block.next()
    cursor.endEditBlock()
    for frame in document.rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            _set_table(frame)


def _set_block(cursor: QTextCursor, block: QTextBlock) -> None:
    shape = QTextBlockFormat()
    cursor.setPosition(block.position())
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    level = block.blockFormat().headingLevel()
    fenced = _fenced(block)
    if fenced:
        shape.setBackground(theme().colour("sunken"))
        shape.setLeftMargin(12)
        shape.setRightMargin(12)
        shape.setTopMargin(0 if _fenced(block.previous()) else 4)
        shape.setBottomMargin(0 if _fenced(block.next()) else _AIR + 4)
        shape.setLineHeight(130.0, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        shape.setNonBreakableLines(True)
    elif level:
        size, above = _HEADINGS.get(level, ("body", 14))
        shape.setTopMargin(above)
        shape.setBottomMargin(6)
        look = QTextCharFormat()
        look.setFont(font(size, "semibold"))
        look.setForeground(theme().colour("text"))
        cursor.setCharFormat(look)  # not merged: Markdown's own size would win
    else:
        inside = cursor.currentTable() is not None or block.textList() is not None
        shape.setBottomMargin(4.0 if inside else _AIR)
        shape.setLineHeight(_LINE, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    cursor.mergeBlockFormat(shape)
    if not level:
        _set_words(cursor, block, fenced=fenced)


def _fenced(block: QTextBlock) -> bool:
    """Whether it is a line of code of its own: between fences, or indented."""
    return block.isValid() and block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeLanguage)


def _set_words(cursor: QTextCursor, block: QTextBlock, *, fenced: bool) -> None:
    """The type of each run of letters: prose, code in a line, a link."""
    places = []
    at = block.begin()
    while not at.atEnd():
        piece = at.fragment()
        places.append((piece.position(), piece.length(), piece.charFormat()))
        at += 1
    for start, length, was in places:
        cursor.setPosition(start)
        cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
        look = QTextCharFormat()
        if was.fontFixedPitch() or fenced:
            look.setFont(mono("label"))
            if not fenced:
                look.setBackground(theme().colour("sunken"))
        else:
            face = QFont(font("body"))
            face.setWeight(QFont.Weight.DemiBold if was.fontWeight() > QFont.Weight.Medium else QFont.Weight.Normal)
            face.setItalic(was.fontItalic())
            look.setFont(face)
        look.setForeground(theme().colour("accent" if was.isAnchor() else "text"))
        look.setFontUnderline(False)
        cursor.mergeCharFormat(look)


def _set_table(table: QTextTable) -> None:
    shape = table.format()
    shape.setBorder(0)
    shape.setCellPadding(6)
    shape.setCellSpacing(0)
    shape.setTopMargin(4)
    shape.setBottomMargin(16)
    table.setFormat(shape)
