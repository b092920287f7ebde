"""Facts about the machine and the process: memory, cores, file descriptors, parents."""
