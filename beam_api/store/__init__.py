"""What is kept in Redis: one module per thing kept."""
