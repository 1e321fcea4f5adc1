"""Results in the formats of other tools. Writers take an iterator and a text file, and need constant memory."""
