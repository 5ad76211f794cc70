"""What is written down: text to frozen values and back, without any input or output."""
