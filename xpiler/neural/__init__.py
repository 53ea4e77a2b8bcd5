"""The neural half: manuals, retrieval, prompts; a model sketches, the gate decides."""
