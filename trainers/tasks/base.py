"""What the module of a task imports: the task, its qualities, and the functions that make the common ones."""

from trainers.data.examples import Batch, Examples, InMemory
from trainers.tasks.supervised import classification, regression, supervised
from trainers.tasks.task import Excerpt, Quality, Score, Signal, Split, Task

__all__ = [
    "Batch",
    "Examples",
    "Excerpt",
    "InMemory",
    "Quality",
    "Score",
    "Signal",
    "Split",
    "Task",
    "classification",
    "regression",
    "supervised",
]
