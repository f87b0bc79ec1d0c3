"""Breaking things on purpose under steady load: who is left without an answer, who gets a wrong one, how long until all is well again."""
