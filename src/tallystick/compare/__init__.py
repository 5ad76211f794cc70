"""How two files differ, in their own terms; pure."""
