"""The language server of Xpiler."""
