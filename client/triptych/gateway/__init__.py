"""`triptych gateway`: HTTP as photo servers speak it, in front of one or several Tritons."""
