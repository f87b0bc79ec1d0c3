"""Texts: a query (and its language) -> the int32 tokens that the text models take. Pure functions, no Triton."""
