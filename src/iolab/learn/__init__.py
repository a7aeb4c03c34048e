"""The course: it reads the evidence that students produce with the lab's own commands."""
