"""`triptych ui`: a page over a library, served by the gateway below /ui/: search, photos, people, similar photos, indexing, status."""
