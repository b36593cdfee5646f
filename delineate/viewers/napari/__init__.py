"""The napari plugin: read, run here or on a server, write. ``pip install 'delineate[napari]'``.

No Qt is imported here, and none is asked for: napari brings the one that is installed.
"""
