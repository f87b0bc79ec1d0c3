"""The demo's face networks: their training, export and evaluation, and who is who on an album."""
