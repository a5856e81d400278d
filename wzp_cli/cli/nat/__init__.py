"""The diagnosis of a NAT as people and scripts get it: document, words, text, page."""
