"""Cells of a surface drawn by OpenGL into an image, each hiding what is behind it, where a probe found it works."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QSize
from PySide6.QtGui import QGuiApplication, QImage, QOffscreenSurface, QOpenGLContext, QSurfaceFormat
from PySide6.QtOpenGL import (
    QOpenGLBuffer,
    QOpenGLFramebufferObject,
    QOpenGLFramebufferObjectFormat,
    QOpenGLShader,
    QOpenGLShaderProgram,
    QOpenGLVertexArrayObject,
)

Floats = NDArray[np.float64]
#: Seconds that finding out may take, and platforms whose surfaces cannot be drawn on.
_PROBING, _BARE = 20.0, ("offscreen", "minimal", "vnc", "linuxfb")
#: Samples of a pixel, floats of a vertex, and how opaque a cell's white outline is.
_SAMPLES, _FLOATS, _OUTLINE = 4, 7, 90 / 255
_COLOURS, _DEPTHS, _TEST, _BLEND, _FLOAT = 0x4000, 0x0100, 0x0B71, 0x0BE2, 0x1406
_RENDERER, _COMPUTED = 0x1F01, ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")
_ONE, _REST, _NOT_BEHIND, _TRIANGLES, _LINES = 1, 0x0303, 0x0203, 4, 1

_VERTEX = """
attribute vec3 at;
attribute vec4 ink;
varying vec4 colour;
void main() { colour = ink; gl_Position = vec4(at, 1.0); }
"""
_FRAGMENT = """
#ifdef GL_ES
precision mediump float;
#endif
varying vec4 colour;
void main() { gl_FragColor = colour; }
"""


@lru_cache(maxsize=1)
def probe() -> bool:
    """Whether a graphics card draws here, found out in another process: a broken driver would end this one.

    OpenGL that is computed by the processor does not count: to paint takes it less.
    """
    if QGuiApplication.platformName() in _BARE:
        return False
    words = [sys.executable, "-m", "solera_app.plots.gl_surface", "-platform", QGuiApplication.platformName()]
    try:
        return subprocess.run(words, capture_output=True, timeout=_PROBING).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class GlSurface:
    """Draws by OpenGL. To be made and used in the window's thread, where :func:`probe` said yes.

    Args:
        owner: Whose end is its end.
    """

    def __init__(self, owner: QObject | None = None) -> None:
        wanted = QSurfaceFormat()
        wanted.setDepthBufferSize(24)
        self._context = QOpenGLContext(owner)
        self._context.setFormat(wanted)
        self._surface = QOffscreenSurface(None, owner)
        #: Whether it can draw.
        self.works = self._context.create()
        self._surface.setFormat(self._context.format())
        self._surface.create()
        self.works = self.works and self._surface.isValid() and self._context.makeCurrent(self._surface)
        if not self.works:
            return
        #: What draws, as the driver calls it.
        self.renderer = str(self._context.functions().glGetString(_RENDERER))
        self._program = QOpenGLShaderProgram(owner)
        self._program.addShaderFromSourceCode(QOpenGLShader.ShaderTypeBit.Vertex, _VERTEX)
        self._program.addShaderFromSourceCode(QOpenGLShader.ShaderTypeBit.Fragment, _FRAGMENT)
        self._program.bindAttributeLocation("at", 0)
        self._program.bindAttributeLocation("ink", 1)
        self.works = self._program.link()
        self._context.doneCurrent()

    def image(self, cells: Floats, colours: NDArray[np.uint8], outlined: NDArray[np.bool_], size: QSize) -> QImage:
        """Draw cells.

        Args:
            cells: The corners in turn, pixels and depth (more is nearer), shape (n, 4, 3).
            colours: Shape (n, 3).
            outlined: Which have a white outline, shape (n,).
            size: Of the image, px.

        Returns:
            The image, transparent where there is no cell; null if it could not be drawn.
        """
        if not self.works or not len(cells) or not self._context.makeCurrent(self._surface):
            return QImage()
        made = QOpenGLFramebufferObjectFormat()
        made.setSamples(_SAMPLES)
        made.setAttachment(QOpenGLFramebufferObject.Attachment.CombinedDepthStencil)
        target = QOpenGLFramebufferObject(size, made)
        try:
            if not target.isValid() or not target.bind():
                return QImage()
            faces, edges = _vertices(cells, colours, outlined, size)
            self._draw(faces, edges, size)
            target.release()
            return target.toImage()
        finally:
            del target  # while its context is current
            self._context.doneCurrent()

    def _draw(self, faces: NDArray[np.float32], edges: NDArray[np.float32], size: QSize) -> None:
        gl = self._context.functions()
        gl.glViewport(0, 0, size.width(), size.height())
        gl.glClearColor(0.0, 0.0, 0.0, 0.0)
        gl.glClear(_COLOURS | _DEPTHS)
        gl.glEnable(_TEST)
        gl.glDepthFunc(_NOT_BEHIND)
        gl.glEnable(_BLEND)
        gl.glBlendFunc(_ONE, _REST)
        arrays, buffer = QOpenGLVertexArrayObject(), QOpenGLBuffer(QOpenGLBuffer.Type.VertexBuffer)
        arrays.create()
        arrays.bind()
        self._program.bind()
        buffer.create()
        buffer.bind()
        data = np.concatenate([faces, edges]).tobytes()
        buffer.allocate(data, len(data))
        for place, start, count in ((0, 0, 3), (1, 3, 4)):
            self._program.enableAttributeArray(place)
            self._program.setAttributeBuffer(place, _FLOAT, 4 * start, count, 4 * _FLOATS)
        gl.glDrawArrays(_TRIANGLES, 0, len(faces))
        gl.glDrawArrays(_LINES, len(faces), len(edges))
        buffer.destroy()
        self._program.release()
        arrays.destroy()


def _vertices(
    cells: Floats, colours: NDArray[np.uint8], outlined: NDArray[np.bool_], size: QSize
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two triangles for each cell, then four lines for each that has an outline; shape (m, 7) both."""
    low, high = cells[..., 2].min(), cells[..., 2].max()
    at = np.empty(cells.shape, dtype=np.float32)
    at[..., 0] = 2 * cells[..., 0] / size.width() - 1
    at[..., 1] = 1 - 2 * cells[..., 1] / size.height()
    at[..., 2] = 0.9 - 1.8 * (cells[..., 2] - low) / max(high - low, 1e-12)
    inks = np.concatenate([colours / 255, np.ones((len(colours), 1))], axis=1).astype(np.float32)
    triangles = at[:, (0, 1, 2, 0, 2, 3)]
    faces = np.concatenate([triangles, np.repeat(inks[:, None], 6, axis=1)], axis=2).reshape(-1, _FLOATS)
    lines = at[outlined][:, (0, 1, 1, 2, 2, 3, 3, 0)]
    lines[..., 2] -= 1e-3  # an outline is not behind its own cell
    white = np.full((*lines.shape[:2], 4), _OUTLINE / 2, dtype=np.float32)  # two cells share an edge
    return faces, np.concatenate([lines, white], axis=2).reshape(-1, _FLOATS)


def _answer() -> int:
    """For :func:`probe`: 0 where a cell comes out in its colour, 3 where the processor drew it, else 1."""
    surface = GlSurface()
    cell = np.array([[[4.0, 4.0, 0.0], [28.0, 4.0, 0.0], [28.0, 28.0, 1.0], [4.0, 28.0, 1.0]]])
    image = surface.image(cell, np.array([[255, 0, 0]], dtype=np.uint8), np.array([False]), QSize(32, 32))
    right = not image.isNull() and image.pixelColor(16, 16).red() > 250 and image.pixelColor(1, 1).alpha() == 0
    if not right:
        return 1
    return 3 if any(name in surface.renderer.lower() for name in _COMPUTED) else 0


if __name__ == "__main__":
    application = QGuiApplication(sys.argv)
    sys.exit(_answer())
