"""The views of this plugin; the only part that may use the application's widgets."""
