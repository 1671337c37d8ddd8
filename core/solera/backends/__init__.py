"""Where jobs run besides the queue's own threads: in a process that can be killed."""
