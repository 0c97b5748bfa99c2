"""The tests of llmgateway; the tree mirrors the packages, `guards/` watches the source itself."""
