"""The engine in processes of its own: what runs in them (`work.py`) and how they are kept (`worker.py`).

Nothing here knows of the Language Server Protocol: texts go in, plain JSON with offsets comes out.
"""
