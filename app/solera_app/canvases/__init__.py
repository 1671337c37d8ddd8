"""The recipe canvas and the interpolation canvas: renderings of one document."""
