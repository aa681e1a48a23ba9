"""What a program can check of docs/style.md."""
